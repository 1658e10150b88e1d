//! The answer in f64, written for reading: what the outputs would be without any rounding.
//!
//! Rounding to the type of the data is no part of it; [`super::tolerance`] says how much it may change. The new states
//! are copies, so they are here bit for bit.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::problem::{Problem, STATE_FILL};

/// The unrounded outputs of a problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Oracle {
    /// `[tokens, dim]`: the channels of q, then of k, then of v. Zeros in the rows of padded sequences.
    pub output: Vec<f64>,
    /// By slot: the bits of the new `[width - 1, dim]` elements, for the slots of [`Problem::writers`].
    pub states: BTreeMap<u64, Vec<u16>>,
}

impl Oracle {
    /// The answer to `problem`.
    pub fn new(problem: &Problem) -> Self {
        let shape = problem.shape();
        let dim = shape.dim() as usize;
        let mut output = vec![0.0; shape.tokens() as usize * dim];
        for sequence in problem.computed() {
            let rows = shape.rows(sequence);
            let rows = &mut output[rows.start as usize * dim..rows.end as usize * dim];
            rows.par_chunks_exact_mut(dim).enumerate().for_each(|(token, row)| {
                for (channel, output) in (0..).zip(row) {
                    *output = silu(convolution(problem, sequence, token as u32, channel));
                }
            });
        }
        Self { output, states: Self::states(problem) }
    }

    /// The new states alone.
    pub fn states(problem: &Problem) -> BTreeMap<u64, Vec<u16>> {
        let state = |(slot, sequence)| (slot, new_state(problem, sequence));
        problem.writers().into_iter().map(state).collect()
    }
}

/// What is behind the filter for a token of a sequence and a channel.
pub fn convolution(problem: &Problem, sequence: u32, token: u32, channel: u32) -> f64 {
    let arguments = Arguments::new(problem, sequence, token, channel);
    arguments.taps.iter().fold(arguments.bias, |sum, (x, w)| sum + x * w)
}

/// `x / (1 + e^-x)`
pub fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

/// What goes into one output.
pub(super) struct Arguments {
    /// The bias, or 0.
    pub(super) bias: f64,
    /// Each x and its weight, oldest first.
    pub(super) taps: Vec<(f64, f64)>,
}

impl Arguments {
    pub(super) fn new(problem: &Problem, sequence: u32, token: u32, channel: u32) -> Self {
        let (shape, inputs) = (problem.shape(), problem.inputs());
        let number = |bits| f64::from(shape.element().value(bits));
        let tap = |tap: u32| {
            let position = i64::from(token) - i64::from(shape.history()) + i64::from(tap);
            let weight = inputs.weight[channel as usize * shape.width() as usize + tap as usize];
            (number(seen(problem, sequence, position, channel)), number(weight))
        };
        Self {
            bias: inputs.bias.get(channel as usize).map_or(0.0, |&bits| number(bits)),
            taps: (0..shape.width()).map(tap).collect(),
        }
    }
}

/// The bits of what a sequence has at `position`: of its tokens, or, from `-(width - 1)` to -1, of what it follows.
pub(super) fn seen(problem: &Problem, sequence: u32, position: i64, channel: u32) -> u16 {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let channel = channel as usize;
    if let Ok(token) = u32::try_from(position) {
        let row = (shape.rows(sequence).start + token) as usize;
        return inputs.x[row * shape.stride() as usize + channel];
    }
    if !problem.has_initial_state(sequence) {
        return 0;
    }
    let row = (i64::from(shape.history()) + position) as usize;
    match problem.slot(sequence).and_then(|slot| inputs.states.get(&slot)) {
        Some(state) => u16::from_le_bytes(state.as_chunks().0[row * shape.dim() as usize + channel]),
        None => u16::from_le_bytes([STATE_FILL; 2]),
    }
}

/// The last `width - 1` of what a sequence follows and its tokens.
fn new_state(problem: &Problem, sequence: u32) -> Vec<u16> {
    let shape = problem.shape();
    let first = i64::from(shape.length(sequence)) - i64::from(shape.history());
    let positions = first..i64::from(shape.length(sequence));
    let row = |position| (0..shape.dim()).map(move |channel| seen(problem, sequence, position, channel));
    positions.flat_map(row).collect()
}
