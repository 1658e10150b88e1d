//! Floating-point operations on f16, bf16, f32 and f64.
//!
//! f16 and bf16 are widened to f32, which is exact, and the result of the one operation is rounded back.
//! It is rounded twice, and yet correct: for `+ - * /` and the square root a first rounding to `q` bits
//! cannot change a second one to `p` bits where `q >= 2p + 2` (Figueroa, "When is double rounding
//! innocuous?", 1995), and f32 has 24 >= 2 * 11 + 2. It stays so where the result is denormal in the narrow
//! type: sums are exact there, products have at most 2p bits, and a quotient cannot come that close to the
//! middle of two narrower numbers. A multiply-add is not among these operations and is treated on its own.

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};

use super::format::{Float, Number};
use crate::cast::low;
use crate::ir::{BinaryOp, Rounding, TernaryOp, UnaryOp};

#[inline]
pub(super) fn unary(op: UnaryOp, ty: Float, a: u64, arithmetic: Arithmetic) -> u64 {
    match op {
        UnaryOp::Neg => return a ^ ty.sign(),
        UnaryOp::Abs => return ty.magnitude(a),
        UnaryOp::Flush => return ty.flush(a, Arithmetic { denormals: Denormals::Flush, ..arithmetic }),
        UnaryOp::IsNan => return u64::from(ty.is_nan(a)),
        UnaryOp::IsInf => return u64::from(ty.magnitude(a) == ty.infinity()),
        _ => {}
    }
    let a = ty.flush(a, arithmetic);
    match op {
        UnaryOp::FrexpFraction => return ty.flush(frexp_fraction(ty, a), arithmetic),
        UnaryOp::FrexpExponent => return frexp_exponent(ty, a),
        _ => {}
    }
    let defined = match ty {
        Float::F16 | Float::Bf16 | Float::F32 => unary32(op, ty.to_f32(a)).map(|result| ty.nearest_to_f32(result)),
        Float::F64 => unary64(op, ty.to_f64(a)).map(|result| ty.nearest_to_f64(result)),
    };
    defined
        .or_else(|| transcendental(op, ty.to_f64(a)).map(|result| ty.nearest_to_f64(result)))
        .map_or(0, |result| ty.flush(result, arithmetic))
}

#[inline]
pub(super) fn binary(op: BinaryOp, ty: Float, a: u64, b: u64, arithmetic: Arithmetic) -> u64 {
    match op {
        BinaryOp::Ldexp => {
            return ty.flush(ldexp(ty, ty.flush(a, arithmetic), low(b).cast_signed()), arithmetic);
        }
        BinaryOp::Rem => return remainder(ty, a, b, arithmetic),
        _ => {}
    }
    let (a, b) = (ty.flush(a, arithmetic), ty.flush(b, arithmetic));
    let defined = match ty {
        Float::F16 | Float::Bf16 | Float::F32 => {
            let (x, y) = (ty.to_f32(a), ty.to_f32(b));
            if let Some(truth) = compare(op, x, y) {
                return u64::from(truth);
            }
            binary32(op, x, y).map(|result| ty.nearest_to_f32(result))
        }
        Float::F64 => {
            let (x, y) = (ty.to_f64(a), ty.to_f64(b));
            if let Some(truth) = compare(op, x, y) {
                return u64::from(truth);
            }
            binary64(op, x, y).map(|result| ty.nearest_to_f64(result))
        }
    };
    defined
        .or_else(|| transcendental2(op, ty.to_f64(a), ty.to_f64(b)).map(|result| ty.nearest_to_f64(result)))
        .map_or(0, |result| ty.flush(result, arithmetic))
}

