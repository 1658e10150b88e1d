//! Predictions tried on a device: what the simulator said, and how often the outputs were wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::human::Options;
use crate::json::VERSION;
use crate::model::{CheckReport, Verdict};
use crate::text::{count, entry, number, plain, printable, seconds};
use crate::verdict;

/// Everything that was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StressReport {
    /// Device and driver.
    pub device: String,
    /// Runs of each launch in each mode.
    pub runs: u32,
    /// One row a launch.
    pub rows: Vec<Row>,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// How timing is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not at all.
    Plain,
    /// Other work takes places on the device.
    Company,
    /// Workgroups are held up at the lines of the findings.
    Delays,
    /// Both.
    Both,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Company, Self::Delays, Self::Both];

    /// Whether workgroups are held up.
    pub const fn delays(self) -> bool {
        matches!(self, Self::Delays | Self::Both)
    }

    /// Whether there is other work.
    pub const fn company(self) -> bool {
        matches!(self, Self::Company | Self::Both)
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Plain => "as it is",
            Self::Company => "beside other work",
            Self::Delays => "held up at the lines",
            Self::Both => "held up, beside other work",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Company => "company",
            Self::Delays => "delays",
            Self::Both => "both",
        }
    }
}

/// One launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What the simulator says.
    pub verdict: Verdict,
    /// Codes of its errors.
    pub rules: Vec<&'static str>,
    /// What it leans on, in a few words.
    pub safe_under: String,
    /// The lines of the findings.
    pub lines: Vec<String>,
    /// What the device did, by mode.
    pub runs: Vec<Runs>,
    /// What compute-sanitizer says, where it was asked.
    pub sanitized: Vec<Sanitized>,
}

/// Runs in one mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// How timing was disturbed.
    pub mode: Mode,
    /// Delays in the kernel's text.
    pub delays: usize,
    /// Runs that ended or failed.
    pub done: u32,
    /// Runs with wrong outputs.
    pub wrong: u32,
    /// Runs that failed and took the device with them.
    pub faults: u32,
    /// The reason of the first of these.
    pub reason: Option<String>,
    /// Why the launch could not be run in this mode.
    pub not_run: Option<String>,
    /// The wrong element that comes first in any run.
    pub first: Option<FirstWrong>,
    /// Most wrong bytes of a run.
    pub most_bytes: u64,
}

/// The first wrong element of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstWrong {
    /// The buffer.
    pub buffer: String,
    /// The element.
    pub element: u64,
    /// Wrong bytes of the buffer.
    pub bytes: u64,
}

/// One tool of compute-sanitizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sanitized {
    /// Its name.
    pub tool: String,
    /// Its own summary.
    pub summary: String,
}

impl Row {
    /// A launch that nobody has run yet.
    pub fn new(name: String, check: &CheckReport, lines: impl Iterator<Item = String>) -> Self {
        let errors = check
            .findings
            .iter()
            .filter(|finding| finding.severity == gridproof_simulator::finding::Severity::Error && !finding.benign);
        let mut rules: Vec<&'static str> = errors.map(|finding| finding.rule.code()).collect();
        rules.sort_unstable();
        rules.dedup();
        Self {
            name,
            verdict: check.verdict,
            rules,
            safe_under: verdict::safe_under_short(check),
            lines: lines.collect(),
            runs: Vec::new(),
            sanitized: Vec::new(),
        }
    }

    /// Whether some run was wrong or failed.
    pub fn showed(&self) -> bool {
        self.runs.iter().any(|runs| runs.wrong > 0 || runs.faults > 0)
    }

    /// Whether there was any run.
    pub fn ran(&self) -> bool {
        self.runs.iter().any(|runs| runs.done > 0)
    }

    /// What prediction and device say together.
    pub fn outcome(&self) -> &'static str {
        if !self.ran() {
            return "not run";
        }
        match (self.verdict, self.showed()) {
            (Verdict::RaceFree, false) => "predicted right, and right in every run",
            (Verdict::RaceFree, true) => "PREDICTED RIGHT, BUT WRONG ON THE DEVICE",
            (Verdict::Racy | Verdict::Faulty, true) => "confirmed on the device",
            (Verdict::Racy | Verdict::Faulty, false) => "not seen on the device, which proves nothing",
            (Verdict::Unsupported | Verdict::Incomplete, _) => "nothing was predicted",
        }
    }
}

