//! Why a problem cannot be posed.

use std::fmt;

use super::shape::{BYTES_LIMIT, HEAD, MOST_TOKENS, STRIDE_STEP};

/// One of the two index tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Index {
    /// `read_indices`
    Read,
    /// `write_indices`
    Write,
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read_indices",
            Self::Write => "write_indices",
        })
    }
}

/// Why a problem cannot be posed. Always the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// Nobody to compute for.
    #[error("b = 0: at least 1 request is required")]
    NoRequests,
    /// Too few or too many tokens.
    #[error("t = {t}: a call takes 1 to {MOST_TOKENS} tokens")]
    Tokens {
        /// Tokens.
        t: u32,
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
    #[error(
        "b = {b}, t = {t}, h = {h}, hv = {hv}, k = {k}, v = {v}: only heads of k = v = {HEAD} elements are supported"
    )]
    HeadSize {
        /// Requests.
        b: u32,
        /// Tokens.
        t: u32,
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
        /// Elements of a key head.
        k: u32,
        /// Elements of a value head.
        v: u32,
    },
    /// A pool without slots.
    #[error("pool = 0: at least 1 slot is required")]
    NoSlots,
    /// Slots that overlap.
    #[error("stride = {stride} elements is less than the {slot} of one slot with hv = {hv}: slots would overlap")]
    StrideTooSmall {
        /// Elements from one slot to the next.
        stride: u64,
        /// Elements of a slot.
        slot: u64,
        /// Value heads.
        hv: u32,
    },
    /// Slots that do not start where a lane can load.
    #[error(
        "stride = {stride} elements is not a multiple of {STRIDE_STEP}: slots would not start at whole 16-byte loads"
    )]
    StrideUnaligned {
        /// Elements from one slot to the next.
        stride: u64,
    },
    /// Intermediate states of some tokens would lie in the next request's rows.
    #[error("steps = {steps} is less than t = {t}: intermediate states need a row for every token")]
    TooFewSteps {
        /// Rows per request.
        steps: u32,
        /// Tokens.
        t: u32,
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
    #[error("tensor `{tensor}` has {actual} elements, but b = {b}, t = {t}, h = {h}, hv = {hv} ask for {expected}")]
    TensorLength {
        /// The tensor's name.
        tensor: &'static str,
        /// Elements given.
        actual: usize,
        /// Elements the sizes ask for.
        expected: usize,
        /// Requests.
        b: u32,
        /// Tokens.
        t: u32,
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
    },
    /// A state for a slot that does not exist.
    #[error("a state is given for slot {slot}, but the pool has {pool} slots")]
    StateBeyondPool {
        /// The slot.
        slot: u64,
        /// Slots of the pool.
        pool: u64,
    },
    /// A state is not as long as a slot.
    #[error("the state of slot {slot} has {actual} bytes, but a slot with hv = {hv} has {expected}")]
    StateLength {
        /// The slot.
        slot: u64,
        /// Bytes given.
        actual: usize,
        /// Bytes of a slot, without padding.
        expected: u64,
        /// Value heads.
        hv: u32,
    },
    /// A slot that does not exist.
    #[error("{tensor}[{request}] = {index}: the pool has {pool} slots")]
    BeyondPool {
        /// Which index.
        tensor: Index,
        /// The request.
        request: u32,
        /// Its index.
        index: i32,
        /// Slots of the pool.
        pool: u64,
    },
    /// The null slot by its number.
    #[error(
        "{tensor}[{request}] = 0: slot 0 of a bf16 pool is the reserved null slot; a request without a slot has a negative index"
    )]
    NullSlot {
        /// Which index.
        tensor: Index,
        /// The request.
        request: u32,
    },
    /// Two final states for one slot.
    #[error("write_indices[{first}] and write_indices[{second}] are both {slot}: two requests would write one slot")]
    WrittenTwice {
        /// The first request.
        first: u32,
        /// The second request.
        second: u32,
        /// The slot.
        slot: u64,
    },
    /// The state a request starts from would depend on when it is read.
    #[error(
        "read_indices[{reader}] and write_indices[{writer}] are both {slot}: a request would read a slot while another writes it"
    )]
    ReadWhileWritten {
        /// The request that reads.
        reader: u32,
        /// The request that writes.
        writer: u32,
        /// The slot.
        slot: u64,
    },
}
