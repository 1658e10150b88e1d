//! Values that WGSL and IEEE 754 give, edge by edge. [`exact`] compares with exact arithmetic in bulk.

mod exact;

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};

use super::{binary, binary_is_approximate, convert, insert_bits, ternary, unary, unary_is_approximate};
use crate::ir::BinaryOp as B;
use crate::ir::Rounding::{Down, NearestEven, TowardsZero, Up};
use crate::ir::Scalar::{self, Bf16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
use crate::ir::TernaryOp as T;
use crate::ir::UnaryOp as U;

const KEEP: Arithmetic = Arithmetic::FUSED;
const FLUSH: Arithmetic = Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Flush };

const NAN32: u64 = 0x7fc0_0000;
const TINY: u64 = 1;
const NEGATIVE_TINY: u64 = 0x8000_0001;
const NEGATIVE_ZERO: u64 = 0x8000_0000;
const SMALLEST_NORMAL: u64 = 0x0080_0000;

fn f(value: f32) -> u64 {
    u64::from(value.to_bits())
}

fn i(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}

#[track_caller]
fn check(what: impl std::fmt::Debug, actual: u64, expected: u64) {
    assert_eq!(actual, expected, "{what:?}: got {actual:#x}, expected {expected:#x}");
}

#[track_caller]
fn check_unary(rows: &[(U, Scalar, u64, u64)], arithmetic: Arithmetic) {
    for &(op, ty, a, expected) in rows {
        check((op, ty, a), unary(op, ty, a, arithmetic), expected);
    }
}

#[track_caller]
fn check_binary(rows: &[(B, Scalar, u64, u64, u64)], arithmetic: Arithmetic) {
    for &(op, ty, a, b, expected) in rows {
        check((op, ty, a, b), binary(op, ty, a, b, arithmetic), expected);
    }
}

#[test]
fn integers_of_one_operand() {
    let ones = u64::MAX;
    check_unary(
        &[
            (U::Neg, I32, i(i32::MIN), i(i32::MIN)),
            (U::Neg, U8, 1, 0xff),
            (U::Not, U16, 0, 0xffff),
            (U::Not, U64, 0, ones),
            (U::Abs, I8, 0x80, 0x80),
            (U::Abs, I64, ones, 1),
            (U::Abs, U32, 0xffff_ffff, 0xffff_ffff),
            (U::Sign, I16, 0x8000, 0xffff),
            (U::Sign, I32, 7, 1),
            (U::Sign, U32, 0, 0),
            (U::CountOnes, I8, 0xff, 8),
            (U::CountOnes, U64, ones, 64),
            (U::LeadingZeros, U8, 0, 8),
            (U::LeadingZeros, I16, 1, 15),
            (U::LeadingZeros, U32, 0x8000_0000, 0),
            (U::LeadingZeros, U64, 1, 63),
            (U::TrailingZeros, U16, 0, 16),
            (U::TrailingZeros, U64, 0, 64),
            (U::TrailingZeros, I32, 8, 3),
            (U::ReverseBits, U8, 1, 0x80),
            (U::ReverseBits, U16, 3, 0xc000),
            (U::ReverseBits, U32, 1, 0x8000_0000),
            (U::FirstLeadingBit, I32, 0, 0xffff_ffff),
            (U::FirstLeadingBit, I32, i(-1), 0xffff_ffff),
            (U::FirstLeadingBit, I32, i(-2), 0),
            (U::FirstLeadingBit, I32, i(i32::MIN), 30),
            (U::FirstLeadingBit, U32, 0x8000_0000, 31),
            (U::FirstLeadingBit, U8, 0, 0xff),
            (U::FirstLeadingBit, I64, 1 << 40, 40),
            (U::FirstTrailingBit, U32, 0, 0xffff_ffff),
            (U::FirstTrailingBit, I8, 0x80, 7),
            (U::FirstTrailingBit, U64, 1 << 63, 63),
            (U::Not, Bool, 0, 1),
            (U::Not, Bool, 1, 0),
            (U::Sqrt, U32, 4, 0),
            (U::Neg, Bool, 1, 0),
        ],
        KEEP,
    );
}

