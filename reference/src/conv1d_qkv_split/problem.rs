//! The problem: the tensors, and what belongs to which sequence.

use std::collections::BTreeMap;

use super::error::ProblemError;
use super::shape::Shape;
use super::{indices, seeded};

/// What every byte of `conv_state` is that no state was given for: a number in either type (bf16: 0.0115, f16: 1.06),
/// not zero.
pub const STATE_FILL: u8 = 0x3c;

/// What seeded data has in the columns of x behind the last channel: a NaN in either type.
pub const PADDING: u16 = 0x7fff;

/// The tensors, as raw bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// `[tokens, stride]`, of which the columns behind the last channel are never read.
    pub x: Vec<u16>,
    /// `[dim, width]`, oldest tap first.
    pub weight: Vec<u16>,
    /// `[dim]`, or empty without a bias.
    pub bias: Vec<u16>,
    /// `[B + 1]` the first token of each sequence, and the number of tokens.
    pub query_start_loc: Vec<i32>,
    /// `[B]` the slot of each sequence's state. -1: the sequence is padded, nothing of it is written.
    pub cache_indices: Vec<i32>,
    /// `[B]` 1: a sequence follows the tokens in its state; 0: it starts with zeros before it.
    pub has_initial_state: Vec<i32>,
    /// Little-endian bytes of the `[width - 1, dim]` elements of some slots, the oldest token first. All other bytes of
    /// `conv_state` are [`STATE_FILL`].
    pub states: BTreeMap<u64, Vec<u8>>,
}

/// A checked problem: sizes and tensors that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    shape: Shape,
    inputs: Inputs,
}

impl Problem {
    /// A problem over given tensors.
    ///
    /// # Errors
    /// As [`Problem::unchecked`]; when an index is below -1 or not below the slots; when two sequences that are not
    /// padded have one slot.
    pub fn new(shape: Shape, inputs: Inputs) -> Result<Self, ProblemError> {
        let problem = Self::unchecked(shape, inputs)?;
        indices::check(&problem.shape, &problem.inputs.cache_indices)?;
        Ok(problem)
    }

    /// A problem whose `cache_indices` nobody checks, as when the caller's check is off. What a launch then does is the
    /// simulator's business; the model only promises not to fail.
    ///
    /// # Errors
    /// When a tensor or a state is not as long as `shape` asks; when `query_start_loc` does not follow from the lengths;
    /// when `has_initial_state` is neither 0 nor 1.
    pub fn unchecked(shape: Shape, inputs: Inputs) -> Result<Self, ProblemError> {
        let sequences = shape.sequences() as usize;
        for (tensor, actual, expected) in [
            ("x", inputs.x.len(), shape.x_elements()),
            ("weight", inputs.weight.len(), shape.weight_elements()),
            ("bias", inputs.bias.len(), if shape.bias() { shape.dim() as usize } else { 0 }),
            ("query_start_loc", inputs.query_start_loc.len(), sequences + 1),
        ] {
            check_length(&shape, tensor, actual, expected)?;
        }
        check_sequences(&shape, &inputs.cache_indices, &inputs.has_initial_state)?;
        check_starts(&shape, &inputs.query_start_loc)?;
        for (&slot, bytes) in &inputs.states {
            if slot >= shape.slots() {
                return Err(ProblemError::StateBeyondSlots { slot, slots: shape.slots() });
            }
            let (actual, expected) = (bytes.len(), shape.state_bytes());
            if actual as u64 != expected {
                let (width, dim) = (shape.width(), shape.dim());
                return Err(ProblemError::StateLength { slot, actual, expected, width, dim });
            }
        }
        Ok(Self { shape, inputs })
    }

    /// Data from a seed, with the given indices: x and the states of the slots named from N(0, 1), the weight from
    /// N(0, 0.5), standard deviations, the bias from 0.1 N(0, 1), rounded to the type of the data; [`PADDING`] in the
    /// columns of x behind the last channel. A slot's state depends on the seed and the slot alone.
    ///
    /// # Errors
    /// As [`Problem::new`].
    pub fn from_seed(
        shape: Shape,
        cache_indices: &[i32],
        has_initial_state: &[i32],
        seed: u64,
    ) -> Result<Self, ProblemError> {
        check_sequences(&shape, cache_indices, has_initial_state)?;
        indices::check(&shape, cache_indices)?;
        Self::from_seed_unchecked(shape, cache_indices, has_initial_state, seed)
    }

