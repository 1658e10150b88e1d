//! The flat register program that every front end lowers to and the machine runs.
//!
//! A program is a list of instructions addressed by program counter; control flow is jumps, so a PTX
//! branch and a WGSL `loop` look the same. Registers are untyped 32-bit rows, one value per invocation
//! of a subgroup; a 64-bit value takes two adjacent rows, low word first. Instructions carry the types.
//!
//! # Conventions a front end must keep
//!
//! * A scalar of 8 or 16 bits (and a `bool`, as 0 or 1) is stored zero-extended in one row.
//! * Composite values are scalarised: a `vec3<f32>` is three registers, in memory order.
//! * Constants live in [`Program::constants`]: rows set before the first instruction and never written.
//! * Every other row is written before it is read on every path, or holds zero.
//! * Code is laid out in source order, so that "run the lowest program counter first" makes diverged
//!   invocations meet again right after an `if`, `switch` or `loop`.
//! * Every instruction has a span; an inlined call chains its spans through [`Span::inlined_at`].
//! * Anything that cannot be expressed here is refused by the front end with a span, never dropped.

mod extended;
mod matrix;
mod tables;

use std::fmt;

use gridproof_launch::{Arithmetic, Contents};

pub use self::extended::{
    Clamp, Comparison, Conversion, DotProduct, ExtendedOp, FloatClass, FloatOp, FloatOperation, Format, IntegerOp,
    Lanes, Permute, Relation, Signs,
};
pub use self::matrix::{Element, Matrix};
pub use self::tables::{
    Extended, ExtendedId, FloatReduction, Operand, Rendezvous, RendezvousId, RendezvousKind, ShuffleMode, Tables,
    Transfer, TransferId, VoteMode, Warp, WarpId, WarpOp,
};

/// The first 32-bit row of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u32);

impl Reg {
    /// The row that holds the high word of a 64-bit value.
    pub const fn high(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Position of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pc(pub u32);

/// Index into [`Program::spans`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub u32);

/// Index into [`Program::bindings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingId(pub u32);

/// Index into [`Tables::accesses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessId(pub u32);

/// A place in the kernel's source. Lines and columns count from 1; 0 means unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Index into [`Program::files`].
    pub file: u32,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// Byte offset of the first byte in the file.
    pub start: u32,
    /// Byte offset one past the last byte.
    pub end: u32,
    /// The call this code was inlined for.
    pub inlined_at: Option<SpanId>,
}

/// How an instruction reads the bits of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the types")]
pub enum Scalar {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    Bf16,
    F32,
    F64,
}

impl Scalar {
    /// Width in bits as stored in memory (a `bool` takes 32, as in WGSL).
    pub const fn bits(self) -> u32 {
        match self {
            Self::I8 | Self::U8 => 8,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 16,
            Self::Bool | Self::I32 | Self::U32 | Self::F32 => 32,
            Self::I64 | Self::U64 | Self::F64 => 64,
        }
    }

    /// Rows a register of this type takes.
    pub const fn rows(self) -> u32 {
        if self.bits() == 64 { 2 } else { 1 }
    }

    /// Whether negative values exist.
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }

    /// Whether this is a floating-point type.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }
}

