//! Bulk comparison with an oracle that rounds by searching the format for the neighbours of an exact value.
//!
//! The oracle knows the exact result only by how it compares with a candidate. Candidates are values of the
//! format and the middles between them, so they have at most 25 bits, and every comparison below is exact in
//! f64: products of two candidates, or the sign of a two-sum.

use std::cmp::Ordering;

use super::{KEEP, check};
use crate::ir::Rounding::{self, Down, NearestEven, TowardsZero, Up};
use crate::ir::Scalar::{self, Bf16, F16, F32, F64, I64, U64};
use crate::ir::{BinaryOp, TernaryOp, UnaryOp};
use crate::machine::semantics::{binary, convert, ternary, unary};

const ROUNDINGS: [Rounding; 4] = [NearestEven, TowardsZero, Down, Up];

/// Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bits(&mut self, ty: Scalar) -> u64 {
        self.next() >> (64 - ty.bits())
    }

    /// Bits of a value whose exponent is often near that of `other`.
    fn near(&mut self, ty: Scalar, other: u64) -> u64 {
        let free = self.bits(ty);
        match self.next() % 3 {
            0 => free,
            _ => other ^ (free >> (self.next() % u64::from(ty.bits()))) ^ (free & sign(ty)),
        }
    }
}

fn sign(ty: Scalar) -> u64 {
    1 << (ty.bits() - 1)
}

/// Fraction bits and exponent bias.
fn shape(ty: Scalar) -> (u64, i32) {
    match ty {
        F16 => (10, 15),
        Bf16 => (7, 127),
        F32 => (23, 127),
        _ => panic!("no oracle for {ty:?}"),
    }
}

fn infinity(ty: Scalar) -> u64 {
    let (fraction, _) = shape(ty);
    (sign(ty) - 1) >> fraction << fraction
}

fn small(bits: u64) -> u32 {
    u32::try_from(bits).unwrap()
}

/// The value of bits without a sign; the bits of infinity stand for the next power of two.
fn magnitude(ty: Scalar, bits: u64) -> f64 {
    let (fraction, bias) = shape(ty);
    let field = i32::try_from(bits >> fraction).unwrap();
    let digits = f64::from(small(bits & ((1 << fraction) - 1))) * 2.0_f64.powi(-i32::try_from(fraction).unwrap());
    if field == 0 { digits * 2.0_f64.powi(1 - bias) } else { (1.0 + digits) * 2.0_f64.powi(field - bias) }
}

/// A finite value.
fn value(ty: Scalar, bits: u64) -> f64 {
    let size = magnitude(ty, bits & !sign(ty));
    if bits & sign(ty) == 0 { size } else { -size }
}

fn is_finite(ty: Scalar, bits: u64) -> bool {
    bits & !sign(ty) < infinity(ty)
}

/// Rounds the value whose magnitude compares with candidates as `compare` says.
fn rounded(ty: Scalar, negative: bool, rounding: Rounding, compare: impl Fn(f64) -> Ordering) -> u64 {
    let (mut low, mut high) = (0, infinity(ty));
    if compare(magnitude(ty, high)).is_ge() {
        low = high - 1;
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if compare(magnitude(ty, middle)).is_lt() {
            high = middle;
        } else {
            low = middle;
        }
    }
    let exact = compare(magnitude(ty, low)).is_eq();
    let up = match rounding {
        NearestEven => match compare((magnitude(ty, low) + magnitude(ty, high)) / 2.0) {
            Ordering::Less => false,
            Ordering::Equal => low & 1 == 1,
            Ordering::Greater => true,
        },
        TowardsZero => false,
        Down => negative && !exact,
        Up => !negative && !exact,
    };
    (if up { high } else { low }) | if negative { sign(ty) } else { 0 }
}

fn rounded_f64(ty: Scalar, exact: f64, rounding: Rounding) -> u64 {
    rounded(ty, exact.is_sign_negative(), rounding, |candidate| exact.abs().total_cmp(&candidate))
}

