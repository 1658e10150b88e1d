//! ln(1 + e^x), the identity above 20.
//!
//! Method: `log1p` of `exp`, and the threshold of the gated delta rule: above 20 the value is x itself
//! (which is also the nearest f32), at exactly 20 it is the logarithm.

use super::{INFINITY, MAGNITUDE, NAN, Numerics, Profile};

/// 20
const THRESHOLD: u32 = 0x41a0_0000;

impl<P: Profile> Numerics<P> {
    /// `x > 20 ? x : ln(1 + e^x)`, within 1.7 ulp in either profile.
    ///
    /// Infinity gives infinity; -infinity, like all from -87.33655 down, gives 0; NaN gives NaN.
    #[inline(always)]
    pub fn softplus(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let linear = bits > THRESHOLD && bits <= INFINITY;
        let tame = f32::from_bits(if linear { 0 } else { bits });
        let curved = self.log1p(self.exp(tame)).to_bits();
        let ordered = if linear { bits } else { curved };
        f32::from_bits(if bits & MAGNITUDE > INFINITY { NAN } else { ordered })
    }
}
