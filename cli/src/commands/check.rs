//! `gridproof check`.

use anyhow::bail;
use gridproof_conformance::check::{check_catalogue, check_file};
use gridproof_report::html::Page;
use gridproof_report::model::{CheckReport, Replay};
use gridproof_report::{html, human, json, junit, sarif, trace};

use crate::exit::Exit;
use crate::flags::{CheckFlags, Format};
use crate::gate::Gate;
use crate::output::{Layout, Output, Rendered};
use crate::progress::Progress;
use crate::resolve::{self, Target};
use gridproof_conformance::gate::of_check;

pub fn run(flags: &CheckFlags, output: &Output) -> anyhow::Result<Exit> {
    let gate = Gate::open(&flags.gate)?;
    let mut check = resolve::check(flags)?;
    check.options.timelines = output.draws_turns();
    if let Some(schedule) = &check.exactly {
        if flags.gate.is_asked() {
            bail!("--schedule with a schedule runs that one alone and finds nothing by itself: it takes no baseline");
        }
        let replay = Replay {
            subject: check.subject()?,
            arithmetic: check.options.config.arithmetic,
            settings: check.settings(),
            schedule: Some(schedule.clone()),
            expected: None,
        };
        return super::replay::replay(replay, &check.options, output);
    }
    let progress = Progress::new(output.shows_progress());
    progress.working("checking");
    let mut report = match &check.target {
        Target::Catalogue { kernel, variant, shape } => {
            check_catalogue(kernel, variant.as_deref(), shape, &check.options)?
        }
        Target::File { module, launch } => check_file(module, launch, &check.options)?,
    };
    drop(progress);
    report.accepted = gate.accepted();
    output.write(&report)?;
    gate.close(&of_check(&report), Exit::of(&report))
}

impl Rendered for CheckReport {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        Ok(match format {
            Format::Human => human::render(self, &layout.options),
            Format::Json => json::check(self),
            Format::Junit => junit::check(self)?,
            Format::Sarif => sarif::check(self)?,
            Format::Html => html::check(self),
            Format::Trace => trace::check(self),
        })
    }

    fn pages(&self, _: &Layout) -> anyhow::Result<Vec<Page>> {
        Ok(html::pages(self))
    }
}