/// `a + b` rounded, from Knuth's two-sum.
fn rounded_sum(ty: Scalar, a: f64, b: f64) -> u64 {
    let sum = a + b;
    let part = sum - a;
    let error = (a - (sum - part)) + (b - part);
    let outwards = if sum.is_sign_negative() { -error } else { error };
    rounded(ty, sum.is_sign_negative(), NearestEven, |candidate| {
        sum.abs().total_cmp(&candidate).then(outwards.partial_cmp(&0.0).unwrap())
    })
}

#[test]
fn every_f16_and_bf16_through_every_defined_function() {
    for ty in [F16, Bf16] {
        for a in (0..1 << 16).filter(|&a| is_finite(ty, a)) {
            let x = value(ty, a);
            let nearest = |exact: f64| rounded_f64(ty, exact, NearestEven);
            let floor = if x.fract() < 0.0 { x.trunc() - 1.0 } else { x.trunc() };
            check((ty, a, "widened"), convert(ty, F64, Up, a, KEEP), x.to_bits());
            check((ty, a, "back"), convert(F64, ty, Up, x.to_bits(), KEEP), a);
            let apply = |op| unary(op, ty, a, KEEP);
            check((ty, a, "ceil"), apply(UnaryOp::Ceil), nearest(x.ceil()));
            check((ty, a, "floor"), apply(UnaryOp::Floor), nearest(x.floor()));
            check((ty, a, "round"), apply(UnaryOp::Round), nearest(x.round_ties_even()));
            check((ty, a, "trunc"), apply(UnaryOp::Trunc), nearest(x.trunc()));
            check((ty, a, "fract"), apply(UnaryOp::Fract), rounded_sum(ty, x, -floor));
            check((ty, a, "saturate"), apply(UnaryOp::Saturate), nearest(if x > 0.0 { x.min(1.0) } else { 0.0 }));
            if x == 0.0 {
                continue;
            }
            check((ty, a, "sign"), apply(UnaryOp::Sign), nearest(x.signum()));
            let size = x.abs();
            let inverse = rounded(ty, x < 0.0, NearestEven, |c| 1.0_f64.total_cmp(&(c * size)));
            check((ty, a, "reciprocal"), apply(UnaryOp::Reciprocal), inverse);
            let fraction = unary(UnaryOp::FrexpFraction, ty, a, KEEP);
            let exponent = small(unary(UnaryOp::FrexpExponent, ty, a, KEEP)).cast_signed();
            assert!((0.5..1.0).contains(&value(ty, fraction).abs()), "{ty:?} {a:#x}");
            assert_eq!(value(ty, fraction) * 2.0_f64.powi(exponent), x, "{ty:?} {a:#x}");
            let power = u64::from(exponent.cast_unsigned());
            check((ty, a, "ldexp of frexp"), binary(BinaryOp::Ldexp, ty, fraction, power, KEEP), a);
            if x > 0.0 {
                let root = rounded(ty, false, NearestEven, |c| x.total_cmp(&(c * c)));
                check((ty, a, "sqrt"), apply(UnaryOp::Sqrt), root);
                let inverse = rounded(ty, false, NearestEven, |c| 1.0_f64.total_cmp(&(c * c * x)));
                check((ty, a, "inverse sqrt"), apply(UnaryOp::InverseSqrt), inverse);
            }
        }
    }
}

#[test]
fn narrow_arithmetic_is_rounded_as_if_once() {
    let mut random = Random(1);
    for ty in [F16, Bf16] {
        for _ in 0..400_000 {
            let a = random.bits(ty);
            let (b, c) = (random.near(ty, a), random.near(ty, a));
            if ![a, b, c].iter().all(|&bits| is_finite(ty, bits)) {
                continue;
            }
            let (x, y, z) = (value(ty, a), value(ty, b), value(ty, c));
            let apply = |op| binary(op, ty, a, b, KEEP);
            check((ty, a, b, "add"), apply(BinaryOp::Add), rounded_sum(ty, x, y));
            check((ty, a, b, "sub"), apply(BinaryOp::Sub), rounded_sum(ty, x, -y));
            check((ty, a, b, "mul"), apply(BinaryOp::Mul), rounded_f64(ty, x * y, NearestEven));
            if y != 0.0 {
                let negative = x.is_sign_negative() != y.is_sign_negative();
                let quotient = rounded(ty, negative, NearestEven, |c| x.abs().total_cmp(&(c * y.abs())));
                check((ty, a, b, "div"), apply(BinaryOp::Div), quotient);
            }
            check((ty, a, b, c, "fma"), ternary(TernaryOp::MultiplyAdd, ty, a, b, c, KEEP), rounded_sum(ty, x * y, z));
        }
    }
}