#[inline]
pub(super) fn ternary(op: TernaryOp, ty: Float, a: u64, b: u64, c: u64, arithmetic: Arithmetic) -> u64 {
    let then = |op, a, b| binary(op, ty, a, b, arithmetic);
    match op {
        TernaryOp::MultiplyAdd => match arithmetic.multiply_add {
            MultiplyAdd::Separate => then(BinaryOp::Add, then(BinaryOp::Mul, a, b), c),
            MultiplyAdd::Fused => fused(ty, [a, b, c], arithmetic),
        },
        TernaryOp::Clamp => then(BinaryOp::Min, then(BinaryOp::Max, a, b), c),
        TernaryOp::ExtractBits => 0,
    }
}

/// `a * b + c`, rounded once.
#[inline]
fn fused(ty: Float, operands: [u64; 3], arithmetic: Arithmetic) -> u64 {
    let [a, b, c] = operands.map(|bits| ty.flush(bits, arithmetic));
    match ty {
        Float::F32 => {
            let result = ty.to_f32(a).mul_add(ty.to_f32(b), ty.to_f32(c));
            ty.flush(ty.nearest_to_f32(result), arithmetic)
        }
        Float::F64 => ty.nearest_to_f64(ty.to_f64(a).mul_add(ty.to_f64(b), ty.to_f64(c))),
        // The product is exact in f64. The sum need not be (bf16 has the exponents of f32), so it is
        // rounded to odd, after which rounding to the narrow type is as good as rounding the exact sum.
        Float::F16 | Float::Bf16 => ty.nearest_to_f64(sum_to_odd(ty.to_f64(a) * ty.to_f64(b), ty.to_f64(c))),
    }
}

/// `a + b` rounded to odd: if inexact, the one of the two neighbours whose last bit is 1 (Boldo and
/// Melquiond, "Emulation of FMA and correctly rounded sums", 2008). No overflow may occur.
pub(super) fn sum_to_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    // Knuth's two-sum: `sum + error` is exactly `a + b`.
    let part = sum - a;
    let error = (a - (sum - part)) + (b - part);
    if !sum.is_finite() || error == 0.0 || sum.to_bits() & 1 == 1 {
        return sum;
    }
    let outwards = (error > 0.0) == (sum > 0.0);
    f64::from_bits(if outwards { sum.to_bits() + 1 } else { sum.to_bits() - 1 })
}

/// WGSL's float `%`: `a - b * trunc(a / b)`, every step rounded to the type.
fn remainder(ty: Float, a: u64, b: u64, arithmetic: Arithmetic) -> u64 {
    let quotient = binary(BinaryOp::Div, ty, a, b, arithmetic);
    let whole = unary(UnaryOp::Trunc, ty, quotient, arithmetic);
    let product = binary(BinaryOp::Mul, ty, b, whole, arithmetic);
    binary(BinaryOp::Sub, ty, a, product, arithmetic)
}

/// `a * 2^power`, rounded once.
fn ldexp(ty: Float, a: u64, power: i32) -> u64 {
    match ty.unpack(a) {
        Number::Nan => ty.nan(),
        Number::Infinite => a,
        // Beyond 2^±4000 the result is infinite or rounds to zero for every operand of every type.
        Number::Finite { magnitude, exponent } => {
            ty.pack(ty.is_negative(a), magnitude, exponent + power.clamp(-4000, 4000), Rounding::NearestEven)
        }
    }
}

/// In `[0.5, 1)` with the sign of `a`; zeros, infinities and NaN are their own fraction.
fn frexp_fraction(ty: Float, a: u64) -> u64 {
    match ty.unpack(a) {
        Number::Nan => ty.nan(),
        Number::Finite { magnitude, .. } if magnitude != 0 => {
            let point = magnitude.ilog2().cast_signed() + 1;
            ty.pack(ty.is_negative(a), magnitude, -point, Rounding::NearestEven)
        }
        Number::Infinite | Number::Finite { .. } => a,
    }
}

/// The i32 that belongs to [`frexp_fraction`]; 0 for zeros, infinities and NaN, as C libraries give it.
fn frexp_exponent(ty: Float, a: u64) -> u64 {
    let exponent = match ty.unpack(a) {
        Number::Finite { magnitude, exponent } if magnitude != 0 => exponent + magnitude.ilog2().cast_signed() + 1,
        Number::Nan | Number::Infinite | Number::Finite { .. } => 0,
    };
    u64::from(exponent.cast_unsigned())
}

