//! Instructions with many operands live beside the code, in tables; the code names their entries.

use super::extended::ExtendedOp;
use super::{Access, Address, Reg, Scalar};

/// A register with its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Its first row.
    pub reg: Reg,
    /// Rows: 1, or 2 for 64 bits.
    pub rows: u32,
}

impl Operand {
    /// A 32-bit row.
    pub const fn word(reg: Reg) -> Self {
        Self { reg, rows: 1 }
    }

    /// A 64-bit register.
    pub const fn wide(reg: Reg) -> Self {
        Self { reg, rows: 2 }
    }
}

/// Index into [`Tables::extended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExtendedId(pub u32);

/// Index into [`Tables::warps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WarpId(pub u32);

/// Index into [`Tables::rendezvous`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RendezvousId(pub u32);

/// Index into [`Tables::transfers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferId(pub u32);

/// An operation of one invocation on its own registers, with up to four operands and two results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    /// What it computes.
    pub op: ExtendedOp,
    /// Operands.
    pub sources: Vec<Operand>,
    /// Results.
    pub results: Vec<Operand>,
}

/// Which invocation of its subgroup a shuffle reads. `lane` is the second operand; the third holds the clamp in its
/// low five bits and the segment mask in bits 8 to 12, as PTX's `shfl.sync` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShuffleMode {
    /// The one `lane` below.
    Up,
    /// The one `lane` above.
    Down,
    /// The one whose index differs by exclusive or.
    Butterfly,
    /// The one with this index in the segment.
    Index,
}

/// What a vote gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteMode {
    /// Whether the predicate holds for all.
    All,
    /// Whether it holds for any.
    Any,
    /// Whether all have the same.
    Uniform,
    /// The bits of those where it holds.
    Ballot,
    /// How many there are where it holds.
    Count,
}

/// What invocations of a subgroup do together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarpOp {
    /// Wait for each other; orders memory among them.
    Barrier,
    /// Operands: value, lane, clamp. Results: value, and (optional) whether the source was in range.
    Shuffle(ShuffleMode),
    /// Operand: predicate. Result: predicate, or bits.
    Vote(VoteMode),
    /// Result: the bits of the invocations that execute together now. No mask, no waiting.
    ActiveMask,
    /// Operand: value. Result: the bits of those with the same value.
    MatchAny,
    /// Operand: value. Results: the mask where all have the same value, else 0; and (optional) whether they have.
    MatchAll,
    /// Operand: value. Result: the combination over the mask.
    Reduce(super::Reduction, Scalar, FloatReduction),
    /// Results: the index of the elected invocation, and whether this is the one.
    Elect,
    /// Operands: the rows of A, B and C. Results: the rows of D.
    MultiplyAccumulate(super::matrix::Matrix),
}

/// Modifiers of a floating-point [`WarpOp::Reduce`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FloatReduction {
    /// Of absolute values.
    pub absolute: bool,
    /// A NaN makes the result one.
    pub nan: bool,
}

/// An operation among the invocations of a subgroup that a mask names. Whoever comes first waits for the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warp {
    /// What they do.
    pub op: WarpOp,
    /// U32 row: bit i for invocation i. `None`: those that execute together.
    pub mask: Option<Reg>,
    /// Operands.
    pub sources: Vec<Operand>,
    /// Results.
    pub results: Vec<Operand>,
}

/// What an invocation does at a named barrier of its workgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RendezvousKind {
    /// Arrives and waits.
    Wait,
    /// Arrives and goes on.
    Arrive,
    /// Arrives, waits, and learns about everyone's predicate.
    Reduce(VoteMode),
}

/// An arrival at one of the numbered barriers of a workgroup. It orders workgroup and storage memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rendezvous {
    /// What the invocation does there.
    pub kind: RendezvousKind,
    /// U32 row: which barrier, 0 to 15.
    pub barrier: Reg,
    /// U32 row: how many invocations meet there; `None` for all of the workgroup.
    pub count: Option<Reg>,
    /// Whether all invocations of the subgroup must execute it together.
    pub aligned: bool,
    /// `bool` row of a reduction.
    pub source: Option<Reg>,
    /// Result row of a reduction.
    pub result: Option<Reg>,
}

/// Copies that the invocation starts now and waits for later (`cp.async`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// Starts to copy `bytes` bytes from storage to workgroup memory.
    Copy {
        /// In workgroup memory.
        destination: Address,
        /// In storage.
        source: Address,
        /// 4, 8 or 16.
        bytes: u32,
        /// U32 row: bytes really read; the rest is zeros.
        source_bytes: Option<Reg>,
        /// `bool` row: writes zeros and reads nothing.
        ignore: Option<Reg>,
        /// Rows for the bytes on their way, 16 of them; what they hold before and after means nothing.
        scratch: Reg,
    },
    /// The copies started so far and not in a group yet become one.
    Commit,
    /// Waits until at most this many of the newest groups are pending.
    Wait {
        /// Groups that may stay pending.
        pending: u32,
    },
    /// Waits for every copy.
    WaitAll,
}

/// Everything the code names by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Memory accesses.
    pub accesses: Vec<Access>,
    /// Operations with more than three operands, or more meanings than an [`super::Instr`] has room for.
    pub extended: Vec<Extended>,
    /// Operations across a subgroup with a mask.
    pub warps: Vec<Warp>,
    /// Named barriers.
    pub rendezvous: Vec<Rendezvous>,
    /// Asynchronous copies.
    pub transfers: Vec<Transfer>,
}
