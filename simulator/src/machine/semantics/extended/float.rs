//! Floating-point arithmetic with the modifiers of the PTX ISA.

use gridproof_launch::Arithmetic;

use super::super::Class;
use super::super::float::{self as plain, transcendental};
use super::super::format::{Float, Number};
use super::{payload, rounded};
use crate::ir::{
    BinaryOp, Clamp, Comparison, FloatClass, FloatOp, FloatOperation, Relation, Rounding, Scalar, Signs, TernaryOp,
    UnaryOp,
};

/// The format of a floating-point type; that of f32 for anything else.
pub(super) const fn format(ty: Scalar) -> Float {
    match Class::of(ty) {
        Class::Float(format) => format,
        Class::Bool | Class::Integer(_) => Float::F32,
    }
}

/// The NaN that NVIDIA's devices give.
pub(in super::super) const fn nan(ty: Float) -> u64 {
    match ty {
        Float::F16 | Float::Bf16 => 0x7fff,
        Float::F32 => 0x7fff_ffff,
        Float::F64 => 0xfff8_0000_0000_0000,
    }
}

/// A denormal as a zero of its sign.
pub(super) fn flush(ty: Float, bits: u64) -> u64 {
    if ty.magnitude(bits) < 1 << ty.fraction_bits() { bits & ty.sign() } else { bits }
}

/// The result of an operation, of both halves where they are packed.
pub(super) fn operation(operation: FloatOperation, sources: [u64; 3]) -> u64 {
    if !operation.packed {
        return one(operation, sources);
    }
    let half = |shift: u32| one(operation, sources.map(|source| source >> shift & 0xffff));
    half(16) << 16 | half(0)
}

fn one(operation: FloatOperation, sources: [u64; 3]) -> u64 {
    let ty = format(operation.ty);
    let sources = if operation.flush { sources.map(|bits| flush(ty, bits)) } else { sources };
    let result = compute(operation, ty, sources).filter(|&bits| !ty.is_nan(bits));
    match result {
        None if ty == Float::F64 && operation.clamp == Clamp::Free => payload::double(operation.op, sources),
        Some(bits) if operation.flush => clamp(ty, operation.clamp, Some(flush_tiny(operation, ty, sources, bits))),
        result => clamp(ty, operation.clamp, result),
    }
}

/// The result, or a zero if it was tiny before it was rounded.
fn flush_tiny(operation: FloatOperation, ty: Float, sources: [u64; 3], result: u64) -> u64 {
    let smallest = 1 << ty.fraction_bits();
    if ty.magnitude(result) != smallest {
        return flush(ty, result);
    }
    let cut = FloatOperation { rounding: Rounding::TowardsZero, ..operation };
    compute(cut, ty, sources).map_or(result, |bits| flush(ty, bits))
}

/// The clamped result; `None` is NaN.
pub(super) fn clamp(ty: Float, clamp: Clamp, result: Option<u64>) -> u64 {
    match (clamp, result) {
        (Clamp::Free, Some(bits)) => bits,
        (Clamp::Unit, None) => 0,
        (_, None) => nan(ty),
        (Clamp::Unit | Clamp::Positive, Some(bits)) if ty.is_negative(bits) => 0,
        // Positive numbers have the order of their bits.
        (Clamp::Unit, Some(bits)) => bits.min(ty.one()),
        (Clamp::Positive, Some(bits)) => bits,
    }
}

/// `None` for NaN.
fn compute(operation: FloatOperation, ty: Float, [a, b, c]: [u64; 3]) -> Option<u64> {
    let FloatOperation { op, rounding, .. } = operation;
    if rounding == Rounding::NearestEven
        && let Some(bits) = plainly(op, ty, [a, b, c])
    {
        return Some(bits);
    }
    match op {
        FloatOp::Pass => Some(a),
        FloatOp::Add => rounded::add(ty, a, b, rounding),
        FloatOp::Sub => rounded::add(ty, a, b ^ ty.sign(), rounding),
        FloatOp::Mul => rounded::multiply(ty, a, b, rounding),
        FloatOp::MultiplyAdd => rounded::fused(ty, [a, b, c], rounding),
        FloatOp::Div => rounded::divide(ty, a, b, rounding),
        FloatOp::MultiplyAddInside if is_outside(a) || is_outside(b) => Some(0),
        FloatOp::MultiplyAddInside => rounded::fused(ty, [a, b, c], rounding),
        FloatOp::DivApproximate => divide_approximately(ty, a, b, rounding),
        FloatOp::Sqrt => rounded::square_root(ty, a, rounding),
        FloatOp::Integral => Some(integral(ty, a, rounding)),
        FloatOp::Min | FloatOp::Max => extreme(operation, ty, &[a, b]),
        FloatOp::Min3 | FloatOp::Max3 => extreme(operation, ty, &[a, b, c]),
        FloatOp::Function(function) => apply(function, ty, a),
        FloatOp::GrossReciprocal => gross(a, UnaryOp::Reciprocal),
        FloatOp::GrossInverseSqrt => gross(a, UnaryOp::InverseSqrt),
    }
}

/// What the host computes as well, rounded to nearest.
fn plainly(op: FloatOp, ty: Float, [a, b, c]: [u64; 3]) -> Option<u64> {
    let op = match op {
        FloatOp::Add => BinaryOp::Add,
        FloatOp::Sub => BinaryOp::Sub,
        FloatOp::Mul => BinaryOp::Mul,
        FloatOp::Div => BinaryOp::Div,
        FloatOp::Sqrt => return Some(plain::unary(UnaryOp::Sqrt, ty, a, Arithmetic::FUSED)),
        FloatOp::MultiplyAdd => return Some(plain::ternary(TernaryOp::MultiplyAdd, ty, a, b, c, Arithmetic::FUSED)),
        _ => return None,
    };
    Some(plain::binary(op, ty, a, b, Arithmetic::FUSED))
}

