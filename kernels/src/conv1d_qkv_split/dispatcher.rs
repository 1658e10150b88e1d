//! Which kernel runs, and the tables of chunks that it runs over: pure functions of the sizes.
//!
//! Source: the host code of tokenspeed pull request 382.

use gridproof_reference::conv1d_qkv_split::Shape;

use super::variant::Variant;

/// Tokens of a chunk.
pub const CHUNK: u32 = 8;

/// Channels of a workgroup.
pub const BLOCK: u32 = 256;

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// The convolution into a staging buffer, then the split: two dispatches.
    Sequential,
    /// One kernel; every invocation finds out where its channels belong.
    Fused,
    /// One kernel; the first channel of a workgroup says for all of them where they belong.
    BlockRouted,
}

/// Whether the first channel of every block of 256 says where all of them belong: no block has channels of two tensors.
///
/// The blocks count from channel 0, so q and k have to end where a block does. v ends with the channels, and no
/// invocation has a channel behind them: its size does not matter.
pub const fn block_routable(q: u32, k: u32, _v: u32) -> bool {
    q.is_multiple_of(BLOCK) && k.is_multiple_of(BLOCK)
}

/// What runs for a variant. `auto` takes block routing where it serves, and never refuses.
pub fn choose(shape: &Shape, variant: Variant) -> Path {
    match variant {
        Variant::Auto if block_routable(shape.q(), shape.k(), shape.v()) => Path::BlockRouted,
        Variant::Auto | Variant::Fused | Variant::NoStateBarrier => Path::Fused,
        Variant::Sequential => Path::Sequential,
        Variant::FusedBlockRouted => Path::BlockRouted,
    }
}

/// How many chunks there are.
pub fn chunk_count(shape: &Shape) -> u64 {
    let lengths = shape.sizes().lengths.iter();
    lengths.map(|length| u64::from(length.div_ceil(CHUNK))).sum()
}

/// Blocks of channels.
pub const fn blocks(shape: &Shape) -> u32 {
    shape.dim().div_ceil(BLOCK)
}

/// Which tokens the workgroups of a grid work on: entry `i` is chunk `i`. Padded sequences have chunks too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    /// The sequence of each chunk.
    pub sequence: Vec<i32>,
    /// The first token of each chunk, counted from the start of its sequence.
    pub token: Vec<i32>,
}

impl Chunks {
    /// The tables, in the order of the sequences and of their tokens.
    pub fn new(shape: &Shape) -> Self {
        let mut chunks = Self::default();
        for (sequence, &length) in (0..).zip(&shape.sizes().lengths) {
            for chunk in 0..length.div_ceil(CHUNK) {
                chunks.sequence.push(sequence);
                // Below the tokens of the sequence, which i32 counts.
                chunks.token.push((chunk * CHUNK).cast_signed());
            }
        }
        chunks
    }
}
