//! What the detectors found, as data. Words are made in the `report` crate alone.

use crate::explore::Progress;
use crate::ir::{Order, Scope, Space, Span};
use crate::schedule::Schedule;

/// Which rule a finding breaks. The numbers are public and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// GP0001: accesses of two workgroups of one dispatch conflict.
    CrossWorkgroupRace,
    /// GP0002: accesses of two invocations of one workgroup conflict and nothing orders them.
    WorkgroupRace,
    /// GP0003: invocations of a workgroup do not meet at the same barrier.
    BarrierDivergence,
    /// GP0004: an access outside its buffer, its declared range or its array.
    OutOfBounds,
    /// GP0005: an address that differs from what exact arithmetic gives.
    WrappedOffset,
    /// GP0006: a read of bytes nobody wrote.
    UninitialisedRead,
    /// GP0007: no progress under R slots.
    NoProgress,
    /// GP0008: an address that is not a multiple of the access's alignment.
    Misaligned,
    /// GP0009: outputs that depend on the schedule.
    ScheduleDependent,
    /// GP0010: two legs disagree on a bit.
    LegsDisagree,
    /// GP0011: the kernel stopped itself (a trap, a failed assertion).
    Trap,
}

impl Rule {
    /// Every rule, in order of its number.
    pub const ALL: [Self; 11] = [
        Self::CrossWorkgroupRace,
        Self::WorkgroupRace,
        Self::BarrierDivergence,
        Self::OutOfBounds,
        Self::WrappedOffset,
        Self::UninitialisedRead,
        Self::NoProgress,
        Self::Misaligned,
        Self::ScheduleDependent,
        Self::LegsDisagree,
        Self::Trap,
    ];

    /// The public code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CrossWorkgroupRace => "GP0001",
            Self::WorkgroupRace => "GP0002",
            Self::BarrierDivergence => "GP0003",
            Self::OutOfBounds => "GP0004",
            Self::WrappedOffset => "GP0005",
            Self::UninitialisedRead => "GP0006",
            Self::NoProgress => "GP0007",
            Self::Misaligned => "GP0008",
            Self::ScheduleDependent => "GP0009",
            Self::LegsDisagree => "GP0010",
            Self::Trap => "GP0011",
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The launch is wrong.
    Error,
    /// Shown, but the outputs cannot be hurt by it (a benign race, a declared one).
    Warning,
}

/// What one access did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// A plain read.
    Read,
    /// A plain write.
    Write,
    /// An atomic read.
    AtomicRead,
    /// An atomic write or read-modify-write.
    AtomicWrite,
    /// Waiting at a barrier (GP0003), or having ended (then the span is the end of the kernel).
    Barrier,
    /// The invocation has ended (GP0003).
    Ended,
}

impl Action {
    /// Whether this writes memory.
    pub const fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::AtomicWrite)
    }

    /// Whether this is atomic.
    pub const fn is_atomic(self) -> bool {
        matches!(self, Self::AtomicRead | Self::AtomicWrite)
    }
}

/// One access of one invocation: who, what, where in memory, where in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessSite {
    /// What it did.
    pub action: Action,
    /// Memory order and scope of an atomic.
    pub atomic: Option<(Order, Scope)>,
    /// Bytes per element of the access.
    pub bytes: u32,
    /// Which kind of memory.
    pub space: Space,
    /// Buffer name, or variable name in workgroup or private memory.
    pub buffer: String,
    /// Byte offset in that buffer or variable. May lie outside it, and may be negative, for GP0004.
    pub byte_offset: i128,
    /// Element index in that buffer or variable, where the element size is known.
    pub element: Option<i128>,
    /// Position of the dispatch in the launch.
    pub dispatch: u32,
    /// The workgroup, in x, y, z.
    pub workgroup: [u32; 3],
    /// The invocation in its workgroup, in x, y, z.
    pub local: [u32; 3],
    /// Subgroup of the invocation.
    pub subgroup: u32,
    /// Program counter.
    pub pc: u32,
    /// Where in the source. The file index is into [`crate::Outcome::files`].
    pub span: Span,
    /// The calls this was inlined through, innermost first.
    pub call_stack: Vec<Span>,
    /// The bits read or written, where they were recorded (low 64 bits).
    pub value: Option<u64>,
}

