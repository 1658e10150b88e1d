//! The problem: the tensors of some sequences.

use super::error::ProblemError;
use super::seeded;
use super::shape::Shape;

/// The tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// `[tokens, D]` the hidden vectors, from which the gates are computed.
    pub hidden: Vec<f32>,
    /// `[tokens, dim]` the projections to q, k and v, before the convolution: q of all key heads, k of all key heads, v of
    /// all value heads.
    pub qkv: Vec<f32>,
    /// `[tokens, HV, 128]` the projections to the outputs' gates.
    pub z: Vec<f32>,
    /// `[dim, 4]`; the last tap is the token's own.
    pub conv_weight: Vec<f32>,
    /// `[HV, D]` hidden to the argument of beta.
    pub w_beta: Vec<f32>,
    /// `[HV, D]` hidden to the argument of the decay.
    pub w_alpha: Vec<f32>,
    /// `[HV]` natural logarithm of the decay's factor.
    pub a_log: Vec<f32>,
    /// `[HV]`, added to the argument of the decay.
    pub dt_bias: Vec<f32>,
    /// `[128]` factors of the outputs' norm.
    pub norm_weight: Vec<f32>,
    /// `[sequences, 3, dim]` rows of `qkv` before the first token of each sequence, oldest first.
    pub conv_state: Vec<f32>,
    /// `[sequences, HV, V, K]` the state before the first token of each sequence.
    pub state: Vec<f32>,
}

/// How fast seeded states decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Decay {
    /// dt_bias from N(0, 1).
    Normal,
    /// dt_bias near 8, -12 and 30 for value heads 0, 1, 2, 3, ...: in the first of three the logarithms of a chunk of 16
    /// add up to -88 and below, in the second they stay near 0, in the third every single one is far below.
    Strong,
}

/// What seeded states hold before the first token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StateKind {
    /// Zeros.
    Zero,
    /// Numbers from N(0, 1) for the convolution, from 0.1 N(0, 1) for the recurrence.
    Random,
}

/// A checked problem: sizes and tensors that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    shape: Shape,
    inputs: Inputs,
}

impl Problem {
    /// A problem over given tensors.
    ///
    /// # Errors
    /// When a tensor is not as long as `shape` asks.
    pub fn new(shape: Shape, inputs: Inputs) -> Result<Self, ProblemError> {
        let (heads, sequences) = (shape.hv() as usize, shape.sequences() as usize);
        for (tensor, values, expected) in [
            ("hidden", &inputs.hidden, shape.hidden_elements()),
            ("qkv", &inputs.qkv, shape.qkv_elements()),
            ("z", &inputs.z, shape.head_elements()),
            ("conv_weight", &inputs.conv_weight, shape.conv_weight_elements()),
            ("w_beta", &inputs.w_beta, shape.gate_weight_elements()),
            ("w_alpha", &inputs.w_alpha, shape.gate_weight_elements()),
            ("a_log", &inputs.a_log, heads),
            ("dt_bias", &inputs.dt_bias, heads),
            ("norm_weight", &inputs.norm_weight, super::HEAD as usize),
            ("conv_state", &inputs.conv_state, sequences * shape.conv_state_elements() as usize),
            ("state", &inputs.state, sequences * shape.state_elements() as usize),
        ] {
            check_length(&shape, tensor, values.len(), expected)?;
        }
        Ok(Self { shape, inputs })
    }

    /// Data from a seed: hidden, qkv, z from N(0, 1), the convolution's weights from 0.5 N(0, 1), the gates' weights from
    /// N(0, 1) / sqrt(D), a_log the logarithm of a uniform number between 1 and 16, dt_bias as `decay` says, the norm's
    /// weights 1 + 0.1 N(0, 1), the states as `states` says; all rounded to f32. The chunk size does not matter.
    pub fn from_seed(shape: Shape, decay: Decay, states: StateKind, seed: u64) -> Self {
        let inputs = seeded::inputs(&shape, decay, states, seed);
        Self { shape, inputs }
    }

    /// The sizes.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The tensors.
    pub const fn inputs(&self) -> &Inputs {
        &self.inputs
    }
}

fn check_length(shape: &Shape, tensor: &'static str, actual: usize, expected: usize) -> Result<(), ProblemError> {
    if actual == expected {
        return Ok(());
    }
    let (sequences, tokens) = (shape.sequences(), shape.tokens());
    let (h, hv, d) = (shape.h(), shape.hv(), shape.d());
    Err(ProblemError::TensorLength { tensor, actual, expected, sequences, tokens, h, hv, d })
}