/// Whether an f16 or bf16 is the NaN that stands for an element outside of its tensor. The ISA does not say which that
/// is; devices of the Hopper generation take these.
const fn is_outside(bits: u64) -> bool {
    matches!(bits, 0x7ff7 | 0xfff7)
}

/// Reciprocals of magnitudes above 2^126 are denormal, and `div.approx` multiplies by zeros in their place.
fn divide_approximately(ty: Float, a: u64, b: u64, rounding: Rounding) -> Option<u64> {
    let value = ty.to_f64(ty.magnitude(b));
    if ty == Float::F32 && value.is_finite() && value > 2_f64.powi(126) {
        return rounded::multiply(ty, a, b & ty.sign(), rounding);
    }
    rounded::divide(ty, a, b, rounding)
}

fn integral(ty: Float, a: u64, rounding: Rounding) -> u64 {
    let value = ty.to_f64(a);
    let whole = match rounding {
        Rounding::NearestEven => value.round_ties_even(),
        Rounding::TowardsZero => value.trunc(),
        Rounding::Down => value.floor(),
        Rounding::Up => value.ceil(),
    };
    // Rounding up can need one place more than f16 and bf16 have.
    ty.repack(Float::F64, whole.to_bits(), rounding)
}

fn apply(function: UnaryOp, ty: Float, a: u64) -> Option<u64> {
    let value = ty.to_f64(a);
    let result = if function == UnaryOp::Sqrt { Some(value.sqrt()) } else { transcendental(function, value) };
    result.map(|result| ty.repack(Float::F64, result.to_bits(), Rounding::NearestEven))
}

/// `rcp.approx.ftz.f64` and `rsqrt.approx.ftz.f64`: the low word neither counts nor comes out.
fn gross(a: u64, function: UnaryOp) -> Option<u64> {
    const HIGH: u64 = 0xffff_ffff_0000_0000;
    let result = apply(function, Float::F64, a & HIGH)?;
    let ty = Float::F64;
    if ty.is_nan(result) { None } else { Some(flush(ty, result & HIGH)) }
}

/// The smallest or largest of the operands.
fn extreme(operation: FloatOperation, ty: Float, operands: &[u64]) -> Option<u64> {
    if operation.nan && operands.iter().any(|&bits| ty.is_nan(bits)) {
        return None;
    }
    let smallest = matches!(operation.op, FloatOp::Min | FloatOp::Min3);
    let seen = |bits: u64| if operation.signs == Signs::Count { bits } else { ty.magnitude(bits) };
    let numbers = operands.iter().filter(|&&bits| !ty.is_nan(bits)).map(|&bits| seen(bits));
    let order = |bits: &u64| position(ty, *bits);
    let result = if smallest { numbers.min_by_key(order) } else { numbers.max_by_key(order) }?;
    let negative = operands.iter().fold(false, |sign, &bits| sign != ty.is_negative(bits));
    Some(if operation.signs == Signs::Product { ty.signed(negative, ty.magnitude(result)) } else { result })
}

/// Where a number stands in the order of all; -0 is just below +0.
fn position(ty: Float, bits: u64) -> i128 {
    let magnitude = i128::from(ty.magnitude(bits));
    if ty.is_negative(bits) { -1 - magnitude } else { magnitude }
}

/// Whether a float is of a kind.
pub(super) fn is_of(class: FloatClass, ty: Scalar, a: u64) -> bool {
    let ty = format(ty);
    let magnitude = ty.magnitude(a);
    let subnormal = magnitude != 0 && magnitude < 1 << ty.fraction_bits();
    match class {
        FloatClass::Finite => magnitude < ty.infinity(),
        FloatClass::Infinite => magnitude == ty.infinity(),
        FloatClass::Number => !ty.is_nan(a),
        FloatClass::NotANumber => ty.is_nan(a),
        FloatClass::Normal => magnitude < ty.infinity() && !subnormal,
        FloatClass::Subnormal => subnormal,
    }
}

/// Whether the relation holds, for the low and the high half where they are packed.
pub(super) fn compare(comparison: Comparison, a: u64, b: u64) -> [u64; 2] {
    let one = |shift: u32| u64::from(holds(comparison, a >> shift & 0xffff, b >> shift & 0xffff));
    if comparison.packed { [one(0), one(16)] } else { [u64::from(holds(comparison, a, b)), 0] }
}

fn holds(comparison: Comparison, a: u64, b: u64) -> bool {
    let ty = format(comparison.ty);
    let [a, b] = [a, b].map(|bits| if comparison.flush { flush(ty, bits) } else { bits });
    let unordered = matches!(ty.unpack(a), Number::Nan) || matches!(ty.unpack(b), Number::Nan);
    let (x, y) = (ty.to_f64(a), ty.to_f64(b));
    match comparison.relation {
        Relation::Number => !unordered,
        Relation::NotANumber => unordered,
        _ if unordered => comparison.unordered,
        Relation::Equal => x == y,
        Relation::NotEqual => x != y,
        Relation::Less => x < y,
        Relation::LessEqual => x <= y,
        Relation::Greater => x > y,
        Relation::GreaterEqual => x >= y,
    }
}