#[test]
fn f32_arithmetic_is_that_of_ieee_754() {
    let mut random = Random(2);
    for _ in 0..300_000 {
        let a = random.bits(F32);
        let b = random.near(F32, a);
        if !is_finite(F32, a) || !is_finite(F32, b) {
            continue;
        }
        let (x, y) = (value(F32, a), value(F32, b));
        check((a, b, "add"), binary(BinaryOp::Add, F32, a, b, KEEP), rounded_sum(F32, x, y));
        check((a, b, "mul"), binary(BinaryOp::Mul, F32, a, b, KEEP), rounded_f64(F32, x * y, NearestEven));
        // An addend close to the product, so that digits cancel.
        let c = random.near(F32, binary(BinaryOp::Mul, F32, a, b, KEEP));
        if is_finite(F32, c) {
            let fused = rounded_sum(F32, x * y, value(F32, c));
            check((a, b, c, "fma"), ternary(TernaryOp::MultiplyAdd, F32, a, b, c, KEEP), fused);
        }
    }
}

#[test]
fn floats_are_narrowed_in_all_directions() {
    let mut random = Random(3);
    for ty in [F16, Bf16, F32] {
        for step in 0..200_000_u64 {
            let near = value(ty, random.bits(ty) & (infinity(ty) | sign(ty) | 0xf));
            // Exact values, middles, their neighbours, and anything.
            let x = match step % 4 {
                0 => near * 1.5,
                1 => f64::from_bits(near.to_bits() ^ (random.next() & 3)),
                2 => f64::from_bits((near * (1.0 + 2.0_f64.powi(-12))).to_bits() ^ (random.next() & 3)),
                _ => near * f64::from(small(random.next() >> 33)) * 2.0_f64.powi(-31),
            };
            for rounding in ROUNDINGS {
                check((ty, x, rounding), convert(F64, ty, rounding, x.to_bits(), KEEP), rounded_f64(ty, x, rounding));
            }
            let single = random.bits(F32);
            if ty != F32 && is_finite(F32, single) {
                let x = value(F32, single);
                for rounding in ROUNDINGS {
                    check((ty, x, rounding), convert(F32, ty, rounding, single, KEEP), rounded_f64(ty, x, rounding));
                }
            }
        }
    }
}

#[test]
fn scaling_rounds_once() {
    let mut random = Random(4);
    for ty in [F16, Bf16, F32] {
        for _ in 0..200_000 {
            let a = random.bits(ty);
            let power = i32::try_from(random.next() % 601).unwrap() - 300;
            if is_finite(ty, a) {
                let exact = value(ty, a) * 2.0_f64.powi(power);
                let scaled = binary(BinaryOp::Ldexp, ty, a, u64::from(power.cast_unsigned()), KEEP);
                check((ty, a, power), scaled, rounded_f64(ty, exact, NearestEven));
            }
        }
    }
    for _ in 0..200_000 {
        let x = f64::from_bits(random.next());
        let power = i32::try_from(random.next() % 5001).unwrap() - 2500;
        if x.is_finite() {
            let scaled = binary(BinaryOp::Ldexp, F64, x.to_bits(), u64::from(power.cast_unsigned()), KEEP);
            check((x, power), scaled, libm::scalbn(x, power).to_bits());
        }
    }
}