#[test]
fn integers_of_two_operands() {
    let min = i(i32::MIN);
    check_binary(
        &[
            (B::Add, U8, 0xff, 2, 1),
            (B::Add, I32, i(i32::MAX), 1, min),
            (B::Sub, U16, 0, 1, 0xffff),
            (B::Mul, U32, 0x1_0001, 0x1_0001, 0x2_0001),
            (B::Mul, I8, 0x80, 0xff, 0x80),
            (B::MulHigh, U32, 0xffff_ffff, 0xffff_ffff, 0xffff_fffe),
            (B::MulHigh, I32, i(-1), 1, i(-1)),
            (B::MulHigh, I32, min, min, 0x4000_0000),
            (B::MulHigh, U8, 0xff, 0xff, 0xfe),
            (B::MulHigh, I16, 0x8000, 2, 0xffff),
            (B::MulHigh, U64, u64::MAX, u64::MAX, u64::MAX - 1),
            (B::MulHigh, I64, u64::MAX, u64::MAX, 0),
            (B::MulHigh, I64, 1 << 63, 1 << 63, 1 << 62),
            (B::Div, I32, 5, 0, 5),
            (B::Div, U32, 5, 0, 5),
            (B::Div, I32, min, i(-1), min),
            (B::Div, I8, 0x80, 0xff, 0x80),
            (B::Div, I64, 1 << 63, u64::MAX, 1 << 63),
            (B::Div, I32, i(-7), 2, i(-3)),
            (B::Div, U32, i(-7), 2, 0x7fff_fffc),
            (B::Rem, I32, i(-7), 2, i(-1)),
            (B::Rem, I32, 7, i(-2), 1),
            (B::Rem, I32, 5, 0, 0),
            (B::Rem, I32, min, i(-1), 0),
            (B::Rem, I64, 1 << 63, u64::MAX, 0),
            (B::Min, I8, 0x80, 0x7f, 0x80),
            (B::Min, U8, 0x80, 0x7f, 0x7f),
            (B::Max, I32, i(-1), 0, 0),
            (B::Max, U32, i(-1), 0, i(-1)),
            (B::Shl, U32, 1, 32, 1),
            (B::Shl, U32, 1, 35, 8),
            (B::Shl, U8, 0x81, 1, 2),
            (B::Shl, U64, 1, 65, 2),
            (B::Shl, U64, 1, 0x1_0000_0001, 2),
            (B::Shr, I32, min, 31, i(-1)),
            (B::Shr, I32, min, 33, 0xc000_0000),
            (B::Shr, U32, min, 31, 1),
            (B::Shr, I16, 0x8000, 16, 0x8000),
            (B::Lt, I32, i(-1), 0, 1),
            (B::Lt, U32, i(-1), 0, 0),
            (B::Ge, I8, 0x80, 0, 0),
            (B::Le, U64, 1, 1, 1),
            (B::Gt, I64, 0, u64::MAX, 1),
            (B::Eq, U16, 3, 3, 1),
            (B::Ne, U16, 3, 3, 0),
            (B::And, Bool, 1, 0, 0),
            (B::Or, Bool, 1, 0, 1),
            (B::Xor, Bool, 1, 1, 0),
            (B::Eq, Bool, 0, 0, 1),
            (B::Ne, Bool, 1, 0, 1),
            (B::Pow, I32, 2, 2, 0),
        ],
        KEEP,
    );
}

