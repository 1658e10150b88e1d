//! One launch explored: every schedule, or a sample, with one engine or another.
//!
//! A finding comes with the shortest schedule that was found to show it: the schedule of the execution that showed it
//! first, shrunk by running smaller ones.

use std::path::Path;
use std::time::Instant;

use gridproof_launch::Launch;
use gridproof_report::model::{Assumption, CheckReport, ExplorationReport, ExploredOutput, Verdict};
use gridproof_simulator::explore::{
    Engine, Exploration, ExploreOptions, Progress, Unseen, explore, follow, record, shrink,
};
use gridproof_simulator::finding::{Finding, Rule};
use gridproof_simulator::timeline::Timeline;
use gridproof_simulator::{Config, Hazards, Outcome, Schedule, SimulateError, ladder};

use super::explored_ladder::{self, Climbed};
use super::options::CheckOptions;
use super::report::{Asked, Extras};
use super::second::{self, Second};
use super::verdict::{counts, is_race};
use super::{
    CheckError, Named, catalogue_instance, command, read_file, says_something, search_threshold, subject, with_slots,
};
use crate::cuda;

/// Runs that shrinking one schedule may take.
const TRIES: u32 = 400;
/// Schedules that are shrunk. A report with more findings than this is read from the top.
const MOST: usize = 8;

/// Which engine explores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineChoice {
    /// Our own partial-order reduction.
    #[default]
    Exhaustive,
    /// Schedules drawn by priority.
    Random,
    /// loom, the second engine.
    Loom,
    /// Our own and loom, which must agree.
    Both,
}

impl EngineChoice {
    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exhaustive => "exhaustive",
            Self::Random => "random",
            Self::Loom => "loom",
            Self::Both => "both",
        }
    }
}

/// What to explore, besides how a check simulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExploreChoice {
    /// The engine.
    pub engine: EngineChoice,
    /// Who is promised to advance.
    pub progress: Progress,
    /// Executions at most.
    pub executions: u64,
    /// Instructions times invocations after which no other execution is begun.
    pub effort: u64,
    /// Depth for drawn schedules.
    pub depth: u32,
    /// Whether orders that cannot matter are left out.
    pub reduction: bool,
    /// Whether workgroups that the kernel cannot tell apart are taken as one.
    pub symmetry: bool,
    /// With loom: executions with more preemptions are left out.
    pub preemptions: Option<u32>,
}

impl Default for ExploreChoice {
    fn default() -> Self {
        let usual = ExploreOptions::default();
        Self {
            engine: EngineChoice::default(),
            progress: usual.progress,
            executions: usual.executions,
            effort: usual.effort,
            depth: 3,
            reduction: usual.reduction,
            symmetry: usual.symmetry,
            preemptions: None,
        }
    }
}

impl ExploreChoice {
    /// As the simulator takes it.
    pub(crate) fn options(&self, options: &CheckOptions) -> ExploreOptions {
        ExploreOptions {
            engine: match self.engine {
                EngineChoice::Exhaustive | EngineChoice::Loom | EngineChoice::Both => Engine::Exhaustive,
                EngineChoice::Random => Engine::Random { seed: options.seed, depth: self.depth },
            },
            progress: self.progress,
            slots: options.slots,
            executions: self.executions,
            effort: self.effort,
            reduction: self.reduction,
            symmetry: self.symmetry,
            ..ExploreOptions::default()
        }
    }
}

/// Explores a kernel of the catalogue; `executable` is `gridproof` itself, for loom. Names and shape as for [`super::check_catalogue`].
///
/// # Errors
/// As [`super::check_catalogue`]; options that make no sense.
pub fn explore_catalogue(
    name: &str,
    variant: Option<&str>,
    shape_text: &str,
    options: &CheckOptions,
    choice: &ExploreChoice,
    executable: &Path,
) -> Result<CheckReport, CheckError> {
    let started = Instant::now();
    let named: Named = catalogue_instance(name, variant, shape_text, options)?;
    let subject = subject(&named, options);
    let command = command::explore(&subject, options, choice);
    let asked = Asked { subject, command, options, started };
    explore_launch(&named.instance.launch, asked, choice, executable, Some(&named))
}

