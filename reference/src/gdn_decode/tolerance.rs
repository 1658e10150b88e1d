//! How far a correct kernel may be from the oracle: a bound derived from the roundings, not measured.
//!
//! The oracle's recurrence once more, in numbers that carry a bound on the error of what a kernel has in their place
//! (`delta_rule/bounded.rs`: every operation adds its rounding to what its arguments bring along; u = 2^-24):
//!
//! ```text
//! sum of squares   10 roundings (product, 4 in the lane, 5 in the butterfly): 10 u / (1 - 10 u), relative
//! + 1e-6           the constant's error, u
//! rsqrt            half the relative error, 0.51 ulp
//! q^, k^           the constant 1/sqrt(128), u per product
//! x = a + dt_bias  u |x|
//! softplus         the error of x times its slope, 1.7 ulp, e^-20 next to the threshold
//! g                0.71 ulp of e^a_log, u
//! alpha            e^(error of g) - 1, relative; 0.71 ulp
//! beta             0.7 ulp
//! alpha s          u
//! sum s k^, s q^   of every term the errors of its factors; roundings as in Path::roundings, of the magnitudes
//! (v - dot) beta   2 u
//! s + d k^         2 u (product and sum; a fused multiply-add rounds once)
//! bf16             half an ulp, at most 2^-8; for outputs and for states that are stored
//! ```
//!
//! An ulp is at most 2 u. The errors in ulp are the documented ones of `numerics`. Every operation may also lose a
//! denormal, 2^-126. Between the tokens of a call the errors of the state are carried on.
//!
//! Not covered: infinities, NaN and numbers from 2^127 up among the inputs or on the way. There is no bound then, and
//! nothing is reported. A NaN without such a cause is reported.

use std::fmt;

use rayon::prelude::*;

use super::job::{cached, writers};
use super::model::Outputs;
use super::oracle::{self, arguments, first_state};
use super::path::Path;
use super::problem::Problem;
use super::shape::{HEAD, StateType};
use crate::delta_rule::ELEMENTS;
use crate::delta_rule::bounded::Bounded;
use crate::delta_rule::token_bounds::{BoundedToken, Roundings};
use crate::numerics::half::bf16_to_f32;

/// Roundings that a term of a sum of squares passes through.
const NORM_ROUNDINGS: u32 = 1 + 4 + 5;

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
    /// A buffer of another length than the problem asks.
    #[error("`{tensor}` of {owner} has {actual} bytes, {expected} are expected")]
    Length {
        /// The tensor's name.
        tensor: &'static str,
        /// The slot or request.
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
    /// The tensor's name.
    pub tensor: &'static str,
    /// The request it was computed for.
    pub request: u32,
    /// The token; the last for final states.
    pub token: u32,
    /// The value head.
    pub hv: u32,
    /// The row of V.
    pub v: u32,
    /// The element of K; `None` for outputs.
    pub k: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tensor, request, token, hv, v, k } = self;
        write!(f, "`{tensor}` of request {request}, token {token}, value head {hv}, v = {v}")?;
        k.map_or(Ok(()), |k| write!(f, ", k = {k}"))
    }
}

/// Checks every element of every output of `path` against the oracle; what is unspecified is left out.
///
/// # Errors
/// A buffer that is missing, not to be written, or of another length; else the first element that is further off than
/// the bound: by request, value head, row of V and token, an output before the states.
pub fn check(problem: &Problem, outputs: &Outputs, path: Path) -> Result<(), Deviation> {
    check_lengths(problem, outputs)?;
    let (heads, unspecified) = (problem.shape().hv(), problem.unspecified_requests());
    let all = u64::from(problem.shape().b()) * u64::from(heads);
    let deviation = (0..all).into_par_iter().find_map_first(|position| {
        let (request, hv) = ((position / u64::from(heads)) as u32, (position % u64::from(heads)) as u32);
        let head = Head { problem, outputs, path, request, hv };
        if unspecified.contains(&request) { None } else { head.check().err() }
    });
    deviation.map_or(Ok(()), Err)
}

fn check_lengths(problem: &Problem, outputs: &Outputs) -> Result<(), Deviation> {
    let shape = problem.shape();
    let compare = |tensor, owner: String, actual, expected| {
        if actual == expected { Ok(()) } else { Err(Deviation::Length { tensor, owner, actual, expected }) }
    };
    compare("output", "all requests".to_owned(), outputs.output.len(), 2 * shape.value_elements())?;
    let slot = shape.slot_bytes() as usize;
    let written = writers(problem);
    for key in written.keys().chain(outputs.states.keys()) {
        let expected = if written.contains_key(key) { slot } else { 0 };
        compare("state_pool", format!("slot {key}"), outputs.states.get(key).map_or(0, Vec::len), expected)?;
    }
    let cached = cached(problem);
    for key in cached.iter().chain(outputs.intermediate.keys()) {
        let expected = if cached.contains(key) { slot * shape.t() as usize } else { 0 };
        let actual = outputs.intermediate.get(key).map_or(0, Vec::len);
        compare("intermediate_states", format!("request {key}"), actual, expected)?;
    }
    Ok(())
}