#[test]
fn integers_of_three_operands() {
    let rows = [
        (T::MultiplyAdd, U8, 16, 16, 3, 3),
        (T::MultiplyAdd, I64, u64::MAX, 5, 6, 1),
        (T::Clamp, I32, i(-5), i(-2), 3, i(-2)),
        (T::Clamp, U32, i(-5), 2, 3, 3),
        (T::ExtractBits, U32, 0xabcd_1234, 8, 8, 0x12),
        (T::ExtractBits, I32, 0x0000_8000, 8, 8, i(-128)),
        (T::ExtractBits, I32, i(-1), 31, 5, i(-1)),
        (T::ExtractBits, U32, i(-1), 30, 5, 3),
        (T::ExtractBits, U32, i(-1), 32, 1, 0),
        (T::ExtractBits, U32, i(-1), 99, 0xffff_ffff, 0),
        (T::ExtractBits, I32, i(-1), 3, 0, 0),
        (T::ExtractBits, U32, 0x1234_5678, 0, 40, 0x1234_5678),
        (T::ExtractBits, I64, 1 << 63, 60, 64, 0xffff_ffff_ffff_fff8),
        (T::ExtractBits, I8, 0x08, 2, 2, 0xfe),
        (T::ExtractBits, F32, i(-1), 2, 2, 0),
        (T::MultiplyAdd, Bool, 1, 1, 1, 0),
    ];
    for (op, ty, a, b, c, expected) in rows {
        check((op, ty, a, b, c), ternary(op, ty, a, b, c, KEEP), expected);
    }
    for (base, new, offset, count, expected) in [
        (0xffff_ffff, 0, 8, 8, 0xffff_00ff),
        (0, 0xffff_ffff, 28, 8, 0xf000_0000),
        (7, 0xffff_ffff, 32, 8, 7),
        (7, 0xffff_ffff, 1, 0, 7),
        (7, 0x1234_5678, 0, 32, 0x1234_5678),
        (7, 0x1234_5678, 0, u32::MAX, 0x1234_5678),
        (0, 1, u32::MAX, u32::MAX, 0),
    ] {
        assert_eq!(insert_bits(base, new, offset, count), expected, "{base:#x} {new:#x} {offset} {count}");
    }
}

#[test]
fn floats_of_one_operand() {
    let (infinity, signalling) = (f(f32::INFINITY), 0xff80_0001);
    check_unary(
        &[
            (U::Neg, F32, 0, NEGATIVE_ZERO),
            (U::Neg, F32, signalling, 0x7f80_0001),
            (U::Abs, F32, signalling, 0x7f80_0001),
            (U::Abs, F16, 0x8001, 1),
            (U::Sign, F32, NAN32, 0),
            (U::Sign, F32, NEGATIVE_ZERO, NEGATIVE_ZERO),
            (U::Sign, F32, NEGATIVE_TINY, f(-1.0)),
            (U::Sign, F32, infinity, f(1.0)),
            (U::Round, F32, f(2.5), f(2.0)),
            (U::Round, F32, f(3.5), f(4.0)),
            (U::Round, F32, f(-0.5), NEGATIVE_ZERO),
            (U::Ceil, F32, f(-0.5), NEGATIVE_ZERO),
            (U::Floor, F32, f(-0.5), f(-1.0)),
            (U::Trunc, F32, f(-1.75), f(-1.0)),
            (U::Ceil, F32, TINY, f(1.0)),
            (U::Ceil, F32, signalling, NAN32),
            (U::Fract, F32, f(-1.25), f(0.75)),
            (U::Fract, F32, NEGATIVE_TINY, f(1.0)),
            (U::Fract, F32, infinity, NAN32),
            (U::Saturate, F32, NAN32, 0),
            (U::Saturate, F32, NEGATIVE_ZERO, 0),
            (U::Saturate, F32, infinity, f(1.0)),
            (U::Saturate, F32, f(0.25), f(0.25)),
            (U::Sqrt, F32, f(2.0), 0x3fb5_04f3),
            (U::Sqrt, F32, f(-1.0), NAN32),
            (U::Sqrt, F32, NEGATIVE_ZERO, NEGATIVE_ZERO),
            (U::Sqrt, F64, 4.0_f64.to_bits(), 2.0_f64.to_bits()),
            (U::InverseSqrt, F32, 0, infinity),
            (U::Reciprocal, F32, NEGATIVE_ZERO, f(f32::NEG_INFINITY)),
            (U::Exp2, F32, f(-149.0), TINY),
            (U::Exp2, F16, 0xce00, 1),
            (U::Log2, F32, TINY, f(-149.0)),
            (U::Log, F32, f(-1.0), NAN32),
            (U::Sin, F32, infinity, NAN32),
            (U::Sin, F32, NEGATIVE_ZERO, NEGATIVE_ZERO),
            (U::IsNan, F32, signalling, 1),
            (U::IsNan, F32, infinity, 0),
            (U::IsInf, F16, 0xfc00, 1),
            (U::IsInf, F64, f64::MAX.to_bits(), 0),
            (U::IsNan, Bf16, 0x7f81, 1),
            (U::FrexpFraction, F32, f(-3.0), f(-0.75)),
            (U::FrexpExponent, F32, f(-3.0), 2),
            (U::FrexpFraction, F32, TINY, f(0.5)),
            (U::FrexpExponent, F32, TINY, i(-148)),
            (U::FrexpFraction, F32, NEGATIVE_ZERO, NEGATIVE_ZERO),
            (U::FrexpExponent, F32, NEGATIVE_ZERO, 0),
            (U::FrexpFraction, F32, infinity, infinity),
            (U::FrexpExponent, F32, infinity, 0),
            (U::FrexpFraction, F32, signalling, NAN32),
            (U::FrexpExponent, F64, 1, i(-1073)),
            (U::CountOnes, F32, 7, 0),
        ],
        KEEP,
    );
}

