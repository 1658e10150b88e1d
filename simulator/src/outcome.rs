//! What goes into a simulation besides the launch, and what comes out of it.

use std::time::Duration;

use gridproof_launch::{Arithmetic, LaunchError};

use crate::finding::Finding;
use crate::ir::{SourceFile, Span};

/// Which detectors are on. All are by default; switching one off exists for measurements and for tests
/// that show a detector is what turns a case red.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detectors {
    /// GP0001 and GP0002.
    pub race: bool,
    /// GP0003.
    pub barrier: bool,
    /// GP0004.
    pub bounds: bool,
    /// GP0005.
    pub offset: bool,
    /// GP0006.
    pub uninitialised: bool,
    /// GP0008.
    pub alignment: bool,
}

impl Detectors {
    /// Every detector.
    pub const ALL: Self =
        Self { race: true, barrier: true, bounds: true, offset: true, uninitialised: true, alignment: true };
    /// No detector: faulty accesses are still dropped or read as zero, but not reported.
    pub const NONE: Self =
        Self { race: false, barrier: false, bounds: false, offset: false, uninitialised: false, alignment: false };
}

impl Default for Detectors {
    fn default() -> Self {
        Self::ALL
    }
}

/// What one simulation may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Invocation-instructions of the whole launch. Each workgroup may use its equal share of what its
    /// dispatch has, but at least 16 million, so that the outcome does not depend on the number of threads.
    pub instructions: u64,
    /// Bytes of memory for buffers, their shadows and resident workgroups.
    pub memory: u64,
    /// Wall-clock time. The only budget whose exhaustion depends on the machine.
    pub time: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { instructions: 1 << 40, memory: 8 << 30, time: Duration::from_secs(600) }
    }
}

/// How to simulate. One plain struct, so that a report can print all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Invocations per subgroup: a power of two from 4 to 128.
    pub subgroup_size: u32,
    /// Rounding of multiply-adds, and denormals.
    pub arithmetic: Arithmetic,
    /// Which detectors watch.
    pub detectors: Detectors,
    /// What it may cost.
    pub budget: Budget,
    /// Takes the invocations of a subgroup to be ordered by running together, instruction by instruction. No language
    /// promises that and no device since sm_70 does it: what is found race-free so may not be.
    pub warp_lockstep: bool,
    /// Worker threads; 0 for one per core. Never changes a result.
    pub threads: usize,
    /// Distinct findings to keep; further ones are counted.
    pub max_findings: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            subgroup_size: 32,
            arithmetic: Arithmetic::FUSED,
            detectors: Detectors::ALL,
            budget: Budget::default(),
            warp_lockstep: false,
            threads: 0,
            max_findings: 64,
        }
    }
}

/// Something in the kernel that the simulator does not model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unsupported: {construct} at {file}:{line}:{column}")]
pub struct Unsupported {
    /// What, in the source language's words.
    pub construct: String,
    /// File name.
    pub file: String,
    /// Line, counted from 1; 0 when the module has no text.
    pub line: u32,
    /// Column, counted from 1; 0 when the module has no text.
    pub column: u32,
}

/// Why a simulation could not be done at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimulateError {
    /// The launch itself is wrong.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The module cannot be read, is invalid, or lacks the entry point.
    #[error("{file}:{line}:{column}: {message}")]
    Module {
        /// File name.
        file: String,
        /// Line, counted from 1; 0 when unknown.
        line: u32,
        /// Column, counted from 1; 0 when unknown.
        column: u32,
        /// What is wrong, in lower case.
        message: String,
    },
    /// The kernel and the launch do not fit together (a missing argument, a buffer too short for its type).
    #[error("dispatch {dispatch}, entry `{entry}`: {message}")]
    Interface {
        /// Position of the dispatch.
        dispatch: usize,
        /// Entry point.
        entry: String,
        /// What is wrong, with the value and the limit.
        message: String,
    },
    /// The kernel uses what the simulator does not model.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// A configuration value that makes no sense.
    #[error("{name} = {value}: {limit}")]
    Config {
        /// Field.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        limit: &'static str,
    },
    /// The launch does not fit the schedule to be replayed.
    #[error("schedule, dispatch {dispatch}, turn {turn}: {message}")]
    Schedule {
        /// Position of the dispatch.
        dispatch: usize,
        /// Position of the run of turns in it.
        turn: usize,
        /// What is wrong.
        message: String,
    },
}

/// Which budget ran out, and what was covered until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// `instructions`, `memory` or `time`.
    pub budget: &'static str,
    /// Its limit, in instructions, bytes or milliseconds.
    pub limit: u64,
    /// Workgroups that ran to their end.
    pub workgroups_done: u64,
    /// Workgroups of the launch.
    pub workgroups: u64,
    /// Where an invocation was when it ran out of instructions; `None` for memory and time.
    pub at: Option<Span>,
}

/// A place that devices may compute differently, so that bits cannot be promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approximation {
    /// The operation, in the source language's words.
    pub operation: String,
    /// Where. The file index is into [`Outcome::files`].
    pub span: Span,
}

/// How much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Instructions times the invocations that executed them.
    pub instructions: u64,
    /// Invocations started.
    pub invocations: u64,
    /// Workgroups started.
    pub workgroups: u64,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// Most bytes held by buffers, shadows and resident workgroups.
    pub peak_memory: u64,
}

/// The bytes of each dispatch that raced: scheduling points are accesses to these, and atomics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hazards {
    /// For each dispatch, the buffers that raced with their byte ranges, sorted and disjoint.
    pub storage: Vec<std::collections::BTreeMap<gridproof_launch::BufferId, Vec<gridproof_launch::ByteRange>>>,
    /// For each dispatch, the ranges of workgroup memory that raced, sorted and disjoint.
    pub workgroup: Vec<Vec<gridproof_launch::ByteRange>>,
}

/// What one simulation gave.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Findings, in a deterministic order.
    pub findings: Vec<Finding>,
    /// Distinct findings beyond [`Config::max_findings`].
    pub findings_dropped: u64,
    /// The budget that ran out, if one did.
    pub exhausted: Option<Exhausted>,
    /// Whether one run decides all schedules: no atomic's result reaches control flow or an address (its data may still end in an
    /// output), and no two accesses are ordered only by what an atomic happened to read.
    pub decides_every_schedule: bool,
    /// Where atomics make the run one of many (first place), when it does not decide.
    pub depends_on_atomic: Option<Span>,
    /// Buffers of the launch that can hold what a scheduler chose: what atomics returned, or left where they do not commute.
    pub chosen: Vec<gridproof_launch::BufferId>,
    /// Places whose bits devices may compute differently.
    pub approximations: Vec<Approximation>,
    /// Contents of the launch's buffers after the last dispatch, in the order of `Launch::buffers`.
    pub buffers: Vec<crate::memory::Image>,
    /// Racy bytes: where the order of accesses can matter.
    pub hazards: Hazards,
    /// Source files that spans point into.
    pub files: Vec<SourceFile>,
    /// The schedule that was run; empty for [`crate::prove`], which needs none.
    pub schedule: Schedule,
    /// How much was done.
    pub stats: Stats,
}

use crate::schedule::Schedule;
