//! The problem: the tensors, what belongs to which request, and what a launch leaves unspecified.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ProblemError;
use super::shape::{Shape, StateType};
use super::{indices, seeded};

/// What every byte of the pool is that no state was given for: a small number in bf16 and in f32 (0.0115), not zero.
pub const POOL_FILL: u8 = 0x3c;

/// The tensors, as raw bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// `[B, T, H, 128]` bf16 bits.
    pub q: Vec<u16>,
    /// `[B, T, H, 128]` bf16 bits.
    pub k: Vec<u16>,
    /// `[B, T, HV, 128]` bf16 bits.
    pub v: Vec<u16>,
    /// `[B, T, HV]` bf16 bits.
    pub a: Vec<u16>,
    /// `[B, T, HV]` bf16 bits.
    pub b: Vec<u16>,
    /// `[HV]` natural logarithm of the decay's factor.
    pub a_log: Vec<f32>,
    /// `[HV]`, added to `a`.
    pub dt_bias: Vec<f32>,
    /// `[B]` the slot a request's state is read from.
    ///
    /// Negative: bf16: the null slot, slot 0; f32: the request is skipped, its output rows become zeros and nothing
    /// else of it is written.
    pub read_indices: Vec<i32>,
    /// `[B]` the slot a request's final state is written to, if the pool is updated.
    ///
    /// Negative: bf16: the null slot, slot 0; f32: it is not written.
    pub write_indices: Vec<i32>,
    /// Little-endian bytes of the `[HV, V, K]` elements of some slots. All other bytes of the pool, other slots and
    /// padding, are [`POOL_FILL`].
    pub states: BTreeMap<u64, Vec<u8>>,
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
    /// When a tensor or a state is not as long as `shape` asks; when an index is not below the pool, or 0 in a bf16
    /// pool; when a slot would be written twice, or read by one request and written by another. The null slot of a
    /// bf16 pool is exempt: requests without a slot may race on it.
    pub fn new(shape: Shape, inputs: Inputs) -> Result<Self, ProblemError> {
        let problem = Self::unchecked(shape, inputs)?;
        indices::check(shape, problem.slots())?;
        Ok(problem)
    }

    /// A problem whose indices nobody checks, as when the caller's check is off. What a launch then does is the
    /// simulator's business; the model only promises not to fail.
    ///
    /// # Errors
    /// When a tensor or a state is not as long as `shape` asks.
    pub fn unchecked(shape: Shape, inputs: Inputs) -> Result<Self, ProblemError> {
        let (keys, values, gates) = (shape.key_elements(), shape.value_elements(), shape.gates());
        let heads = shape.hv() as usize;
        check_indices_length(shape, &inputs.read_indices, &inputs.write_indices)?;
        for (tensor, actual, expected) in [
            ("q", inputs.q.len(), keys),
            ("k", inputs.k.len(), keys),
            ("v", inputs.v.len(), values),
            ("a", inputs.a.len(), gates),
            ("b", inputs.b.len(), gates),
            ("a_log", inputs.a_log.len(), heads),
            ("dt_bias", inputs.dt_bias.len(), heads),
        ] {
            check_length(shape, tensor, actual, expected)?;
        }
        for (&slot, bytes) in &inputs.states {
            if slot >= shape.pool() {
                return Err(ProblemError::StateBeyondPool { slot, pool: shape.pool() });
            }
            let (actual, expected) = (bytes.len(), shape.slot_bytes());
            if actual as u64 != expected {
                return Err(ProblemError::StateLength { slot, actual, expected, hv: shape.hv() });
            }
        }
        Ok(Self { shape, inputs })
    }

    /// Data from a seed, with the given indices: q, k, v, a, b and dt_bias from N(0, 1), a_log the logarithm of a
    /// uniform number between 1 and 16, the states of the slots that are read from 0.1 N(0, 1), all rounded to their
    /// types. A slot's state depends on the seed and the slot alone.
    ///
    /// # Errors
    /// As [`Problem::new`].
    pub fn from_seed(shape: Shape, read: &[i32], write: &[i32], seed: u64) -> Result<Self, ProblemError> {
        check_indices_length(shape, read, write)?;
        indices::check(shape, Slots { read, write })?;
        Ok(Self { shape, inputs: seeded::inputs(shape, read, write, seed) })
    }

    /// As [`Problem::from_seed`], with indices that nobody checks.
    ///
    /// # Errors
    /// When there are not as many indices as requests.
    pub fn from_seed_unchecked(shape: Shape, read: &[i32], write: &[i32], seed: u64) -> Result<Self, ProblemError> {
        check_indices_length(shape, read, write)?;
        Ok(Self { shape, inputs: seeded::inputs(shape, read, write, seed) })
    }

    /// The sizes.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The tensors.
    pub const fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The slot that request `request` reads its state from; `None` if it is skipped or there is no such request.
    pub fn read_slot(&self, request: u32) -> Option<u64> {
        self.slots().read(self.shape, request)
    }

    /// The slot that request `request` writes its final state to; `None` if it writes none or there is no such request.
    pub fn write_slot(&self, request: u32) -> Option<u64> {
        self.slots().written(self.shape, request)
    }

    /// The requests whose results depend on who comes first at the null slot: they read it, and another request
    /// writes it. Their output rows, their intermediate states and the slots they write have no specified contents.
    pub fn unspecified_requests(&self) -> BTreeSet<u32> {
        if self.shape.state() != StateType::Bf16 {
            return BTreeSet::new();
        }
        let requests = || 0..self.shape.b();
        let writers: Vec<u32> = requests().filter(|&request| self.write_slot(request) == Some(0)).take(2).collect();
        let raced =
            |&request: &u32| self.read_slot(request) == Some(0) && writers.iter().any(|&writer| writer != request);
        requests().filter(raced).collect()
    }

    /// Whether several requests write the null slot, so that nobody can say what it holds in the end.
    pub fn null_slot_is_unspecified(&self) -> bool {
        let null = |&request: &u32| self.write_slot(request) == Some(0);
        self.shape.state() == StateType::Bf16 && (0..self.shape.b()).filter(null).nth(1).is_some()
    }

    /// The slots with no specified contents after a launch: the null slot if several requests write it, and the
    /// slots that [`Problem::unspecified_requests`] write.
    pub fn unspecified_slots(&self) -> BTreeSet<u64> {
        let written = self.unspecified_requests().into_iter().filter_map(|request| self.write_slot(request));
        written.chain(self.null_slot_is_unspecified().then_some(0)).collect()
    }

    fn slots(&self) -> Slots<'_> {
        Slots { read: &self.inputs.read_indices, write: &self.inputs.write_indices }
    }
}