impl Runs {
    /// No run yet.
    pub const fn new(mode: Mode) -> Self {
        Self { mode, delays: 0, done: 0, wrong: 0, faults: 0, reason: None, not_run: None, first: None, most_bytes: 0 }
    }

    /// Adds a run.
    pub fn add(&mut self, wrong: Option<FirstWrong>) {
        self.done += 1;
        let Some(wrong) = wrong else { return };
        self.wrong += 1;
        self.most_bytes = self.most_bytes.max(wrong.bytes);
        if self.first.as_ref().is_none_or(|first| wrong.element < first.element) {
            self.first = Some(wrong);
        }
    }

    /// Adds a run that failed.
    pub fn fault(&mut self, reason: String) {
        self.done += 1;
        self.faults += 1;
        self.reason.get_or_insert(reason);
    }

    fn words(&self) -> String {
        if let (Some(reason), 0) = (&self.not_run, self.done) {
            return format!("not run: {}", printable(reason));
        }
        let mut text = format!("{} of {} wrong", self.wrong, count(self.done.into(), "run"));
        if let Some(FirstWrong { buffer, element, .. }) = &self.first {
            let bytes = number(self.most_bytes);
            text += &format!(", from `{}`[{}] on, up to {bytes} bytes", plain(buffer), number(*element));
        }
        if self.mode.delays() {
            text += &format!("; {} in the text", count(self.delays as u64, "delay"));
        }
        if let Some(reason) = &self.reason {
            text += &format!("; {} failed: {}", self.faults, printable(reason));
        }
        text
    }
}

/// For a person: one paragraph a launch.
pub fn render(report: &StressReport, options: &Options) -> String {
    let width = options.width.clamp(60, 160);
    let mut text = format!("{}\n\n", plain(&report.device));
    for row in &report.rows {
        text += &format!("{}: {}\n", plain(&row.name), row.outcome());
        let rules = if row.rules.is_empty() { String::new() } else { format!(", {}", row.rules.join(" ")) };
        let predicted = format!("{}{rules}; safe under: {}", row.verdict.word(), row.safe_under);
        let mut lines = vec![("predicted", predicted)];
        if !row.lines.is_empty() {
            lines.push(("lines", plain(&row.lines.join(", "))));
        }
        lines.extend(row.runs.iter().map(|runs| (runs.mode.words(), runs.words())));
        lines.extend(row.sanitized.iter().map(|one| (one.tool.as_str(), printable(&one.summary))));
        lines.iter().for_each(|(label, words)| text += &(entry(label, 27, words, width) + "\n"));
        text += "\n";
    }
    let confirmed = report.rows.iter().filter(|row| row.showed()).count();
    let all = report.rows.len();
    let launches = if all == 1 { "launch" } else { "launches" };
    text + &format!(
        "{confirmed} of {all} {launches} went wrong, in {}
",
        seconds(report.elapsed)
    )
}

/// For programs; `report/schema/stress-v1.json` describes every key.
pub fn json(report: &StressReport) -> String {
    let runs = |runs: &Runs| {
        json!({
            "mode": runs.mode.name(),
            "delays": runs.delays,
            "done": runs.done,
            "wrong": runs.wrong,
            "faults": runs.faults,
            "reason": runs.reason,
            "not_run": runs.not_run,
            "first": runs.first.as_ref().map(|first| json!({ "buffer": first.buffer, "element": first.element })),
            "most_bytes": runs.most_bytes,
        })
    };
    let row = |row: &Row| {
        json!({
            "launch": row.name,
            "verdict": row.verdict.word(),
            "rules": row.rules,
            "safe_under": row.safe_under,
            "lines": row.lines,
            "showed": row.showed(),
            "runs": row.runs.iter().map(runs).collect::<Vec<Value>>(),
            "sanitized": row.sanitized.iter().map(|one| {
                json!({ "tool": one.tool, "summary": one.summary })
            }).collect::<Vec<Value>>(),
        })
    };
    let value = json!({
        "version": VERSION,
        "device": report.device,
        "runs": report.runs,
        "launches": report.rows.iter().map(row).collect::<Vec<Value>>(),
        "seconds": report.elapsed.as_secs_f64(),
    });
    format!("{value:#}\n")
}
