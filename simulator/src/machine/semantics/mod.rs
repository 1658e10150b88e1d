//! What every operation of the program means, on one value: pure functions from bits to bits.
//!
//! A value is the low bits of a `u64`, zero-extended, whatever its type; so is every result. The functions
//! are total: an operation that has no meaning for a type (a square root of a `u32`) gives 0, and no front
//! end makes one.
//!
//! # Rules
//!
//! * Integers follow WGSL: they wrap, shift counts are taken modulo the width, division by zero gives the
//!   dividend.
//! * `+ - * /` and the square root of floats are those of IEEE 754, rounded to nearest with ties to even.
//! * Transcendental functions are computed in f64 by the `libm` crate, which is plain Rust, and rounded once
//!   to their type. They are the same bits on every host, but not the bits of any one device:
//!   [`unary_is_approximate`] and [`binary_is_approximate`] name these operations.
//! * A NaN that an operation makes or passes on is the positive quiet NaN without payload, because hosts
//!   differ in the sign and payload they give. Only operations on bits (negation, absolute value, conversion
//!   of a type to itself) keep a NaN as it is.
//! * [`Denormals::Flush`](gridproof_launch::Denormals) replaces denormal f32 operands and results
//!   by zeros of the same sign. Negation, absolute value and the tests for NaN and infinity only look at
//!   bits and flush nothing; neither does any other type.
//!
//! Not modelled: NaN payloads, signalling NaNs, exception flags, and devices that flush f16.

mod convert;
mod extended;
mod float;
mod format;
mod integer;
mod matrix;
#[cfg(test)]
mod tests;

use gridproof_launch::Arithmetic;

pub use self::extended::extended;
use self::format::Float;
use self::integer::Integer;
pub use self::matrix::{multiply_accumulate, register_counts};
use crate::ir::{BinaryOp, Rounding, Scalar, TernaryOp, UnaryOp};

/// `op a`.
#[inline]
pub fn unary(op: UnaryOp, ty: Scalar, a: u64, arithmetic: Arithmetic) -> u64 {
    match Class::of(ty) {
        Class::Bool => u64::from(matches!(op, UnaryOp::Not) && a == 0),
        Class::Integer(ty) => integer::unary(op, ty, a),
        Class::Float(ty) => float::unary(op, ty, a, arithmetic),
    }
}

/// `a op b`.
#[inline]
pub fn binary(op: BinaryOp, ty: Scalar, a: u64, b: u64, arithmetic: Arithmetic) -> u64 {
    match Class::of(ty) {
        Class::Bool => u64::from(logical(op, a != 0, b != 0)),
        Class::Integer(ty) => integer::binary(op, ty, a, b),
        Class::Float(ty) => float::binary(op, ty, a, b, arithmetic),
    }
}

/// `op(a, b, c)`.
#[inline]
pub fn ternary(op: TernaryOp, ty: Scalar, a: u64, b: u64, c: u64, arithmetic: Arithmetic) -> u64 {
    match Class::of(ty) {
        Class::Bool => 0,
        Class::Integer(ty) => integer::ternary(op, ty, a, b, c),
        Class::Float(ty) => float::ternary(op, ty, a, b, c, arithmetic),
    }
}

/// The value of `a` as another type. From float to integer it saturates and NaN becomes 0.
#[inline]
pub fn convert(from: Scalar, to: Scalar, rounding: Rounding, a: u64, arithmetic: Arithmetic) -> u64 {
    convert::convert(Class::of(from), Class::of(to), rounding, a, arithmetic)
}

/// WGSL `insertBits`: `count` bits of `base` from `offset` on replaced by the low bits of `new`. What would
/// lie past the width is left out.
#[inline]
pub fn insert_bits(base: u32, new: u32, offset: u32, count: u32) -> u32 {
    let offset = offset.min(u32::BITS);
    let count = count.min(u32::BITS - offset);
    if count == 0 {
        return base;
    }
    let field = (u32::MAX >> (u32::BITS - count)) << offset;
    (base & !field) | ((new << offset) & field)
}

/// Whether correct devices may compute other bits: transcendental functions, and the square root and
/// reciprocals, which Vulkan bounds by an error instead of defining them.
pub const fn unary_is_approximate(op: UnaryOp, ty: Scalar) -> bool {
    use UnaryOp as Op;
    ty.is_float()
        && matches!(
            op,
            Op::Sqrt
                | Op::InverseSqrt
                | Op::Reciprocal
                | Op::Exp
                | Op::Exp2
                | Op::Log
                | Op::Log2
                | Op::Sin
                | Op::Cos
                | Op::Tan
                | Op::Asin
                | Op::Acos
                | Op::Atan
                | Op::Sinh
                | Op::Cosh
                | Op::Tanh
                | Op::Asinh
                | Op::Acosh
                | Op::Atanh
        )
}

/// Whether correct devices may compute other bits: powers, angles, and the float quotient (2.5 units in the
/// last place in Vulkan) with the remainder that is made from it.
pub const fn binary_is_approximate(op: BinaryOp, ty: Scalar) -> bool {
    ty.is_float() && matches!(op, BinaryOp::Div | BinaryOp::Rem | BinaryOp::Pow | BinaryOp::Atan2)
}

/// The types, by the arithmetic they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Bool,
    Integer(Integer),
    Float(Float),
}

impl Class {
    #[inline]
    const fn of(ty: Scalar) -> Self {
        match ty {
            Scalar::Bool => Self::Bool,
            Scalar::F16 => Self::Float(Float::F16),
            Scalar::Bf16 => Self::Float(Float::Bf16),
            Scalar::F32 => Self::Float(Float::F32),
            Scalar::F64 => Self::Float(Float::F64),
            Scalar::I8
            | Scalar::I16
            | Scalar::I32
            | Scalar::I64
            | Scalar::U8
            | Scalar::U16
            | Scalar::U32
            | Scalar::U64 => Self::Integer(Integer { bits: ty.bits(), signed: ty.is_signed() }),
        }
    }
}

fn logical(op: BinaryOp, a: bool, b: bool) -> bool {
    match op {
        BinaryOp::And => a && b,
        BinaryOp::Or => a || b,
        BinaryOp::Xor | BinaryOp::Ne => a != b,
        BinaryOp::Eq => a == b,
        _ => false,
    }
}