/// Explores a user's kernel with its launch file; `executable` is `gridproof` itself, for loom.
///
/// # Errors
/// As [`super::check_file`]; options that make no sense.
pub fn explore_file(
    module: &Path,
    launch: &Path,
    options: &CheckOptions,
    choice: &ExploreChoice,
    executable: &Path,
) -> Result<CheckReport, CheckError> {
    let started = Instant::now();
    options.validate()?;
    let (file, subject) = read_file(module, launch, options)?;
    let options = with_slots(options, &file);
    let command = command::explore(&subject, &options, choice);
    explore_launch(&file.launch, Asked { subject, command, options: &options, started }, choice, executable, None)
}

/// What a check explores of a launch that one run does not decide, before it says that more is needed.
pub(crate) fn within_check() -> ExploreChoice {
    ExploreChoice { executions: 20_000, effort: 200_000_000, ..ExploreChoice::default() }
}

pub(super) fn explore_launch(
    launch: &Launch,
    asked: Asked<'_>,
    choice: &ExploreChoice,
    executable: &Path,
    named: Option<&Named>,
) -> Result<CheckReport, CheckError> {
    let options = asked.options;
    let launch = &*cuda::compiled(launch)?;
    let asked_for = choice.options(options);
    let second = match choice.engine {
        EngineChoice::Loom | EngineChoice::Both => {
            if !matches!(choice.progress, Progress::Fair | Progress::Lobe) {
                let (value, limit) = (choice.progress.name().to_owned(), "loom explores fair and lobe");
                return Err(CheckError::Option { name: "progress", value, limit });
            }
            Some(second::explore(executable, launch, &options.config, options.slots, choice)?)
        }
        EngineChoice::Exhaustive | EngineChoice::Random => None,
    };
    if let (EngineChoice::Loom, Some(second)) = (choice.engine, &second) {
        return Ok(by_loom_alone(second, asked, choice));
    }
    let exploration = match explore(launch, &options.config, &asked_for) {
        Ok(exploration) => exploration,
        Err(SimulateError::Unsupported(unsupported)) => return Ok(asked.unsupported(unsupported, launch)),
        Err(error) => return Err(error.into()),
    };
    let mut extras = Extras { findings: exploration.outcome.findings.clone(), ..Extras::default() };
    extras.explored = exploration.executions;
    let config = &options.config;
    shorten(launch, config, &asked_for, &exploration, &mut extras.findings)?;
    if options.timelines {
        extras.timelines = timelines(launch, config, &extras.findings, &Hazards::default());
    }
    extras.explorations.push(summary(launch, choice, &asked_for, &exploration));
    let mut verdict = verdict(&exploration, config.detectors.race);
    if let Some(second) = &second {
        let mut report = second.report.clone();
        match agreement(&exploration, second) {
            Agreement::Yes => report.note = joined(report.note, "both engines agree"),
            Agreement::Undecided => {
                let text = if second.inside_unseen {
                    "the second engine does not see races inside a subgroup, so it cannot confirm or deny this"
                } else {
                    "one of the engines did not come to an answer"
                };
                report.note = joined(report.note, text);
            }
            Agreement::No => {
                verdict = Verdict::Incomplete;
                let text = "THE ENGINES DISAGREE, so one of them is wrong: please report it with the command line";
                report.note = joined(report.note, text);
            }
        }
        extras.explorations.push(report);
    }
    let mut climbed = Climbed::default();
    if verdict == Verdict::Racy {
        climbed = explored_ladder::climb(launch, options, &asked_for, &exploration)?;
        extras.explored += climbed.explored;
        extras.safe_under = climbed.safe_under.filter(|safe| says_something(safe, &extras.findings));
        if let (Some(note), Some(own)) = (climbed.note, extras.explorations.first_mut()) {
            own.note = joined(own.note.take(), note);
        }
    }
    if options.search_threshold && matches!(verdict, Verdict::Racy | Verdict::Faulty) {
        let fails = (Some(Assumption::AnyOrder), true);
        let (threshold, explored) = search_threshold(launch, named, fails, options, (None, 0))?;
        extras.threshold = threshold;
        extras.explored += explored;
    }
    let mut report = asked.proved(verdict, exploration.outcome, extras);
    report.rungs = climbed.rungs;
    report.decides_every_schedule = false;
    report.settings.progress = choice.progress;
    Ok(report)
}

fn joined(note: Option<String>, more: &str) -> Option<String> {
    Some(note.map_or_else(|| more.to_owned(), |note| format!("{note}; {more}")))
}

/// One launch under both engines.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Whether they agree.
    pub agreement: Agreement,
    /// Whether our own found a race.
    pub races: bool,
    /// Whether our own found a wait that never ends.
    pub waits: bool,
    /// What our own took.
    pub exhaustive: ExplorationReport,
    /// What loom took, and what it found in words.
    pub loom: ExplorationReport,
}

