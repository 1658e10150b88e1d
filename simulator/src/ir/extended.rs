//! What [`super::Extended`] computes: pure functions of one invocation's own registers.
//!
//! The meanings are those of the PTX ISA's scalar instructions, for those that [`super::Instr`] has no room for.

use super::{BinaryOp, Rounding, Scalar, UnaryOp};

/// The operation. Operands and results are bits, low bits first, zero-extended to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedOp {
    /// Three-input logic: bit `a << 2 | b << 1 | c` of the table, for each bit of 32-bit operands.
    Lop3(u8),
    /// 32 bits of the pair `b:a` (`b` is the high word) shifted by `c`: the high word when `left`, else the low one.
    Funnel {
        /// Direction.
        left: bool,
        /// Counts above 32 are 32; else they are taken modulo 32.
        clamp: bool,
    },
    /// Four bytes of the eight of `b:a`, chosen by `c`.
    Permute(Permute),
    /// `b` one bits from bit `a` on.
    FieldMask {
        /// Positions and widths of 32 and more are that; else they are taken modulo 32.
        clamp: bool,
    },
    /// The low `b` bits of `a`, extended.
    ExtendField {
        /// A width of 32 or more keeps `a`; else widths are taken modulo 32.
        clamp: bool,
        /// By the sign; else by zeros.
        signed: bool,
    },
    /// `c` bits of `a` from bit `b` on, extended by the type; the low 8 bits of `b` and `c` count.
    ExtractField(Scalar),
    /// `b` with `d` bits from bit `c` on replaced by the low bits of `a`; the low 8 bits of `c` and `d` count.
    InsertField(Scalar),
    /// Position of the highest bit that is not the sign; all ones if there is none.
    HighestBit {
        /// Type of the operand.
        ty: Scalar,
        /// As the shift that would bring the bit to the top.
        shift: bool,
    },
    /// Position of the `c`-th one bit of `a`, counted from bit `b` upwards, or downwards for negative `c`.
    NthBit,
    /// Integer arithmetic.
    Integer(IntegerOp, Scalar),
    /// An integer operation on each 16-bit half.
    Halves(BinaryOp, Scalar),
    /// `c` plus a sum of products of parts of `a` and `b`.
    DotProduct(DotProduct),
    /// Floating-point arithmetic.
    Float(FloatOperation),
    /// Whether a float is of a kind.
    Class(FloatClass, Scalar),
    /// A comparison; with two results for packed operands, low half first.
    Compare(Comparison),
    /// From one floating-point format to another.
    Convert(Conversion),
    /// A float as an integer: saturates. NaN gives 0, or only the top bit where PTX says so.
    ToInteger {
        /// Type of the operand.
        from: Scalar,
        /// Type of the result.
        to: Scalar,
        /// How.
        rounding: Rounding,
    },
    /// The nearest value of another integer type.
    ClampInteger {
        /// Type of the operand.
        from: Scalar,
        /// Type of the result.
        to: Scalar,
    },
    /// `a` and `b`, both clamped to few bits, side by side (`b` low) below the low bits of `c`.
    PackIntegers {
        /// Type of `a` and `b`.
        from: Scalar,
        /// Bits of each part.
        bits: u32,
        /// Whether the parts have a sign.
        signed: bool,
    },
}

/// How the bytes of [`ExtendedOp::Permute`] are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permute {
    /// By four bits each: three for the byte, one to replicate its sign.
    Any,
    /// Four bytes forward from byte `c`.
    Forward,
    /// Four bytes backward from byte `c`.
    Backward,
    /// Byte `c` four times.
    Replicate8,
    /// Bytes up to `c`, the lower ones being it.
    EdgeLeft,
    /// Bytes down to `c`, the higher ones being it.
    EdgeRight,
    /// The half that has bit 0 of `c`, twice.
    Replicate16,
}

/// What [`ExtendedOp::Integer`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerOp {
    /// `a + b`, saturating.
    AddSaturate,
    /// `a - b`, saturating.
    SubSaturate,
    /// `a + b + carry`; the second result is the carry.
    AddCarry,
    /// `a - (b + borrow)`; the second result is the borrow.
    SubBorrow,
    /// The low half of `a * b`, plus `c` and a carry; the second result is the carry of the sum.
    MultiplyLowCarry,
    /// The high half of `a * b`, plus `c` and a carry; the second result is the carry of the sum.
    MultiplyHighCarry,
    /// Bits 0 to 31 of the product of the low 24 bits.
    Multiply24Low,
    /// Bits 16 to 47 of the product of the low 24 bits.
    Multiply24High,
    /// `c + |a - b|`.
    AbsoluteDifference,
}