    /// As [`Problem::from_seed`], with `cache_indices` that nobody checks.
    ///
    /// # Errors
    /// When there are not as many indices as sequences; when `has_initial_state` is neither 0 nor 1.
    pub fn from_seed_unchecked(
        shape: Shape,
        cache_indices: &[i32],
        has_initial_state: &[i32],
        seed: u64,
    ) -> Result<Self, ProblemError> {
        check_sequences(&shape, cache_indices, has_initial_state)?;
        let inputs = seeded::inputs(&shape, cache_indices, has_initial_state, seed);
        Ok(Self { shape, inputs })
    }

    /// The sizes.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The tensors.
    pub const fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The slot of a sequence's state; `None` if it is padded (its index is negative) or there is no such sequence.
    pub fn slot(&self, sequence: u32) -> Option<u64> {
        u64::try_from(*self.inputs.cache_indices.get(sequence as usize)?).ok()
    }

    /// Whether a sequence follows the tokens in its state.
    pub fn has_initial_state(&self, sequence: u32) -> bool {
        self.inputs.has_initial_state.get(sequence as usize).is_some_and(|&flag| flag != 0)
    }

    /// The sequences that are not padded: their tokens have rows in the outputs.
    pub fn computed(&self) -> impl Iterator<Item = u32> {
        (0..self.shape.sequences()).filter(|&sequence| self.slot(sequence).is_some())
    }

    /// By slot, the sequence whose state is left there. Sequences without tokens leave none. Of slots that do not exist
    /// or that several sequences write, as nobody checked, nothing is said.
    pub fn writers(&self) -> BTreeMap<u64, u32> {
        let mut writers: BTreeMap<u64, Option<u32>> = BTreeMap::new();
        for sequence in self.computed().filter(|&sequence| self.shape.length(sequence) > 0) {
            let Some(slot) = self.slot(sequence).filter(|&slot| slot < self.shape.slots()) else { continue };
            writers.entry(slot).and_modify(|writer| *writer = None).or_insert(Some(sequence));
        }
        writers.into_iter().filter_map(|(slot, writer)| Some((slot, writer?))).collect()
    }
}

/// There is an index and a flag for every sequence, and the flags are flags.
fn check_sequences(shape: &Shape, cache_indices: &[i32], has_initial_state: &[i32]) -> Result<(), ProblemError> {
    let sequences = shape.sequences() as usize;
    check_length(shape, "cache_indices", cache_indices.len(), sequences)?;
    check_length(shape, "has_initial_state", has_initial_state.len(), sequences)?;
    match (0..).zip(has_initial_state).find(|&(_, value)| !matches!(value, 0 | 1)) {
        Some((sequence, &value)) => Err(ProblemError::InitialState { sequence, value }),
        None => Ok(()),
    }
}

fn check_length(shape: &Shape, tensor: &'static str, actual: usize, expected: usize) -> Result<(), ProblemError> {
    if actual == expected {
        return Ok(());
    }
    Err(ProblemError::TensorLength {
        tensor,
        actual,
        expected,
        sequences: shape.sequences(),
        tokens: shape.tokens(),
        dim: shape.dim(),
        stride: shape.stride(),
        width: shape.width(),
        bias: shape.bias(),
    })
}

/// `starts`, of which there is one more than sequences, are those of the lengths.
fn check_starts(shape: &Shape, starts: &[i32]) -> Result<(), ProblemError> {
    if let Some(&start) = starts.first().filter(|&&start| start != 0) {
        return Err(ProblemError::FirstStart { start });
    }
    let pairs = || (0..).zip(starts.iter().zip(starts.iter().skip(1)));
    if let Some((sequence, (&start, &end))) = pairs().find(|(_, (start, end))| end < start) {
        return Err(ProblemError::FallingStart { sequence, start, end });
    }
    let (sequences, tokens) = (shape.sequences(), shape.tokens());
    if let Some(&end) = starts.last().filter(|&&end| end.cast_unsigned() != tokens) {
        return Err(ProblemError::LastEnd { sequences, end, tokens });
    }
    let other = |&(sequence, (start, end)): &(u32, (&i32, &i32))| start.abs_diff(*end) != shape.length(sequence);
    match pairs().find(other) {
        Some((sequence, (&start, &end))) => {
            Err(ProblemError::SequenceLength { sequence, start, end, length: shape.length(sequence) })
        }
        None => Ok(()),
    }
}