#[test]
fn floats_of_two_operands() {
    let infinity = f(f32::INFINITY);
    check_binary(
        &[
            (B::Add, F32, infinity, f(f32::NEG_INFINITY), NAN32),
            (B::Add, F32, NEGATIVE_ZERO, NEGATIVE_ZERO, NEGATIVE_ZERO),
            (B::Sub, F32, f(1.0), f(1.0), 0),
            (B::Mul, F32, 0, infinity, NAN32),
            (B::Add, F32, 0xffff_ffff, 0, NAN32),
            (B::Div, F32, f(-1.0), 0, f(f32::NEG_INFINITY)),
            (B::Div, F32, 0, 0, NAN32),
            (B::Rem, F32, f(-7.5), f(2.0), f(-1.5)),
            (B::Rem, F32, f(1.0), 0, NAN32),
            (B::Rem, F32, f(1.0), infinity, NAN32),
            // 1 / 0.1f rounds to 10, so WGSL's rule gives 0 where C's fmod gives almost 0.1.
            (B::Rem, F32, f(1.0), f(0.1), 0),
            (B::Min, F32, 0, NEGATIVE_ZERO, NEGATIVE_ZERO),
            (B::Min, F32, NEGATIVE_ZERO, 0, NEGATIVE_ZERO),
            (B::Max, F32, 0, NEGATIVE_ZERO, 0),
            (B::Max, F32, NEGATIVE_ZERO, 0, 0),
            (B::Min, F32, 0x7f80_0001, f(3.0), f(3.0)),
            (B::Max, F32, f(-3.0), NAN32, f(-3.0)),
            (B::Max, F32, 0xffc0_0001, 0xff80_0001, NAN32),
            (B::Min, F32, f(-3.0), f(-4.0), f(-4.0)),
            (B::Eq, F32, NAN32, NAN32, 0),
            (B::Ne, F32, NAN32, NAN32, 1),
            (B::Le, F32, NAN32, 0, 0),
            (B::Gt, F64, 1.0_f64.to_bits(), f64::NAN.to_bits(), 0),
            (B::Eq, F32, 0, NEGATIVE_ZERO, 1),
            (B::Lt, F32, NEGATIVE_TINY, TINY, 1),
            (B::Ge, F16, 0x3c00, 0x3c00, 1),
            (B::Step, F32, f(1.0), f(1.0), f(1.0)),
            (B::Step, F32, f(1.0), f(0.5), 0),
            (B::Step, F32, f(1.0), NAN32, 0),
            (B::Step, F16, 0x3c00, 0x4000, 0x3c00),
            (B::Pow, F32, f(2.0), f(10.0), f(1024.0)),
            (B::Atan2, F32, f(1.0), f(-1.0), f(2.356_194_5)),
            (B::Atan2, F64, 1.0_f64.to_bits(), 0, std::f64::consts::FRAC_PI_2.to_bits()),
            (B::Ldexp, F32, f(1.5), i(-1), f(0.75)),
            (B::Ldexp, F32, TINY, 149, f(1.0)),
            (B::Ldexp, F32, f(1.0), i(-149), TINY),
            (B::Ldexp, F32, f(1.0), i(-150), 0),
            (B::Ldexp, F32, f(1.5), i(-150), TINY),
            (B::Ldexp, F32, f(-1.0), i(i32::MIN), NEGATIVE_ZERO),
            (B::Ldexp, F32, TINY, i(i32::MAX), infinity),
            (B::Ldexp, F64, 1, 2097, f64::powi(2.0, 1023).to_bits()),
            (B::Ldexp, F64, 0x3ff8_0000_0000_0001, i(-1074), 2),
            (B::Ldexp, F64, 0x3ff8_0000_0000_0000, i(-1074), 2),
            // Just above the middle of 2 and 3: rounded twice it would become 2.
            (B::Ldexp, F64, 0x3ff4_0000_0000_0001, i(-1073), 3),
            (B::Ldexp, F64, 0x3ff4_0000_0000_0000, i(-1073), 2),
            (B::Ldexp, F16, 0x7bff, 1, 0x7c00),
            (B::And, F32, i(-1), i(-1), 0),
        ],
        KEEP,
    );
}

