//! `gridproof conform`: the conformance matrix. A skipped cell is shown with its reason and never a pass.

use std::path::PathBuf;

use anyhow::{Context, bail};
use gridproof_conformance::gate::of_matrix;
use gridproof_conformance::input;
use gridproof_conformance::matrix::journal::Journal;
use gridproof_conformance::matrix::{
    self, MatrixOptions, MatrixReport, Partition, PartitionChoice, Requirements, merge,
};
use gridproof_report::matrix as rendered;

use crate::exit::Exit;
use crate::flags::{ConformFlags, Format};
use crate::gate::Gate;
use crate::output::{Layout, Output, Rendered, tell};
use crate::progress::Progress;

/// Longest report of a share that is read, in bytes.
const LONGEST: u64 = 256 << 20;

pub fn run(flags: &ConformFlags, output: &Output) -> anyhow::Result<Exit> {
    let gate = Gate::open(&flags.gate)?;
    let mut report = if flags.merge.is_empty() { fresh(flags, output)? } else { merged(&flags.merge)? };
    report.accepted = gate.accepted();
    output.write(&report)?;
    for share in &report.missing {
        tell(&format!("error: {share} is missing: its report was not given"));
    }
    let exit = gate.close(&of_matrix(&report), exit(&report))?;
    match &report.unsaved {
        Some(reason) => bail!("{reason}: the results above are right, and the journal lacks some of them"),
        None => Ok(exit),
    }
}

fn exit(report: &MatrixReport) -> Exit {
    let counts = report.counts();
    match (counts.disagreed, counts.agreed + counts.accepted) {
        (1.., _) => Exit::Findings,
        _ if !report.missing.is_empty() => Exit::Incomplete,
        // More machines than cells: the whole has some.
        _ if report.cells.is_empty() && report.partition.is_some() => Exit::Clean,
        // Nobody should take a run for a pass that compared nothing.
        (_, 0) => Exit::Nothing,
        _ => Exit::Clean,
    }
}

fn fresh(flags: &ConformFlags, output: &Output) -> anyhow::Result<MatrixReport> {
    let options = MatrixOptions {
        legs: flags.leg.clone(),
        filter: flags.filter.clone(),
        partition: flags.partition.map(partition).transpose()?,
        require: Requirements { adapter: flags.require_adapter, nvrtc: flags.require_nvrtc, cuda: flags.require_cuda },
    };
    let journal = flags.resume.as_deref().map(Journal::open).transpose()?;
    let progress = Progress::new(output.shows_progress());
    Ok(matrix::run(&options, journal, &|step| progress.at(step.done, step.total, step.current))?)
}

fn partition(choice: PartitionChoice) -> anyhow::Result<Partition> {
    match choice {
        PartitionChoice::Slice(partition) => Ok(partition),
        PartitionChoice::Auto { count } => {
            let (partition, words) = Partition::from_environment(count, &|name| std::env::var(name).ok())?;
            tell(&format!("partition: {words}"));
            Ok(partition)
        }
    }
}

/// The reports of shares as one.
fn merged(files: &[PathBuf]) -> anyhow::Result<MatrixReport> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let text = input::text(path, LONGEST).with_context(|| name.clone())?;
        let report = rendered::read(&text).with_context(|| name.clone())?;
        Ok((name, report))
    };
    let reports = files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(merge(reports)?)
}

impl Rendered for MatrixReport {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        Ok(match format {
            Format::Human => rendered::human(self, layout.options.amount),
            Format::Json => rendered::json(self),
            Format::Junit => rendered::junit(self)?,
            Format::Sarif => rendered::sarif(self)?,
            Format::Html => rendered::page(self),
            Format::Trace => bail!("`conform` has no trace form: expected human, json, junit, sarif or html"),
        })
    }
}
