//! `gridproof replay`: the schedule of a finding again, and `check --schedule gp1;...`, which is the same without a
//! finding to expect.

use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use gridproof_conformance::check::{self, CheckOptions};
use gridproof_conformance::input;
use gridproof_report::json::{ReadError, read_finding, read_replay};
use gridproof_report::model::{Replay, ReplayReport};
use gridproof_report::{human, json};

use crate::exit::Exit;
use crate::flags::{Format, ReplayFlags};
use crate::output::{Layout, Output, Rendered, no_form, tell};
use crate::progress::Progress;

/// Longest report that is read, in bytes.
const LONGEST: u64 = 1 << 26;

pub fn run(flags: &ReplayFlags, output: &Output) -> anyhow::Result<Exit> {
    let name = flags.file.display();
    let text = read(&flags.file).with_context(|| format!("{name}: cannot be read"))?;
    let read = match flags.finding {
        Some(number) => read_finding(&text, number),
        None => read_replay(&text),
    };
    match read {
        Ok(found) => replay(found, &CheckOptions::default(), output),
        Err(error @ ReadError::NoFinding { .. }) => {
            tell(&format!("error: {name}: {error}"));
            Ok(Exit::Nothing)
        }
        Err(error) => Err(error).with_context(|| name.to_string()),
    }
}

/// Runs one schedule and says whether it showed what it was to show.
pub fn replay(replay: Replay, options: &CheckOptions, output: &Output) -> anyhow::Result<Exit> {
    let progress = Progress::new(output.shows_progress());
    progress.working("replaying");
    let started = Instant::now();
    let result = check::replay(&replay, options)?;
    drop(progress);
    let report = ReplayReport {
        replay,
        reproduced: result.reproduced,
        differing_bytes: result.differing_bytes,
        digest: result.digest,
        findings: result.outcome.findings,
        files: result.outcome.files,
        exhausted: result.outcome.exhausted,
        elapsed: started.elapsed(),
    };
    output.write(&report)?;
    Ok(match (&report.exhausted, report.reproduced) {
        (_, true) => Exit::Findings,
        (Some(_), false) => Exit::Incomplete,
        (None, false) => Exit::Clean,
    })
}

impl Rendered for ReplayReport {
    fn render(&self, format: Format, layout: &Layout) -> anyhow::Result<String> {
        match format {
            Format::Human => Ok(human::replay(self, &layout.options)),
            Format::Json => Ok(json::replay(self)),
            Format::Junit | Format::Sarif | Format::Html | Format::Trace => Err(no_form("replay", format)),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path != Path::new("-") {
        return Ok(input::text(path, LONGEST)?);
    }
    let mut text = String::new();
    let length = io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text)?;
    if length as u64 > LONGEST {
        bail!("it is longer than {LONGEST} bytes, so it is no report");
    }
    Ok(text)
}
