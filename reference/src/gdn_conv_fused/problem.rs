//! The problem: the tensors, and what belongs to which request.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ProblemError;
use super::shape::{Shape, TAPS};
use super::{indices, seeded};

/// What every byte of both pools is that no state was given for: a small number in f16 (0.065), not zero.
pub const POOL_FILL: u8 = 0x2c;

/// The tensors. 16-bit words are the bits of an f16.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// `[N, 2 H 128 + 2 HV 128]` the projections to q, k, v and z; [`Shape::channel_column`] and [`Shape::z_column`] say
    /// what is where.
    pub qkvz: Vec<u16>,
    /// `[N, 2 HV]` the projections to the gates; [`Shape::b_column`] and [`Shape::a_column`] say what is where.
    pub ba: Vec<u16>,
    /// `[dim, 4]`; the last tap is the new token's.
    pub conv_weight: Vec<u16>,
    /// `[dim]`
    pub conv_bias: Vec<u16>,
    /// `[HV]` natural logarithm of the decay's factor.
    pub a_log: Vec<u16>,
    /// `[HV]`, added to a.
    pub dt_bias: Vec<u16>,
    /// `[N]` the slot of a request's states in both pools.
    ///
    /// Negative: the request has no states. Its output rows become zeros, its z is copied, nothing else is done.
    pub state_indices: Vec<i32>,
    /// Little-endian bytes of the `[3, dim]` f16 of some slots, the oldest token first. All other slots of the pool are
    /// filled with [`POOL_FILL`].
    pub conv_states: BTreeMap<u64, Vec<u8>>,
    /// Little-endian bytes of the `[HV, V, K]` f16 of some slots. All other slots of the pool are filled with
    /// [`POOL_FILL`].
    pub ssm_states: BTreeMap<u64, Vec<u8>>,
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
    /// When a tensor or a state is not as long as `shape` asks; when an index is not below the pool; when two requests
    /// have one slot.
    pub fn new(shape: Shape, inputs: Inputs) -> Result<Self, ProblemError> {
        let problem = Self::unchecked(shape, inputs)?;
        indices::check(shape, &problem.inputs.state_indices)?;
        Ok(problem)
    }

    /// A problem whose indices nobody checks, as when the caller's check is off. What a launch then does is the
    /// simulator's business; the model only promises not to fail.
    ///
    /// # Errors
    /// When a tensor or a state is not as long as `shape` asks.
    pub fn unchecked(shape: Shape, inputs: Inputs) -> Result<Self, ProblemError> {
        let (channels, heads) = (shape.dim() as usize, shape.hv() as usize);
        for (tensor, actual, expected) in [
            ("qkvz", inputs.qkvz.len(), shape.qkvz_elements()),
            ("ba", inputs.ba.len(), shape.ba_elements()),
            ("conv_weight", inputs.conv_weight.len(), channels * TAPS as usize),
            ("conv_bias", inputs.conv_bias.len(), channels),
            ("a_log", inputs.a_log.len(), heads),
            ("dt_bias", inputs.dt_bias.len(), heads),
            ("state_indices", inputs.state_indices.len(), shape.n() as usize),
        ] {
            check_length(shape, tensor, actual, expected)?;
        }
        check_states(shape, "conv_state", &inputs.conv_states, shape.conv_slot_bytes())?;
        check_states(shape, "ssm_state", &inputs.ssm_states, shape.ssm_slot_bytes())?;
        Ok(Self { shape, inputs })
    }

    /// Data from a seed, with the given indices: qkvz, ba, dt_bias and the convolution states from N(0, 1), the
    /// convolution's weights from 0.5 N(0, 1), its biases and the recurrent states from 0.1 N(0, 1), a_log the logarithm
    /// of a uniform number between 1 and 16, all rounded to f16. States are given for the slots of the requests; a
    /// slot's states depend on the seed, the heads and the slot alone. Both layouts hold the same numbers.
    ///
    /// # Errors
    /// As [`Problem::new`].
    pub fn from_seed(shape: Shape, state_indices: &[i32], seed: u64) -> Result<Self, ProblemError> {
        check_length(shape, "state_indices", state_indices.len(), shape.n() as usize)?;
        indices::check(shape, state_indices)?;
        Self::from_seed_unchecked(shape, state_indices, seed)
    }

    /// As [`Problem::from_seed`], with indices that nobody checks.
    ///
    /// # Errors
    /// When there are not as many indices as requests.
    pub fn from_seed_unchecked(shape: Shape, state_indices: &[i32], seed: u64) -> Result<Self, ProblemError> {
        check_length(shape, "state_indices", state_indices.len(), shape.n() as usize)?;
        Ok(Self { shape, inputs: seeded::inputs(shape, state_indices, seed) })
    }

    /// The sizes.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The tensors.
    pub const fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The slot of the states of request `request`; `None` if it has none or there is no such request.
    pub fn slot(&self, request: u32) -> Option<u64> {
        indices::slot(*self.inputs.state_indices.get(request as usize)?)
    }

    /// The slots that a launch writes and whose contents are specified afterwards.
    pub fn written_slots(&self) -> BTreeSet<u64> {
        let unspecified = self.unspecified_slots();
        let slots = (0..self.shape.n()).filter_map(|request| self.slot(request));
        slots.filter(|slot| *slot < self.shape.pool() && !unspecified.contains(slot)).collect()
    }

    /// The slots with no specified contents after a launch: those of several requests. None where indices are checked.
    pub fn unspecified_slots(&self) -> BTreeSet<u64> {
        let mut seen = BTreeSet::new();
        let slots = (0..self.shape.n()).filter_map(|request| self.slot(request));
        slots.filter(|&slot| slot < self.shape.pool() && !seen.insert(slot)).collect()
    }

    /// The requests whose output rows have no specified contents: those that share a slot, or have one beyond the pool.
    /// None where indices are checked.
    pub fn unspecified_requests(&self) -> BTreeSet<u32> {
        let shared = self.unspecified_slots();
        let broken = |slot: u64| slot >= self.shape.pool() || shared.contains(&slot);
        (0..self.shape.n()).filter(|&request| self.slot(request).is_some_and(broken)).collect()
    }
}

fn check_length(shape: Shape, tensor: &'static str, actual: usize, expected: usize) -> Result<(), ProblemError> {
    if actual == expected {
        return Ok(());
    }
    let (n, h, hv) = (shape.n(), shape.h(), shape.hv());
    Err(ProblemError::TensorLength { tensor, actual, expected, n, h, hv })
}

fn check_states(
    shape: Shape,
    tensor: &'static str,
    states: &BTreeMap<u64, Vec<u8>>,
    expected: u64,
) -> Result<(), ProblemError> {
    let (h, hv, pool) = (shape.h(), shape.hv(), shape.pool());
    for (&slot, bytes) in states {
        if slot >= pool {
            return Err(ProblemError::StateBeyondPool { tensor, slot, pool });
        }
        let actual = bytes.len();
        if actual as u64 != expected {
            return Err(ProblemError::StateLength { tensor, slot, actual, expected, h, hv });
        }
    }
    Ok(())
}
