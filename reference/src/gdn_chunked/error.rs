//! Why a problem cannot be posed.

use super::shape::{BYTES_LIMIT, CHUNKS, HEAD, SEQUENCES_LIMIT, TOKENS_LIMIT};

/// Why a problem cannot be posed. Always the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// Nothing to compute for.
    #[error("lengths is empty: at least 1 sequence is required")]
    NoSequences,
    /// More sequences than an i32 can count.
    #[error("lengths has {sequences} sequences, more than {SEQUENCES_LIMIT}")]
    TooManySequences {
        /// Sequences.
        sequences: usize,
    },
    /// A sequence without tokens.
    #[error("lengths[{sequence}] = 0: every sequence must have at least 1 token")]
    EmptySequence {
        /// The sequence.
        sequence: u32,
    },
    /// More tokens than an i32 can count.
    #[error("lengths[0..={sequence}] add up to {tokens} tokens, more than {TOKENS_LIMIT}")]
    TooManyTokens {
        /// Tokens up to and with that sequence.
        tokens: u64,
        /// The first sequence that goes beyond the limit.
        sequence: u32,
    },
    /// No heads.
    #[error("h = {h}, hv = {hv}: at least 1 key head and 1 value head are required")]
    NoHeads {
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
    },
    /// Value heads cannot be shared out.
    #[error("hv = {hv} is not a multiple of h = {h}: every key head must serve the same number of value heads")]
    UnequalGroups {
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
    },
    /// Heads of another size.
    #[error("h = {h}, hv = {hv}, k = {k}, v = {v}: only heads of k = v = {HEAD} elements are supported")]
    HeadSize {
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
        /// Elements of a key head.
        k: u32,
        /// Elements of a value head.
        v: u32,
    },
    /// Hidden vectors that cannot be shared out.
    #[error("d = {d} is not a positive multiple of {HEAD}, the invocations that share a hidden vector")]
    HiddenSize {
        /// Elements of a hidden vector.
        d: u32,
    },
    /// Chunks of another size.
    #[error("c = {c}: a chunk has {}, {} or {} tokens", CHUNKS[0], CHUNKS[1], CHUNKS[2])]
    ChunkSize {
        /// Tokens of a chunk.
        c: u32,
    },
    /// Offsets into a buffer would overflow.
    #[error("buffer `{buffer}` takes {} * {} * {} bytes, more than {BYTES_LIMIT}", factors[0], factors[1], factors[2])]
    BufferTooLarge {
        /// The buffer's name.
        buffer: &'static str,
        /// What multiplies to its bytes.
        factors: [u64; 3],
    },
    /// A tensor is not as long as the sizes ask.
    #[error(
        "tensor `{tensor}` has {actual} elements, but {sequences} sequences of {tokens} tokens in all, h = {h}, \
         hv = {hv}, d = {d} ask for {expected}"
    )]
    TensorLength {
        /// The tensor's name.
        tensor: &'static str,
        /// Elements given.
        actual: usize,
        /// Elements the sizes ask for.
        expected: usize,
        /// Sequences.
        sequences: u32,
        /// Tokens of all sequences.
        tokens: u32,
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
        /// Elements of a hidden vector.
        d: u32,
    },
}