/// What is special about a finding, besides its accesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing more.
    None,
    /// GP0004: the limit that was missed.
    Bounds {
        /// What was missed.
        limit: BoundsLimit,
    },
    /// GP0005: where the arithmetic wrapped, and what it should have given.
    Wrapped {
        /// Where the first wrapping operation stands.
        origin: Span,
        /// The index or offset as exact arithmetic gives it.
        exact: i128,
        /// As the kernel computed it.
        computed: i128,
    },
    /// GP0008.
    Alignment {
        /// What the address must be a multiple of, in bytes.
        required: u32,
    },
    /// GP0003.
    Divergence {
        /// Invocations waiting at the first site.
        waiting: u32,
        /// Invocations elsewhere: at the second site.
        elsewhere: u32,
    },
    /// GP0001, GP0002: why nothing orders the two accesses.
    Unordered {
        /// The reason.
        why: Unordered,
    },
    /// GP0007: who never goes on. The first site is what waits, the second, where there is one, what would end the wait.
    NoProgress {
        /// Who is promised to advance.
        progress: Progress,
        /// Workgroups that could be resident together.
        slots: u32,
        /// Workgroups that wait for ever.
        waiting: u64,
        /// Workgroups that never got a slot.
        unstarted: u64,
        /// Whether the second site's workgroup has started.
        other_has_started: bool,
    },
    /// GP0009: bytes that differ.
    Outputs {
        /// Buffer name.
        buffer: String,
        /// Bytes that differ between the two runs.
        differing_bytes: u64,
    },
    /// GP0010: an element that is not what it should be.
    Mismatch {
        /// Buffer name.
        buffer: String,
        /// The first wrong element.
        element: u64,
        /// Its bits, little-endian; `None` where nobody wrote it.
        computed: Option<u64>,
        /// What they should be; `None` where nobody should write it.
        expected: Option<u64>,
        /// Bytes of an element.
        bytes: u32,
        /// Bytes of the buffer that are wrong.
        differing_bytes: u64,
    },
}

/// What an out-of-bounds access missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundsLimit {
    /// The length of the binding's range in bytes.
    Binding {
        /// Bytes the kernel may touch.
        length: u64,
    },
    /// The length of an array.
    Array {
        /// The index used.
        index: i64,
        /// Its limit in elements.
        elements: u64,
    },
    /// No buffer is mapped at this address.
    Unmapped {
        /// The 64-bit address.
        address: u64,
    },
    /// A write to memory the launch may only read.
    ReadOnly,
}

/// Why two accesses are unordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unordered {
    /// Two workgroups of one dispatch: nothing but atomics at device scope could order them.
    Workgroups,
    /// Same workgroup, no barrier in between.
    NoBarrier,
    /// Same workgroup, a barrier in between, but it does not order this kind of memory.
    WrongBarrier,
}

/// One finding. Findings with the same rule, buffer and pair of source places are one, with a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// How bad.
    pub severity: Severity,
    /// The access that came first in the run that found it.
    pub first: AccessSite,
    /// The access that conflicts with it.
    pub second: Option<AccessSite>,
    /// Whether every order leaves the same bytes (same-value writes).
    pub benign: bool,
    /// The reason of the `may_race` declaration that covers it.
    pub declared: Option<String>,
    /// Whether outputs differ between the orders of the two accesses; `None` when not tried.
    pub output_visible: Option<bool>,
    /// How many elements (races) or invocations (others) show it.
    pub count: u64,
    /// More about it.
    pub detail: Detail,
    /// A schedule that shows it.
    pub schedule: Option<Schedule>,
}
