//! 1 / sqrt(x).
//!
//! Method: a first guess by halving the exponent on the bits (error below 0.035), one third-order step,
//! then the guess is cut to 12 bits, so that its square is exact and the residual 1 - m * guess^2 is a sum
//! of exact products, and a last third-order step adds a correction known to about 2^-30. (Newton and
//! Halley iterations with the residual split after Dekker, 1971.)

use super::{INFINITY, MAGNITUDE, NAN, Numerics, ONE, Profile, SIGN, SMALLEST_NORMAL, upper};

/// Half the bits of `x`, subtracted from this, are the bits of a guess within 0.035 of 1/sqrt(x). The last
/// digits do not matter.
const GUESS: u32 = 0x5f37_5a00;

impl<P: Profile> Numerics<P> {
    /// `1 / sqrt(x)`, within 0.51 ulp in either profile.
    ///
    /// Zero and denormals give an infinity of their sign, infinity gives zero, negative numbers and NaN
    /// give NaN.
    #[inline(always)]
    pub fn rsqrt(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        // x = mantissa * 4^quarter with the mantissa in [1, 4).
        let quarter = (magnitude.wrapping_sub(ONE) as i32) >> 24;
        let mantissa = f32::from_bits(magnitude.wrapping_sub((quarter << 24) as u32));

        let start = f32::from_bits(GUESS - (mantissa.to_bits() >> 1));
        let square = self.mul(start, start);
        let residual = self.multiply_add(-mantissa, square, 1.0);
        let step = self.mul(residual, self.multiply_add(residual, 0.375, 0.5));
        let guess = upper(self.multiply_add(start, step, start));

        let square = self.mul(guess, guess);
        let (square_high, mantissa_high) = (upper(square), upper(mantissa));
        let square_low = self.sub(square, square_high);
        let mantissa_low = self.sub(mantissa, mantissa_high);
        let residual = self.multiply_add(-mantissa_high, square_high, 1.0);
        let residual = self.multiply_add(-mantissa_high, square_low, residual);
        let residual = self.multiply_add(-mantissa_low, square_high, residual);
        let residual = self.multiply_add(-mantissa_low, square_low, residual);
        let step = self.mul(residual, self.multiply_add(residual, 0.375, 0.5));
        let root = self.multiply_add(guess, step, guess);

        let scaled = root.to_bits().wrapping_sub((quarter << 23) as u32);
        let positive = if magnitude == INFINITY { 0 } else { scaled };
        let signed = if bits > INFINITY { NAN } else { positive };
        let pole = INFINITY | (bits & SIGN);
        f32::from_bits(if magnitude < SMALLEST_NORMAL { pole } else { signed })
    }
}
