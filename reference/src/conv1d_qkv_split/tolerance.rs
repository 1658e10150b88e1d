//! How far a correct kernel may be from the oracle: a bound derived from the roundings, not measured.
//!
//! The oracle's sum once more, in numbers that carry a bound on the error of what a kernel has in their place
//! (`bounded.rs`: every operation adds its rounding to what its arguments bring along; u = 2^-24):
//!
//! ```text
//! sum + x w   u of the sum for each tap; a product of two 16-bit numbers is exact
//! silu_16     the error of the sum times the slope, at most 1.1; 70 ulp right of 0, 230 from -4 up, 700
//!             from -8 up, 3,500 below; an ulp is at most 2 u; 1.5e-36 from -87 down
//! bf16, f16   half an ulp: at most 2^-8 or 2^-11 of the magnitude, or 2^-25 where f16 has denormals
//! ```
//!
//! The errors in ulp are the documented ones of `numerics`. Every operation in f32 may also lose a denormal, 2^-126.
//! New states are copies and must be equal bit for bit.
//!
//! Not covered: infinities, NaN and numbers from 2^127 up (f16: outputs from 65504 up). There is no bound then, and
//! nothing is reported. A NaN without such a cause is reported.

use std::fmt;

use rayon::prelude::*;

use super::bounded::Bounded;
use super::oracle::{Arguments, Oracle};
use super::outputs::Outputs;
use super::problem::Problem;
use super::tensor::Tensor;

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
    /// An element of a new state that is not the copy it must be.
    #[error("`conv_state` of slot {slot}, row {row}, channel {channel} is {actual:#06x}, not {expected:#06x}")]
    State {
        /// The slot.
        slot: u64,
        /// The row, 0 the oldest token.
        row: u32,
        /// The channel of x.
        channel: u32,
        /// The bits there.
        actual: u16,
        /// The bits that must be there.
        expected: u16,
    },
    /// A buffer of another length than the problem asks.
    #[error("`{tensor}` of {owner} has {actual} bytes, {expected} are expected")]
    Length {
        /// The tensor's name.
        tensor: &'static str,
        /// The slot, or all sequences.
        owner: String,
        /// Bytes given.
        actual: usize,
        /// Bytes that a launch writes.
        expected: usize,
    },
}

/// An element of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The tensor.
    pub tensor: Tensor,
    /// The sequence.
    pub sequence: u32,
    /// The token, among those of the sequence.
    pub token: u32,
    /// The column of the tensor.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tensor, sequence, token, column } = self;
        write!(f, "`{tensor}` of sequence {sequence}, token {token}, column {column}")
    }
}

/// Checks every element of every output against the oracle. Rows of padded sequences may have any contents.
///
/// # Errors
/// A buffer that is missing, not to be written, or of another length; else the first element that is further off than
/// the bound, by sequence, token and channel; else the first one of a new state, by slot.
pub fn check(problem: &Problem, outputs: &Outputs) -> Result<(), Deviation> {
    check_lengths(problem, outputs)?;
    for sequence in problem.computed() {
        let tokens = 0..problem.shape().length(sequence);
        let deviation = tokens.into_par_iter().find_map_first(|token| {
            let check = |channel| check_output(problem, outputs, sequence, token, channel).err();
            (0..problem.shape().dim()).find_map(check)
        });
        deviation.map_or(Ok(()), Err)?;
    }
    check_states(problem, outputs)
}

/// The bounds of what a token has in all channels, in their order: how far an output may be from the oracle.
pub fn bounds(problem: &Problem, sequence: u32, token: u32) -> Vec<f64> {
    (0..problem.shape().dim()).map(|channel| expected(problem, sequence, token, channel).error).collect()
}

fn check_lengths(problem: &Problem, outputs: &Outputs) -> Result<(), Deviation> {
    let shape = problem.shape();
    let compare = |tensor, owner: String, actual, expected| {
        if actual == expected { Ok(()) } else { Err(Deviation::Length { tensor, owner, actual, expected }) }
    };
    for tensor in Tensor::ALL {
        let expected = 2 * shape.output_elements(tensor);
        compare(tensor.name(), "all sequences".to_owned(), outputs.tensor(tensor).len(), expected)?;
    }
    let writers = problem.writers();
    for slot in writers.keys().chain(outputs.states.keys()) {
        let expected = if writers.contains_key(slot) { shape.state_bytes() as usize } else { 0 };
        compare("conv_state", format!("slot {slot}"), outputs.states.get(slot).map_or(0, Vec::len), expected)?;
    }
    Ok(())
}

fn expected(problem: &Problem, sequence: u32, token: u32, channel: u32) -> Bounded {
    let arguments = Arguments::new(problem, sequence, token, channel);
    let add = |sum: Bounded, &(x, w): &(f64, f64)| sum.plus_product(x, w);
    let sum = arguments.taps.iter().fold(Bounded::given(arguments.bias), add);
    sum.silu().narrowed(problem.shape().element())
}

fn check_output(
    problem: &Problem,
    outputs: &Outputs,
    sequence: u32,
    token: u32,
    channel: u32,
) -> Result<(), Deviation> {
    let shape = problem.shape();
    let (tensor, column) = shape.destination(channel);
    let row = (shape.rows(sequence).start + token) as usize;
    let element = row * shape.channels(tensor).len() + column as usize;
    let bits = u16::from_le_bytes(outputs.tensor(tensor).as_chunks().0[element]);
    let actual = f64::from(shape.element().value(bits));
    let expected = expected(problem, sequence, token, channel);
    if expected.allows(actual) {
        return Ok(());
    }
    let place = Place { tensor, sequence, token, column };
    Err(Deviation::Value { place, actual, expected: expected.value, bound: expected.error })
}

fn check_states(problem: &Problem, outputs: &Outputs) -> Result<(), Deviation> {
    let dim = problem.shape().dim();
    for (slot, state) in Oracle::states(problem) {
        let actual = outputs.states.get(&slot).map_or(&[][..], |bytes| bytes.as_chunks().0);
        for (element, (&actual, expected)) in (0..).zip(actual.iter().zip(state)) {
            let actual = u16::from_le_bytes(actual);
            if actual != expected {
                let (row, channel): (u32, u32) = (element / dim, element % dim);
                return Err(Deviation::State { slot, row, channel, actual, expected });
            }
        }
    }
    Ok(())
}
