//! ln x and ln(1 + x).
//!
//! Method: the argument is 2^k (1 + f) with f in [-1/3, 1/3), found by integer arithmetic; then
//! k ln 2 + f - f^2/2 + f^3 p(f), where ln 2 is in two parts (the first of 16 bits, so that its product
//! with k is exact) and what the sum of the two largest terms loses is kept aside (Dekker, 1971). p is of
//! degree 7: Remez exchange in 60-digit arithmetic on the relative error of ln(1 + f), coefficients then
//! rounded to f32; error 2^-27.4.
//!
//! ln(1 + x) takes f = x for small x, and otherwise adds what the rounding of 1 + x has lost, divided by
//! 1 + f; a straight line of error 1/17 is good enough for that division.

use super::{INFINITY, MAGNITUDE, NAN, Numerics, ONE, Profile, SIGN, SMALLEST_NORMAL};

const LN_2_HIGH: f32 = 0.693_145_75;
const LN_2_LOW: f32 = 1.428_606_8e-6;
const P: [f32; 8] = [
    0.333_332_15,
    -0.249_997_97,
    0.200_104_06,
    -0.166_804_88,
    0.140_058_7,
    -0.121_842_586,
    0.139_844_36,
    -0.128_916_95,
];

/// 2/3
const TWO_THIRDS: u32 = 0x3f2a_aaab;
/// 1/3
const THIRD: u32 = 0x3eaa_aaab;
/// 18/17: 1/(1 + f) is nearest to 18/17 - 18/17 f on [-1/3, 1/3].
const LINE: f32 = 1.058_823_5;

impl<P: Profile> Numerics<P> {
    /// `ln x`, within 0.98 ulp in either profile.
    ///
    /// Zeros and denormals give -infinity, infinity itself, negative numbers and NaN give NaN.
    #[inline(always)]
    pub fn log(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let (f, exponent) = self.reduced(magnitude);
        let finite = self.logarithm(f, exponent, 0.0).to_bits();
        let positive = if magnitude == INFINITY { INFINITY } else { finite };
        let signed = if bits > INFINITY { NAN } else { positive };
        f32::from_bits(if magnitude < SMALLEST_NORMAL { INFINITY | SIGN } else { signed })
    }

    /// `ln(1 + x)`, within 1.04 ulp in either profile.
    ///
    /// Zeros and denormals give a zero of their sign, -1 gives -infinity, infinity itself, less than -1 and
    /// NaN give NaN.
    #[inline(always)]
    pub fn log1p(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let tame = f32::from_bits(if magnitude < INFINITY { bits } else { 0 });
        let (larger, smaller) = if magnitude > ONE { (tame, 1.0) } else { (1.0, tame) };
        let sum = self.add(1.0, tame);
        let lost = self.sub(smaller, self.sub(sum, larger));

        let (f, exponent) = self.reduced(sum.to_bits() & MAGNITUDE);
        // Beyond 2^64 the loss no longer counts, and the clamp keeps the factor a normal number.
        let factor = f32::from_bits(((127 - exponent.min(64)) << 23) as u32);
        let tail = self.mul(self.mul(lost, factor), self.multiply_add(f, -LINE, LINE));

        let small = magnitude <= THIRD;
        let (f, exponent, tail) = if small { (tame, 0, 0.0) } else { (f, exponent, tail) };
        let finite = self.logarithm(f, exponent, tail).to_bits();
        let above = if bits == INFINITY { INFINITY } else { finite };
        let defined = if bits > (ONE | SIGN) || magnitude > INFINITY { NAN } else { above };
        let pole = if bits == (ONE | SIGN) { INFINITY | SIGN } else { defined };
        f32::from_bits(if magnitude < SMALLEST_NORMAL { bits & SIGN } else { pole })
    }

    /// `f` and `k` with `x = 2^k (1 + f)`, for the bits of a positive `x`.
    #[inline(always)]
    fn reduced(self, bits: u32) -> (f32, i32) {
        let exponent = (bits.wrapping_sub(TWO_THIRDS) as i32) >> 23;
        let mantissa = f32::from_bits(bits.wrapping_sub((exponent << 23) as u32));
        (self.sub(mantissa, 1.0), exponent)
    }

    /// ln(2^exponent (1 + f)) + tail.
    #[inline(always)]
    fn logarithm(self, f: f32, exponent: i32, tail: f32) -> f32 {
        let k = exponent as f32;
        let p = self.multiply_add(f, P[7], P[6]);
        let p = self.multiply_add(f, p, P[5]);
        let p = self.multiply_add(f, p, P[4]);
        let p = self.multiply_add(f, p, P[3]);
        let p = self.multiply_add(f, p, P[2]);
        let p = self.multiply_add(f, p, P[1]);
        let p = self.multiply_add(f, p, P[0]);
        let p = self.multiply_add(f, p, -0.5);
        let high = self.mul(k, LN_2_HIGH);
        let sum = self.add(high, f);
        let lost = self.sub(f, self.sub(sum, high));
        let rest = self.multiply_add(k, LN_2_LOW, self.add(lost, tail));
        let rest = self.multiply_add(self.mul(f, f), p, rest);
        self.add(sum, rest)
    }
}