/// Operations on one value. Integer operations wrap. Transcendental ones are the correctly rounded value
/// of the mathematical function as far as the `libm` crate gives it, and make a launch *approximate*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// Arithmetic negation.
    Neg,
    /// Complement of all bits; logical not for [`Scalar::Bool`].
    Not,
    /// Absolute value (wraps for the smallest integer).
    Abs,
    /// -1, 0 or 1.
    Sign,
    /// Towards positive infinity.
    Ceil,
    /// Towards negative infinity.
    Floor,
    /// To nearest, ties to even.
    Round,
    /// Towards zero.
    Trunc,
    /// `x - floor(x)`.
    Fract,
    /// Clamp to 0..=1.
    Saturate,
    /// Square root, correctly rounded.
    Sqrt,
    /// `1 / sqrt(x)`: approximate on devices.
    InverseSqrt,
    /// `1 / x`: approximate on devices.
    Reciprocal,
    /// Approximate on devices.
    Exp,
    /// Approximate on devices.
    Exp2,
    /// Approximate on devices.
    Log,
    /// Approximate on devices.
    Log2,
    /// Approximate on devices.
    Sin,
    /// Approximate on devices.
    Cos,
    /// Approximate on devices.
    Tan,
    /// Approximate on devices.
    Asin,
    /// Approximate on devices.
    Acos,
    /// Approximate on devices.
    Atan,
    /// Approximate on devices.
    Sinh,
    /// Approximate on devices.
    Cosh,
    /// Approximate on devices.
    Tanh,
    /// Approximate on devices.
    Asinh,
    /// Approximate on devices.
    Acosh,
    /// Approximate on devices.
    Atanh,
    /// Number of one bits.
    CountOnes,
    /// Number of leading zero bits; the width for zero.
    LeadingZeros,
    /// Number of trailing zero bits; the width for zero.
    TrailingZeros,
    /// Bits in reverse order.
    ReverseBits,
    /// Position of the most significant bit that differs from the sign (signed) or is one (unsigned); all ones if none.
    FirstLeadingBit,
    /// Position of the least significant one bit; all ones if none.
    FirstTrailingBit,
    /// 1 when the value is a NaN.
    IsNan,
    /// 1 when the value is an infinity.
    IsInf,
    /// An f32 with denormals replaced by zeros of the same sign.
    Flush,
    /// The significand of WGSL's `frexp`, in `[0.5, 1)` with the sign of the operand.
    FrexpFraction,
    /// The exponent of WGSL's `frexp`, as an i32.
    FrexpExponent,
}

/// Operations on two values of one type. Comparisons give a `bool` row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product (low half for integers).
    Mul,
    /// High half of the full integer product.
    MulHigh,
    /// Quotient. Integers: towards zero; WGSL's rule for a zero divisor (the dividend) and for `MIN / -1` (`MIN`).
    Div,
    /// Remainder with the sign of the dividend; 0 for a zero divisor. Floats: `a - b * trunc(a / b)`.
    Rem,
    /// Smaller; IEEE minimumNumber for floats, with -0 below +0.
    Min,
    /// Larger; IEEE maximumNumber for floats, with -0 below +0.
    Max,
    /// Bitwise and; logical for `bool`.
    And,
    /// Bitwise or; logical for `bool`.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Left shift by `b mod width`; the shift count is a U32 row whatever the type.
    Shl,
    /// Right shift by `b mod width`, arithmetic for signed types; the shift count is a U32 row.
    Shr,
    /// Left shift by a U32 row; a count of the width or more gives 0.
    ShlClamp,
    /// Right shift by a U32 row; a count of the width or more gives 0, or the sign for signed types.
    ShrClamp,
    /// The full product of two 32-bit integers, as 64 bits.
    MulWide,
    /// Equal (false when a NaN takes part).
    Eq,
    /// Not equal (true when a NaN takes part).
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// `a` to the power `b`: approximate on devices.
    Pow,
    /// Angle of the point (b, a): approximate on devices.
    Atan2,
    /// 1 when `b >= a`, else 0 (WGSL `step(edge = a, x = b)`).
    Step,
    /// `a * 2^b` with `b` an I32 row.
    Ldexp,
}

/// Operations on three values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TernaryOp {
    /// `a * b + c`: rounded as the arithmetic profile says for floats, wrapping for integers.
    MultiplyAdd,
    /// `min(max(a, b), c)`.
    Clamp,
    /// WGSL `extractBits(a, offset = b, count = c)`; b, c are U32 rows; sign-extends for signed types.
    ExtractBits,
}

/// How a conversion to a narrower float or to an integer rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Rounding {
    /// To nearest, ties to even.
    #[default]
    NearestEven,
    /// Towards zero.
    TowardsZero,
    /// Towards negative infinity.
    Down,
    /// Towards positive infinity.
    Up,
}