/// Operations whose result IEEE 754 or WGSL defines to the bit, in a type of the host.
macro_rules! defined_operations {
    ($unary:ident, $binary:ident, $float:ty) => {
        #[inline]
        fn $unary(op: UnaryOp, x: $float) -> Option<$float> {
            Some(match op {
                UnaryOp::Sign if x.is_nan() => 0.0,
                UnaryOp::Sign if x == 0.0 => x,
                UnaryOp::Sign => x.signum(),
                UnaryOp::Ceil => x.ceil(),
                UnaryOp::Floor => x.floor(),
                UnaryOp::Round => x.round_ties_even(),
                UnaryOp::Trunc => x.trunc(),
                UnaryOp::Fract => x - x.floor(),
                UnaryOp::Saturate if x >= 1.0 => 1.0,
                UnaryOp::Saturate if x > 0.0 => x,
                UnaryOp::Saturate => 0.0,
                UnaryOp::Sqrt => x.sqrt(),
                _ => return None,
            })
        }

        #[inline]
        fn $binary(op: BinaryOp, x: $float, y: $float) -> Option<$float> {
            Some(match op {
                BinaryOp::Add => x + y,
                BinaryOp::Sub => x - y,
                BinaryOp::Mul => x * y,
                BinaryOp::Div => x / y,
                BinaryOp::Min | BinaryOp::Max if x.is_nan() => y,
                BinaryOp::Min | BinaryOp::Max if y.is_nan() => x,
                // The total order puts -0 below +0.
                BinaryOp::Min if x.total_cmp(&y).is_le() => x,
                BinaryOp::Max if x.total_cmp(&y).is_ge() => x,
                BinaryOp::Min | BinaryOp::Max => y,
                BinaryOp::Step if y >= x => 1.0,
                BinaryOp::Step => 0.0,
                _ => return None,
            })
        }
    };
}

defined_operations!(unary32, binary32, f32);
defined_operations!(unary64, binary64, f64);

#[inline]
fn compare<T: PartialOrd>(op: BinaryOp, x: T, y: T) -> Option<bool> {
    Some(match op {
        BinaryOp::Eq => x == y,
        BinaryOp::Ne => x != y,
        BinaryOp::Lt => x < y,
        BinaryOp::Le => x <= y,
        BinaryOp::Gt => x > y,
        BinaryOp::Ge => x >= y,
        _ => return None,
    })
}

pub(super) fn transcendental(op: UnaryOp, x: f64) -> Option<f64> {
    Some(match op {
        UnaryOp::InverseSqrt => 1.0 / x.sqrt(),
        UnaryOp::Reciprocal => 1.0 / x,
        UnaryOp::Exp => libm::exp(x),
        UnaryOp::Exp2 => libm::exp2(x),
        UnaryOp::Log => libm::log(x),
        UnaryOp::Log2 => libm::log2(x),
        UnaryOp::Sin => libm::sin(x),
        UnaryOp::Cos => libm::cos(x),
        UnaryOp::Tan => libm::tan(x),
        UnaryOp::Asin => libm::asin(x),
        UnaryOp::Acos => libm::acos(x),
        UnaryOp::Atan => libm::atan(x),
        UnaryOp::Sinh => libm::sinh(x),
        UnaryOp::Cosh => libm::cosh(x),
        UnaryOp::Tanh => libm::tanh(x),
        UnaryOp::Asinh => libm::asinh(x),
        UnaryOp::Acosh => libm::acosh(x),
        UnaryOp::Atanh => libm::atanh(x),
        _ => return None,
    })
}

fn transcendental2(op: BinaryOp, x: f64, y: f64) -> Option<f64> {
    Some(match op {
        BinaryOp::Pow => libm::pow(x, y),
        BinaryOp::Atan2 => libm::atan2(x, y),
        _ => return None,
    })
}
