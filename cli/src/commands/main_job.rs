//! `gridproof` without a command: every kernel and variant of the catalogue, each verdict against the demanded one.

use std::io::{self, IsTerminal};

use anyhow::bail;
use gridproof_conformance::main_job::{self, MainJobOptions};
use gridproof_report::human::Amount;
use gridproof_report::model::Verdicts;
use gridproof_report::table::{Layout as Table, render, summary};
use gridproof_report::{json, junit, sarif};

use crate::exit::Exit;
use crate::flags::Format;
use crate::output::{Layout, Output, Rendered, tell};
use crate::progress::Progress;

pub fn run(output: &Output) -> anyhow::Result<Exit> {
    let progress = Progress::new(output.shows_progress());
    let verdicts = main_job::run(&MainJobOptions::default(), &|step| progress.at(step.done, step.total, step.current))?;
    drop(progress);
    let expected = verdicts.rows.iter().all(|row| row.as_expected);
    let summary = summary(&verdicts);
    output.write(&verdicts)?;
    if output.shows_progress() && !io::stdout().is_terminal() {
        tell(&summary);
    }
    Ok(if expected { Exit::Clean } else { Exit::Findings })
}

impl Rendered for Verdicts {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        Ok(match format {
            Format::Human if layout.options.amount == Amount::Brief => summary(self) + "\n",
            Format::Human if layout.terminal => render(self, Table::Terminal { color: layout.options.color }),
            Format::Human => render(self, Table::Pipe),
            Format::Json => json::verdicts(self),
            Format::Junit => junit::verdicts(self)?,
            Format::Sarif => sarif::verdicts(self)?,
            Format::Html | Format::Trace => {
                bail!("the verdict table has no html and no trace form: ask `gridproof check` for that of one launch")
            }
        })
    }
}