/// An integral f64 of at most 2^64 as an integer.
fn integral(value: f64) -> i128 {
    let bits = value.abs().to_bits();
    let shift = i32::try_from(bits >> 52).unwrap() - 1075;
    let digits = i128::from(bits & ((1 << 52) - 1) | 1 << 52);
    let size = match u32::try_from(shift) {
        _ if value == 0.0 => 0,
        Ok(left) => digits << left,
        Err(_) => digits >> shift.unsigned_abs(),
    };
    if value < 0.0 { -size } else { size }
}

#[test]
fn integers_are_rounded_in_all_directions() {
    let mut random = Random(5);
    for _ in 0..100_000 {
        let bits = random.next() >> (random.next() % 64);
        let bits = if random.next() & 1 == 0 { bits } else { bits.wrapping_neg() };
        for (from, exact) in [(I64, i128::from(bits.cast_signed())), (U64, i128::from(bits))] {
            for to in [F32, F64] {
                let float = |rounding| {
                    let result = convert(from, to, rounding, bits, KEEP);
                    f64::from_bits(convert(to, F64, NearestEven, result, KEEP))
                };
                let label = format!("{from:?} {exact} to {to:?}");
                let (below, above) = (float(Down), float(Up));
                // Neighbours of the format with the exact value between them.
                let next = |x: f64| if to == F64 { x.next_up() } else { f64::from(single(x).next_up()) };
                assert!(integral(below) <= exact && exact <= integral(above), "{label}");
                assert!(below == above && integral(below) == exact || next(below) == above, "{label}");
                assert_eq!(float(TowardsZero), if exact < 0 { above } else { below }, "{label}");
                let (down, up) = (exact - integral(below), integral(above) - exact);
                let nearest = integral(float(NearestEven));
                assert_eq!((nearest - exact).abs(), down.min(up), "{label}");
                if down == up && down != 0 {
                    let last = if to == F64 {
                        float(NearestEven).to_bits()
                    } else {
                        convert(from, to, NearestEven, bits, KEEP)
                    };
                    assert_eq!(last & 1, 0, "{label}");
                }
            }
        }
    }
}

fn single(x: f64) -> f32 {
    f32::from_bits(small(convert(F64, F32, NearestEven, x.to_bits(), KEEP)))
}

#[test]
fn transcendental_functions_are_the_ones_they_are_named() {
    type Function = fn(f64) -> f64;
    let functions: [(UnaryOp, Function); 17] = [
        (UnaryOp::Exp, f64::exp),
        (UnaryOp::Exp2, f64::exp2),
        (UnaryOp::Log, f64::ln),
        (UnaryOp::Log2, f64::log2),
        (UnaryOp::Sin, f64::sin),
        (UnaryOp::Cos, f64::cos),
        (UnaryOp::Tan, f64::tan),
        (UnaryOp::Asin, f64::asin),
        (UnaryOp::Acos, f64::acos),
        (UnaryOp::Atan, f64::atan),
        (UnaryOp::Sinh, f64::sinh),
        (UnaryOp::Cosh, f64::cosh),
        (UnaryOp::Tanh, f64::tanh),
        (UnaryOp::Asinh, f64::asinh),
        (UnaryOp::Acosh, f64::acosh),
        (UnaryOp::Atanh, f64::atanh),
        (UnaryOp::InverseSqrt, |x| 1.0 / x.sqrt()),
    ];
    for (op, function) in functions {
        for x in [0.1_f32, 0.7, -0.3, 1.3, 5.0, 20.5, -8.25] {
            let expected = function(f64::from(x));
            let actual = f64::from_bits(convert(F32, F64, Up, unary(op, F32, u64::from(x.to_bits()), KEEP), KEEP));
            let close = (actual - expected).abs() <= expected.abs() * 2.0_f64.powi(-24) * 1.01;
            assert!(close || actual.is_nan() && expected.is_nan(), "{op:?} {x}: {actual} {expected}");
            let double = f64::from_bits(unary(op, F64, f64::from(x).to_bits(), KEEP));
            let close = (double - expected).abs() <= expected.abs() * 1e-14;
            assert!(close || double.is_nan() && expected.is_nan(), "{op:?} {x}: {double} {expected}");
        }
    }
}
