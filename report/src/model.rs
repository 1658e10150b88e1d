//! What a report says, as data: made by `conformance`, rendered here.

use std::collections::BTreeMap;
use std::time::Duration;

use gridproof_launch::{Arithmetic, Language};
use gridproof_simulator::explore::{MissBound, Progress, Stopped};
use gridproof_simulator::finding::{AccessSite, Rule, Severity};
use gridproof_simulator::ir::SourceFile;
use gridproof_simulator::timeline::Timeline;
use gridproof_simulator::{Approximation, Detectors, Exhausted, Finding, Schedule, Stats, Unsupported};

use crate::fingerprint;

/// What was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A kernel of the catalogue.
    Catalogue {
        /// Kernel name.
        kernel: String,
        /// Variant name.
        variant: String,
        /// Shape keys and values, in the kernel's documented order.
        shape: Vec<(String, String)>,
        /// Seed of the input data.
        seed: u64,
        /// Which of its sources ran.
        language: Language,
    },
    /// A user's own kernel.
    File {
        /// Path of the kernel as given.
        module: String,
        /// Entry points of its dispatches; empty where they are not known yet.
        entry: String,
        /// Path of the launch file as given.
        launch: String,
        /// Seed of the random contents that the launch file gives no seed of their own.
        seed: u64,
    },
}

/// The verdict on one launch. The four outcomes never mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// No fault in any schedule.
    RaceFree,
    /// At least one race that is neither benign nor declared; nothing else is needed to be this.
    Racy,
    /// No race, but another fault (bounds, offset, barrier, ...).
    Faulty,
    /// Uses something the simulator does not model.
    Unsupported,
    /// A budget ran out, or one run does not decide the launch, or the race detector was off.
    Incomplete,
}

impl Verdict {
    /// The word in reports and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RaceFree => "race-free",
            Self::Racy => "racy",
            Self::Faulty => "faulty",
            Self::Unsupported => "unsupported",
            Self::Incomplete => "incomplete",
        }
    }
}

/// What the outputs of a launch lean on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assumption {
    /// Nothing: race-free.
    AnyOrder,
    /// Workgroups start in index order on R slots and progress arbitrarily.
    InOrderStart,
    /// The R resident workgroups advance together.
    LockstepWaves,
    /// Wrong even then.
    None,
}

impl Assumption {
    /// The word in reports and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AnyOrder => "any-order",
            Self::InOrderStart => "in-order-start",
            Self::LockstepWaves => "lockstep-waves",
            Self::None => "none",
        }
    }
}

/// The weakest assumption under which the outputs are those of the race-free run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafeUnder {
    /// The assumption.
    pub assumption: Assumption,
    /// For lock-step waves the smallest number of slots found to be enough, else those it was tried with; `None`
    /// for any order.
    pub slots: Option<u32>,
}

/// One rung of the ladder as it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The assumption.
    pub assumption: Assumption,
    /// Slots.
    pub slots: u32,
    /// Schedules run.
    pub schedules: u64,
    /// Whether all of them gave the race-free outputs.
    pub outputs_equal: bool,
    /// Output bytes that differ in the first schedule that failed.
    pub differing_bytes: u64,
    /// That schedule, printed.
    pub schedule: Option<String>,
}

/// The smallest launch at which a racy kernel's outputs go wrong under an assumption, found by search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Shape key that was searched.
    pub key: String,
    /// Its smallest failing value.
    pub value: u64,
    /// The assumption it fails under.
    pub assumption: Assumption,
    /// Slots.
    pub slots: u32,
}

/// Distance between outputs and the f64 oracle.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputError {
    /// Which run: `race-free`, or the assumption it ran under.
    pub run: String,
    /// Output buffer.
    pub buffer: String,
    /// `||out - ref|| / ||ref||`, dimensionless.
    pub relative: f64,
    /// First element that differs from the race-free run, when one does.
    pub first_wrong_element: Option<u64>,
    /// Elements that differ from the race-free run.
    pub wrong_elements: u64,
}

/// The settings besides the arithmetic profile that a replay must repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Resident workgroups that schedules were tried with.
    pub slots: u32,
    /// Seed of the schedules that were drawn at random.
    pub seed: u64,
    /// Invocations per subgroup.
    pub subgroup_size: u32,
    /// Whether the invocations of a subgroup were taken to advance in lock step, which is not sound.
    pub warp_lockstep: bool,
    /// Which workgroups were promised to advance.
    pub progress: Progress,
    /// Which detectors watched.
    pub detectors: Detectors,
}

