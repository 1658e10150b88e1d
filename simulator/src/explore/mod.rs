//! Every schedule of a launch, or a sample of them.
//!
//! [`crate::prove()`] decides a launch with one run where what atomics return decides neither control flow nor
//! addresses. Kernels that wait for each other, take tickets or count who comes last need more: here each dispatch is
//! executed again and again, with another schedule each time, all detectors watching, under sequential consistency. In
//! every execution races are found by what orders accesses, not by luck, so that switching at atomics and at bytes that
//! raced is enough (see ARCHITECTURE.md).

mod explorer;
pub mod loom;
mod options;
mod path;
mod plainly;
mod random;
mod record;
mod search;
mod shrink;
mod steps;
mod stuck;
pub(crate) mod world;

use std::time::Duration;

use gridproof_launch::Launch;

pub use options::{Engine, ExploreOptions, Progress, Start};
pub use path::Path;
pub use shrink::shrink;

use crate::outcome::{Config, Outcome, SimulateError};
use crate::schedule::Schedule;

/// Contents of the output buffers that some executions ended with.
#[derive(Clone, Debug)]
pub struct DistinctOutput {
    /// A schedule that gives them.
    pub schedule: Schedule,
    /// Executions that gave them.
    pub executions: u64,
    /// Whether one of them showed no race and no fault.
    pub clean: bool,
    /// The launch's buffers at the end.
    pub buffers: Vec<crate::memory::Image>,
}

/// The chance that a bug was missed, for executions that were drawn.
///
/// One execution finds a bug of depth d with a chance of at least 1 / (n * k^(d-1)), for n units and k turns:
/// Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding
/// bugs", ASPLOS 2010, theorem 9.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MissBound {
    /// Units that took turns: n.
    pub units: u64,
    /// Most turns of one execution: k.
    pub turns: u64,
    /// Depth: d.
    pub depth: u32,
    /// Executions.
    pub executions: u64,
    /// Upper bound of the chance that none of them shows a given bug of that depth.
    pub chance: f64,
}

/// Why an exploration did not see every schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// As many executions as asked for.
    Executions,
    /// An execution took more turns than allowed.
    Turns,
    /// Later dispatches would have to start from too many different memories.
    Outputs,
    /// Instructions, memory or time: see [`Outcome::exhausted`].
    Budget,
    /// They were drawn.
    Drawn,
    /// The engine has no answer for a part of the launch.
    Undecided,
}

/// What no execution tries, because the invocations of one subgroup are one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// Several invocations of a subgroup had atomics on one place whose order matters, with no barrier between them: they
    /// did so in one order only, that of their index where they did so in one instruction.
    LaneOrder,
    /// What the kernel does depends on which invocations of a subgroup execute together (`activemask`).
    Company,
}

/// What an exploration gave.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// Findings of all executions, each with a schedule where one is needed to show it; buffers as the first execution
    /// left them; work done in all of them.
    pub outcome: Outcome,
    /// Executions that ran to their end.
    pub executions: u64,
    /// Executions that were left when everything after that point had been seen.
    pub redundant: u64,
    /// The order of the base-10 logarithm of the schedules that were not run because they are the same to the kernel:
    /// orders of the turns of the longest execution, of which there are 10^x.
    pub orders: f64,
    /// Units (subgroups) of the largest dispatch that was explored.
    pub units: u64,
    /// Most turns of one execution that were choices.
    pub turns: u64,
    /// `None`: every schedule of the launch was seen, up to what cannot matter.
    pub stopped: Option<Stopped>,
    /// Whether workgroups that cannot be told apart were taken as one.
    pub symmetric: bool,
    /// What the outputs were, the first execution's first. At most 32.
    pub outputs: Vec<DistinctOutput>,
    /// For drawn executions.
    pub bound: Option<MissBound>,
    /// What schedules do not say. With [`Unseen::Company`] the exploration is [`Stopped::Undecided`].
    pub unseen: std::collections::BTreeSet<Unseen>,
    /// Wall-clock time of the executions.
    pub elapsed: Duration,
}

impl Exploration {
    /// Whether every schedule was seen.
    pub const fn is_complete(&self) -> bool {
        self.stopped.is_none()
    }
}

/// Explores a launch.
///
/// # Errors
/// As [`crate::prove()`].
pub fn explore(launch: &Launch, config: &Config, options: &ExploreOptions) -> Result<Exploration, SimulateError> {
    explorer::explore(launch, config, options)
}

/// The race-free reading of a launch: its executions when no plain access sees a write that does not come before it.
///
/// What comes before is said by program order, barriers, and atomics that synchronise; two writes that race leave what
/// the later one in the execution writes. Without atomics there is one such reading, that of [`crate::prove()`]; where
/// atomics decide who comes first there may be several, and any of their outputs is right.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Executions that ran to their end.
    pub executions: u64,
    /// Whether these are all outputs.
    pub complete: bool,
    /// Whether some execution waits for ever for a write that it can only see by racing with it.
    pub stuck: bool,
    /// What the outputs were. At most 32.
    pub outputs: Vec<DistinctOutput>,
}

/// Runs the race-free reading under every schedule.
///
/// # Errors
/// As [`crate::prove()`].
pub fn reading(launch: &Launch, config: &Config, options: &ExploreOptions) -> Result<Reading, SimulateError> {
    explorer::reading(launch, config, options)
}

/// What lock-step waves of `slots` slots leave in the buffers: workgroups start together when all slots are free, and
/// who has executed least goes on. Whoever only spins is passed over. `None` where nobody makes progress or a budget
/// runs out. `hazards` are bytes whose accesses are scheduling points, besides atomics: those that raced.
///
/// # Errors
/// As [`crate::prove()`].
pub fn waves(
    launch: &Launch,
    config: &Config,
    hazards: &crate::Hazards,
    slots: u32,
) -> Result<Option<Vec<crate::memory::Image>>, SimulateError> {
    plainly::waves(launch, config, hazards, slots)
}

/// Who wrote a byte of a buffer last when one workgroup at a time runs, in index order; where nobody did, the end of the
/// last dispatch. `None` for a launch without dispatches.
///
/// # Errors
/// As [`crate::prove()`].
pub fn last_write(
    launch: &Launch,
    config: &Config,
    buffer: gridproof_launch::BufferId,
    byte: u64,
) -> Result<Option<crate::finding::AccessSite>, SimulateError> {
    plainly::last_write(launch, config, buffer.0, byte)
}

/// Runs one schedule with all detectors, to its end or to where nobody makes progress; what the schedule leaves open is
/// run in index order. `options` says under which progress model a wait counts.
///
/// # Errors
/// As [`crate::run()`].
pub fn follow(
    launch: &Launch,
    config: &Config,
    options: &ExploreOptions,
    schedule: &Schedule,
) -> Result<Outcome, SimulateError> {
    explorer::follow(launch, config, options, schedule)
}

/// Runs one schedule up to the finding that it shows, and says what each turn did. `hazards` are the scheduling points of
/// a schedule that leans on those of a proof.
///
/// # Errors
/// As [`crate::run()`].
pub fn record(
    launch: &Launch,
    config: &Config,
    schedule: &Schedule,
    hazards: &crate::Hazards,
    finding: &crate::Finding,
) -> Result<crate::timeline::Timeline, SimulateError> {
    record::record(launch, config, schedule, hazards, finding)
}