#[test]
fn multiply_add_by_profile() {
    let (keep, separate) = (Arithmetic::FUSED, Arithmetic::SEPARATE);
    // (1 + e)^2 - (1 + 2e) is e^2 when fused, and 0 when the product is rounded first.
    let rows = [
        (F32, f(1.0 + f32::EPSILON), f(-1.0 - 2.0 * f32::EPSILON), f(f32::EPSILON * f32::EPSILON)),
        (
            F64,
            (1.0 + f64::EPSILON).to_bits(),
            (-1.0 - 2.0 * f64::EPSILON).to_bits(),
            (f64::EPSILON * f64::EPSILON).to_bits(),
        ),
        (F16, 0x3c01, 0xbc02, 0x0010),
        (Bf16, 0x3f81, 0xbf82, 0x3880),
    ];
    for (ty, a, c, fused) in rows {
        check((ty, "fused"), ternary(T::MultiplyAdd, ty, a, a, c, keep), fused);
        check((ty, "separate"), ternary(T::MultiplyAdd, ty, a, a, c, separate), 0);
    }
    // 7/4 * 37/64 = 259/256 lies in the middle of two bf16; f64 loses the 2^-100 that decides.
    check("bf16 sticky", ternary(T::MultiplyAdd, Bf16, 0x3fe0, 0x3f14, 0x0d80, keep), 0x3f82);
    check("bf16 tie", ternary(T::MultiplyAdd, Bf16, 0x3fe0, 0x3f14, 0, keep), 0x3f82);
    check("bf16 sticky below", ternary(T::MultiplyAdd, Bf16, 0x3fe0, 0x3f14, 0x8d80, keep), 0x3f81);
    check("clamp", ternary(T::Clamp, F32, NAN32, f(1.0), f(2.0), keep), f(1.0));
}