/// What an invocation can ask about where it stands. Each is one U32 row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Builtin {
    /// Component 0..3 of the workgroup's position in the grid.
    WorkgroupId(u8),
    /// Component 0..3 of the grid's size in workgroups.
    NumWorkgroups(u8),
    /// Component 0..3 of the invocation's position in the workgroup.
    LocalInvocationId(u8),
    /// Row-major index of the invocation in the workgroup.
    LocalInvocationIndex,
    /// Component 0..3 of the invocation's position in the whole grid.
    GlobalInvocationId(u8),
    /// Component 0..3 of the workgroup's size in invocations.
    WorkgroupSize(u8),
    /// Index of the subgroup in the workgroup.
    SubgroupId,
    /// Number of subgroups in the workgroup.
    NumSubgroups,
    /// Invocations per subgroup.
    SubgroupSize,
    /// Index of the invocation in its subgroup.
    SubgroupInvocationId,
}

/// Where an address starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// The first byte of a binding's range.
    Binding(BindingId),
    /// The workgroup's memory.
    Workgroup,
    /// The invocation's own memory.
    Private,
    /// Nothing: `offset` is a 64-bit address in the launch's address space (PTX), of storage or constant memory.
    Absolute,
    /// The same, where the address may also be one of workgroup or private memory, through their windows.
    Generic,
}

/// A byte address: `base + displacement + offset + index * scale`, computed without wrapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Where it starts.
    pub base: Base,
    /// A U32 row in elements, multiplied by `scale`.
    pub index: Option<Reg>,
    /// Whether `index` is an i32 in the source (a negative one is out of bounds).
    pub index_signed: bool,
    /// Bytes per step of `index`.
    pub scale: u32,
    /// A byte offset: a U32 row, or a 64-bit register where [`Self::wide`].
    pub offset: Option<Reg>,
    /// Whether `offset` has 64 bits.
    pub wide: bool,
    /// Constant bytes.
    pub displacement: i64,
}

/// What an index must stay below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// A fixed number of elements.
    Elements(u32),
    /// The elements of a runtime-sized array: `(range length - first) / stride`, rounded down.
    RuntimeArray {
        /// The binding the array ends.
        binding: BindingId,
        /// Byte offset of the array in the binding.
        first: u32,
        /// Bytes per element.
        stride: u32,
    },
}

/// One index that an access depends on, and its declared limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IndexCheck {
    /// A U32 row.
    pub index: Reg,
    /// Whether the source type is i32 (a negative one is out of bounds).
    pub signed: bool,
    /// The bound.
    pub limit: Limit,
}

/// How far an atomic or a fence reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The workgroup.
    Workgroup,
    /// The whole device.
    Device,
    /// Device and host.
    System,
}

/// Memory order of an atomic or fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the C++ memory orders")]
pub enum Order {
    Relaxed,
    Acquire,
    Release,
    AcquireRelease,
    SequentiallyConsistent,
}

/// What an atomic does to the old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// Reads.
    Load,
    /// Writes.
    Store,
    /// Adds (integers wrap).
    Add,
    /// Subtracts.
    Sub,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Smaller of the two.
    Min,
    /// Larger of the two.
    Max,
    /// `old >= operand ? 0 : old + 1`.
    Increment,
    /// `old == 0 || old > operand ? operand : old - 1`.
    Decrement,
    /// Swaps.
    Exchange,
    /// Stores `value` where the old value equals `compare`. Gives the old value, and 1 in
    /// [`Access::exchanged`] where it stored.
    CompareExchange,
}

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// A plain read into `count` consecutive registers from `value` on.
    Load,
    /// A plain write of `count` consecutive registers from `value` on.
    Store,
    /// An atomic on one element.
    Atomic {
        /// The operation.
        op: AtomicOp,
        /// Its memory order.
        order: Order,
        /// Its scope.
        scope: Scope,
    },
}

/// One memory access of the program. Elements of up to 32 bits take one row each, 64-bit ones two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What it does.
    pub kind: AccessKind,
    /// Type of one element: says width, and for atomics the arithmetic.
    pub scalar: Scalar,
    /// Elements, adjacent in memory.
    pub count: u32,
    /// Destination of a load, source of a store, operand of an atomic.
    pub value: Reg,
    /// Old value of an atomic, where the program wants it.
    pub result: Option<Reg>,
    /// Expected value of a compare-exchange.
    pub compare: Option<Reg>,
    /// `bool` row: whether a compare-exchange stored.
    pub exchanged: Option<Reg>,
    /// Where.
    pub address: Address,
    /// Indices with declared limits that led to the address, outermost first.
    pub checks: Vec<IndexCheck>,
    /// Required alignment of the address in bytes, or of the place that its `index` counts from where a step of the index
    /// keeps less; 1 where any address will do.
    pub alignment: u32,
    /// The bindings that an access by address can touch; `None` for any.
    pub reaches: Option<Vec<BindingId>>,
}

