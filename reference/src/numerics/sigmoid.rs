//! 1 / (1 + e^-x), and x times that.
//!
//! Method: with e = e^-|x| in (0, 1] the two sides are 1 / (1 + e) and e / (1 + e). The exponential and the
//! reciprocal stay sums of two parts: what the rounding of 1 + e loses goes into the residual of the
//! reciprocal, and the products are split after Dekker (1971). On the negative side the power of two of e is put in last, so that
//! `silu` stays exact to the last bits where e itself is already below 2^-126.
//!
//! `silu_16` is for results that are rounded to 16 bits, where a kernel has no time for the last bits: x - |x| e / (1 + e)
//! right of 0, and -|x| e / (1 + e) left of it. e is 2^(n + r) with a polynomial of degree 4 in r (relative error
//! 2.9 10^-6 on [-1/2, 1/2]); 1 / (1 + e) is a polynomial of degree 2 in e (1.2 10^-2 on [0, 1]) and one step of third order,
//! which leaves its cube. Both are exact at 0 and at 1, so that the gate of a tiny number is exactly 1/2.

use super::exponential::{LIMIT, power_of_two, scaled};
use super::{INFINITY, MAGNITUDE, NAN, Numerics, Profile, SIGN, SMALLEST_NORMAL, upper};

/// 3 * 2^22: a number below 2^22 is rounded to an integer when this is added.
const ROUND: f32 = 12_582_912.0;
/// 2^-60: below this the gate is 1/2, and products with its second part could become denormal.
const TINY: u32 = 0x2180_0000;
/// 87: from here on `silu_16` is 0 or its argument. 87 e^-87 is 1.5 10^-36.
const FAR: u32 = 0x42ae_0000;
/// 2^-125: below this x/2 is no longer a normal number.
const HALVES_TO_DENORMAL: u32 = 0x0100_0000;

impl<P: Profile> Numerics<P> {
    /// `1 / (1 + e^-x)`, within 0.7 ulp in either profile.
    ///
    /// 1 and 0 at the infinities, 1/2 at zeros and denormals, zero below -87.33655, NaN for NaN.
    #[inline(always)]
    pub fn sigmoid(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let gate = self.gate(magnitude);
        let right = self.add(gate.inverse.0, gate.inverse.1).to_bits();
        let left = scaled(self.product(gate.power, gate.inverse), gate.exponent).to_bits();
        let ordered = if bits == magnitude { right } else { left };
        f32::from_bits(if magnitude > INFINITY { NAN } else { ordered })
    }

    /// `x / (1 + e^-x)`, within 1.6 ulp in either profile.
    ///
    /// Infinity gives infinity; -infinity, like all below about -91.9, gives -0; zeros, denormals and
    /// `|x|` below 2^-125 give a zero of their sign; NaN gives NaN.
    #[inline(always)]
    pub fn silu(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let gate = self.gate(magnitude);
        let negative = bits != magnitude;
        let limited = f32::from_bits(magnitude.min(LIMIT));
        let (high, low, exponent) = if negative { (gate.power.0, gate.power.1, gate.exponent) } else { (1.0, 0.0, 0) };
        let factor = (self.mul(limited, high), self.mul(limited, low));
        let product = scaled(self.product(factor, gate.inverse), exponent).to_bits();
        // From 104 on the gate is 1.
        let far = if magnitude > LIMIT && !negative { magnitude } else { product };
        let half = if magnitude < HALVES_TO_DENORMAL { 0 } else { magnitude.wrapping_sub(SMALLEST_NORMAL) };
        let ordered = if magnitude < TINY { half } else { far };
        f32::from_bits(if magnitude > INFINITY { NAN } else { ordered | (bits & SIGN) })
    }

    /// `x / (1 + e^-x)` for a result that is rounded to 16 bits: within 108 ulp, 1.3e-5 of itself, in either profile.
    ///
    /// From 87 on the result is `x`, down from -87 it is -0 (and off by at most 1.5e-36); zeros, denormals and `|x|` below
    /// 2^-125 give a zero of their sign; NaN gives NaN.
    #[inline(always)]
    pub fn silu_16(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let (magnitude, sign) = (bits & MAGNITUDE, bits & SIGN);
        let a = f32::from_bits(magnitude);
        let scaled = self.mul(a, -std::f32::consts::LOG2_E);
        let rounded = self.add(scaled, ROUND);
        let r = self.sub(scaled, self.sub(rounded, ROUND));
        let p = self.multiply_add(r, 0.009_582_853, 0.055_906_426);
        let p = self.multiply_add(r, p, 0.240_240_99);
        let p = self.multiply_add(r, p, 0.693_124_2);
        let p = self.multiply_add(r, p, 1.0);
        let e = f32::from_bits(p.to_bits().wrapping_add(rounded.to_bits() << 23));
        let guess = self.multiply_add(e, self.multiply_add(e, 0.303_735_4, -0.792_049_05), 0.988_313_7);
        let error = self.multiply_add(-self.add(1.0, e), guess, 1.0);
        let inverse = self.multiply_add(guess, self.multiply_add(error, error, error), guess);
        let above = f32::from_bits(if sign == 0 { bits } else { SIGN });
        let near = self.multiply_add(-self.mul(a, e), inverse, above).to_bits();
        let half = if magnitude < HALVES_TO_DENORMAL { sign } else { bits.wrapping_sub(SMALLEST_NORMAL) };
        let ordered = if magnitude < TINY { half } else { near };
        let far = if sign == 0 { bits } else { SIGN };
        let all = if magnitude < FAR { ordered } else { far };
        f32::from_bits(if magnitude > INFINITY { NAN } else { all })
    }

    /// The parts of the gate for the argument of these bits, taken as at most 104.
    #[inline(always)]
    fn gate(self, magnitude: u32) -> Gate {
        let a = f32::from_bits(if magnitude < SMALLEST_NORMAL { 0 } else { magnitude.min(LIMIT) });
        let (high, low, exponent) = self.exponential(-a);
        // Beside 1, all below 2^-25 is alike.
        let factor = power_of_two(exponent);
        let (e_high, e_low) = (self.mul(high, factor), self.mul(low, factor));
        let sum = self.add(1.0, e_high);
        let lost = self.sub(e_high, self.sub(sum, 1.0));
        Gate { power: (high, low), exponent, inverse: self.inverse(sum, self.add(lost, e_low)) }
    }

    /// The product of two sums, rounded about once; the first part of `b` has 12 significant bits.
    #[inline(always)]
    fn product(self, a: (f32, f32), b: (f32, f32)) -> f32 {
        let high = upper(a.0);
        let low = self.sub(a.0, high);
        let rest = self.multiply_add(a.1, b.0, self.mul(a.0, b.1));
        let rest = self.multiply_add(low, b.0, rest);
        self.multiply_add(high, b.0, rest)
    }
}

/// For some a >= 0: e^-a is the sum `power` times 2^exponent, 1 / (1 + e^-a) is the sum `inverse`.
struct Gate {
    power: (f32, f32),
    exponent: i32,
    inverse: (f32, f32),
}
