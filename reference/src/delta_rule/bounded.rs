//! Numbers with a bound on the error of what a kernel has in their place: running error analysis.
//!
//! A [`Bounded`] is a value in f64 and the largest distance of any f32 that the same operations give, whether a
//! multiply-add rounds once or twice and whether denormals are kept or flushed. Source: Higham, "Accuracy and
//! Stability of Numerical Algorithms", 2nd edition, 3.3 (running error analysis) and 4.2 (sums).
//!
//! Nothing is dropped as being of higher order. u is 2^-24, enlarged by 10^-5 of itself for the roundings of f64 in
//! the value and in the bound. Where a number may reach 2^127 its error is infinite: nothing is said of overflow.

/// Unit roundoff of f32, enlarged.
const SINGLE: f64 = 1.000_01 / 16_777_216.0;
/// Half an ulp of a bf16 over its power of two.
const BRAIN: f64 = 1.0 / 256.0;
/// Half an ulp of an f16 over its power of two.
const HALF: f64 = 1.0 / 2048.0;
/// 2^-14, the smallest normal f16.
const SMALLEST_HALF: f64 = 1.0 / 16_384.0;
/// The largest f16.
const LARGEST_HALF: f64 = 65_504.0;
/// 2^-126: what flushing a denormal may lose.
const FLUSHED: f64 = f32::MIN_POSITIVE as f64;
/// 2^127
const HUGE: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// A value, and how far from it a kernel may be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bounded {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

impl Bounded {
    /// An input: exact, unless an operation flushes it.
    pub(crate) fn given(value: f64) -> Self {
        Self { value, error: if value.abs() < FLUSHED { value.abs() } else { 0.0 } }
    }

    /// A constant that kernels have rounded to f32.
    pub(crate) fn constant(value: f64, rounded: f32) -> Self {
        Self { value, error: (f64::from(rounded) - value).abs() }
    }

    /// The largest magnitude that a kernel may have.
    fn magnitude(self) -> f64 {
        self.value.abs() + self.error
    }

    /// With an error that is infinite where the number may overflow.
    fn finite(self) -> Self {
        if self.magnitude() < HUGE { self } else { Self { error: f64::INFINITY, ..self } }
    }

    /// After rounding to f32: a relative u, and a denormal that is lost.
    fn rounded(self) -> Self {
        Self { error: self.error + SINGLE * self.magnitude() + FLUSHED, ..self }.finite()
    }

    /// After a function of `numerics` that is good to `ulps` units in the last place; one is at most 2u.
    fn ulps(self, ulps: f64) -> Self {
        Self { error: self.error + 2.0 * ulps * SINGLE * self.magnitude() + FLUSHED, ..self }.finite()
    }

    /// After rounding to bf16: half an ulp of the largest magnitude, or of the denormals, which are kept.
    pub(crate) fn brain(self) -> Self {
        let power = f64::from_bits(self.magnitude().to_bits() & f64::INFINITY.to_bits());
        Self { error: self.error + BRAIN * power.max(FLUSHED), ..self }.finite()
    }

    /// After rounding to f16: half an ulp of the largest magnitude, or of the denormals, which are kept. Nothing is said
    /// of numbers beyond the largest f16.
    pub(crate) fn half(self) -> Self {
        if self.magnitude() > LARGEST_HALF {
            return Self { error: f64::INFINITY, ..self };
        }
        let power = f64::from_bits(self.magnitude().to_bits() & f64::INFINITY.to_bits());
        Self { error: self.error + HALF * power.max(SMALLEST_HALF), ..self }.finite()
    }

    /// The product before it is rounded.
    fn product(self, other: Self) -> Self {
        let error = self.value.abs() * other.error + other.value.abs() * self.error + self.error * other.error;
        Self { value: self.value * other.value, error }
    }

    pub(crate) fn mul(self, other: Self) -> Self {
        self.product(other).rounded()
    }

    pub(crate) fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, error: self.error + other.error }.rounded()
    }

    pub(crate) fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, error: self.error + other.error }.rounded()
    }

    /// `self * factor + addend`. Rounding twice has the larger bound.
    pub(crate) fn multiply_add(self, factor: Self, addend: Self) -> Self {
        self.mul(factor).add(addend)
    }

    /// The sum of `a_i * b_i` in any order in which a term passes through at most `roundings` roundings, its product's
    /// included: n roundings make a relative n u / (1 - n u) of the sum of magnitudes.
    pub(crate) fn sum_of_products(a: &[Self], b: &[Self], roundings: u32) -> Self {
        let (mut sum, mut magnitudes) = (Self::default(), 0.0);
        for (&a, &b) in a.iter().zip(b) {
            let product = a.product(b);
            sum.value += product.value;
            sum.error += product.error;
            magnitudes += product.magnitude();
        }
        let relative = f64::from(roundings) * SINGLE;
        // Two operations per term may lose a denormal each; half as much again covers what follows them.
        let lost = 3.0 * a.len() as f64 * FLUSHED;
        sum.error += relative / (1.0 - relative) * magnitudes + lost;
        if magnitudes < HUGE { sum } else { Self { error: f64::INFINITY, ..sum } }
    }

    /// `1 / sqrt(self)`, for positive numbers.
    pub(crate) fn rsqrt(self) -> Self {
        let (value, relative) = (1.0 / self.value.sqrt(), self.error / self.value);
        let error = if relative < 0.5 { value * (1.0 / (1.0 - relative).sqrt() - 1.0) } else { f64::INFINITY };
        Self { value, error }.ulps(0.51)
    }

    /// e^self: an error e of the argument is a relative e^e - 1.
    pub(crate) fn exp(self) -> Self {
        let value = self.value.exp();
        Self { value, error: value * self.error.exp_m1() }.ulps(0.71)
    }

    /// `1 / (1 + e^-self)`, which is nowhere steeper than 1/4.
    pub(crate) fn sigmoid(self) -> Self {
        Self { value: sigmoid(self.value), error: self.error / 4.0 }.ulps(0.7)
    }

    /// `self > 20 ? self : ln(1 + e^self)`, whose slope grows towards 1. A kernel may be on the other side of the
    /// threshold, where the forms differ by e^-20 < 2.1e-9.
    pub(crate) fn softplus(self) -> Self {
        let x = self.value;
        let value = if x > 20.0 { x } else { x.exp().ln_1p() };
        let other_side = if (x - 20.0).abs() <= self.error { 2.1e-9 } else { 0.0 };
        let steepest = if x > 19.0 { 1.0 } else { sigmoid(x + self.error) };
        Self { value, error: self.error * steepest + other_side }.ulps(1.7)
    }

    /// `self / (1 + e^-self)`, whose slope lies between -0.1 and 1.1.
    pub(crate) fn silu(self) -> Self {
        Self { value: self.value * sigmoid(self.value), error: 1.1 * self.error }.ulps(1.6)
    }

    pub(crate) fn negated(self) -> Self {
        Self { value: -self.value, ..self }
    }

    /// Whether a kernel may have `actual` here. Without a bound, anything goes.
    pub(crate) fn allows(self, actual: f64) -> bool {
        (actual - self.value).abs() <= self.error || !self.error.is_finite()
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
