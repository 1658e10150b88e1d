//! `gridproof mutate`: what each barrier and guard of a kernel is good for.

use gridproof_conformance::Progress as Step;
use gridproof_conformance::mutate::{mutate_catalogue, mutate_files};
use gridproof_report::json;
use gridproof_report::mutation::{self, Kernel, MutationReport};

use crate::exit::Exit;
use crate::flags::{Format, MutateFlags};
use crate::output::{Layout, Output, Rendered, no_form};
use crate::progress::Progress;
use crate::resolve::{self, Mutated};

pub fn run(flags: &MutateFlags, output: &Output) -> anyhow::Result<Exit> {
    let (target, options) = resolve::mutate(flags)?;
    let progress = Progress::new(output.shows_progress());
    let show = |step: Step<'_>| progress.at(step.done, step.total, step.current);
    let report = match &target {
        Mutated::Catalogue { kernel, variant, shapes } => {
            mutate_catalogue(kernel.as_deref(), variant.as_deref(), shapes, &options, &show)?
        }
        Mutated::File { module, launches } => mutate_files(module, launches, &options, &show)?,
    };
    drop(progress);
    output.write(&report)?;
    Ok(exit(&report))
}

/// A redundant barrier is a suggestion and no fault. What was not decided, or had nothing to compare with, is incomplete.
fn exit(report: &MutationReport) -> Exit {
    let studied = report.kernels.iter().any(|kernel| kernel.skipped.is_none());
    match studied && report.kernels.iter().all(Kernel::is_decided) {
        true => Exit::Clean,
        false => Exit::Incomplete,
    }
}

impl Rendered for MutationReport {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        match format {
            Format::Human => Ok(mutation::render(self, &layout.options)),
            Format::Json => Ok(json::mutation(self)),
            Format::Junit | Format::Sarif | Format::Html | Format::Trace => Err(no_form("mutate", format)),
        }
    }
}
