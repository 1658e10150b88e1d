//! Hyperbolic tangent.
//!
//! Method: up to 0.55 an odd polynomial x + x^3 p(x^2), p of degree 4: Remez exchange in 60-digit
//! arithmetic on the relative error of tanh over [0, 0.56], coefficients rounded to f32 from the lowest
//! degree up and the rest refitted each time; error 2^-29.3. Above, 1 - 2 / (e^2|x| + 1), where the
//! subtracted part is below one half.

use super::exponential::power_of_two;
use super::{INFINITY, MAGNITUDE, NAN, Numerics, Profile, SIGN, SMALLEST_NORMAL};

const P: [f32; 5] = [-0.333_333_13, 0.133_324_37, -0.053_835_757, 0.021_000_98, -0.006_171_923_6];

/// 0.55
const POLYNOMIAL: u32 = 0x3f0c_cccd;
/// 16: from about 9.01 on the nearest f32 is 1.
const LIMIT: u32 = 0x4180_0000;

impl<P: Profile> Numerics<P> {
    /// `tanh x`, within 0.9 ulp in either profile.
    ///
    /// 1 of its sign at the infinities; zeros and denormals give a zero of their sign; NaN gives NaN.
    #[inline(always)]
    pub fn tanh(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let a = f32::from_bits(if magnitude < SMALLEST_NORMAL { 0 } else { magnitude.min(LIMIT) });

        let square = self.mul(a, a);
        let p = self.multiply_add(square, P[4], P[3]);
        let p = self.multiply_add(square, p, P[2]);
        let p = self.multiply_add(square, p, P[1]);
        let p = self.multiply_add(square, p, P[0]);
        let near = self.multiply_add(a, self.mul(square, p), a).to_bits();

        let (high, low, exponent) = self.exponential(self.mul(a, 2.0));
        let factor = power_of_two(exponent);
        let (e_high, e_low) = (self.mul(high, factor), self.mul(low, factor));
        let sum = self.add(e_high, 1.0);
        let lost = self.sub(1.0, self.sub(sum, e_high));
        let (high, low) = self.inverse(sum, self.add(lost, e_low));
        let far = self.multiply_add(-2.0, self.add(high, low), 1.0).to_bits();

        let value = if magnitude < POLYNOMIAL { near } else { far };
        f32::from_bits(if magnitude > INFINITY { NAN } else { value | (bits & SIGN) })
    }
}