/// Combining operations across a subgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the operations")]
pub enum Reduction {
    Add,
    Mul,
    Min,
    Max,
    And,
    Or,
    Xor,
}

/// Which invocations a reduction combines for each invocation. All run over the active invocations in
/// order of their subgroup index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// All active invocations.
    Reduce,
    /// Those up to and including this one.
    Inclusive,
    /// Those before this one.
    Exclusive,
}

/// Operations across the active invocations of a subgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubgroupOp {
    /// 1 when `src` is non-zero for all.
    All,
    /// 1 when `src` is non-zero for any.
    Any,
    /// 1 in the lowest active invocation, else 0. `src` is ignored.
    Elect,
    /// Four U32 rows from `dst` on: bit i is `src` of invocation i.
    Ballot,
    /// Combines.
    Combine(Reduction, Extent),
    /// `src` of the lowest active invocation.
    BroadcastFirst,
    /// `src` of invocation `lane` (a U32 row).
    Shuffle,
    /// `src` of the invocation `lane` above.
    ShuffleDown,
    /// `src` of the invocation `lane` below.
    ShuffleUp,
    /// `src` of the invocation whose index differs by exclusive or with `lane`.
    ShuffleXor,
    /// `src` of invocation `lane` (0..4) of the own quad.
    QuadBroadcast,
    /// Exchange inside a quad: 0 swaps in x, 1 in y, 2 diagonally; `lane` is a constant row.
    QuadSwap,
}