/// Explores a launch (CUDA C++ compiled) with both engines, under LOBE progress on so many slots. `executable` is
/// `gridproof` itself.
///
/// # Errors
/// What is wrong with the launch; a child that cannot be started.
pub fn compare(executable: &Path, launch: &Launch, config: &Config, slots: u32) -> Result<Compared, CheckError> {
    let choice = ExploreChoice { engine: EngineChoice::Both, ..ExploreChoice::default() };
    let options = ExploreOptions { slots, executions: choice.executions, ..ExploreOptions::default() };
    let second = second::explore(executable, launch, config, slots, &choice)?;
    let exploration = explore(launch, config, &options)?;
    let findings = &exploration.outcome.findings;
    Ok(Compared {
        agreement: agreement(&exploration, &second),
        races: findings.iter().any(is_race),
        waits: findings.iter().any(|finding| finding.rule == Rule::NoProgress),
        exhaustive: summary(launch, &choice, &options, &exploration),
        loom: second.report,
    })
}

/// Whether two engines say the same about a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Both came to the same answer.
    Yes,
    /// They did not.
    No,
    /// At least one has none.
    Undecided,
}

/// Compares whether there are races, benign ones too, and waits that never end. One that found something has an answer
/// even where it was cut short.
pub(crate) fn agreement(exploration: &Exploration, second: &Second) -> Agreement {
    let findings = &exploration.outcome.findings;
    let races = findings.iter().any(is_race);
    let waits = findings.iter().any(|finding| finding.rule == Rule::NoProgress);
    let loom_races = !second.findings.is_empty();
    let complete = exploration.is_complete() && second.decided;
    // An engine that has found a race looks no further for waits.
    let same = races == loom_races && (waits == second.waits || loom_races);
    match (same, complete) {
        (true, true) => Agreement::Yes,
        (false, true) => Agreement::No,
        (_, false)
            if (loom_races && !races && exploration.is_complete()) || (races && !loom_races && second.decided) =>
        {
            Agreement::No
        }
        (true, false) if races => Agreement::Yes,
        _ => Agreement::Undecided,
    }
}

fn by_loom_alone(second: &Second, asked: Asked<'_>, choice: &ExploreChoice) -> CheckReport {
    let verdict = if !second.findings.is_empty() {
        Verdict::Racy
    } else if second.waits {
        Verdict::Faulty
    } else if second.decided && choice.preemptions.is_none() {
        Verdict::RaceFree
    } else {
        Verdict::Incomplete
    };
    let extras = Extras {
        findings: second.findings.clone(),
        explored: second.report.executions,
        explorations: vec![second.report.clone()],
        ..Extras::default()
    };
    let outcome = Outcome { files: second.files.clone(), ..Outcome::empty() };
    let mut report = asked.proved(verdict, outcome, extras);
    report.decides_every_schedule = false;
    report.settings.progress = choice.progress;
    report
}

/// What each turn of each finding's schedule did.
pub(crate) fn timelines(
    launch: &Launch,
    config: &Config,
    findings: &[Finding],
    hazards: &Hazards,
) -> Vec<Option<Timeline>> {
    let one = |finding: &Finding| {
        let schedule = finding.schedule.as_ref()?;
        // A schedule that cannot be drawn is still in the report.
        record(launch, config, schedule, hazards, finding).ok()
    };
    findings.iter().map(one).collect()
}

/// The verdict that an exploration gives: a fault that was found stays true whatever was not seen.
pub(crate) fn verdict(exploration: &Exploration, looks_for_races: bool) -> Verdict {
    let outcome = &exploration.outcome;
    let mut wrong = outcome.findings.iter().filter(|finding| counts(finding)).peekable();
    if wrong.peek().is_some() {
        return if wrong.any(is_race) { Verdict::Racy } else { Verdict::Faulty };
    }
    let unsure = !exploration.is_complete() || outcome.exhausted.is_some() || outcome.findings_dropped > 0;
    if unsure || !looks_for_races { Verdict::Incomplete } else { Verdict::RaceFree }
}

