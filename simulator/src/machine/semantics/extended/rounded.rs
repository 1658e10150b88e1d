//! Sums, products, quotients and square roots of any format, rounded once in any direction.
//!
//! Values are taken apart into integers. What does not fit is *jammed*: bits that are shifted out leave a one in the
//! last place if any of them was, which keeps every rounding correct as long as two places more than the format's stay
//! (Hauser's SoftFloat does the same).

use super::super::format::{Float, Number};
use crate::ir::Rounding;

/// A finite value: `magnitude * 2^exponent`, with its sign.
#[derive(Clone, Copy, Debug)]
struct Exact {
    negative: bool,
    magnitude: u128,
    exponent: i32,
}

/// `a * b + c`; `None` for NaN.
pub(super) fn fused(ty: Float, [a, b, c]: [u64; 3], rounding: Rounding) -> Option<u64> {
    let negative = ty.is_negative(a) != ty.is_negative(b);
    let product = match (ty.unpack(a), ty.unpack(b)) {
        (Number::Nan, _) | (_, Number::Nan) => return None,
        (Number::Infinite, Number::Finite { magnitude: 0, .. })
        | (Number::Finite { magnitude: 0, .. }, Number::Infinite) => return None,
        (Number::Infinite, _) | (_, Number::Infinite) => None,
        (Number::Finite { magnitude: x, exponent: i }, Number::Finite { magnitude: y, exponent: j }) => {
            Some(Exact { negative, magnitude: u128::from(x) * u128::from(y), exponent: i + j })
        }
    };
    let opposite = ty.is_negative(c) != negative;
    match (product, ty.unpack(c)) {
        (_, Number::Nan) => None,
        (None, Number::Infinite) if opposite => None,
        (None, _) => Some(ty.signed(negative, ty.infinity())),
        (Some(_), Number::Infinite) => Some(c),
        (Some(product), Number::Finite { magnitude, exponent }) => {
            let addend = Exact { negative: ty.is_negative(c), magnitude: u128::from(magnitude), exponent };
            Some(sum(ty, product, addend, rounding))
        }
    }
}

/// `a + b`; `None` for NaN.
pub(super) fn add(ty: Float, a: u64, b: u64, rounding: Rounding) -> Option<u64> {
    fused(ty, [a, ty.one(), b], rounding)
}

/// `a * b`; `None` for NaN.
pub(super) fn multiply(ty: Float, a: u64, b: u64, rounding: Rounding) -> Option<u64> {
    // A zero with the product's own sign changes nothing, not even a zero.
    let zero = ty.signed(ty.is_negative(a) != ty.is_negative(b), 0);
    fused(ty, [a, b, zero], rounding)
}

/// `a / b`; `None` for NaN.
pub(super) fn divide(ty: Float, a: u64, b: u64, rounding: Rounding) -> Option<u64> {
    let negative = ty.is_negative(a) != ty.is_negative(b);
    match (ty.unpack(a), ty.unpack(b)) {
        (Number::Nan, _) | (_, Number::Nan) | (Number::Infinite, Number::Infinite) => None,
        (Number::Finite { magnitude: 0, .. }, Number::Finite { magnitude: 0, .. }) => None,
        (Number::Infinite, _) | (_, Number::Finite { magnitude: 0, .. }) => Some(ty.signed(negative, ty.infinity())),
        (_, Number::Infinite) | (Number::Finite { magnitude: 0, .. }, _) => Some(ty.signed(negative, 0)),
        (Number::Finite { magnitude: x, exponent: i }, Number::Finite { magnitude: y, exponent: j }) => {
            // 127 bits over at most 53 leave 73 or more.
            let shift = x.leading_zeros() - 1;
            let (dividend, divisor) = (u128::from(x << shift) << 64, u128::from(y));
            let sticky = u128::from(!dividend.is_multiple_of(divisor));
            let exponent = i - shift.cast_signed() - 64 - j;
            Some(pack(ty, Exact { negative, magnitude: (dividend / divisor) | sticky, exponent }, rounding))
        }
    }
}

