//! What `+` and `*` do with f32 denormals, as operands and as results.

use std::fmt;

use super::kernel::{Evaluate, Generator, Input};
use crate::RunError;

/// What happens to denormals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DenormalHandling {
    /// Kept, on every input.
    Kept,
    /// Replaced by a zero of the same sign, on every input.
    Flushed,
    /// Now this, now that, or something else.
    Mixed,
}

impl fmt::Display for DenormalHandling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "kept",
            Self::Flushed => "flushed",
            Self::Mixed => "mixed",
        })
    }
}

impl DenormalHandling {
    /// What two sets of results have in common.
    fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Mixed }
    }
}

/// Inputs of each of the four measures.
const SAMPLE: usize = 4096;

/// How operands and how results are handled.
pub(super) fn measure(on: &impl Evaluate) -> Result<(DenormalHandling, DenormalHandling), RunError> {
    let mut numbers = Generator(5);
    let product = |[a, b, _]: Input| a * b;
    let sum = |[a, b, _]: Input| a + b;
    let scaled = sample(|| [denormal(&mut numbers), numbers.float(90, 100), 1.0]);
    let nudged = sample(|| [denormal(&mut numbers), numbers.float(-126, -125), 1.0]);
    let tiny = sample(|| [numbers.float(-70, -66), numbers.float(-70, -66), 1.0]);
    let close = sample(|| {
        let a = numbers.float(-126, -126);
        let distance = u32::try_from(numbers.next() % 0xFFFF).unwrap_or(0) + 1;
        [a, -f32::from_bits(a.to_bits() ^ distance), 1.0]
    });
    let operands = handling(on, "multiply", &scaled, product, true)?;
    let operands = operands.and(handling(on, "add", &nudged, sum, true)?);
    let results = handling(on, "multiply", &tiny, product, false)?;
    let results = results.and(handling(on, "add", &close, sum, false)?);
    Ok((operands, results))
}

fn sample(input: impl FnMut() -> Input) -> Vec<Input> {
    std::iter::repeat_with(input).take(SAMPLE).collect()
}

/// A denormal of random sign, not zero.
fn denormal(numbers: &mut Generator) -> f32 {
    let bits = u32::try_from(numbers.next() & 0x807F_FFFF).unwrap_or(0);
    f32::from_bits(bits | 0x0010_0000)
}

fn handling(
    on: &impl Evaluate,
    entry: &str,
    inputs: &[Input],
    operation: fn(Input) -> f32,
    flush_operands: bool,
) -> Result<DenormalHandling, RunError> {
    let results = on.evaluate(entry, inputs)?;
    Ok(judge(inputs, &results, operation, flush_operands))
}

/// `inputs` have either denormal operands or denormal results, as `flush_operands` says; only inputs on
/// which keeping and flushing differ are judged.
fn judge(inputs: &[Input], results: &[f32], operation: fn(Input) -> f32, flush_operands: bool) -> DenormalHandling {
    let flushed = |input: Input| if flush_operands { operation(input.map(flush)) } else { flush(operation(input)) };
    let (mut kept_all, mut flushed_all, mut judged) = (true, true, false);
    for (&input, result) in inputs.iter().zip(results) {
        let (keep, flush) = (operation(input).to_bits(), flushed(input).to_bits());
        if keep != flush {
            judged = true;
            kept_all &= result.to_bits() == keep;
            flushed_all &= result.to_bits() == flush;
        }
    }
    match (judged && kept_all, judged && flushed_all) {
        (true, false) => DenormalHandling::Kept,
        (false, true) => DenormalHandling::Flushed,
        _ => DenormalHandling::Mixed,
    }
}

fn flush(value: f32) -> f32 {
    if value.is_subnormal() { 0.0_f32.copysign(value) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handling_is_judged_only_where_it_shows() {
        let product = |[a, b, _]: Input| a * b;
        let least = f32::from_bits(1);
        let inputs = [[least, 2_f32.powi(100), 1.0], [-least, 2_f32.powi(90), 1.0], [1.0, 2.0, 1.0]];
        let kept = inputs.map(product);
        assert_eq!(judge(&inputs, &kept, product, true), DenormalHandling::Kept);
        let flushed = [0.0, -0.0, 2.0];
        assert_eq!(judge(&inputs, &flushed, product, true), DenormalHandling::Flushed);
        assert_eq!(judge(&inputs, &[0.0, 0.0, 2.0], product, true), DenormalHandling::Mixed);
        assert_eq!(judge(&inputs[2..], &[2.0], product, true), DenormalHandling::Mixed);
    }
}
