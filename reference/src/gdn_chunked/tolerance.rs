//! How far a correct launch may be from the oracle: a bound derived from the roundings, not measured.
//!
//! Every operation adds its rounding to what its arguments bring along (`delta_rule/bounded.rs`; u = 2^-24):
//!
//! ```text
//! taps              u for the product and for the sum of each; a fused multiply-add rounds once
//! SiLU              1.1 times the error of its argument (its slope is at most 1.0999), 1.6 ulp
//! a workgroup's sum 9 roundings (product, 5 in the group, 3 after it), and for the gates D/128 in the invocation
//! q^, k^            the constant 1e-6 and u; rsqrt: half the relative error, 0.51 ulp; u
//! log alpha         u |x|, softplus: the error of x times its slope, 1.7 ulp; 0.71 ulp of e^a_log; u
//! gamma             u per addition; of a difference only the tokens between count
//! e^x               e^(error of x) - 1, relative; 0.71 ulp
//! beta              0.7 ulp
//! w, u              3 to 4 u per token before
//! a row's sum       35 roundings (product, 32 in the lane, 2 after it)
//! o, S              2 u per token; a fused multiply-add rounds once
//! output            9 roundings of the squares, u, rsqrt, 3 u, SiLU
//! ```
//!
//! How errors go from chunk to chunk: [`super::bounds`]. An ulp is at most 2 u. The errors in ulp are the documented ones of
//! `numerics`. Every operation may also lose a denormal, 2^-126. The rows of the convolution's state are copied, so their
//! bits must be right.
//!
//! Not covered: infinities, NaN, and numbers from 2^127 up on the way. There is no bound then, and nothing is reported. A NaN
//! without such a cause is reported.

use std::fmt;

use super::bounds::{Bound, Bounds};
use super::outputs::Outputs;
use super::path::Path;
use super::problem::Problem;
use super::sequence::Sequence;
use super::shape::{HEAD, ROWS};

/// Outputs that roundings do not explain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Deviation {
    /// A number too far from the oracle.
    #[error("{place} is {actual}, the oracle says {expected} with an error of at most {bound}")]
    Value {
        /// Where it is.
        place: Place,
        /// What was computed.
        actual: f64,
        /// What the oracle says.
        expected: f64,
        /// The largest error allowed.
        bound: f64,
    },
    /// A copy that is not the original.
    #[error("{place} is {actual:#010x}, and should be a copy of {expected:#010x}")]
    Copy {
        /// Where it is.
        place: Place,
        /// The f32's bits.
        actual: u32,
        /// Those of the original.
        expected: u32,
    },
    /// A buffer of another length than the problem asks.
    #[error("`{tensor}` has {actual} elements, {expected} are expected")]
    Length {
        /// The tensor's name.
        tensor: &'static str,
        /// Elements given.
        actual: usize,
        /// Elements that a launch writes.
        expected: usize,
    },
}

/// An element of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Of `output`.
    Output {
        /// The token, among those of all sequences.
        token: u32,
        /// The value head.
        hv: u32,
        /// The row of V.
        v: u32,
    },
    /// Of `conv_state`.
    Conv {
        /// The sequence.
        sequence: u32,
        /// The row: 2 is the last token.
        row: u32,
        /// The channel.
        channel: u64,
    },
    /// Of `state`.
    State {
        /// The sequence.
        sequence: u32,
        /// The value head.
        hv: u32,
        /// The row of V.
        v: u32,
        /// The element of K.
        k: u32,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output { token, hv, v } => write!(f, "`output` of token {token}, value head {hv}, v = {v}"),
            Self::Conv { sequence, row, channel } => {
                write!(f, "`conv_state` of sequence {sequence}, row {row}, channel {channel}")
            }
            Self::State { sequence, hv, v, k } => {
                write!(f, "`state` of sequence {sequence}, value head {hv}, v = {v}, k = {k}")
            }
        }
    }
}

/// Checks every element of every output against the oracle, as `path` computes it, and that copies are copies.
///
/// # Errors
/// A buffer of another length; else the first element of the convolution's state that is not a copy; else the first number
/// that is further off than the bound, outputs before states, in the order of the tensors.
pub fn check(problem: &Problem, path: Path, outputs: &Outputs) -> Result<(), Deviation> {
    check_lengths(problem, outputs)?;
    check_copies(problem, outputs)?;
    check_values(problem, &Bounds::new(problem, path), outputs)
}

/// Checks the numbers against bounds that are already there.
///
/// # Errors
/// A buffer of another length; else the first number that is further off than the bound.
pub fn check_values(problem: &Problem, bounds: &Bounds, outputs: &Outputs) -> Result<(), Deviation> {
    check_lengths(problem, outputs)?;
    let heads = u64::from(problem.shape().hv());
    let (head, row) = (u64::from(HEAD) * u64::from(HEAD), u64::from(HEAD));
    compare(&bounds.output, &outputs.output, |index| Place::Output {
        token: (index / row / heads) as u32,
        hv: (index / row % heads) as u32,
        v: (index % row) as u32,
    })?;
    compare(&bounds.state, &outputs.state, |index| Place::State {
        sequence: (index / head / heads) as u32,
        hv: (index / head % heads) as u32,
        v: (index / row % row) as u32,
        k: (index % row) as u32,
    })
}

fn compare(bounds: &[Bound], actual: &[f32], place: impl Fn(u64) -> Place) -> Result<(), Deviation> {
    for (index, (bound, &actual)) in (0..).zip(bounds.iter().zip(actual)) {
        let actual = f64::from(actual);
        if !bound.allows(actual) {
            return Err(Deviation::Value { place: place(index), actual, expected: bound.value, bound: bound.error });
        }
    }
    Ok(())
}

fn check_lengths(problem: &Problem, outputs: &Outputs) -> Result<(), Deviation> {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    for (tensor, actual, expected) in [
        ("output", outputs.output.len(), shape.head_elements()),
        ("conv_state", outputs.conv_state.len(), inputs.conv_state.len()),
        ("state", outputs.state.len(), inputs.state.len()),
    ] {
        if actual != expected {
            return Err(Deviation::Length { tensor, actual, expected });
        }
    }
    Ok(())
}

fn check_copies(problem: &Problem, outputs: &Outputs) -> Result<(), Deviation> {
    let mut rows = outputs.conv_state.chunks_exact(problem.shape().dim() as usize);
    for sequence in 0..problem.shape().sequences() {
        let before = Sequence::new(problem, sequence);
        for (row, actual) in (0..ROWS).zip(&mut rows) {
            let original = before.row(before.length() + row as usize);
            for (channel, (actual, expected)) in (0..).zip(actual.iter().zip(original)) {
                let (actual, expected) = (actual.to_bits(), expected.to_bits());
                if actual != expected {
                    return Err(Deviation::Copy { place: Place::Conv { sequence, row, channel }, actual, expected });
                }
            }
        }
    }
    Ok(())
}
