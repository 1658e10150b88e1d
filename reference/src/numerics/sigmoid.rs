//! 1 / (1 + e^-x), and x times that.
//!
//! Method: with e = e^-|x| in (0, 1] the two sides are 1 / (1 + e) and e / (1 + e). What the rounding of
//! 1 + e loses goes into the reciprocal's residual, and products with the reciprocal, which is a sum of two
//! parts, are split after Dekker (1971). On the negative side the power of two of e is put in last, so that
//! `silu` stays exact to the last bits where e itself is already below 2^-126.

use super::exponential::{LIMIT, scaled};
use super::{INFINITY, MAGNITUDE, NAN, Numerics, Profile, SIGN, SMALLEST_NORMAL, upper};

/// 2^-60: below this the gate is 1/2, and products with its second part could become denormal.
const TINY: u32 = 0x2180_0000;
/// 2^-125: below this x/2 is no longer a normal number.
const HALVES_TO_DENORMAL: u32 = 0x0100_0000;

impl<P: Profile> Numerics<P> {
    /// `1 / (1 + e^-x)`, within 1.2 ulp in either profile.
    ///
    /// 1 and 0 at the infinities, 1/2 at zeros and denormals, zero below -87.33655, NaN for NaN.
    #[inline(always)]
    pub fn sigmoid(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let (power, exponent, inverse) = self.gate(magnitude);
        let right = self.add(inverse.0, inverse.1).to_bits();
        let left = scaled(self.times_sum(power, inverse), exponent).to_bits();
        let ordered = if bits == magnitude { right } else { left };
        f32::from_bits(if magnitude > INFINITY { NAN } else { ordered })
    }

    /// `x / (1 + e^-x)`, within 1.7 ulp in either profile.
    ///
    /// Infinity gives infinity; -infinity, like all below about -91.9, gives -0; zeros, denormals and
    /// `|x|` below 2^-125 give a zero of their sign; NaN gives NaN.
    #[inline(always)]
    pub fn silu(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let (power, exponent, inverse) = self.gate(magnitude);
        let negative = bits != magnitude;
        let limited = f32::from_bits(magnitude.min(LIMIT));
        let factor = if negative { self.mul(limited, power) } else { limited };
        let shift = if negative { exponent } else { 0 };
        let product = scaled(self.times_sum(factor, inverse), shift).to_bits();
        // From 104 on the gate is 1.
        let far = if magnitude > LIMIT && !negative { magnitude } else { product };
        let half = if magnitude < HALVES_TO_DENORMAL { 0 } else { magnitude.wrapping_sub(SMALLEST_NORMAL) };
        let ordered = if magnitude < TINY { half } else { far };
        f32::from_bits(if magnitude > INFINITY { NAN } else { ordered | (bits & SIGN) })
    }

    /// For `a` of these bits, at most 104 of it: e^-a as power and exponent, and 1 / (1 + e^-a) as a sum.
    #[inline(always)]
    fn gate(self, magnitude: u32) -> (f32, i32, (f32, f32)) {
        let a = f32::from_bits(if magnitude < SMALLEST_NORMAL { 0 } else { magnitude.min(LIMIT) });
        let (power, exponent) = self.exponential(-a);
        let e = scaled(power, exponent);
        let sum = self.add(1.0, e);
        let lost = self.sub(e, self.sub(sum, 1.0));
        (power, exponent, self.inverse(sum, lost))
    }

    /// `x * (high + low)`, rounded about once, for a `high` of 12 significant bits.
    #[inline(always)]
    fn times_sum(self, x: f32, (high, low): (f32, f32)) -> f32 {
        let x_high = upper(x);
        let x_low = self.sub(x, x_high);
        let rest = self.multiply_add(x_low, high, self.mul(x, low));
        self.multiply_add(x_high, high, rest)
    }
}