impl Settings {
    /// Detectors that were switched off, by the names of the command line.
    pub fn detectors_off(&self) -> Vec<&'static str> {
        let Detectors { race, barrier, bounds, offset, uninitialised, alignment } = self.detectors;
        let all = [
            (race, "race"),
            (barrier, "barrier"),
            (bounds, "bounds"),
            (offset, "offset"),
            (uninitialised, "uninitialised"),
            (alignment, "alignment"),
        ];
        all.into_iter().filter(|(on, _)| !on).map(|(_, name)| name).collect()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            slots: 512,
            seed: 0,
            subgroup_size: 32,
            warp_lockstep: false,
            progress: Progress::default(),
            detectors: Detectors::ALL,
        }
    }
}

/// What exploring the schedules of a launch took and gave, with one engine.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplorationReport {
    /// `exhaustive`, `random` or `loom`.
    pub engine: &'static str,
    /// Which workgroups were promised to advance.
    pub progress: Progress,
    /// Workgroups that could be resident together, where the progress model has slots.
    pub slots: Option<u32>,
    /// Executions that ran to their end.
    pub executions: u64,
    /// Executions that were left because all that could follow had been seen.
    pub redundant: u64,
    /// Base-10 logarithm of the number of orders that the turns of the longest execution have.
    pub orders: f64,
    /// Units that were scheduled.
    pub units: u64,
    /// Most scheduling decisions of one execution.
    pub turns: u64,
    /// Why not every schedule was seen; `None`: all were.
    pub stopped: Option<Stopped>,
    /// Whether workgroups that the kernel cannot tell apart were taken as one.
    pub symmetric: bool,
    /// The outputs that executions ended with, the first execution's first: how many gave them, and a schedule.
    pub outputs: Vec<ExploredOutput>,
    /// Chance to have missed a bug, for drawn schedules.
    pub bound: Option<MissBound>,
    /// Anything else worth knowing, in words.
    pub note: Option<String>,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// Outputs that some executions ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExploredOutput {
    /// Executions.
    pub executions: u64,
    /// Output bytes that differ from those of the first execution.
    pub differing_bytes: u64,
    /// A schedule that gives them.
    pub schedule: Schedule,
}

/// Everything one check gave.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// What was checked.
    pub subject: Subject,
    /// Arithmetic profile.
    pub arithmetic: Arithmetic,
    /// Slots, seed, subgroup size and detectors.
    pub settings: Settings,
    /// The verdict.
    pub verdict: Verdict,
    /// What outputs lean on; `None` where it was not asked or has no meaning.
    pub safe_under: Option<SafeUnder>,
    /// The ladder as it was tried; empty for a race-free launch.
    pub rungs: Vec<Rung>,
    /// Smallest failing launch, when it was searched for and found.
    pub threshold: Option<Threshold>,
    /// Findings.
    pub findings: Vec<Finding>,
    /// What happened in the run of each finding's schedule, where it was recorded. Entry N belongs to finding N; may
    /// be shorter than `findings`.
    pub timelines: Vec<Option<Timeline>>,
    /// Distinct findings not kept.
    pub findings_dropped: u64,
    /// Sources that the findings' spans point into.
    pub files: Vec<SourceFile>,
    /// Places whose bits devices may compute differently.
    pub approximations: Vec<Approximation>,
    /// Output buffers that can hold what a scheduler chose, of a launch that one run decides: what atomics returned, or left
    /// where they do not commute.
    pub chosen_outputs: Vec<String>,
    /// What is not modelled, for [`Verdict::Unsupported`].
    pub unsupported: Option<Unsupported>,
    /// The budget that ran out, for [`Verdict::Incomplete`].
    pub exhausted: Option<Exhausted>,
    /// Whether the one run decides all schedules (the theorem applies).
    pub decides_every_schedule: bool,
    /// Schedules executed besides the deciding run.
    pub schedules_explored: u64,
    /// What exploring took and gave, by engine; empty where one run decides.
    pub explorations: Vec<ExplorationReport>,
    /// Distances to the oracle, where there is one.
    pub output_errors: Vec<OutputError>,
    /// What a baseline accepts: reasons by fingerprint.
    pub accepted: Accepted,
    /// The command line that repeats this check.
    pub command: String,
    /// How much was done.
    pub stats: Stats,
    /// Wall-clock time of the whole check with all its schedules.
    pub elapsed: Duration,
}

/// Findings that somebody has accepted: the reason of each, by fingerprint.
pub type Accepted = BTreeMap<String, String>;

impl CheckReport {
    /// The fingerprint of a finding of this report.
    pub fn fingerprint(&self, finding: &Finding) -> String {
        fingerprint::fingerprint(&fingerprint::kernel(&self.subject), finding, &self.files)
    }

    /// Why a finding is accepted, where it is.
    pub fn acceptance(&self, finding: &Finding) -> Option<&str> {
        if self.accepted.is_empty() {
            return None;
        }
        self.accepted.get(&self.fingerprint(finding)).map(String::as_str)
    }

