//! What belongs to a token: the tensors' elements, found by what they mean.

use super::problem::Problem;
use super::shape::{HEAD, ROWS, TAPS};

/// One number for each tap.
pub(super) type Taps = [f32; TAPS as usize];

/// One sequence of a problem.
#[derive(Clone, Copy)]
pub(super) struct Sequence<'a> {
    problem: &'a Problem,
    number: u32,
    /// Its first token, among all.
    first: usize,
    dim: usize,
}

impl<'a> Sequence<'a> {
    /// Sequence `number` of `problem`, which has it.
    pub(super) fn new(problem: &'a Problem, number: u32) -> Self {
        let shape = problem.shape();
        Self { problem, number, first: shape.rows(number).start as usize, dim: shape.dim() as usize }
    }

    /// Tokens.
    pub(super) fn length(&self) -> usize {
        self.problem.shape().length(self.number) as usize
    }

    /// All channels of row `row`: of the three before the sequence, then of its tokens.
    pub(super) fn row(&self, row: usize) -> &'a [f32] {
        let (inputs, before) = (self.problem.inputs(), ROWS as usize);
        let tensor = match row.checked_sub(before) {
            Some(token) => &inputs.qkv[(self.first + token) * self.dim..],
            None => &inputs.conv_state[(self.number as usize * before + row) * self.dim..],
        };
        &tensor[..self.dim]
    }

    /// What a channel of the convolution of token `token` of the sequence is computed from: the three tokens before,
    /// oldest first, and the token; their weights.
    pub(super) fn taps(&self, token: usize, channel: usize) -> (Taps, Taps) {
        let tokens = std::array::from_fn(|tap| self.row(token + tap)[channel]);
        (tokens, self.problem.inputs().conv_weight.as_chunks().0[channel])
    }

    /// The first channels of q, k and v of value head `hv`.
    pub(super) fn first_channels(&self, hv: u32) -> [usize; 3] {
        self.problem.shape().first_channels(hv).map(|channel| channel as usize)
    }

    /// The hidden vector of a token of the sequence.
    pub(super) fn hidden(&self, token: usize) -> &'a [f32] {
        let d = self.problem.shape().d() as usize;
        &self.problem.inputs().hidden[(self.first + token) * d..][..d]
    }

    /// z of a token of the sequence for value head `hv`.
    pub(super) fn z(&self, token: usize, hv: u32) -> &'a [f32] {
        &self.problem.inputs().z[self.position(token, hv) * HEAD as usize..][..HEAD as usize]
    }

    /// The place of a token of the sequence in tensors `[tokens, HV]`.
    pub(super) fn position(&self, token: usize, hv: u32) -> usize {
        (self.first + token) * self.problem.shape().hv() as usize + hv as usize
    }

    /// The `[V, K]` state of value head `hv` before the first token.
    pub(super) fn state(&self, hv: u32) -> &'a [f32] {
        let square = HEAD as usize * HEAD as usize;
        let head = self.number as usize * self.problem.shape().hv() as usize + hv as usize;
        &self.problem.inputs().state[head * square..][..square]
    }
}

/// The weights of value head `hv` in a tensor `[HV, D]`.
pub(super) fn gate_weights<'a>(problem: &Problem, tensor: &'a [f32], hv: u32) -> &'a [f32] {
    let d = problem.shape().d() as usize;
    &tensor[hv as usize * d..][..d]
}