#[test]
fn denormals_are_flushed_in_f32_only() {
    let half = f(0.5);
    check_unary(
        &[
            (U::Neg, F32, TINY, NEGATIVE_TINY),
            (U::Abs, F32, NEGATIVE_TINY, TINY),
            (U::Ceil, F32, TINY, 0),
            (U::Floor, F32, NEGATIVE_TINY, NEGATIVE_ZERO),
            (U::Sqrt, F32, NEGATIVE_TINY, NEGATIVE_ZERO),
            (U::Sign, F32, NEGATIVE_TINY, NEGATIVE_ZERO),
            (U::Reciprocal, F32, f(f32::MAX), 0),
            (U::Exp, F32, f(-100.0), 0),
            (U::Log2, F32, TINY, f(f32::NEG_INFINITY)),
            (U::FrexpExponent, F32, TINY, 0),
            (U::FrexpExponent, F32, f(2.0), 2),
            (U::Ceil, F16, 1, 0x3c00),
            (U::Sqrt, F64, 1, 2.0_f64.powi(-537).to_bits()),
        ],
        FLUSH,
    );
    check_binary(
        &[
            (B::Add, F32, TINY, TINY, 0),
            (B::Sub, F32, SMALLEST_NORMAL + 1, SMALLEST_NORMAL, 0),
            (B::Mul, F32, SMALLEST_NORMAL, f(-0.5), NEGATIVE_ZERO),
            (B::Div, F32, f(1.0), NEGATIVE_TINY, f(f32::NEG_INFINITY)),
            (B::Min, F32, TINY, f(1.0), 0),
            (B::Max, F32, TINY, NEGATIVE_ZERO, 0),
            (B::Eq, F32, TINY, NEGATIVE_TINY, 1),
            (B::Lt, F32, 0, TINY, 0),
            (B::Lt, F32, 0, half, 1),
            (B::Step, F32, TINY, NEGATIVE_ZERO, f(1.0)),
            (B::Ldexp, F32, f(1.0), i(-149), 0),
            (B::Ldexp, F32, TINY, 149, 0),
            (B::Ldexp, F32, f(1.0), 3, f(8.0)),
            (B::Add, F16, 1, 1, 2),
            (B::Add, Bf16, 1, 1, 2),
            (B::Add, F64, 1, 1, 2),
        ],
        FLUSH,
    );
    check("fused", ternary(T::MultiplyAdd, F32, SMALLEST_NORMAL, half, SMALLEST_NORMAL, FLUSH), 0x00c0_0000);
    let separate = Arithmetic { multiply_add: MultiplyAdd::Separate, ..FLUSH };
    check("product", ternary(T::MultiplyAdd, F32, SMALLEST_NORMAL, half, SMALLEST_NORMAL, separate), SMALLEST_NORMAL);
    for (from, to, rounding, a, expected) in [
        (F32, F64, NearestEven, NEGATIVE_TINY, 1 << 63),
        (F32, Bf16, Up, TINY, 0),
        (F32, I32, Up, TINY, 0),
        (F32, Bool, NearestEven, TINY, 0),
        (F64, F32, Up, 1, 0),
        (F64, F32, Down, (-1e-40_f64).to_bits(), NEGATIVE_ZERO),
        (Bf16, F32, NearestEven, 1, 0),
        (F16, F32, NearestEven, 1, f(2.0_f32.powi(-24))),
        (F32, F32, NearestEven, TINY, 0),
    ] {
        check((from, to, a), convert(from, to, rounding, a, FLUSH), expected);
    }
}

