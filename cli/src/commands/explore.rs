//! `gridproof explore`.

use anyhow::Context;
use gridproof_conformance::check::{explore_catalogue, explore_file};

use crate::exit::Exit;
use crate::flags::ExploreFlags;
use crate::output::Output;
use crate::progress::Progress;
use crate::resolve::{self, Target};

pub fn run(flags: &ExploreFlags, output: &Output) -> anyhow::Result<Exit> {
    let (mut check, choice) = resolve::explore(flags)?;
    check.options.timelines = output.draws_turns();
    let executable = std::env::current_exe().context("the path of this program")?;
    let progress = Progress::new(output.shows_progress());
    progress.working("exploring");
    let report = match &check.target {
        Target::Catalogue { kernel, variant, shape } => {
            explore_catalogue(kernel, variant.as_deref(), shape, &check.options, &choice, &executable)?
        }
        Target::File { module, launch } => explore_file(module, launch, &check.options, &choice, &executable)?,
    };
    drop(progress);
    output.write(&report)?;
    Ok(Exit::of(&report))
}