/// The bounds of a head's bf16 outputs, by token and row, and of its final f32 state `[V, K]`, for any number of tokens.
#[cfg(test)]
pub(super) fn bounds(arguments: &[oracle::Arguments], state: &[f64], path: Path) -> (Vec<Vec<f64>>, Vec<f64>) {
    let tokens: Vec<BoundedToken> = arguments.iter().map(|arguments| token(arguments, path)).collect();
    let (outputs, states) = crate::delta_rule::token_bounds::bounds(&tokens, state);
    (outputs.into_iter().map(|row| row.into_iter().map(|x| x.brain().error).collect()).collect(), states)
}

/// A token with the errors of its preparation and the roundings of `path`.
fn token(arguments: &oracle::Arguments, path: Path) -> BoundedToken {
    BoundedToken::given(arguments, Roundings { norm: NORM_ROUNDINGS, row: path.roundings() })
}

/// One value head of one request.
struct Head<'a> {
    problem: &'a Problem,
    outputs: &'a Outputs,
    path: Path,
    request: u32,
    hv: u32,
}

impl Head<'_> {
    fn check(&self) -> Result<(), Deviation> {
        let tokens = self.problem.shape().t();
        if self.problem.read_slot(self.request).is_none() {
            let rows = (0..HEAD).flat_map(|v| (0..tokens).map(move |token| (v, token)));
            return rows.into_iter().try_for_each(|(v, token)| self.check_output(token, v, Bounded::default()));
        }
        let prepared = |position| token(&arguments(self.problem, self.request, position, self.hv), self.path);
        let prepared: Vec<BoundedToken> = (0..tokens).map(prepared).collect();
        let state = first_state(self.problem, self.request, self.hv);
        let slot = self.problem.write_slot(self.request).and_then(|slot| self.outputs.states.get(&slot));
        let intermediate = self.outputs.intermediate.get(&self.request);
        for (v, row) in (0..HEAD).zip(state.chunks_exact(ELEMENTS)) {
            let mut row: Vec<Bounded> = row.iter().map(|&s| Bounded::given(s)).collect();
            for (token, prepared) in (0..tokens).zip(&prepared) {
                let output = prepared.advance(&mut row, v as usize);
                self.check_output(token, v, output.brain())?;
                if let Some(bytes) = intermediate {
                    self.check_state("intermediate_states", bytes, token, [token, v], &row)?;
                }
            }
            if let Some(bytes) = slot {
                self.check_state("state_pool", bytes, tokens - 1, [0, v], &row)?;
            }
        }
        Ok(())
    }

    fn check_output(&self, token: u32, v: u32, expected: Bounded) -> Result<(), Deviation> {
        let shape = self.problem.shape();
        let row = (self.request as usize * shape.t() as usize + token as usize) * shape.hv() as usize;
        let element = (row + self.hv as usize) * ELEMENTS + v as usize;
        let actual = number(&self.outputs.output, element, StateType::Bf16);
        let place = Place { tensor: "output", request: self.request, token, hv: self.hv, v, k: None };
        compare(place, actual, expected)
    }

    /// Row `v` of the state in step `step` of `bytes`.
    fn check_state(
        &self,
        tensor: &'static str,
        bytes: &[u8],
        token: u32,
        [step, v]: [u32; 2],
        row: &[Bounded],
    ) -> Result<(), Deviation> {
        let state = self.problem.shape().state();
        let head = step as usize * self.problem.shape().hv() as usize + self.hv as usize;
        let first = (head * ELEMENTS + v as usize) * ELEMENTS;
        for (k, &expected) in (0..).zip(row) {
            let expected = if state == StateType::Bf16 { expected.brain() } else { expected };
            let place = Place { tensor, request: self.request, token, hv: self.hv, v, k: Some(k) };
            compare(place, number(bytes, first + k as usize, state), expected)?;
        }
        Ok(())
    }
}

fn compare(place: Place, actual: f64, expected: Bounded) -> Result<(), Deviation> {
    if expected.allows(actual) {
        return Ok(());
    }
    Err(Deviation::Value { place, actual, expected: expected.value, bound: expected.error })
}

/// Element `element` of a tensor.
fn number(bytes: &[u8], element: usize, kind: StateType) -> f64 {
    f64::from(match kind {
        StateType::Bf16 => bf16_to_f32(u16::from_le_bytes(bytes.as_chunks().0[element])),
        StateType::F32 => f32::from_le_bytes(bytes.as_chunks().0[element]),
    })
}