/// Who waits at a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BarrierScope {
    /// All invocations of the workgroup.
    Workgroup,
    /// All invocations of the subgroup.
    Subgroup,
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instr {
    /// `dst <- src`, one row.
    Copy {
        /// Destination row.
        dst: Reg,
        /// Source row.
        src: Reg,
    },
    /// `dst <- op a`. The result has type `ty`, but for [`UnaryOp::IsNan`], [`UnaryOp::IsInf`] (bool),
    /// and [`UnaryOp::FrexpExponent`] (I32). Bit counts keep `ty`.
    Unary {
        /// Operation.
        op: UnaryOp,
        /// Type of the operand.
        ty: Scalar,
        /// Destination.
        dst: Reg,
        /// Operand.
        a: Reg,
    },
    /// `dst <- a op b`.
    Binary {
        /// Operation.
        op: BinaryOp,
        /// Type of the operands.
        ty: Scalar,
        /// Destination.
        dst: Reg,
        /// Left operand.
        a: Reg,
        /// Right operand.
        b: Reg,
    },
    /// `dst <- op(a, b, c)`.
    Ternary {
        /// Operation.
        op: TernaryOp,
        /// Type of the operands.
        ty: Scalar,
        /// Destination.
        dst: Reg,
        /// First operand.
        a: Reg,
        /// Second operand.
        b: Reg,
        /// Third operand.
        c: Reg,
    },
    /// `dst <- if condition != 0 { accept } else { reject }`, one row (use two for 64 bits).
    Select {
        /// `bool` row.
        condition: Reg,
        /// Destination row.
        dst: Reg,
        /// Value where the condition holds.
        accept: Reg,
        /// Value elsewhere.
        reject: Reg,
    },
    /// WGSL `insertBits(base, new, offset, count)` on one 32-bit row.
    InsertBits {
        /// Destination row.
        dst: Reg,
        /// The value whose other bits stay.
        base: Reg,
        /// The bits to insert.
        new: Reg,
        /// First of two consecutive U32 rows: offset, count.
        place: Reg,
    },
    /// Value conversion. Float to integer saturates and sends NaN to 0 (WGSL, SPIR-V through naga).
    /// Integer to integer keeps the low bits. To `bool`: non-zero. From `bool`: 0 or 1.
    Convert {
        /// Source type.
        from: Scalar,
        /// Destination type.
        to: Scalar,
        /// Rounding to floats, and from floats to integers.
        rounding: Rounding,
        /// Destination.
        dst: Reg,
        /// Source.
        src: Reg,
    },
    /// `dst <- builtin`.
    Builtin {
        /// Destination row.
        dst: Reg,
        /// Which.
        which: Builtin,
    },
    /// Number of elements of a runtime-sized array.
    ArrayLength {
        /// Destination U32 row.
        dst: Reg,
        /// The binding the array ends.
        binding: BindingId,
        /// Byte offset of the array in the binding.
        first: u32,
        /// Bytes per element.
        stride: u32,
    },
    /// An index into a value held in registers: out of bounds is a finding, and reads as index 0.
    CheckIndex {
        /// Destination row: the index, or 0 where it is out of bounds.
        dst: Reg,
        /// U32 row.
        index: Reg,
        /// Whether the source type is i32.
        signed: bool,
        /// Elements.
        limit: u32,
    },
    /// An operation of one invocation that is described in a table.
    Extended(ExtendedId),
    /// A memory access.
    Access(AccessId),
    /// An operation across the invocations of a subgroup that a mask names.
    Warp(WarpId),
    /// An arrival at a named barrier of the workgroup.
    Rendezvous(RendezvousId),
    /// An asynchronous copy.
    Transfer(TransferId),
    /// Go on at `target`.
    Jump {
        /// Where.
        target: Pc,
    },
    /// Invocations whose `condition` is non-zero (`when`) or zero (`!when`) go on at `target`.
    JumpIf {
        /// `bool` row.
        condition: Reg,
        /// Which value jumps.
        when: bool,
        /// Where.
        target: Pc,
    },
    /// An execution barrier that orders the named kinds of memory.
    Barrier {
        /// Who waits.
        scope: BarrierScope,
        /// Orders accesses to workgroup memory.
        workgroup_memory: bool,
        /// Orders accesses to storage (global) memory.
        storage_memory: bool,
    },
    /// A memory fence without waiting.
    Fence {
        /// Its order.
        order: Order,
        /// How far it reaches.
        scope: Scope,
        /// Orders accesses to workgroup memory.
        workgroup_memory: bool,
        /// Orders accesses to storage (global) memory.
        storage_memory: bool,
    },
    /// `dst <- op(src, lane)` across the subgroup.
    Subgroup {
        /// Operation.
        op: SubgroupOp,
        /// Type of `src`.
        ty: Scalar,
        /// Destination.
        dst: Reg,
        /// Operand.
        src: Reg,
        /// Second operand of shuffles and quad operations; ignored elsewhere.
        lane: Reg,
    },
    /// The value every invocation holds in `src` must be the same across the workgroup
    /// (`workgroupUniformLoad`'s pointer); a difference is a barrier-divergence finding.
    AssertUniform {
        /// U32 row.
        src: Reg,
    },
    /// The invocation ends.
    Exit,
    /// The invocation ends with a fault the source asked for (PTX `trap`, an unreachable place).
    Trap,
}

/// Which memory an access touches, as seen by barriers and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Storage buffers, global memory.
    Storage,
    /// Uniform buffers, constant memory, kernel parameters: read-only.
    Uniform,
    /// Workgroup (shared) memory.
    Workgroup,
    /// Private to the invocation.
    Private,
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Storage => "storage",
            Self::Uniform => "uniform",
            Self::Workgroup => "workgroup",
            Self::Private => "private",
        })
    }
}

/// A buffer or scalar the program expects from the launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Variable or parameter name in the source.
    pub name: String,
    /// `@group`, `@binding`; `None` for parameters.
    pub slot: Option<(u32, u32)>,
    /// Position among the kernel's parameters (PTX).
    pub parameter: Option<u32>,
    /// [`Space::Storage`] or [`Space::Uniform`].
    pub space: Space,
    /// Whether the source lets the kernel write it.
    pub writable: bool,
    /// The smallest byte length the source's type can live with (a runtime-sized array counts as one element).
    pub minimum_length: u64,
    /// Where it is declared.
    pub span: SpanId,
    /// First address of its bytes, where the program knows them by address.
    pub address: Option<u64>,
    /// Length and contents of a variable that the module itself defines: the launch binds nothing to it.
    pub own: Option<(u64, Contents)>,
}

