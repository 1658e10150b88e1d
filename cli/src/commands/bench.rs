//! `gridproof bench`: how fast a CUDA device runs the kernels of the catalogue.

use gridproof_conformance::Progress as Step;
use gridproof_conformance::bench::bench;
use gridproof_report::bench::{BenchReport, page, render};
use gridproof_report::json;

use crate::exit::Exit;
use crate::flags::{BenchFlags, Format};
use crate::output::{Layout, Output, Rendered, no_form};
use crate::progress::Progress;
use crate::resolve;

pub fn run(flags: &BenchFlags, output: &Output) -> anyhow::Result<Exit> {
    let (wanted, options) = resolve::bench(flags)?;
    let progress = Progress::new(output.shows_progress());
    let report = bench(&wanted, &options, &|step: Step<'_>| progress.at(step.done, step.total, step.current))?;
    drop(progress);
    output.write(&report)?;
    let all = report.rows.iter().all(|row| row.measured.is_ok());
    Ok(if all { Exit::Clean } else { Exit::Incomplete })
}

impl Rendered for BenchReport {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        match format {
            Format::Human => Ok(render(self, &layout.options)),
            Format::Json => Ok(json::bench(self)),
            Format::Html => Ok(page(self)),
            Format::Junit | Format::Sarif | Format::Trace => Err(no_form("bench", format)),
        }
    }
}