#[test]
fn conversions_at_the_edges() {
    let (min, two31, two32) = (i(i32::MIN), f(2_147_483_648.0), f(4_294_967_296.0));
    let (two63, two64) = (2.0_f64.powi(63).to_bits(), 2.0_f64.powi(64).to_bits());
    for (from, to, rounding, a, expected) in [
        (F32, I32, TowardsZero, two31, i(i32::MAX)),
        (F32, I32, TowardsZero, two31 - 1, 0x7fff_ff80),
        (F32, I32, TowardsZero, f(-2_147_483_648.0), min),
        (F32, I32, TowardsZero, f(f32::NEG_INFINITY), min),
        (F32, I32, TowardsZero, NAN32, 0),
        (F32, U32, TowardsZero, 0xffc0_0000, 0),
        (F32, U32, TowardsZero, two32, 0xffff_ffff),
        (F32, U32, TowardsZero, f(-0.9), 0),
        (F32, U32, Down, f(-0.9), 0),
        (F32, I32, Down, f(-0.9), i(-1)),
        (F32, I32, Up, f(0.1), 1),
        (F32, I32, NearestEven, f(2.5), 2),
        (F32, I32, NearestEven, f(-3.5), i(-4)),
        (F32, I8, TowardsZero, f(200.0), 0x7f),
        (F32, I8, TowardsZero, f(-200.0), 0x80),
        (F32, U8, NearestEven, f(255.5), 0xff),
        (F16, U16, TowardsZero, 0x7c00, 0xffff),
        (F16, I16, TowardsZero, 0xfbff, 0x8000),
        (F64, I64, TowardsZero, two63, i64::MAX.cast_unsigned()),
        (F64, I64, TowardsZero, two63 | 1 << 63, 1 << 63),
        (F64, U64, TowardsZero, two63, 1 << 63),
        (F64, U64, TowardsZero, two64, u64::MAX),
        (F64, U64, TowardsZero, f64::INFINITY.to_bits(), u64::MAX),
        (F64, U64, TowardsZero, f64::NAN.to_bits(), 0),
        (F64, U32, TowardsZero, 4_294_967_295.75_f64.to_bits(), 0xffff_ffff),
        (I32, F32, NearestEven, 0x0100_0001, f(16_777_216.0)),
        (I32, F32, Up, 0x0100_0001, f(16_777_218.0)),
        (I32, F32, Up, i(-0x0100_0001), f(-16_777_216.0)),
        (I32, F32, Down, i(-0x0100_0001), f(-16_777_218.0)),
        (U32, F32, NearestEven, 0xffff_ffff, two32),
        (U32, F32, TowardsZero, 0xffff_ffff, two32 - 1),
        (U64, F64, NearestEven, u64::MAX, two64),
        (U64, F32, TowardsZero, u64::MAX, f(1.844_674_3e19)),
        (I64, F64, NearestEven, 1 << 63, two63 | 1 << 63),
        (I8, F16, NearestEven, 0x80, 0xd800),
        (U32, F16, NearestEven, 65519, 0x7bff),
        (U32, F16, NearestEven, 65520, 0x7c00),
        (U32, F16, TowardsZero, u64::from(u32::MAX), 0x7bff),
        (I32, F16, Down, i(-70_000), 0xfc00),
        (I32, F16, Up, i(-70_000), 0xfbff),
        (I8, I32, NearestEven, 0x80, i(-128)),
        (U8, I32, NearestEven, 0x80, 128),
        (I32, U64, NearestEven, i(-1), u64::MAX),
        (U32, U64, NearestEven, i(-1), 0xffff_ffff),
        (I64, I16, NearestEven, 0x1_8001, 0x8001),
        (U32, Bool, NearestEven, 256, 1),
        (F32, Bool, NearestEven, NEGATIVE_ZERO, 0),
        (F32, Bool, NearestEven, NAN32, 1),
        (Bool, F16, NearestEven, 1, 0x3c00),
        (Bool, Bf16, NearestEven, 1, 0x3f80),
        (Bool, F32, NearestEven, 1, f(1.0)),
        (Bool, F64, NearestEven, 1, 1.0_f64.to_bits()),
        (Bool, I64, NearestEven, 1, 1),
        (Bool, F32, NearestEven, 0, 0),
        (F32, F16, NearestEven, 0xff80_0001, 0x7e00),
        (F32, F16, NearestEven, f(f32::NEG_INFINITY), 0xfc00),
        (F64, F32, TowardsZero, f64::MAX.to_bits(), f(f32::MAX)),
        (F64, F32, NearestEven, f64::MAX.to_bits(), f(f32::INFINITY)),
        (F64, F32, Up, f64::MIN.to_bits(), f(f32::MIN)),
        (F64, F32, Up, 1, TINY),
        (F64, F32, NearestEven, 1, 0),
        // Through f32 this would round twice, to 0x3c00.
        (F64, F16, NearestEven, (1.0 + 2.0_f64.powi(-11) + 2.0_f64.powi(-40)).to_bits(), 0x3c01),
        (F32, Bf16, NearestEven, 0x3f80_8000, 0x3f80),
        (F32, Bf16, NearestEven, 0x3f80_8001, 0x3f81),
        (F32, Bf16, NearestEven, f(f32::MAX), 0x7f80),
        (F16, F32, NearestEven, 1, f(2.0_f32.powi(-24))),
        (F16, F16, NearestEven, 0x7c01, 0x7c01),
    ] {
        check((from, to, rounding, a), convert(from, to, rounding, a, KEEP), expected);
    }
}

#[test]
fn approximate_operations_are_those_that_devices_may_round_otherwise() {
    assert!(unary_is_approximate(U::Sqrt, F32) && unary_is_approximate(U::Tanh, F16));
    assert!(!unary_is_approximate(U::Floor, F32) && !unary_is_approximate(U::Sqrt, U32));
    assert!(binary_is_approximate(B::Div, F32) && binary_is_approximate(B::Pow, F64));
    assert!(!binary_is_approximate(B::Div, I32) && !binary_is_approximate(B::Mul, F32));
}