    /// Errors that nobody has accepted. Findings that were counted and not kept are among them, as nobody can know them.
    pub fn open_errors(&self) -> u64 {
        let open = |finding: &&Finding| finding.severity == Severity::Error && self.acceptance(finding).is_none();
        self.findings_dropped + self.findings.iter().filter(open).count() as u64
    }

    /// Whether there is nothing that was left out and could hold another finding: no budget ran out, every finding was kept,
    /// and where schedules were explored, one engine saw all of them.
    pub fn is_complete(&self) -> bool {
        let explored = self.explorations.is_empty() || self.explorations.iter().any(|one| one.stopped.is_none());
        self.exhausted.is_none() && self.findings_dropped == 0 && explored
    }

    /// The recorded run of a finding, by the finding's position.
    pub fn timeline(&self, finding: usize) -> Option<&Timeline> {
        self.timelines.get(finding).and_then(Option::as_ref)
    }

    /// The finding to show where only one can be: the first with a recorded run, else the first with a schedule,
    /// else the first. `None` where there is none.
    pub fn chief_finding(&self) -> Option<usize> {
        let recorded = (0..self.findings.len()).find(|&index| self.timeline(index).is_some());
        let scheduled = || self.findings.iter().position(|finding| finding.schedule.is_some());
        recorded.or_else(scheduled).or((!self.findings.is_empty()).then_some(0))
    }
}

/// One row of the main job's table.
#[derive(Clone, Debug)]
pub struct VerdictRow {
    /// The check.
    pub report: CheckReport,
    /// What kernels.md demands, in words: verdict, rules, assumption.
    pub expected: String,
    /// Whether the computed verdict is the demanded one.
    pub as_expected: bool,
    /// What differs, when something does.
    pub mismatch: Option<String>,
}

/// A check of the main job that this machine could not do. Never a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRow {
    /// What was to be checked.
    pub subject: Subject,
    /// Why it was not.
    pub reason: String,
}

/// What the main job found.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// What was checked.
    pub rows: Vec<VerdictRow>,
    /// What was not.
    pub skipped: Vec<SkippedRow>,
}

/// One finding to reproduce, as read back from a JSON report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// What to check.
    pub subject: Subject,
    /// Arithmetic profile.
    pub arithmetic: Arithmetic,
    /// Slots, seed, subgroup size and detectors.
    pub settings: Settings,
    /// The schedule to run; `None` where the finding needs none, so that proving the launch again shows it.
    pub schedule: Option<Schedule>,
    /// The finding it must show; `None` where only the schedule was given.
    pub expected: Option<ExpectedFinding>,
}

/// What running a finding again gave.
#[derive(Clone, Debug)]
pub struct ReplayReport {
    /// What was to be reproduced.
    pub replay: Replay,
    /// Whether it was: the expected finding is there again, or, with a schedule alone, outputs differ.
    pub reproduced: bool,
    /// Output bytes that differ from the race-free run.
    pub differing_bytes: u64,
    /// A number that stands for all output bytes: equal for equal outputs.
    pub digest: u64,
    /// Findings of this run.
    pub findings: Vec<Finding>,
    /// Sources that the findings' spans point into.
    pub files: Vec<SourceFile>,
    /// The budget that ran out, if one did.
    pub exhausted: Option<Exhausted>,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// What identifies a finding from one run to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedFinding {
    /// The rule.
    pub rule: Rule,
    /// Buffer or variable of the first access.
    pub buffer: String,
    /// Where the first access stands.
    pub first: Place,
    /// Where the second access stands.
    pub second: Option<Place>,
    /// Output bytes that its schedule makes differ from the race-free run, where that was measured.
    pub differing_bytes: Option<u64>,
}

impl ExpectedFinding {
    /// Whether `finding` is this one. The two accesses of a race may have swapped.
    pub fn matches(&self, finding: &Finding, files: &[SourceFile]) -> bool {
        let first = Place::of(&finding.first, files);
        let second = finding.second.as_ref().map(|site| Place::of(site, files));
        let same = self.first == first && self.second == second;
        let swapped = Some(&self.first) == second.as_ref() && self.second.as_ref() == Some(&first);
        self.rule == finding.rule && self.buffer == finding.first.buffer && (same || swapped)
    }
}

/// A place in a source file, as reports print it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// File name.
    pub file: String,
    /// Line, counted from 1; 0 when unknown.
    pub line: u32,
    /// Column, counted from 1; 0 when unknown.
    pub column: u32,
}

impl Place {
    /// The place of an access.
    pub fn of(site: &AccessSite, files: &[SourceFile]) -> Self {
        let file = usize::try_from(site.span.file).ok().and_then(|index| files.get(index));
        let file = file.map_or_else(String::new, |file| file.name.clone());
        Self { file, line: site.span.line, column: site.span.column }
    }
}
