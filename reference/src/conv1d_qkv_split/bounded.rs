//! Numbers with a bound on the error of what a kernel has in their place: running error analysis.
//!
//! A [`Bounded`] is a value in f64 and the largest distance of any f32 that the same operations give, whether a
//! multiply-add rounds once or twice and whether denormals are kept or flushed. Source: Higham, "Accuracy and
//! Stability of Numerical Algorithms", 2nd edition, 3.3 (running error analysis).
//!
//! Nothing is dropped as being of higher order. u is 2^-24, enlarged by 10^-5 of itself for the roundings of f64 in
//! the value and in the bound. Where a number may overflow its error is infinite: nothing is said of it.

use super::element::ElementType;
use super::oracle::silu;

/// Unit roundoff of f32, enlarged.
const SINGLE: f64 = 1.000_01 / 16_777_216.0;
/// 2^-126: what flushing a denormal may lose.
const FLUSHED: f64 = f32::MIN_POSITIVE as f64;
/// 2^127
const HUGE: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
/// The largest slope of SiLU, 1.09984 at 2.3994, enlarged.
const STEEPEST: f64 = 1.1;
/// Units in the last place by which `silu_16` of `numerics` may miss SiLU from an argument up; one is at most 2u.
const SILU_ULPS: [(f64, f64); 4] = [(0.0, 70.0), (-4.0, 230.0), (-8.0, 700.0), (f64::NEG_INFINITY, 3500.0)];
/// What it may miss far left of 0, where it is -0: 87 e^-87.
const SILU_FAR: f64 = 1.5e-36;

/// A value, and how far from it a kernel may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounded {
    pub(super) value: f64,
    pub(super) error: f64,
}

impl Bounded {
    /// An input: exact, unless an operation flushes it.
    pub(super) fn given(value: f64) -> Self {
        Self { value, error: if value.abs() < FLUSHED { value.abs() } else { 0.0 } }
    }

    /// The largest magnitude that a kernel may have.
    fn magnitude(self) -> f64 {
        self.value.abs() + self.error
    }

    /// With an error that is infinite where the number may reach `limit`, or is a NaN.
    fn below(self, limit: f64) -> Self {
        if self.magnitude() < limit { self } else { Self { error: f64::INFINITY, ..self } }
    }

    /// After rounding to f32: a relative u, and a denormal that is lost.
    fn rounded(self) -> Self {
        Self { error: self.error + SINGLE * self.magnitude() + FLUSHED, ..self }.below(HUGE)
    }

    /// `x * w + self`, for inputs of 16 bits. Their product has at most 22 digits: it is exact, or a denormal.
    pub(super) fn plus_product(self, x: f64, w: f64) -> Self {
        let (x, w) = (Self::given(x), Self::given(w));
        let error = x.value.abs() * w.error + w.value.abs() * x.error + x.error * w.error + FLUSHED;
        let product = Self { value: x.value * w.value, error }.below(HUGE);
        Self { value: self.value + product.value, error: self.error + product.error }.rounded()
    }

    /// `x / (1 + e^-x)`. Its slope s (1 + x (1 - s)), with s = 1 / (1 + e^-x), is at most `STEEPEST` and, left of 0, at
    /// most s (1 + |x|).
    pub(super) fn silu(self) -> Self {
        let largest = self.value + self.error;
        let slope = (1.0 + self.magnitude()) / (1.0 + (-largest).exp());
        let value = silu(self.value);
        let error = self.error * slope.min(STEEPEST);
        let magnitude = value.abs() + error;
        // Without a bound, and for a NaN, there is none here either.
        let lowest = self.value - self.error;
        let ulps = SILU_ULPS.iter().find(|(from, _)| lowest >= *from).map_or(f64::INFINITY, |(_, ulps)| *ulps);
        Self { value, error: error + 2.0 * ulps * SINGLE * magnitude + SILU_FAR }.below(HUGE)
    }

    /// After rounding to 16 bits: half an ulp of the largest magnitude, or of the denormals, which are kept.
    pub(super) fn narrowed(self, element: ElementType) -> Self {
        // Half an ulp over its power of two, the smallest normal number, and where numbers may become infinite.
        let (half_ulp, smallest, limit) = match element {
            ElementType::Bf16 => (1.0 / 256.0, FLUSHED, HUGE),
            ElementType::F16 => (1.0 / 2048.0, 1.0 / 16_384.0, 65_504.0),
        };
        let power = f64::from_bits(self.magnitude().to_bits() & f64::INFINITY.to_bits());
        Self { error: self.error + half_ulp * power.max(smallest), ..self }.below(limit)
    }

    /// Whether a kernel may have `actual` here. Without a bound, anything goes.
    pub(super) fn allows(self, actual: f64) -> bool {
        (actual - self.value).abs() <= self.error || !self.error.is_finite()
    }
}
