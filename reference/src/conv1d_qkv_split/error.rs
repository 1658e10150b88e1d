//! Why a problem cannot be posed.

use super::shape::{BYTES_LIMIT, CHANNELS_LIMIT, SEQUENCES_LIMIT, TOKENS_LIMIT, WIDTHS};

/// Why a problem cannot be posed. Always the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// A tensor without channels.
    #[error("q = {q}, k = {k}, v = {v}: every tensor needs at least 1 channel")]
    NoChannels {
        /// Channels of q.
        q: u32,
        /// Channels of k.
        k: u32,
        /// Channels of v.
        v: u32,
    },
    /// Channels that kernels cannot count.
    #[error("q = {q}, k = {k}, v = {v}: {dim} channels together, more than {CHANNELS_LIMIT}")]
    TooManyChannels {
        /// Channels of q.
        q: u32,
        /// Channels of k.
        k: u32,
        /// Channels of v.
        v: u32,
        /// All channels.
        dim: u64,
    },
    /// Another filter.
    #[error("width = {width}: a filter has {} to {} taps", WIDTHS.start(), WIDTHS.end())]
    Width {
        /// Taps.
        width: u32,
    },
    /// Nobody to compute for.
    #[error("lengths is empty: at least 1 sequence is required")]
    NoSequences,
    /// Sequences that an index cannot count.
    #[error("lengths has {sequences} sequences, more than {SEQUENCES_LIMIT}")]
    TooManySequences {
        /// Sequences.
        sequences: usize,
    },
    /// Tokens that `query_start_loc` cannot count.
    #[error("lengths add up to {tokens} tokens at lengths[{sequence}], more than {TOKENS_LIMIT}")]
    TooManyTokens {
        /// Tokens so far.
        tokens: u64,
        /// The sequence at which there are too many.
        sequence: u32,
    },
    /// No states.
    #[error("slots = 0: at least 1 slot is required")]
    NoSlots,
    /// Tokens that overlap.
    #[error("stride = {stride} elements is less than the {dim} channels of one token: tokens would overlap")]
    StrideTooSmall {
        /// Elements from one token of x to the next.
        stride: u64,
        /// Channels.
        dim: u32,
    },
    /// Tokens that do not start at a word.
    #[error("stride = {stride} elements is odd, but dim = {dim} is even: tokens would not start at whole 32-bit words")]
    StrideOdd {
        /// Elements from one token of x to the next.
        stride: u64,
        /// Channels.
        dim: u32,
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
        "tensor `{tensor}` has {actual} elements, but {sequences} sequences, {tokens} tokens, dim = {dim}, stride = {stride}, width = {width}, bias = {bias} ask for {expected}"
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
        /// Channels.
        dim: u32,
        /// Elements from one token of x to the next.
        stride: u64,
        /// Taps.
        width: u32,
        /// Whether there is a bias.
        bias: bool,
    },
    /// A state for a slot that does not exist.
    #[error("a state is given for slot {slot}, but conv_state has {slots} slots")]
    StateBeyondSlots {
        /// The slot.
        slot: u64,
        /// Slots of `conv_state`.
        slots: u64,
    },
    /// A state is not as long as a slot.
    #[error("the state of slot {slot} has {actual} bytes, but a slot with width = {width}, dim = {dim} has {expected}")]
    StateLength {
        /// The slot.
        slot: u64,
        /// Bytes given.
        actual: usize,
        /// Bytes of a slot.
        expected: u64,
        /// Taps.
        width: u32,
        /// Channels.
        dim: u32,
    },
    /// Tokens before the first sequence.
    #[error("query_start_loc[0] = {start}: the first sequence must start at token 0")]
    FirstStart {
        /// Where it starts.
        start: i32,
    },
    /// A sequence that ends before it starts.
    #[error(
        "query_start_loc[{}] = {end} is less than query_start_loc[{sequence}] = {start}: a sequence would have fewer than 0 tokens",
        sequence + 1
    )]
    FallingStart {
        /// The sequence.
        sequence: u32,
        /// Where it starts.
        start: i32,
        /// Where it ends.
        end: i32,
    },
    /// Tokens behind the last sequence, or too few.
    #[error("query_start_loc[{sequences}] = {end}, but lengths add up to {tokens} tokens")]
    LastEnd {
        /// Sequences.
        sequences: u32,
        /// Where the last one ends.
        end: i32,
        /// Tokens of all sequences.
        tokens: u32,
    },
    /// A sequence of another length than its size says.
    #[error(
        "query_start_loc[{sequence}] = {start} and query_start_loc[{}] = {end}, but lengths[{sequence}] = {length}",
        sequence + 1
    )]
    SequenceLength {
        /// The sequence.
        sequence: u32,
        /// Where it starts.
        start: i32,
        /// Where it ends.
        end: i32,
        /// Its tokens.
        length: u32,
    },
    /// Neither yes nor no.
    #[error("has_initial_state[{sequence}] = {value}: 0 or 1 is required")]
    InitialState {
        /// The sequence.
        sequence: u32,
        /// What is there.
        value: i32,
    },
    /// A negative index with no meaning.
    #[error("cache_indices[{sequence}] = {index}: the only negative index is -1, of a padded sequence")]
    NegativeIndex {
        /// The sequence.
        sequence: u32,
        /// Its index.
        index: i32,
    },
    /// A slot that does not exist.
    #[error("cache_indices[{sequence}] = {index}: conv_state has {slots} slots")]
    BeyondSlots {
        /// The sequence.
        sequence: u32,
        /// Its index.
        index: i32,
        /// Slots of `conv_state`.
        slots: u64,
    },
    /// Two sequences with one state.
    #[error("cache_indices[{first}] and cache_indices[{second}] are both {slot}: two sequences would write one slot")]
    SharedSlot {
        /// The first sequence.
        first: u32,
        /// The second sequence.
        second: u32,
        /// The slot.
        slot: u64,
    },
}
