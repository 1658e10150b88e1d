//! What belongs to one request: the tensors' elements, found by what they mean.

use super::problem::{Inputs, POOL_FILL, Problem};
use super::shape::{HEAD, TAPS};

const ELEMENTS: usize = HEAD as usize;

/// An f16 of which both bytes are [`POOL_FILL`].
const FILL: u16 = u16::from_le_bytes([POOL_FILL; 2]);

/// f16 bits of what one channel of the convolution is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    /// The three tokens before, oldest first, and the new one.
    pub(super) tokens: [u16; TAPS as usize],
    /// The weights of these tokens.
    pub(super) weights: [u16; TAPS as usize],
    /// The bias.
    pub(super) bias: u16,
}

/// f16 bits of the arguments of a value head's gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GateBits {
    pub(super) a: u16,
    pub(super) b: u16,
    pub(super) a_log: u16,
    pub(super) dt_bias: u16,
}

/// One request of a problem.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    problem: &'a Problem,
    number: u32,
    /// Its row of `qkvz`.
    qkvz: &'a [u16],
    /// Its row of `ba`.
    ba: &'a [u16],
    /// Its `[3, dim]` state, if one was given for its slot.
    conv_state: Option<&'a [u8]>,
    /// Its `[HV, V, K]` state, if one was given for its slot.
    ssm_state: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Request `number` of `problem`, which has it.
    pub(super) fn new(problem: &'a Problem, number: u32) -> Self {
        let (shape, inputs): (_, &Inputs) = (problem.shape(), problem.inputs());
        let row = |tensor: &'a [u16], columns: u64| &tensor[number as usize * columns as usize..][..columns as usize];
        let slot = problem.slot(number);
        Self {
            problem,
            number,
            qkvz: row(&inputs.qkvz, shape.qkvz_columns()),
            ba: row(&inputs.ba, shape.ba_columns()),
            conv_state: slot.and_then(|slot| inputs.conv_states.get(&slot)).map(Vec::as_slice),
            ssm_state: slot.and_then(|slot| inputs.ssm_states.get(&slot)).map(Vec::as_slice),
        }
    }

    /// The slot of its states, if it has them.
    pub(super) fn slot(&self) -> Option<u64> {
        self.problem.slot(self.number)
    }

    /// Channel `channel`, less than `dim`.
    pub(super) fn channel(&self, channel: u64) -> Channel {
        let (shape, inputs) = (self.problem.shape(), self.problem.inputs());
        let position = channel as usize;
        let before = |row: usize| match self.conv_state {
            Some(state) => half(state, row * shape.dim() as usize + position),
            None => FILL,
        };
        let new = self.qkvz[shape.channel_column(channel) as usize];
        Channel {
            tokens: [before(0), before(1), before(2), new],
            weights: inputs.conv_weight.as_chunks().0[position],
            bias: inputs.conv_bias[position],
        }
    }

    /// The first channels of q, k and v of value head `hv`.
    pub(super) fn first_channels(&self, hv: u32) -> [u64; 3] {
        let shape = self.problem.shape();
        let key = shape.key_head(hv);
        [shape.q_channel(key), shape.k_channel(key), shape.v_channel(hv)]
    }

    /// The gates of value head `hv`.
    pub(super) fn gates(&self, hv: u32) -> GateBits {
        let (shape, inputs) = (self.problem.shape(), self.problem.inputs());
        GateBits {
            a: self.ba[shape.a_column(hv) as usize],
            b: self.ba[shape.b_column(hv) as usize],
            a_log: inputs.a_log[hv as usize],
            dt_bias: inputs.dt_bias[hv as usize],
        }
    }

    /// z of value head `hv`: 128 f16.
    pub(super) fn z(&self, hv: u32) -> &'a [u16] {
        &self.qkvz[self.problem.shape().z_column(hv) as usize..][..ELEMENTS]
    }

    /// Row `v` of the state of value head `hv`: 128 f16, by K.
    pub(super) fn state_row(&self, hv: u32, v: usize) -> [u16; ELEMENTS] {
        let first = (hv as usize * ELEMENTS + v) * ELEMENTS;
        let mut row = [FILL; ELEMENTS];
        if let Some(state) = self.ssm_state {
            for (element, &bytes) in row.iter_mut().zip(&state.as_chunks().0[first..]) {
                *element = u16::from_le_bytes(bytes);
            }
        }
        row
    }

    /// The `[3, dim]` state as it was given, or what fills the pool.
    pub(super) fn conv_state(&self) -> Vec<u8> {
        let filled = || vec![POOL_FILL; self.problem.shape().conv_slot_bytes() as usize];
        self.conv_state.map_or_else(filled, <[u8]>::to_vec)
    }
}

/// Element `element` of a tensor of f16.
fn half(bytes: &[u8], element: usize) -> u16 {
    u16::from_le_bytes(bytes.as_chunks().0[element])
}
