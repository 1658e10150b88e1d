//! Sizes, their limits, and what lies where: sequences and their chunks among the tokens, heads among the channels.
//!
//! Heads of 128 elements, a convolution over 4 tokens and chunks come from ohdearquant/lattice pull request 190. Sequences
//! and tokens are counted in i32, the type of the index buffers. Every buffer must have byte offsets that fit in a signed
//! 64-bit integer.

use std::ops::Range;

use super::error::ProblemError;
pub use crate::delta_rule::HEAD;

/// Taps of the convolution: a token and the three before it.
pub const TAPS: u32 = 4;

/// Rows of a convolution state: the tokens before, oldest first.
pub const ROWS: u32 = TAPS - 1;

/// Tokens that a chunk may have.
pub const CHUNKS: [u32; 3] = [16, 32, 64];

/// Most sequences.
pub const SEQUENCES_LIMIT: u32 = i32::MAX.cast_unsigned();

/// Most tokens of all sequences.
pub const TOKENS_LIMIT: u32 = i32::MAX.cast_unsigned();

/// Largest byte length of a buffer.
pub const BYTES_LIMIT: u64 = i64::MAX.cast_unsigned();

/// Bytes of an f32.
const ELEMENT: u64 = 4;

const HEAD_64: u64 = HEAD as u64;

/// Sizes as they are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sizes {
    /// Tokens of each sequence, at least 1.
    pub lengths: Vec<u32>,
    /// Key heads.
    pub h: u32,
    /// Value heads.
    pub hv: u32,
    /// Elements of a key head.
    pub k: u32,
    /// Elements of a value head.
    pub v: u32,
    /// Elements of the hidden vector of a token, a multiple of 128.
    pub d: u32,
    /// Tokens of a chunk: 16, 32 or 64. The last chunk of a sequence may have fewer.
    pub c: u32,
}

/// Some neighbouring tokens of one sequence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chunk {
    /// The sequence.
    pub sequence: u32,
    /// Its number among the chunks of the sequence.
    pub index: u32,
    /// Its tokens, among those of all sequences.
    pub tokens: Range<u32>,
}

/// Checked sizes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    sizes: Sizes,
    /// `[sequences + 1]` first tokens of the sequences, and the number of tokens.
    starts: Vec<u32>,
}

impl Shape {
    /// The sizes, checked.
    ///
    /// # Errors
    /// When one is outside its limits, or a buffer would have more than [`BYTES_LIMIT`] bytes.
    pub fn new(sizes: Sizes) -> Result<Self, ProblemError> {
        let Sizes { h, hv, k, v, d, c, .. } = sizes;
        check_sequences(sizes.lengths.len())?;
        let starts = starts(&sizes.lengths)?;
        if h == 0 || hv == 0 {
            return Err(ProblemError::NoHeads { h, hv });
        }
        if !hv.is_multiple_of(h) {
            return Err(ProblemError::UnequalGroups { h, hv });
        }
        if k != HEAD || v != HEAD {
            return Err(ProblemError::HeadSize { h, hv, k, v });
        }
        if d == 0 || !d.is_multiple_of(HEAD) {
            return Err(ProblemError::HiddenSize { d });
        }
        if !CHUNKS.contains(&c) {
            return Err(ProblemError::ChunkSize { c });
        }
        let shape = Self { sizes, starts };
        shape.check_bytes()?;
        Ok(shape)
    }

