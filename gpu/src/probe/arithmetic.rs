//! How `a * b + c`, `fma`, division and square root round, and whether algebra is done to them.

use super::DenormalHandling;
use super::denormals;
use super::kernel::{Evaluate, Generator, Input};
use crate::RunError;

/// Inputs of each measure.
const SAMPLE: usize = 65_536;

/// What exact mode was measured to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Exact {
    /// `a * b + c`.
    pub multiply_add: MultiplyAddCount,
    /// `fma(a, b, c)`.
    pub fma: MultiplyAddCount,
    /// `(a + b) - a` and `a * b + a * c`.
    pub folding: Folding,
    /// `a / b`.
    pub division: Rounding,
    /// `sqrt(a)`.
    pub square_root: Rounding,
    /// Denormals that are operands of `+` and `*`.
    pub denormal_inputs: DenormalHandling,
    /// Denormals that are results of `+` and `*`.
    pub denormal_results: DenormalHandling,
}

impl Exact {
    /// Measures everything with expressions that nothing may rewrite.
    pub(crate) fn measure(exact: &impl Evaluate) -> Result<Self, RunError> {
        let (denormal_inputs, denormal_results) = denormals::measure(exact)?;
        Ok(Self {
            multiply_add: MultiplyAddCount::of_expression(exact)?,
            fma: MultiplyAddCount::of_builtin(exact)?,
            folding: Folding::measure(exact)?,
            division: Rounding::of_division(exact)?,
            square_root: Rounding::of_square_root(exact)?,
            denormal_inputs,
            denormal_results,
        })
    }
}

/// How a multiply-add rounded, on inputs where rounding once and rounding twice differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultiplyAddCount {
    /// Inputs.
    pub sample: u32,
    /// Results rounded once, after the exact sum.
    pub once: u32,
    /// Results rounded twice: the product, then the sum.
    pub twice: u32,
    /// Results that are neither.
    pub neither: u32,
}

impl MultiplyAddCount {
    /// Whether every result was rounded once.
    pub const fn is_fused(&self) -> bool {
        self.once == self.sample
    }

    /// Whether every result was rounded twice.
    pub const fn is_separate(&self) -> bool {
        self.twice == self.sample
    }

    pub(crate) fn of_expression(on: &impl Evaluate) -> Result<Self, RunError> {
        Self::measure(on, "multiply_then_add")
    }

    fn of_builtin(on: &impl Evaluate) -> Result<Self, RunError> {
        Self::measure(on, "fused_multiply_add")
    }

    fn measure(on: &impl Evaluate, entry: &str) -> Result<Self, RunError> {
        let inputs = multiply_add_inputs();
        let results = on.evaluate(entry, &inputs)?;
        let mut count = Self { sample: 0, once: 0, twice: 0, neither: 0 };
        for ([a, b, c], result) in inputs.into_iter().zip(results) {
            count.sample += 1;
            if same(result, a.mul_add(b, c)) {
                count.once += 1;
            } else if same(result, a * b + c) {
                count.twice += 1;
            } else {
                count.neither += 1;
            }
        }
        Ok(count)
    }
}

/// Normal numbers with normal results, for which rounding once and rounding twice differ; for every
/// other one the sum cancels all but the product's rounding error.
fn multiply_add_inputs() -> Vec<Input> {
    let mut numbers = Generator(1);
    let candidates = std::iter::from_fn(|| {
        let (a, b) = (numbers.float(-6, 6), numbers.float(-6, 6));
        let c = if numbers.next().is_multiple_of(2) { -(a * b) } else { numbers.float(-10, 10) };
        Some([a, b, c])
    });
    candidates.filter(|&[a, b, c]| !same(a.mul_add(b, c), a * b + c)).take(SAMPLE).collect()
}

/// Whether a driver does algebra where rounding forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folding {
    /// Inputs of both expressions together.
    pub sample: u32,
    /// Results that are not those of the operations as written, each rounded.
    pub wrong: u32,
}