/// Which parts [`ExtendedOp::DotProduct`] multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DotProduct {
    /// Parts of `a`: 4 bytes, or 2 halves.
    pub parts: u32,
    /// The first byte of `b`.
    pub first: u32,
    /// Whether the parts of `a` have a sign.
    pub a_signed: bool,
    /// Whether the bytes of `b` have a sign.
    pub b_signed: bool,
}

/// What [`FloatOperation`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatOp {
    /// The operand itself, for the modifiers to act on.
    Pass,
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a * b`.
    Mul,
    /// `a * b + c`, rounded once.
    MultiplyAdd,
    /// The same, but 0 where `a` or `b` is the NaN of elements outside of a tensor.
    MultiplyAddInside,
    /// `a / b`.
    Div,
    /// `a / b` with the range limits of PTX's `div.approx`.
    DivApproximate,
    /// Square root.
    Sqrt,
    /// The nearest integer, as a float.
    Integral,
    /// The smaller one; -0 is below +0.
    Min,
    /// The larger one; -0 is below +0.
    Max,
    /// The smallest of three.
    Min3,
    /// The largest of three.
    Max3,
    /// A function of one value, rounded to nearest.
    Function(UnaryOp),
    /// `1 / a` of an f64 from its high word, to its high word.
    GrossReciprocal,
    /// `1 / sqrt(a)` of an f64 from its high word, to its high word.
    GrossInverseSqrt,
}

/// To what a result is clamped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clamp {
    /// Nothing.
    #[default]
    Free,
    /// 0 to 1; NaN becomes 0.
    Unit,
    /// 0 and more; NaN stays.
    Positive,
}

/// What minimum and maximum do with signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signs {
    /// They count.
    #[default]
    Count,
    /// Absolute values are compared.
    Absolute,
    /// Absolute values are compared; the result gets the exclusive or of the signs.
    Product,
}

/// One floating-point operation with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatOperation {
    /// What.
    pub op: FloatOp,
    /// Type of operands and result.
    pub ty: Scalar,
    /// Two 16-bit values in each 32-bit row.
    pub packed: bool,
    /// How the result is rounded.
    pub rounding: Rounding,
    /// Denormal operands and results are zeros.
    pub flush: bool,
    /// To what the result is clamped.
    pub clamp: Clamp,
    /// A NaN makes a minimum or maximum one.
    pub nan: bool,
    /// Signs of a minimum or maximum.
    pub signs: Signs,
}

impl FloatOperation {
    /// Without any modifiers.
    pub const fn new(op: FloatOp, ty: Scalar) -> Self {
        Self {
            op,
            ty,
            packed: false,
            rounding: Rounding::NearestEven,
            flush: false,
            clamp: Clamp::Free,
            nan: false,
            signs: Signs::Count,
        }
    }
}

/// Kinds of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatClass {
    /// Neither infinite nor NaN.
    Finite,
    /// Infinite.
    Infinite,
    /// Not NaN.
    Number,
    /// NaN.
    NotANumber,
    /// Zero, or finite and not subnormal.
    Normal,
    /// Not zero, and below the smallest normal number.
    Subnormal,
}

/// The comparisons of floats that [`BinaryOp`] lacks, and all of them for packed operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are PTX's comparisons")]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Number,
    NotANumber,
}

/// A comparison of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Which.
    pub relation: Relation,
    /// The result where an operand is NaN (no matter for the last two relations).
    pub unordered: bool,
    /// Type of the operands.
    pub ty: Scalar,
    /// Two 16-bit values in each 32-bit row.
    pub packed: bool,
    /// Denormal operands are zeros.
    pub flush: bool,
}

/// Floating-point formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are PTX's types")]
pub enum Format {
    F16,
    Bf16,
    F32,
    F64,
    Tf32,
    E4m3,
    E5m2,
    E2m3,
    E3m2,
    E2m1,
}

impl Format {
    /// Bits between the starts of two values in a packed register.
    pub const fn stride(self) -> u32 {
        match self {
            Self::F64 => 64,
            Self::F32 | Self::Tf32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::E4m3 | Self::E5m2 | Self::E2m3 | Self::E3m2 => 8,
            Self::E2m1 => 4,
        }
    }
}

/// How many values a conversion takes, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// One.
    One,
    /// `a` to the high part of the result, `b` to the low one.
    Join,
    /// The two parts of `a`.
    Each,
}

/// A conversion between floating-point formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Format of the operands.
    pub from: Format,
    /// Format of the result.
    pub to: Format,
    /// How many.
    pub lanes: Lanes,
    /// How.
    pub rounding: Rounding,
    /// Ties go away from zero instead of to even.
    pub ties_away: bool,
    /// Denormal f32 operands and results are zeros.
    pub flush: bool,
    /// To what the result is clamped.
    pub clamp: Clamp,
    /// What is too large becomes the largest finite number.
    pub finite: bool,
}