    /// Every product of sizes that anybody forms later on fits, once these do: the scratch buffers are no larger than
    /// `qkv`, and the weights of the convolution always fit.
    fn check_bytes(&self) -> Result<(), ProblemError> {
        let (tokens, sequences) = (u64::from(self.tokens()), u64::from(self.sequences()));
        for (buffer, factors) in [
            ("hidden", [tokens, u64::from(self.d()), ELEMENT]),
            ("qkv", [tokens, self.dim(), ELEMENT]),
            ("w_beta", [u64::from(self.hv()), u64::from(self.d()), ELEMENT]),
            ("conv_state", [sequences, self.conv_state_elements(), ELEMENT]),
            ("state", [sequences, self.state_elements(), ELEMENT]),
        ] {
            let bytes = factors.into_iter().try_fold(1, u64::checked_mul);
            if bytes.is_none_or(|bytes| bytes > BYTES_LIMIT) {
                return Err(ProblemError::BufferTooLarge { buffer, factors });
            }
        }
        Ok(())
    }

    /// The sizes as they were asked for.
    pub const fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Key heads (H).
    pub const fn h(&self) -> u32 {
        self.sizes.h
    }

    /// Value heads (HV).
    pub const fn hv(&self) -> u32 {
        self.sizes.hv
    }

    /// Elements of a hidden vector (D), a multiple of 128.
    pub const fn d(&self) -> u32 {
        self.sizes.d
    }

    /// Tokens of a chunk (C).
    pub const fn c(&self) -> u32 {
        self.sizes.c
    }

    /// Value heads that share a key head (R): HV / H.
    pub const fn group(&self) -> u32 {
        self.sizes.hv / self.sizes.h
    }

    /// The key head of value head `hv`: neighbours share one.
    pub const fn key_head(&self, hv: u32) -> u32 {
        hv / self.group()
    }

    /// Channels of the convolution: q and k of all key heads, v of all value heads.
    pub const fn dim(&self) -> u64 {
        (2 * self.sizes.h as u64 + self.sizes.hv as u64) * HEAD_64
    }

    /// The first channels of q, k and v of value head `hv`; 128 follow each other.
    pub const fn first_channels(&self, hv: u32) -> [u64; 3] {
        let (h, key) = (self.sizes.h as u64, self.key_head(hv) as u64);
        [key * HEAD_64, (h + key) * HEAD_64, (2 * h + hv as u64) * HEAD_64]
    }

    /// Sequences.
    pub const fn sequences(&self) -> u32 {
        // Fits, as it was checked.
        self.sizes.lengths.len() as u32
    }

    /// Tokens of all sequences.
    pub fn tokens(&self) -> u32 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Tokens of a sequence; 0 if there is no such sequence.
    pub fn length(&self, sequence: u32) -> u32 {
        self.sizes.lengths.get(sequence as usize).copied().unwrap_or(0)
    }

    /// The tokens of a sequence, among all; none behind all if there is no such sequence.
    pub fn rows(&self, sequence: u32) -> Range<u32> {
        let start = self.starts.get(sequence as usize).copied().unwrap_or(self.tokens());
        start..start + self.length(sequence)
    }

    /// Chunks of a sequence; 0 if there is no such sequence.
    pub fn chunks_of(&self, sequence: u32) -> u32 {
        self.length(sequence).div_ceil(self.c())
    }

    /// Chunks of all sequences.
    pub fn total_chunks(&self) -> u32 {
        // No more than tokens.
        (0..self.sequences()).map(|sequence| self.chunks_of(sequence)).sum()
    }

    /// Most chunks of any sequence: so often the two kernels that go from chunk to chunk are dispatched.
    pub fn most_chunks(&self) -> u32 {
        (0..self.sequences()).map(|sequence| self.chunks_of(sequence)).max().unwrap_or(0)
    }