/// Bits of an address below its region: every binding with an address has a region to itself, so that an offset
/// that leaves its buffer by less than half a region finds no other one.
pub const REGION_SHIFT: u32 = 40;

/// The region through which generic addresses see workgroup memory.
pub const WORKGROUP_REGION: u64 = 1;

/// The region through which generic addresses see the invocation's private memory.
pub const PRIVATE_REGION: u64 = 2;

/// The first region of a binding.
pub const FIRST_REGION: u64 = 3;

/// A named variable in workgroup or private memory, so that reports can say `partial[3]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Name in the source.
    pub name: String,
    /// First byte in its memory.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
    /// Bytes per element of the outermost array; the whole length where it is none.
    pub stride: u32,
}

/// A source file, with its text where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Name for reports.
    pub name: String,
    /// Text, for reports to quote.
    pub text: Option<std::sync::Arc<str>>,
}

/// A whole entry point, specialised for one dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of the entry point.
    pub entry: String,
    /// Sources that spans point into.
    pub files: Vec<SourceFile>,
    /// Instructions by program counter. The last one is [`Instr::Exit`] or a jump.
    pub code: Vec<Instr>,
    /// One span per instruction.
    pub span_of: Vec<SpanId>,
    /// All spans.
    pub spans: Vec<Span>,
    /// Number of 32-bit rows.
    pub rows: u32,
    /// Rows with a constant value, the same for every invocation, never written by the code.
    pub constants: Vec<(Reg, u32)>,
    /// Constant rows whose author may as well have meant this integer, which has the same low bits as far as they are used
    /// (PTX).
    pub narrowed: Vec<(Reg, i64)>,
    /// Constant rows that may be a stride of 2^31 or more, folded modulo 2^32: with this integer as the factor (PTX).
    pub folded: Vec<(Reg, i64)>,
    /// Rows that some path reads before it writes them: they start as zero.
    pub zeroed: Vec<Reg>,
    /// What the code names by number.
    pub tables: Tables,
    /// What the launch must bind.
    pub bindings: Vec<Binding>,
    /// Invocations of a workgroup in x, y, z.
    pub workgroup_size: [u32; 3],
    /// Bytes of workgroup memory, without the launch's dynamic part.
    pub workgroup_bytes: u32,
    /// Whether workgroup memory starts as zeros (WGSL) or uninitialised (PTX).
    pub workgroup_zeroed: bool,
    /// Named parts of workgroup memory.
    pub workgroup_variables: Vec<Variable>,
    /// Bytes of private memory per invocation, a multiple of 4.
    pub private_bytes: u32,
    /// Whether private memory starts as zeros (WGSL) or uninitialised (PTX).
    pub private_zeroed: bool,
    /// Named parts of private memory.
    pub private_variables: Vec<Variable>,
    /// Whether all invocations must meet at the same barrier *instruction*, and an invocation that has
    /// ended makes a barrier divergent (WGSL); `false` where ended invocations do not count (PTX).
    pub strict_barriers: bool,
    /// How floats round and what happens to denormals where the language says it, instead of the launch.
    pub arithmetic: Option<Arithmetic>,
    /// Invocations of a subgroup where the language fixes it (PTX), instead of the device.
    pub subgroup_size: Option<u32>,
    /// The bits of every f32 NaN that an operation gives.
    pub nan: u32,
    /// Whether the types of loads and constants say if an integer is signed (PTX's do not).
    pub signs_known: bool,
    /// Places whose bits devices may compute differently, by the front end's own judgement; `None` to derive them.
    pub approximations: Option<Vec<(String, SpanId)>>,
}

impl Program {
    /// The span of the instruction at `pc`.
    pub fn span(&self, pc: Pc) -> Span {
        self.span_of
            .get(usize::try_from(pc.0).unwrap_or(usize::MAX))
            .and_then(|id| self.spans.get(usize::try_from(id.0).unwrap_or(usize::MAX)))
            .copied()
            .unwrap_or_default()
    }
}
