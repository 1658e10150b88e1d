//! Why a problem cannot be posed.

use super::shape::{BYTES_LIMIT, HEAD};

/// Why a problem cannot be posed. Always the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// Nobody to compute for.
    #[error("n = 0: at least 1 request is required")]
    NoRequests,
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
    #[error("n = {n}, h = {h}, hv = {hv}, k = {k}, v = {v}: only heads of k = v = {HEAD} elements are supported")]
    HeadSize {
        /// Requests.
        n: u32,
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
        /// Elements of a key head.
        k: u32,
        /// Elements of a value head.
        v: u32,
    },
    /// Pools without slots.
    #[error("pool = 0: at least 1 slot is required")]
    NoSlots,
    /// Offsets into a buffer would overflow.
    #[error("buffer `{buffer}` takes {} * {} * {} bytes, more than {BYTES_LIMIT}", factors[0], factors[1], factors[2])]
    BufferTooLarge {
        /// The buffer's name.
        buffer: &'static str,
        /// What multiplies to its bytes.
        factors: [u64; 3],
    },
    /// A tensor is not as long as the sizes ask.
    #[error("tensor `{tensor}` has {actual} elements, but n = {n}, h = {h}, hv = {hv} ask for {expected}")]
    TensorLength {
        /// The tensor's name.
        tensor: &'static str,
        /// Elements given.
        actual: usize,
        /// Elements the sizes ask for.
        expected: usize,
        /// Requests.
        n: u32,
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
    },
    /// A state for a slot that does not exist.
    #[error("`{tensor}` is given for slot {slot}, but the pool has {pool} slots")]
    StateBeyondPool {
        /// The pool: `conv_state` or `ssm_state`.
        tensor: &'static str,
        /// The slot.
        slot: u64,
        /// Slots of the pool.
        pool: u64,
    },
    /// A state is not as long as a slot.
    #[error("`{tensor}` of slot {slot} has {actual} bytes, but a slot with h = {h}, hv = {hv} has {expected}")]
    StateLength {
        /// The pool: `conv_state` or `ssm_state`.
        tensor: &'static str,
        /// The slot.
        slot: u64,
        /// Bytes given.
        actual: usize,
        /// Bytes of a slot.
        expected: u64,
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
    },
    /// A slot that does not exist.
    #[error("state_indices[{request}] = {index}: the pool has {pool} slots")]
    BeyondPool {
        /// The request.
        request: u32,
        /// Its index.
        index: i32,
        /// Slots of the pool.
        pool: u64,
    },
    /// Two requests with one state.
    #[error("state_indices[{first}] and state_indices[{second}] are both {slot}: two requests would update one state")]
    SharedSlot {
        /// The first request.
        first: u32,
        /// The second request.
        second: u32,
        /// The slot.
        slot: u64,
    },
}