    /// All chunks in the order of the workgroups that compute them: by sequence, then as they follow each other.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> + '_ {
        (0..self.sequences()).flat_map(|sequence| self.chunks_in(sequence))
    }

    /// The chunks of a sequence.
    pub fn chunks_in(&self, sequence: u32) -> impl Iterator<Item = Chunk> + '_ {
        let Range { start, end } = self.rows(sequence);
        (0..self.chunks_of(sequence)).map(move |index| {
            // Within `start..end`.
            let first = start + index * self.c();
            Chunk { sequence, index, tokens: first..first + self.c().min(end - first) }
        })
    }

    /// The buffer `sequence_start` `[sequences + 1]`: first tokens, and the number of tokens.
    pub fn sequence_start(&self) -> Vec<i32> {
        self.starts.iter().map(|start| start.cast_signed()).collect()
    }

    /// The buffer `chunk_sequence` `[total chunks]`: whose chunk it is.
    pub fn chunk_sequence(&self) -> Vec<i32> {
        self.chunks().map(|chunk| chunk.sequence.cast_signed()).collect()
    }

    /// The buffer `chunk_index` `[total chunks]`: its number among the chunks of its sequence.
    pub fn chunk_index(&self) -> Vec<i32> {
        self.chunks().map(|chunk| chunk.index.cast_signed()).collect()
    }

    /// Elements of `hidden`, `[tokens, D]`.
    pub fn hidden_elements(&self) -> usize {
        self.tokens() as usize * self.d() as usize
    }

    /// Elements of `qkv`, `[tokens, dim]`.
    pub fn qkv_elements(&self) -> usize {
        self.tokens() as usize * self.dim() as usize
    }

    /// Elements of `output`, of z and of the scratch tensors with a vector for each token and value head:
    /// `[tokens, HV, 128]`.
    pub fn head_elements(&self) -> usize {
        self.tokens() as usize * self.hv() as usize * HEAD as usize
    }

    /// Elements of scratch tensors with a number for each token and value head: `[tokens, HV]`.
    pub fn gate_elements(&self) -> usize {
        self.tokens() as usize * self.hv() as usize
    }

    /// Elements of the scratch tensor `attention`, `[tokens, HV, C]`.
    pub fn attention_elements(&self) -> usize {
        self.gate_elements() * self.c() as usize
    }

    /// Elements of `w_beta` and of `w_alpha`, `[HV, D]`.
    pub const fn gate_weight_elements(&self) -> usize {
        self.sizes.hv as usize * self.sizes.d as usize
    }

    /// Elements of `conv_weight`, `[dim, 4]`.
    pub const fn conv_weight_elements(&self) -> usize {
        self.dim() as usize * TAPS as usize
    }

    /// Elements of the convolution state of one sequence, `[3, dim]`.
    pub const fn conv_state_elements(&self) -> u64 {
        ROWS as u64 * self.dim()
    }

    /// Elements of the state of one sequence, `[HV, V, K]`.
    pub const fn state_elements(&self) -> u64 {
        self.sizes.hv as u64 * HEAD_64 * HEAD_64
    }
}

fn check_sequences(sequences: usize) -> Result<(), ProblemError> {
    match sequences {
        0 => Err(ProblemError::NoSequences),
        _ if sequences > SEQUENCES_LIMIT as usize => Err(ProblemError::TooManySequences { sequences }),
        _ => Ok(()),
    }
}

/// Where sequences of these lengths start, and the last one ends.
fn starts(lengths: &[u32]) -> Result<Vec<u32>, ProblemError> {
    let mut starts = Vec::with_capacity(lengths.len() + 1);
    let mut end = 0_u32;
    starts.push(end);
    for (sequence, &length) in (0..).zip(lengths) {
        if length == 0 {
            return Err(ProblemError::EmptySequence { sequence });
        }
        let tokens = u64::from(end) + u64::from(length);
        let fits = u32::try_from(tokens).ok().filter(|&tokens| tokens <= TOKENS_LIMIT);
        end = fits.ok_or(ProblemError::TooManyTokens { tokens, sequence })?;
        starts.push(end);
    }
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_sequences_than_indices_can_count_are_refused() {
        assert_eq!(check_sequences(2_147_483_647), Ok(()));
        let refused = check_sequences(2_147_483_648).map_err(|error| error.to_string());
        assert_eq!(refused, Err("lengths has 2147483648 sequences, more than 2147483647".to_owned()));
    }
}
