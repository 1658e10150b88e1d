//! `gridproof stress`: predictions tried on a device.

use anyhow::Context;
use gridproof_conformance::Progress as Step;
use gridproof_conformance::stress::stress;
use gridproof_report::stress::{self as report, Row, StressReport};

use crate::exit::Exit;
use crate::flags::{Format, StressFlags};
use crate::output::{Layout, Output, Rendered, no_form};
use crate::progress::Progress;
use crate::resolve;

pub fn run(flags: &StressFlags, output: &Output) -> anyhow::Result<Exit> {
    let executable = std::env::current_exe().context("the path of this program")?;
    let (target, options) = resolve::stress(flags, executable)?;
    let progress = Progress::new(output.shows_progress());
    let report = stress(&target, &options, &|step: Step<'_>| progress.at(step.done, step.total, step.current))?;
    drop(progress);
    output.write(&report)?;
    Ok(match (report.rows.iter().any(Row::showed), report.rows.iter().all(Row::ran)) {
        (true, _) => Exit::Findings,
        (false, true) => Exit::Clean,
        (false, false) => Exit::Incomplete,
    })
}

impl Rendered for StressReport {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        match format {
            Format::Human => Ok(report::render(self, &layout.options)),
            Format::Json => Ok(report::json(self)),
            Format::Junit | Format::Sarif | Format::Html | Format::Trace => Err(no_form("stress", format)),
        }
    }
}
