//! What a run found and checked, as the gate sees it.

use gridproof_report::fingerprint;
use gridproof_report::matrix::{CellResult, MatrixReport};
use gridproof_report::model::{CheckReport, Place, Subject, Verdict};
use gridproof_report::verdict::shape_text;
use gridproof_simulator::finding::{Rule, Severity};

/// An error that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// See [`gridproof_report::fingerprint`].
    pub fingerprint: String,
    /// Code of the rule.
    pub rule: String,
    /// Kernel and variant, or module and entry point.
    pub kernel: String,
    /// Shape, launch file, or cell.
    pub launch: String,
    /// What and where, for the reader of the baseline.
    pub about: String,
}

/// A launch that was checked to its end: kernel and launch, as [`Observed`] has them.
pub type Checked = (String, String);

/// The errors of a check, and the check itself where it came to its end with every detector on.
pub fn of_check(report: &CheckReport) -> (Vec<Observed>, Vec<Checked>) {
    let kernel = fingerprint::kernel(&report.subject);
    let launch = match &report.subject {
        Subject::Catalogue { shape, .. } => shape_text(shape),
        Subject::File { launch, .. } => launch.replace('\\', "/").trim_start_matches("./").to_owned(),
    };
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let observed = errors.map(|finding| {
        let Place { file, line, .. } = Place::of(&finding.first, &report.files);
        Observed {
            fingerprint: report.fingerprint(finding),
            rule: finding.rule.code().to_owned(),
            kernel: kernel.clone(),
            launch: launch.clone(),
            about: format!("`{}` at {file}:{line}", finding.first.buffer),
        }
    });
    let done = !matches!(report.verdict, Verdict::Unsupported | Verdict::Incomplete)
        && report.is_complete()
        && !report.settings.warp_lockstep
        && report.settings.detectors_off().is_empty();
    (distinct(observed), if done { vec![(kernel, launch)] } else { Vec::new() })
}

/// The disagreements of a matrix, and the cells that ran.
pub fn of_matrix(report: &MatrixReport) -> (Vec<Observed>, Vec<Checked>) {
    let observed = report.cells.iter().filter_map(|cell| match &cell.result {
        CellResult::Disagreed(reason) => Some(Observed {
            fingerprint: cell.fingerprint(),
            rule: Rule::LegsDisagree.code().to_owned(),
            kernel: cell.subject(),
            launch: cell.name.clone(),
            about: reason.clone(),
        }),
        CellResult::Agreed | CellResult::Skipped(_) => None,
    });
    let ran = report.cells.iter().filter(|cell| !matches!(cell.result, CellResult::Skipped(_)));
    (distinct(observed), ran.map(|cell| (cell.subject(), cell.name.clone())).collect())
}

fn distinct(observed: impl Iterator<Item = Observed>) -> Vec<Observed> {
    let mut all: Vec<Observed> = Vec::new();
    for one in observed {
        if all.iter().all(|known| known.fingerprint != one.fingerprint) {
            all.push(one);
        }
    }
    all
}
