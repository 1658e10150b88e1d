//! Some tokens of one sequence: which rows they read and which they write.
//!
//! A problem falls apart into such segments, which share no byte that anybody writes: no token needs what another gave.

use std::mem;

use super::outputs::Outputs;
use super::problem::{Problem, STATE_FILL};
use super::tensor::Tensor;

/// Most tokens of a segment.
pub(super) const TOKENS: usize = 16;

/// Rows of x, or of what lies before it, one token each.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    problem: &'a Problem,
    /// The state's bytes, for a sequence that follows one that was given.
    state: Option<&'a [u8]>,
    /// What a row has that is in no tensor.
    missing: u16,
    /// Where the sequence starts in x, in elements.
    start: usize,
    stride: usize,
    dim: usize,
    history: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(problem: &'a Problem, sequence: u32) -> Self {
        let shape = problem.shape();
        let initial = problem.has_initial_state(sequence);
        let state = problem.slot(sequence).and_then(|slot| problem.inputs().states.get(&slot));
        let stride = shape.stride() as usize;
        Self {
            problem,
            state: state.map(Vec::as_slice).filter(|_| initial),
            missing: if initial { u16::from_le_bytes([STATE_FILL; 2]) } else { 0 },
            start: shape.rows(sequence).start as usize * stride,
            stride,
            dim: shape.dim() as usize,
            history: shape.history() as usize,
        }
    }

    /// Writes the elements from `channel` on of row `row` to `bits`. Row `width - 1` is the sequence's first token.
    #[inline(always)]
    pub(super) fn read(&self, row: usize, channel: usize, bits: &mut [u16]) {
        if row >= self.history {
            let first = self.start + (row - self.history) * self.stride + channel;
            bits.copy_from_slice(&self.problem.inputs().x[first..][..bits.len()]);
        } else if let Some(state) = self.state {
            let elements = &state.as_chunks::<2>().0[row * self.dim + channel..];
            bits.iter_mut().zip(elements).for_each(|(bits, &bytes)| *bits = u16::from_le_bytes(bytes));
        } else {
            bits.fill(self.missing);
        }
    }
}

/// What some tokens of a sequence read and write.
pub(super) struct Segment<'a> {
    pub(super) reader: Reader<'a>,
    /// The first token, among those of the sequence.
    pub(super) first: usize,
    /// Tokens, 1 to [`TOKENS`].
    pub(super) tokens: usize,
    /// Rows of q, k and v: bytes of so many tokens.
    pub(super) rows: [&'a mut [u8]; 3],
}

/// A new state: whose, and where it goes.
pub(super) struct NewState<'a> {
    reader: Reader<'a>,
    length: usize,
    bytes: &'a mut [u8],
}

impl NewState<'_> {
    /// Copies the last rows of the sequence and of what lies before it.
    pub(super) fn copy(self) {
        let Reader { dim, history, .. } = self.reader;
        let mut bits = vec![0; dim];
        for (row, bytes) in self.bytes.chunks_exact_mut(2 * dim).take(history).enumerate() {
            self.reader.read(self.length + row, 0, &mut bits);
            bytes.as_chunks_mut().0.iter_mut().zip(&bits).for_each(|(bytes, bits)| *bytes = bits.to_le_bytes());
        }
    }
}

/// Gives `outputs` the buffers that a launch of `problem` writes, with any contents, and takes them apart. Rows of padded
/// sequences are in no segment.
pub(super) fn take_apart<'a>(problem: &'a Problem, outputs: &'a mut Outputs) -> (Vec<Segment<'a>>, Vec<NewState<'a>>) {
    let shape = problem.shape();
    let writers = problem.writers();
    for tensor in Tensor::ALL {
        outputs.tensor_mut(tensor).resize(2 * shape.output_elements(tensor), 0);
    }
    outputs.states.retain(|slot, _| writers.contains_key(slot));
    for &slot in writers.keys() {
        outputs.states.entry(slot).or_default().resize(shape.state_bytes() as usize, 0);
    }

    let row_bytes = Tensor::ALL.map(|tensor| 2 * shape.channels(tensor).len());
    let mut rest = [outputs.q.as_mut_slice(), outputs.k.as_mut_slice(), outputs.v.as_mut_slice()];
    let mut take = |tokens: usize| -> [&'a mut [u8]; 3] {
        std::array::from_fn(|tensor| {
            let (taken, left) = mem::take(&mut rest[tensor]).split_at_mut(tokens * row_bytes[tensor]);
            rest[tensor] = left;
            taken
        })
    };
    let mut segments = vec![];
    for sequence in 0..shape.sequences() {
        let length = shape.length(sequence) as usize;
        if problem.slot(sequence).is_none() {
            take(length);
            continue;
        }
        let reader = Reader::new(problem, sequence);
        for first in (0..length).step_by(TOKENS) {
            let tokens = TOKENS.min(length - first);
            segments.push(Segment { reader, first, tokens, rows: take(tokens) });
        }
    }
    let states = outputs.states.iter_mut().filter_map(|(slot, bytes)| {
        let &sequence = writers.get(slot)?;
        Some(NewState { reader: Reader::new(problem, sequence), length: shape.length(sequence) as usize, bytes })
    });
    (segments, states.collect())
}
