//! `gridproof conform`: the conformance matrix. A skipped cell is shown with its reason and never a pass.

use gridproof_conformance::matrix::{self, CellReport, CellResult, MatrixOptions, MatrixReport, Requirements};
use gridproof_report::human::Amount;
use gridproof_report::junit::{Case, Outcome, suite};
use gridproof_report::text::{count, plain, seconds};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::flags::{ConformFlags, Format};
use crate::output::{Layout, Output, Rendered, no_form};
use crate::progress::Progress;

pub fn run(flags: &ConformFlags, output: &Output) -> anyhow::Result<Exit> {
    let options = MatrixOptions {
        legs: flags.leg.clone(),
        filter: flags.filter.clone(),
        partition: flags.partition,
        require: Requirements { adapter: flags.require_adapter, nvrtc: flags.require_nvrtc, cuda: flags.require_cuda },
    };
    let progress = Progress::new(output.shows_progress());
    let report = matrix::run(&options, &|step| progress.at(step.done, step.total, step.current))?;
    drop(progress);
    output.write(&Matrix(&report))?;
    let (_, disagreed, _) = report.counts();
    Ok(if disagreed == 0 { Exit::Clean } else { Exit::Findings })
}

struct Matrix<'a>(&'a MatrixReport);

impl Rendered for Matrix<'_> {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        match format {
            Format::Human => Ok(page(self.0, layout.options.amount)),
            Format::Json => Ok(format!("{:#}\n", value(self.0))),
            Format::Junit => Ok(suite("conform", self.0.cells.iter().map(case))?),
            Format::Sarif | Format::Html | Format::Trace => Err(no_form("conform", format)),
        }
    }
}

/// All cells that did not agree (with `Full`: all cells), then the counts of each leg.
fn page(report: &MatrixReport, amount: Amount) -> String {
    let mut text = String::new();
    for cell in &report.cells {
        match &cell.result {
            CellResult::Disagreed(reason) => text += &format!("DISAGREED  {}: {}\n", plain(&cell.name), plain(reason)),
            CellResult::Skipped(reason) if amount == Amount::Full => {
                text += &format!("skipped    {}: {}\n", plain(&cell.name), plain(reason));
            }
            CellResult::Agreed if amount == Amount::Full => text += &format!("agreed     {}\n", plain(&cell.name)),
            CellResult::Skipped(_) | CellResult::Agreed => {}
        }
    }
    for leg in legs(report) {
        text += &leg.words();
        let device = report.devices.iter().find(|(name, _)| *name == leg.name);
        text += &device.map_or_else(String::new, |(_, device)| format!("    on {}\n", plain(device)));
    }
    let (agreed, disagreed, skipped) = report.counts();
    let all = count(report.cells.len() as u64, "cell");
    text + &format!(
        "{all}: {agreed} agreed, {disagreed} disagreed, {skipped} skipped, in {}\n",
        seconds(report.elapsed)
    )
}

/// One leg's counts, with each distinct reason for a skip.
#[derive(Default)]
struct Leg {
    name: String,
    agreed: u64,
    disagreed: u64,
    skips: Vec<(String, u64)>,
}

impl Leg {
    fn add(&mut self, result: &CellResult) {
        match result {
            CellResult::Agreed => self.agreed += 1,
            CellResult::Disagreed(_) => self.disagreed += 1,
            CellResult::Skipped(reason) => match self.skips.iter_mut().find(|(known, _)| known == reason) {
                Some((_, times)) => *times += 1,
                None => self.skips.push((reason.clone(), 1)),
            },
        }
    }

    fn words(&self) -> String {
        let skipped: u64 = self.skips.iter().map(|(_, times)| times).sum();
        let Self { agreed, disagreed, .. } = self;
        let mut text = format!("{}: {agreed} agreed, {disagreed} disagreed, {skipped} skipped\n", plain(&self.name));
        for (reason, times) in &self.skips {
            text += &format!("    {times} skipped: {}\n", plain(reason));
        }
        text
    }
}

fn legs(report: &MatrixReport) -> Vec<Leg> {
    let mut legs: Vec<Leg> = Vec::new();
    for cell in &report.cells {
        let known = legs.iter().position(|leg| leg.name == cell.leg);
        let index = known.unwrap_or_else(|| {
            legs.push(Leg { name: cell.leg.clone(), ..Leg::default() });
            legs.len() - 1
        });
        legs[index].add(&cell.result);
    }
    legs
}

fn case(cell: &CellReport) -> Case {
    let outcome = match &cell.result {
        CellResult::Agreed => Outcome::Passed,
        CellResult::Disagreed(reason) => Outcome::Failed(reason.clone()),
        CellResult::Skipped(reason) => Outcome::Skipped(reason.clone()),
    };
    Case { name: cell.name.clone(), class: format!("gridproof.conform.{}", cell.leg), outcome, elapsed: cell.elapsed }
}

fn value(report: &MatrixReport) -> Value {
    let cells = report.cells.iter().map(|cell| {
        let (result, reason) = match &cell.result {
            CellResult::Agreed => ("agreed", None),
            CellResult::Disagreed(reason) => ("disagreed", Some(reason)),
            CellResult::Skipped(reason) => ("skipped", Some(reason)),
        };
        json!({
            "name": cell.name,
            "leg": cell.leg,
            "result": result,
            "reason": reason,
            "seconds": cell.elapsed.as_secs_f64(),
        })
    });
    let devices = report.devices.iter().map(|(leg, device)| json!({ "leg": leg, "device": device }));
    let (agreed, disagreed, skipped) = report.counts();
    json!({
        "version": 1,
        "agreed": agreed,
        "disagreed": disagreed,
        "skipped": skipped,
        "seconds": report.elapsed.as_secs_f64(),
        "devices": devices.collect::<Vec<_>>(),
        "cells": cells.collect::<Vec<_>>(),
    })
}
