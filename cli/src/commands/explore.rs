//! `gridproof explore`.

use anyhow::Context;
use gridproof_conformance::check::{explore_catalogue, explore_file};

use crate::exit::Exit;
use crate::flags::ExploreFlags;
use crate::gate::Gate;
use crate::output::Output;
use crate::progress::Progress;
use crate::resolve::{self, Target};
use gridproof_conformance::gate::of_check;

pub fn run(flags: &ExploreFlags, output: &Output) -> anyhow::Result<Exit> {
    let gate = Gate::open(&flags.check.gate)?;
    let (mut check, choice) = resolve::explore(flags)?;
    check.options.timelines = output.draws_turns();
    let executable = std::env::current_exe().context("the path of this program")?;
    let progress = Progress::new(output.shows_progress());
    progress.working("exploring");
    let mut report = match &check.target {
        Target::Catalogue { kernel, variant, shape } => {
            explore_catalogue(kernel, variant.as_deref(), shape, &check.options, &choice, &executable)?
        }
        Target::File { module, launch } => explore_file(module, launch, &check.options, &choice, &executable)?,
    };
    drop(progress);
    report.accepted = gate.accepted();
    output.write(&report)?;
    gate.close(&of_check(&report), Exit::of(&report))
}