impl Folding {
    pub(crate) fn measure(on: &impl Evaluate) -> Result<Self, RunError> {
        let mut numbers = Generator(2);
        let mut number = || numbers.float(-6, 6);
        let inputs: Vec<Input> = (0..SAMPLE / 2).map(|_| [number(), number(), number()]).collect();
        let mut folding = Self { sample: 0, wrong: 0 };
        folding.count(&inputs, &on.evaluate("add_then_subtract", &inputs)?, |[a, b, _]| (a + b) - a);
        folding.count(&inputs, &on.evaluate("sum_of_products", &inputs)?, |[a, b, c]| a * b + a * c);
        Ok(folding)
    }

    fn count(&mut self, inputs: &[Input], results: &[f32], expected: impl Fn(Input) -> f32) {
        for (&input, &result) in inputs.iter().zip(results) {
            self.sample += 1;
            self.wrong += u32::from(!same(result, expected(input)));
        }
    }
}

/// How well an operation rounds, on normal numbers with normal results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounding {
    /// Inputs.
    pub sample: u32,
    /// Results that are not the correctly rounded ones.
    pub wrong: u32,
    /// Greatest distance from the exact result, in units in its last place: 0.5 or less when right.
    pub worst_ulp: f64,
}

impl Rounding {
    /// Whether every result was the correctly rounded one.
    pub const fn is_correct(&self) -> bool {
        self.wrong == 0
    }

    fn of_division(on: &impl Evaluate) -> Result<Self, RunError> {
        let mut numbers = Generator(3);
        let inputs: Vec<Input> = (0..SAMPLE).map(|_| [numbers.float(-20, 20), numbers.float(-20, 20), 1.0]).collect();
        let results = on.evaluate("divide", &inputs)?;
        Ok(Self::count(&inputs, &results, |[a, b, _]| (a / b, f64::from(a) / f64::from(b))))
    }

    fn of_square_root(on: &impl Evaluate) -> Result<Self, RunError> {
        let mut numbers = Generator(4);
        let inputs: Vec<Input> = (0..SAMPLE).map(|_| [numbers.float(-40, 40).abs(), 1.0, 1.0]).collect();
        let results = on.evaluate("square_root", &inputs)?;
        Ok(Self::count(&inputs, &results, |[a, _, _]| (a.sqrt(), f64::from(a).sqrt())))
    }

    /// `expected` gives the correctly rounded result and the exact one (to f64's precision).
    fn count(inputs: &[Input], results: &[f32], expected: impl Fn(Input) -> (f32, f64)) -> Self {
        let mut rounding = Self { sample: 0, wrong: 0, worst_ulp: 0.0 };
        for (&input, &result) in inputs.iter().zip(results) {
            let (rounded, exact) = expected(input);
            rounding.sample += 1;
            rounding.wrong += u32::from(!same(result, rounded));
            let distance = (f64::from(result) - exact).abs() / ulp(rounded);
            let distance = if distance.is_nan() { f64::INFINITY } else { distance };
            rounding.worst_ulp = rounding.worst_ulp.max(distance);
        }
        rounding
    }
}

/// The unit in the last place of a normal number.
fn ulp(value: f32) -> f64 {
    let exponent = i32::try_from((value.to_bits() >> 23) & 0xFF).unwrap_or(0) - 127;
    2_f64.powi(exponent - 23)
}

fn same(left: f32, right: f32) -> bool {
    left.to_bits() == right.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_multiply_add_input_tells_one_rounding_from_two() {
        let inputs = multiply_add_inputs();
        assert_eq!(inputs.len(), SAMPLE);
        assert!(inputs.iter().all(|&[a, b, c]| {
            let (once, twice) = (a.mul_add(b, c), a * b + c);
            (once.is_normal() || once == 0.0) && (twice.is_normal() || twice == 0.0) && once != twice
        }));
    }

    #[test]
    fn rounding_counts_what_is_wrong_and_by_how_much() {
        let one = [1.0, 3.0, 1.0];
        let right = 1.0_f32 / 3.0;
        let expected = |[a, b, _]: Input| (a / b, f64::from(a) / f64::from(b));
        let good = Rounding::count(&[one], &[right], expected);
        assert!(good.is_correct() && good.worst_ulp <= 0.5);
        let bad = Rounding::count(&[one], &[f32::from_bits(right.to_bits() + 1)], expected);
        assert!(bad.wrong == 1 && (0.5..1.5).contains(&bad.worst_ulp), "{bad:?}");
        assert_eq!(ulp(1.0), 2_f64.powi(-23));
    }
}
