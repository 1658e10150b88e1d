//! How far a correct kernel may be from the oracle: a bound derived from the roundings, not measured.
//!
//! The oracle once more, in numbers that carry a bound on the error of what a kernel has in their place
//! (`delta_rule/bounded.rs`: every operation adds its rounding to what its arguments bring along; u = 2^-24):
//!
//! ```text
//! taps             u for the product and for the sum of each; a fused multiply-add rounds once
//! + bias           u
//! SiLU             1.1 times the error of its argument (its slope is at most 1.0999), 1.6 ulp
//! sum of squares   20 roundings (product, 16 in the lane, 3 in the butterfly): 20 u / (1 - 20 u), relative
//! + 1e-6           the constant's error, u
//! rsqrt            half the relative error, 0.51 ulp
//! q^, k^           the constant 1/sqrt(128), u per product
//! x = a + dt_bias  u |x|
//! softplus         the error of x times its slope, 1.7 ulp, e^-20 next to the threshold
//! g                0.71 ulp of e^a_log, u
//! alpha            e^(error of g) - 1, relative; 0.71 ulp
//! beta             0.7 ulp
//! alpha s          u
//! sum s k^, s q^   of every term the errors of its factors; 20 roundings of the magnitudes
//! (v - dot) beta   2 u
//! s + d k^         2 u (product and sum; a fused multiply-add rounds once)
//! f16              half an ulp, at most 2^-11, and 2^-25 below 2^-14; for outputs and states
//! ```
//!
//! An ulp is at most 2 u. The errors in ulp are the documented ones of `numerics`. Every operation may also lose a
//! denormal, 2^-126. z and the rows of the convolution's state are copied, so their bits must be right.
//!
//! Not covered: infinities, NaN, numbers from 2^127 up on the way, and results beyond the largest f16. There is no bound
//! then, and nothing is reported. A NaN without such a cause is reported. What is unspecified where indices are not
//! checked is left out.

use std::fmt;

use rayon::prelude::*;

use super::oracle::{arguments, first_state, number};
use super::outputs::Outputs;
use super::problem::Problem;
use super::request::{Channel, Request};
use super::rows::{LANES, SHARE};
use super::shape::{HEAD, ROWS};
use crate::delta_rule::ELEMENTS;
use crate::delta_rule::bounded::Bounded;
use crate::delta_rule::token_bounds::{BoundedGates, BoundedToken, Roundings};

/// Roundings that a term of a sum over a head passes through: its product, the elements of a lane, the butterfly.
const SUM: u32 = 1 + SHARE as u32 + LANES.trailing_zeros();

/// Roundings of all sums over a head.
pub(super) const ROUNDINGS: Roundings = Roundings { norm: SUM, row: SUM };

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
    #[error("{place} is {actual:#06x}, and should be a copy of {expected:#06x}")]
    Copy {
        /// Where it is.
        place: Place,
        /// The f16's bits.
        actual: u16,
        /// Those of the original.
        expected: u16,
    },
    /// A buffer of another length than the problem asks.
    #[error("`{tensor}` of {owner} has {actual} bytes, {expected} are expected")]
    Length {
        /// The tensor's name.
        tensor: &'static str,
        /// The slot.
        owner: String,
        /// Bytes given.
        actual: usize,
        /// Bytes that a launch writes.
        expected: usize,
    },
}

/// An element of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Of `output`.
    Output {
        /// The request.
        request: u32,
        /// The value head.
        hv: u32,
        /// The row of V.
        v: u32,
    },
    /// Of `z_out`.
    Z {
        /// The request.
        request: u32,
        /// The value head.
        hv: u32,
        /// The row of V.
        v: u32,
    },
    /// Of `conv_state`.
    Conv {
        /// The request it was computed for.
        request: u32,
        /// The row: 2 is the new token.
        row: u32,
        /// The channel.
        channel: u64,
    },
    /// Of `ssm_state`.
    State {
        /// The request it was computed for.
        request: u32,
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
            Self::Output { request, hv, v } => write!(f, "`output` of request {request}, value head {hv}, v = {v}"),
            Self::Z { request, hv, v } => write!(f, "`z_out` of request {request}, value head {hv}, v = {v}"),
            Self::Conv { request, row, channel } => {
                write!(f, "`conv_state` of request {request}, row {row}, channel {channel}")
            }
            Self::State { request, hv, v, k } => {
                write!(f, "`ssm_state` of request {request}, value head {hv}, v = {v}, k = {k}")
            }
        }
    }
}

/// Checks every element of every output against the oracle, and that copies are copies.
///
/// # Errors
/// A buffer that is missing, not to be written, or of another length; else the first element of z or of a convolution's
/// state that is not a copy, by request; else the first number that is further off than the bound, by request, value head
/// and row of V, an output before the state.
pub fn check(problem: &Problem, outputs: &Outputs) -> Result<(), Deviation> {
    check_lengths(problem, outputs)?;
    (0..problem.shape().n()).try_for_each(|request| check_copies(problem, outputs, request))?;
    let (heads, unspecified) = (problem.shape().hv(), problem.unspecified_requests());
    let all = u64::from(problem.shape().n()) * u64::from(heads);
    let deviation = (0..all).into_par_iter().find_map_first(|position| {
        let (number, hv) = ((position / u64::from(heads)) as u32, (position % u64::from(heads)) as u32);
        let head = Head { problem, outputs, request: Request::new(problem, number), number, hv };
        if unspecified.contains(&number) { None } else { head.check().err() }
    });
    deviation.map_or(Ok(()), Err)
}

