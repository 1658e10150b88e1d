//! How far a correct kernel may be from the oracle: a bound derived from the roundings, not measured.
//!
//! Notation: u = 2^-24 and h = 2^-11 are the unit roundoffs of f32 and fp16; fp16 also has an absolute
//! error of at most a = 2^-25 where it is denormal. c counts the additions that one term passes through:
//! 8 per step in its lane, 5 in the tree, one per further group. Relative errors, to first order in u:
//!
//! ```text
//! added                        u
//! added^2                      2u, 3u where the product rounds by itself
//! sum of squares               (c + 3) u          all terms are positive
//! times 1/k, plus epsilon      (c + 6) u          the constant, the product, the sum
//! inverse                      (c + 6) u / 2 + 2u rsqrt is good to 0.51 ulp, less than 2u
//! normed                       that + 3u          added and two products
//! normed * value               that + 1u          the value (q - 8) * s is exact
//! row sum                      that + c u         relative to the sum of magnitudes
//! ```
//!
//! The split path rounds to fp16 twice more: normed starts from the stored residual (relative h, absolute
//! a * inverse * |norm_weight|), and the GEMV reads the stored normed_out (h and a). Every stored result
//! rounds to fp16 (h and a). Products of these errors are covered by a factor of 1.01, and flushed
//! denormals (2^-126 each) by a. Results that overflow fp16 have no bound.

use super::model::{Outputs, Path};
use super::oracle::{Oracle, Row};
use super::problem::{Problem, Shape};
use crate::numerics::half::f16_to_f32;

const SINGLE: f64 = 1.0 / 16_777_216.0;
const HALF: f64 = 1.0 / 2048.0;
const HALF_DENORMAL: f64 = 1.0 / 33_554_432.0;
const HIGHER_ORDERS: f64 = 1.01;

/// A result further from the oracle than roundings explain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{tensor}[{element}] is {actual}, the oracle says {expected} with an error of at most {bound}")]
pub struct Deviation {
    /// The tensor's name.
    pub tensor: &'static str,
    /// The element.
    pub element: usize,
    /// What was computed.
    pub actual: f64,
    /// What the oracle says.
    pub expected: f64,
    /// The largest error allowed.
    pub bound: f64,
}

/// Checks every element of every output of `path` against the oracle with the quantised weights.
///
/// # Errors
/// The first element that is further off than the bound.
pub fn check(problem: &Problem, oracle: &Oracle, outputs: &Outputs, path: Path) -> Result<(), Deviation> {
    let bounds = Bounds::new(problem.shape(), path, oracle.inverse);
    let residual = oracle.residual.iter().map(|&added| (added, bounds.residual(added)));
    compare("residual", &outputs.residual_values(), residual)?;
    let weights = problem.inputs().norm_weight.iter().map(|&bits| f64::from(f16_to_f32(bits)));
    let normed = oracle.normed.iter().zip(weights).map(|(&normed, weight)| (normed, bounds.normed(normed, weight)));
    compare("normed_out", &outputs.normed_values(), normed)?;
    let largest =
        problem.inputs().norm_weight.iter().map(|&bits| f64::from(f16_to_f32(bits).abs())).fold(0.0, f64::max);
    let rows = oracle.rows.iter().map(|row| (row.output, bounds.output(row, largest)));
    compare("output", &outputs.output_values(), rows)
}

fn compare(tensor: &'static str, actual: &[f64], expected: impl Iterator<Item = (f64, f64)>) -> Result<(), Deviation> {
    for (element, (&actual, (expected, bound))) in actual.iter().zip(expected).enumerate() {
        let within = (actual - expected).abs() <= bound;
        if !within {
            return Err(Deviation { tensor, element, actual, expected, bound });
        }
    }
    Ok(())
}

/// The relative and absolute errors of one path at one shape.
struct Bounds {
    normed: f64,
    sum: f64,
    inverse: f64,
    split: bool,
}

impl Bounds {
    fn new(shape: Shape, path: Path, inverse: f64) -> Self {
        let groups = path.groups(shape);
        let steps = shape.k().div_ceil(256 * groups);
        let additions = f64::from(8 * steps + 5 + groups - 1);
        let normed = ((additions + 6.0) / 2.0 + 2.0 + 3.0) * SINGLE;
        Self { normed, sum: (additions + 1.0) * SINGLE, inverse, split: path == Path::Split }
    }

    fn residual(&self, added: f64) -> f64 {
        HIGHER_ORDERS * ((HALF + SINGLE) * added.abs() + HALF_DENORMAL)
    }

    fn normed(&self, normed: f64, weight: f64) -> f64 {
        let relative = self.normed + HALF + if self.split { HALF } else { 0.0 };
        let stored = if self.split { self.inverse * weight.abs() } else { 0.0 };
        HIGHER_ORDERS * (relative * normed.abs() + HALF_DENORMAL * (1.0 + stored))
    }

    fn output(&self, row: &Row, largest_weight: f64) -> f64 {
        let between = if self.split { 2.0 * HALF } else { 0.0 };
        let stored = if self.split { (1.0 + self.inverse * largest_weight) * row.weight_magnitude } else { 0.0 };
        let sum = (self.normed + self.sum + between) * row.magnitude + HALF_DENORMAL * stored;
        HIGHER_ORDERS * (sum + HALF * row.output.abs() + HALF_DENORMAL)
    }
}