/// The square root; `None` for NaN.
pub(super) fn square_root(ty: Float, a: u64, rounding: Rounding) -> Option<u64> {
    match ty.unpack(a) {
        Number::Finite { magnitude: 0, .. } => Some(a),
        Number::Nan => None,
        _ if ty.is_negative(a) => None,
        Number::Infinite => Some(a),
        Number::Finite { magnitude, exponent } => {
            // Up to the top of 128 bits, by so much that the exponent is even: the root has 63 bits or more.
            let wide = u128::from(magnitude);
            let most = wide.leading_zeros();
            let shift = most - u32::from((exponent - most.cast_signed()) & 1 != 0);
            let square = wide << shift;
            let root = square.isqrt();
            let sticky = u128::from(root * root != square);
            let exponent = (exponent - shift.cast_signed()) / 2 - 1;
            Some(pack(ty, Exact { negative: false, magnitude: (root << 1) | sticky, exponent }, rounding))
        }
    }
}

fn sum(ty: Float, a: Exact, b: Exact, rounding: Rounding) -> u64 {
    let zero = |negative: bool| ty.signed(negative, 0);
    match (a.magnitude, b.magnitude) {
        (0, 0) if a.negative == b.negative => return zero(a.negative),
        (0, 0) => return zero(rounding == Rounding::Down),
        (0, _) => return pack(ty, b, rounding),
        (_, 0) => return pack(ty, a, rounding),
        _ => {}
    }
    let (a, b) = (at_top(a), at_top(b));
    let (larger, smaller) = if a.exponent >= b.exponent { (a, b) } else { (b, a) };
    let other = jam(smaller.magnitude, (larger.exponent - smaller.exponent).unsigned_abs());
    if larger.negative == smaller.negative {
        return pack(ty, Exact { magnitude: larger.magnitude + other, ..larger }, rounding);
    }
    let negative = if larger.magnitude >= other { larger.negative } else { smaller.negative };
    match larger.magnitude.abs_diff(other) {
        0 => zero(rounding == Rounding::Down),
        magnitude => pack(ty, Exact { negative, magnitude, exponent: larger.exponent }, rounding),
    }
}

/// The same value with its highest bit at place 125: two places for a sum to grow, 19 below any product.
fn at_top(value: Exact) -> Exact {
    let shift = value.magnitude.leading_zeros().saturating_sub(2);
    Exact { magnitude: value.magnitude << shift, exponent: value.exponent - shift.cast_signed(), ..value }
}

fn jam(magnitude: u128, shift: u32) -> u128 {
    let kept = magnitude.unbounded_shr(shift);
    kept | u128::from(kept.unbounded_shl(shift) != magnitude)
}

/// Rounds to the format. 62 bits are kept for it, which is enough for 53.
fn pack(ty: Float, value: Exact, rounding: Rounding) -> u64 {
    let excess = (128 - value.magnitude.leading_zeros()).saturating_sub(62);
    let magnitude = u64::try_from(jam(value.magnitude, excess)).unwrap_or(0);
    ty.pack(value.negative, magnitude, value.exponent + excess.cast_signed(), rounding)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers with few and many bits, far from and close to each other.
    fn numbers() -> Vec<u64> {
        let mut state = 7_u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^ state >> 29
        };
        let mut numbers = vec![0, 1, 0x8000_0000_0000_0000, 0x7ff0_0000_0000_0000, 0x000f_ffff_ffff_ffff];
        for _ in 0..40 {
            let bits = next();
            numbers.push(bits);
            numbers.push(bits & 0xfff0_0000_0000_0000 | 1 << 32);
            numbers.push(bits & 0x800f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
            numbers.push(bits & 0x800f_ffff_0000_0000 | (0x3c0 + (bits & 63)) << 52);
        }
        numbers
    }

    fn same(result: Option<u64>, expected: f64) -> bool {
        match result {
            None => expected.is_nan(),
            Some(bits) => bits == expected.to_bits(),
        }
    }

    #[test]
    fn to_nearest_is_what_the_host_computes() {
        let numbers = numbers();
        let (ty, nearest) = (Float::F64, Rounding::NearestEven);
        for &a in &numbers {
            let x = f64::from_bits(a);
            assert!(same(square_root(ty, a, nearest), x.sqrt()), "{x}");
            for &b in &numbers {
                let y = f64::from_bits(b);
                assert!(same(add(ty, a, b, nearest), x + y), "{x} + {y}");
                assert!(same(multiply(ty, a, b, nearest), x * y), "{x} * {y}");
                assert!(same(divide(ty, a, b, nearest), x / y), "{x} / {y}");
                for &c in numbers.iter().step_by(5) {
                    let z = f64::from_bits(c);
                    assert!(same(fused(ty, [a, b, c], nearest), x.mul_add(y, z)), "{x} * {y} + {z}");
                }
            }
        }
    }
}
