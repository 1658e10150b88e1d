//! A launch inside loom 0.7.2: a second, independent answer for all of its schedules.
//!
//! Up to four units run as loom threads: the workgroups of a dispatch, or the subgroups of one workgroup. Each advances the
//! real interpreter over one shared memory; loom decides who runs, keeps causality, and says what races. Everything of loom's
//! is made per granule that two units contest (`contested`), and only there (`objects`). What a unit does between two such
//! places commutes with what the others do.
//!
//! * A race is an access that loom's causality does not order after a conflicting one of another unit, in any explored
//!   execution. Races inside of a unit are not seen. Where invocations of a subgroup unit touch common bytes and no barrier
//!   orders them (`inside`), a model that finds nothing else has no answer; what subgroups of a workgroup unit do to each
//!   other is a question for other models.
//! * Plain accesses are sequentially consistent, as everywhere in this crate; which value an atomic load reads is too.
//! * A barrier orders only the memory it covers: where a program has barriers that cover just one kind, the model runs once
//!   for each kind, with the cells of that kind.
//! * Spinning is found by state: a subgroup that comes back to where it was while no memory has changed waits for a change.
//!   Where all wait, there is no progress.
//! * With subgroups as units the workgroup is alone: its dispatch starts from the memory that earlier dispatches left.
//!
//! loom panics where it finds something, and aborts where a limit of its own is exceeded, so [`run_model`] belongs in a child
//! process; the panic message of the default hook is the only thing it would print.

use std::time::{Duration, Instant};

use gridproof_launch::{ByteRange, Launch};

use crate::finding::AccessSite;
use crate::ir::{SourceFile, Span};
use crate::outcome::{Config, SimulateError};
use crate::schedule::Schedule;

mod contested;
mod execution;
mod inside;
mod model;
mod objects;
mod spin;
mod turns;
mod unit;

/// Units of a model: loom has five threads, and its main thread is one of them.
pub const MOST_UNITS: usize = 4;

/// What runs as a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// The workgroups of a dispatch. Subgroups inside take turns by a fixed rule.
    Workgroups,
    /// The subgroups of one workgroup, which is alone.
    Subgroups {
        /// Linear index of the workgroup.
        workgroup: u32,
    },
}

/// What to explore, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoomOptions {
    /// What runs as a thread.
    pub units: Units,
    /// The only dispatch to explore; all, one after the other, where none is named.
    pub dispatch: Option<usize>,
    /// Workgroups resident at the same time; they start in index order. At least 1.
    pub slots: u32,
    /// Executions with more preemptions than this are left out. At most 255.
    pub preemption_bound: Option<u32>,
    /// Executions after which to give up.
    pub max_iterations: u64,
    /// Time after which to give up.
    pub max_duration: Duration,
    /// Choices in one execution after which to give up. From 1 to 1,000,000.
    pub max_branches: usize,
}

impl Default for LoomOptions {
    fn default() -> Self {
        Self {
            units: Units::Workgroups,
            dispatch: None,
            slots: 4,
            preemption_bound: None,
            max_iterations: 10_000_000,
            max_duration: Duration::from_secs(60),
            max_branches: 20_000,
        }
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub struct LoomOutcome {
    /// The answer.
    pub verdict: Verdict,
    /// Executions started, those of models that had to start again included.
    pub iterations: u64,
    /// Models that started again because more bytes were contested than they knew of.
    pub restarts: u64,
    /// Whether every execution (within the preemption bound) was explored. Never where something was found.
    pub complete: bool,
    /// Granules that loom had objects for, over all models.
    pub granules: u64,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// Files that spans point into.
    pub files: Vec<SourceFile>,
}

/// The answer of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was found.
    Clean,
    /// Two accesses that nothing orders.
    Race(Box<LoomRace>),
    /// Nobody can go on.
    NoProgress(NoProgress),
    /// Explored only so far.
    Limit(Limit),
}

/// Two accesses that nothing orders, and the execution that shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoomRace {
    /// The one that came first in this execution.
    pub first: AccessSite,
    /// The other.
    pub second: AccessSite,
    /// Bytes of the buffer, or of workgroup memory, that both touch.
    pub bytes: ByteRange,
    /// The turns up to the second access, for [`crate::run`] with the hazards of a proof.
    pub schedule: Schedule,
    /// What loom said.
    pub message: String,
}