/// What the report says about an exploration.
pub(crate) fn summary(
    launch: &Launch,
    choice: &ExploreChoice,
    options: &ExploreOptions,
    exploration: &Exploration,
) -> ExplorationReport {
    let first = exploration.outputs.first();
    let differs = |buffers: &Vec<gridproof_simulator::Image>| {
        let images =
            |buffers: &Vec<gridproof_simulator::Image>| Outcome { buffers: buffers.clone(), ..Outcome::empty() };
        first.map_or(0, |first| ladder::differing_outputs(launch, &images(&first.buffers), &images(buffers)))
    };
    let outputs = exploration.outputs.iter().map(|output| ExploredOutput {
        executions: output.executions,
        differing_bytes: differs(&output.buffers),
        schedule: output.schedule.clone(),
    });
    ExplorationReport {
        engine: if choice.engine == EngineChoice::Random { "random" } else { "exhaustive" },
        progress: options.progress,
        slots: options.progress.has_slots().then_some(options.slots),
        executions: exploration.executions,
        redundant: exploration.redundant,
        orders: exploration.orders,
        units: exploration.units,
        turns: exploration.turns,
        stopped: exploration.stopped,
        symmetric: exploration.symmetric,
        outputs: outputs.collect(),
        bound: exploration.bound,
        note: exploration.unseen.iter().fold(None, |note, unseen| joined(note, unseen_words(*unseen))),
        elapsed: exploration.elapsed,
    }
}

/// What the invocations of one subgroup could have done besides.
const fn unseen_words(unseen: Unseen) -> &'static str {
    match unseen {
        Unseen::LaneOrder => "invocations of one subgroup that touch the same atomic do so in one order only",
        Unseen::Company => {
            "which invocations of a subgroup execute together decides what the kernel does, and that is not explored"
        }
    }
}

/// Whether two findings are one: the same rule at the same places.
fn is_same(one: &Finding, other: &Finding) -> bool {
    let second = |finding: &Finding| finding.second.as_ref().map(|site| site.pc);
    (one.rule, one.first.dispatch, one.first.pc) == (other.rule, other.first.dispatch, other.first.pc)
        && (one.rule == Rule::NoProgress || second(one) == second(other))
}

/// Gives findings the shortest schedules that show them: for a race one that damages outputs, where there is one.
fn shorten(
    launch: &Launch,
    config: &Config,
    options: &ExploreOptions,
    exploration: &Exploration,
    findings: &mut [Finding],
) -> Result<(), SimulateError> {
    let Some(reference) = exploration.outputs.first() else {
        return shorten_without_outputs(launch, config, options, findings);
    };
    let reference = Outcome { buffers: reference.buffers.clone(), ..Outcome::empty() };
    let damages = |outcome: &Outcome| ladder::differing_outputs(launch, &reference, outcome) > 0;
    let others: Vec<&Schedule> = exploration.outputs.iter().skip(1).take(MOST).map(|output| &output.schedule).collect();
    for finding in findings.iter_mut().take(MOST) {
        let Some(own) = finding.schedule.clone() else { continue };
        let wanted = finding.clone();
        let shows = |candidate: &Schedule, visibly: bool| {
            let outcome = follow(launch, config, options, candidate)?;
            let found = wanted.rule == Rule::ScheduleDependent
                || outcome.findings.iter().any(|finding| is_same(finding, &wanted));
            Ok(found && (!visibly || damages(&outcome)))
        };
        // Of all schedules that show a race, one that leaves other outputs than the first says more.
        let mut visible = None;
        for candidate in std::iter::once(&own).chain(others.iter().copied()) {
            match shows(candidate, true) {
                Ok(true) => {
                    visible = Some(candidate.clone());
                    break;
                }
                Ok(false) | Err(SimulateError::Schedule { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if is_race(finding) {
            finding.output_visible = Some(visible.is_some());
        }
        let visibly = visible.is_some();
        let begin = visible.unwrap_or(own);
        finding.schedule = Some(shrink(&begin, TRIES, &mut |candidate: &Schedule| shows(candidate, visibly))?);
    }
    Ok(())
}

/// The same where no execution came to its end.
fn shorten_without_outputs(
    launch: &Launch,
    config: &Config,
    options: &ExploreOptions,
    findings: &mut [Finding],
) -> Result<(), SimulateError> {
    for finding in findings.iter_mut().take(MOST) {
        let Some(schedule) = finding.schedule.clone() else { continue };
        let wanted = finding.clone();
        let mut shows = |candidate: &Schedule| {
            let outcome = follow(launch, config, options, candidate)?;
            Ok(outcome.findings.iter().any(|finding| is_same(finding, &wanted)))
        };
        finding.schedule = Some(shrink(&schedule, TRIES, &mut shows)?);
    }
    Ok(())
}
