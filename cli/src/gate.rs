//! The baseline of a run: read before it starts, asked and added to when it is done.

use std::path::PathBuf;

use gridproof_conformance::gate::{self, Baseline, Checked, Observed, Reading};
use gridproof_report::model::Accepted;
use gridproof_report::text::count;

use crate::exit::Exit;
use crate::flags::GateFlags;
use crate::output::tell;

/// What findings are held against.
#[derive(Debug)]
pub struct Gate {
    baseline: Baseline,
    strict: bool,
    write: Option<PathBuf>,
}

impl Gate {
    /// Reads the baseline, where one is given.
    pub fn open(flags: &GateFlags) -> anyhow::Result<Self> {
        let baseline = match (&flags.baseline, &flags.write_baseline) {
            (Some(path), _) => Baseline::read(path, Reading::Complete)?,
            (None, Some(path)) => Baseline::read(path, Reading::Unfinished)?,
            (None, None) => Baseline::default(),
        };
        Ok(Self { baseline, strict: flags.baseline_strict, write: flags.write_baseline.clone() })
    }

    /// The reasons by fingerprint.
    pub fn accepted(&self) -> Accepted {
        self.baseline.accepted()
    }

    /// Tells what has vanished, adds what is new where that is asked for, and gives the exit code of the run.
    pub fn close(&self, (observed, checked): &(Vec<Observed>, Vec<Checked>), exit: Exit) -> anyhow::Result<Exit> {
        let vanished = self.baseline.vanished(observed, checked);
        let level = if self.strict { "error" } else { "warning" };
        for entry in &vanished {
            let place = format!("{}:{}", self.baseline.path.display(), entry.line);
            let (rule, kernel) = (&entry.rule, &entry.kernel);
            tell(&format!("{level}: {place}: {rule} of {kernel} was not found any more: take the entry out"));
        }
        if let Some(path) = &self.write {
            let added = gate::add(path, observed)?;
            let what = match added {
                0 => "nothing to add".to_owned(),
                added => format!("{} added: say why each is accepted", count(added as u64, "finding")),
            };
            tell(&format!("{}: {what}", path.display()));
        }
        Ok(if self.strict && !vanished.is_empty() && exit == Exit::Clean { Exit::Findings } else { exit })
    }
}