/// Everyone who has not ended waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoProgress {
    /// Who waits, in order of unit.
    pub waiting: Vec<Waiting>,
    /// Position of the dispatch.
    pub dispatch: usize,
    /// The turns up to here.
    pub schedule: Schedule,
}

/// A unit that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Linear workgroup.
    pub workgroup: u32,
    /// Subgroup; `None` for the whole workgroup.
    pub subgroup: Option<u32>,
    /// For what.
    pub what: WaitsFor,
    /// Program counter and place of a spinning loop's access.
    pub at: Option<(u32, Span)>,
}

/// What a unit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// Another value in memory.
    Change,
    /// The others of its workgroup at a barrier.
    Barrier,
    /// A slot.
    Slot,
}

/// Why exploring ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`LoomOptions::max_iterations`].
    Iterations(u64),
    /// [`LoomOptions::max_duration`], or the time budget of the configuration.
    Duration,
    /// [`LoomOptions::max_branches`] in one execution.
    Branches(usize),
    /// A unit ran out of instructions in one execution.
    Instructions(Span),
    /// Operations of one unit in one execution: loom counts them in 16 bits.
    Operations(u32),
    /// Contested granules.
    Granules(usize),
    /// Accesses between two scheduling points.
    Accesses(usize),
    /// Barriers diverged, which is not for this engine to judge.
    Divergence,
    /// A named barrier of a part of the subgroups, or that some only arrive at, which this engine does not model.
    Arrival,
    /// An earlier dispatch ran out of a budget of the configuration.
    EarlierDispatch(&'static str),
    /// Invocations of one subgroup touch common bytes at these places, and no barrier orders them: no unit is less than a
    /// subgroup. Nothing else was found.
    InsideSubgroup(Span, Span),
    /// loom gave up with words that this engine does not know.
    Loom(String),
}

/// Explores a launch inside loom, in this process. Dispatches before an explored one are run as [`crate::prove()`] does.
///
/// # Errors
/// As [`crate::prove()`]; and [`SimulateError::Config`] for more units than [`MOST_UNITS`], or options out of their range.
pub fn run_model(launch: &Launch, config: &Config, options: &LoomOptions) -> Result<LoomOutcome, SimulateError> {
    check(launch, options)?;
    let started = Instant::now();
    let mut outcome = LoomOutcome {
        verdict: Verdict::Clean,
        iterations: 0,
        restarts: 0,
        complete: true,
        granules: 0,
        elapsed: Duration::ZERO,
        files: Vec::new(),
    };
    model::explore(launch, config, options, started, &mut outcome)?;
    outcome.complete = outcome.verdict == Verdict::Clean;
    outcome.elapsed = started.elapsed();
    Ok(outcome)
}

fn check(launch: &Launch, options: &LoomOptions) -> Result<(), SimulateError> {
    let refuse = |name, value: String, limit| Err(SimulateError::Config { name, value, limit });
    if options.slots == 0 {
        return refuse("slots", "0".to_owned(), "must be at least 1");
    }
    if let Some(bound) = options.preemption_bound.filter(|&bound| bound > 255) {
        return refuse("preemption_bound", bound.to_string(), "loom counts at most 255 preemptions");
    }
    if !(1..=1_000_000).contains(&options.max_branches) {
        return refuse("max_branches", options.max_branches.to_string(), "must be from 1 to 1,000,000");
    }
    match options.dispatch.filter(|&dispatch| dispatch >= launch.dispatches.len()) {
        Some(dispatch) => refuse("dispatch", dispatch.to_string(), "must be less than the launch's dispatches"),
        None => Ok(()),
    }
}
