//! 1 / x.
//!
//! Method: a linear first guess by an integer subtraction on the bits (error below 0.072), one third-order
//! step, then the guess is cut to 12 bits so that the residual 1 - m * guess is a sum of exact products,
//! and a last third-order step adds a correction known to about 2^-30. (Newton and Halley iterations with
//! the residual split after Dekker, 1971.) The exponent is put back by integer arithmetic.

use super::{INFINITY, NAN, Numerics, ONE, Profile, SIGN, SMALLEST_NORMAL, upper};

/// The bits of `x`, subtracted from this, are the bits of the line `a - m/2` for a mantissa m in [1, 2);
/// `a = sqrt(12) - 2` makes its largest relative distance from 1/m least.
const GUESS: u32 = 0x7ef6_cf5d;

impl<P: Profile> Numerics<P> {
    /// `1 / x`, within 0.51 ulp in either profile.
    ///
    /// Zero and denormals give an infinity of their sign; an infinity, and any `|x|` above 2^126, a zero of
    /// its sign; NaN gives NaN.
    #[inline(always)]
    pub fn reciprocal(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & !SIGN;
        let mantissa = f32::from_bits((magnitude & 0x007f_ffff) | ONE);
        let (guess, correction) = self.inverse(mantissa, 0.0);
        let inverse = self.add(guess, correction).to_bits();
        let scaled = inverse.wrapping_sub(magnitude & INFINITY).wrapping_add(ONE);
        let small = if magnitude > 0x7e80_0000 { 0 } else { scaled };
        let large = if magnitude < SMALLEST_NORMAL { INFINITY } else { small };
        let signed = large | (bits & SIGN);
        f32::from_bits(if magnitude > INFINITY { NAN } else { signed })
    }

    /// The reciprocal of `x + tail` as an unevaluated sum, the first part of 12 significant bits; relative
    /// error about 2^-30. `x` is normal and not near the ends of the exponent range, `|tail|` below an ulp.
    #[inline(always)]
    pub(super) fn inverse(self, x: f32, tail: f32) -> (f32, f32) {
        let line = f32::from_bits(GUESS.wrapping_sub(x.to_bits()));
        let residual = self.multiply_add(-x, line, 1.0);
        let step = self.multiply_add(residual, residual, residual);
        let guess = upper(self.multiply_add(line, step, line));

        let high = upper(x);
        let low = self.sub(x, high);
        let residual = self.multiply_add(-high, guess, 1.0);
        let residual = self.multiply_add(-low, guess, residual);
        let residual = self.multiply_add(-tail, guess, residual);
        let step = self.multiply_add(residual, residual, residual);
        (guess, self.mul(guess, step))
    }
}