fn check_lengths(problem: &Problem, outputs: &Outputs) -> Result<(), Deviation> {
    let shape = problem.shape();
    let compare = |tensor, owner: String, actual, expected| {
        if actual == expected { Ok(()) } else { Err(Deviation::Length { tensor, owner, actual, expected }) }
    };
    for (tensor, bytes) in [("output", &outputs.output), ("z_out", &outputs.z_out)] {
        compare(tensor, "all requests".to_owned(), bytes.len(), 2 * shape.output_elements())?;
    }
    let written = problem.written_slots();
    for (tensor, states, length) in [
        ("conv_state", &outputs.conv_states, shape.conv_slot_bytes()),
        ("ssm_state", &outputs.ssm_states, shape.ssm_slot_bytes()),
    ] {
        for slot in written.iter().chain(states.keys()) {
            let expected = if written.contains(slot) { length as usize } else { 0 };
            compare(tensor, format!("slot {slot}"), states.get(slot).map_or(0, Vec::len), expected)?;
        }
    }
    Ok(())
}

fn check_copies(problem: &Problem, outputs: &Outputs, number: u32) -> Result<(), Deviation> {
    let (shape, request) = (problem.shape(), Request::new(problem, number));
    let compare = |place, bytes: &[u8], element: usize, expected: u16| {
        let actual = u16::from_le_bytes(bytes.as_chunks().0[element]);
        if actual == expected { Ok(()) } else { Err(Deviation::Copy { place, actual, expected }) }
    };
    for hv in 0..shape.hv() {
        let first = (number as usize * shape.hv() as usize + hv as usize) * ELEMENTS;
        for (v, &z) in (0..).zip(request.z(hv)) {
            compare(Place::Z { request: number, hv, v }, &outputs.z_out, first + v as usize, z)?;
        }
    }
    let Some(bytes) = request.slot().and_then(|slot| outputs.conv_states.get(&slot)) else { return Ok(()) };
    for row in 0..ROWS {
        for channel in 0..shape.dim() {
            let element = (u64::from(row) * shape.dim() + channel) as usize;
            let expected = request.channel(channel).tokens[row as usize + 1];
            compare(Place::Conv { request: number, row, channel }, bytes, element, expected)?;
        }
    }
    Ok(())
}

/// One value head of one request.
struct Head<'a> {
    problem: &'a Problem,
    outputs: &'a Outputs,
    request: Request<'a>,
    number: u32,
    hv: u32,
}

impl Head<'_> {
    fn check(&self) -> Result<(), Deviation> {
        if self.request.slot().is_none() {
            return (0..HEAD).try_for_each(|v| self.check_output(v, Bounded::default()));
        }
        let token = token(&self.request, self.hv);
        let state = first_state(&self.request, self.hv);
        let written = self.request.slot().and_then(|slot| self.outputs.ssm_states.get(&slot));
        for (v, row) in (0..HEAD).zip(state.chunks_exact(ELEMENTS)) {
            let mut row: Vec<Bounded> = row.iter().map(|&s| Bounded::given(s)).collect();
            let output = token.advance(&mut row, v as usize);
            self.check_output(v, output.half())?;
            if let Some(bytes) = written {
                self.check_row(bytes, v, &row)?;
            }
        }
        Ok(())
    }

    fn check_output(&self, v: u32, expected: Bounded) -> Result<(), Deviation> {
        let row = self.number as usize * self.problem.shape().hv() as usize + self.hv as usize;
        let place = Place::Output { request: self.number, hv: self.hv, v };
        compare(place, &self.outputs.output, row * ELEMENTS + v as usize, expected)
    }

    /// Row `v` of the state in `bytes`.
    fn check_row(&self, bytes: &[u8], v: u32, row: &[Bounded]) -> Result<(), Deviation> {
        let first = (self.hv as usize * ELEMENTS + v as usize) * ELEMENTS;
        for (k, &expected) in (0..).zip(row) {
            let place = Place::State { request: self.number, hv: self.hv, v, k };
            compare(place, bytes, first + k as usize, expected.half())?;
        }
        Ok(())
    }
}

/// Element `element` of a tensor against a number with a bound.
fn compare(place: Place, bytes: &[u8], element: usize, expected: Bounded) -> Result<(), Deviation> {
    let actual = number(u16::from_le_bytes(bytes.as_chunks().0[element]));
    if expected.allows(actual) {
        return Ok(());
    }
    Err(Deviation::Value { place, actual, expected: expected.value, bound: expected.error })
}

/// The token of a request for one value head, with the errors of the convolution and of its preparation.
pub(super) fn token(request: &Request<'_>, hv: u32) -> BoundedToken {
    let vector = |first: u64| (first..first + u64::from(HEAD)).map(|i| convolved(request.channel(i))).collect();
    let vectors = request.first_channels(hv).map(vector);
    BoundedToken::new(vectors, BoundedGates::given(&arguments(request, hv)), ROUNDINGS)
}

/// One channel of the convolution, with SiLU.
fn convolved(channel: Channel) -> Bounded {
    let given = |bits: u16| Bounded::given(number(bits));
    let Channel { tokens, weights, bias } = channel;
    let mut sum = given(tokens[0]).mul(given(weights[0]));
    for (&token, &weight) in tokens.iter().zip(&weights).skip(1) {
        sum = given(token).multiply_add(given(weight), sum);
    }
    sum.add(given(bias)).silu()
}
