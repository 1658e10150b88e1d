//! e^x.
//!
//! Method: x = k ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite, 1980: ln 2 in two parts, the first of 16 bits,
//! so that its product with k is exact), then 1 + r + r^2 q(r), with what the two largest terms lose kept
//! aside (Dekker, 1971). q is of degree 4: Remez exchange in 60-digit arithmetic on the relative error of
//! e^r, coefficients rounded to f32 from the lowest degree up and the rest refitted each time; error
//! 2^-28.2. The power of two is put in by integer arithmetic.

use std::f32::consts::LOG2_E;

use super::{INFINITY, MAGNITUDE, NAN, Numerics, Profile, SMALLEST_NORMAL};

/// 1.5 * 2^23: added and subtracted, it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
const LN_2_HIGH: f32 = 0.693_145_75;
const LN_2_LOW: f32 = 1.428_606_8e-6;
const Q: [f32; 5] = [0.499_999_94, 0.166_665_17, 0.041_668_102, 0.008_369_193, 0.001_383_89];

/// The largest argument of [`Numerics::exponential`]: e^-104 is below half of the smallest denormal.
pub(super) const LIMIT: u32 = 0x42d0_0000;
/// 88.72284: from here on e^x overflows.
const OVERFLOW: u32 = 0x42b1_7218;
/// 87.33655: from here on e^-x is below 2^-126.
const UNDERFLOW: u32 = 0x42ae_ac50;

impl<P: Profile> Numerics<P> {
    /// `e^x`, within 0.71 ulp in either profile.
    ///
    /// Infinite from 88.72284 on, zero from -87.33655 down; exactly 1 for zeros and denormals; NaN for NaN.
    #[inline(always)]
    pub fn exp(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let tame = f32::from_bits(if magnitude < LIMIT { bits } else { 0 });
        let (power, _, exponent) = self.exponential(tame);
        let finite = power.to_bits().wrapping_add((exponent << 23) as u32);
        let (limit, beyond) = if bits == magnitude { (OVERFLOW, INFINITY) } else { (UNDERFLOW, 0) };
        let ordered = if magnitude < limit { finite } else { beyond };
        f32::from_bits(if magnitude > INFINITY { NAN } else { ordered })
    }

    /// e^x as `(high + low) * 2^exponent`, for `|x| <= 104`: `high` in [0.7, 1.42], `low` below
    /// half an ulp of it.
    #[inline(always)]
    pub(super) fn exponential(self, x: f32) -> (f32, f32, i32) {
        let rounded = self.multiply_add(x, LOG2_E, ROUND);
        let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
        let k = self.sub(rounded, ROUND);
        let near = self.multiply_add(-k, LN_2_HIGH, x);
        let r = self.multiply_add(-k, LN_2_LOW, near);
        let r_tail = self.multiply_add(-k, LN_2_LOW, self.sub(near, r));

        let q = self.multiply_add(r, Q[4], Q[3]);
        let q = self.multiply_add(r, q, Q[2]);
        let q = self.multiply_add(r, q, Q[1]);
        let q = self.multiply_add(r, q, Q[0]);
        let sum = self.add(1.0, r);
        let sum_tail = self.sub(r, self.sub(sum, 1.0));
        let tail = self.multiply_add(self.mul(r, r), q, self.add(sum_tail, r_tail));
        let high = self.add(sum, tail);
        (high, self.sub(tail, self.sub(high, sum)), exponent)
    }
}

/// 2^exponent, or 2^-64 if that is more.
#[inline(always)]
pub(super) fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((127 + exponent.max(-64)) << 23) as u32)
}

/// `x * 2^exponent`; a zero of the sign of `x` if that is below 2^-126. It must not overflow.
#[inline(always)]
pub(super) fn scaled(x: f32, exponent: i32) -> f32 {
    let bits = x.to_bits();
    let magnitude = ((bits & MAGNITUDE) as i32).wrapping_add(exponent << 23);
    let normal = if magnitude < SMALLEST_NORMAL as i32 { 0 } else { magnitude as u32 };
    f32::from_bits(normal | (bits & !MAGNITUDE))
}