fn check_indices_length(shape: Shape, read: &[i32], write: &[i32]) -> Result<(), ProblemError> {
    check_length(shape, "read_indices", read.len(), shape.b() as usize)?;
    check_length(shape, "write_indices", write.len(), shape.b() as usize)
}

fn check_length(shape: Shape, tensor: &'static str, actual: usize, expected: usize) -> Result<(), ProblemError> {
    if actual == expected {
        return Ok(());
    }
    let (b, t, h, hv) = (shape.b(), shape.t(), shape.h(), shape.hv());
    Err(ProblemError::TensorLength { tensor, actual, expected, b, t, h, hv })
}

/// Indices, as the slots they mean.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    pub(super) read: &'a [i32],
    pub(super) write: &'a [i32],
}

impl Slots<'_> {
    pub(super) fn read(self, shape: Shape, request: u32) -> Option<u64> {
        slot(shape.state(), *self.read.get(request as usize)?)
    }

    pub(super) fn written(self, shape: Shape, request: u32) -> Option<u64> {
        self.read(shape, request)?;
        slot(shape.state(), *self.write.get(request as usize)?).filter(|_| shape.update())
    }
}

fn slot(state: StateType, index: i32) -> Option<u64> {
    match (u64::try_from(index), state) {
        (Ok(slot), _) => Some(slot),
        (Err(_), StateType::Bf16) => Some(0),
        (Err(_), StateType::F32) => None,
    }
}
