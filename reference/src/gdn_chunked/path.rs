//! Which kernels compute the answer.

/// A chain of kernels, as its arithmetic sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Path {
    /// Chunks of tokens at once: `materialize`, `conv_state_update`, `solve`, then `residual_output` and `state_update` for
    /// one chunk after the other, then `norm_silu`.
    Chunked,
    /// One token after the other: `materialize`, `conv_state_update`, `recurrent`, `norm_silu`.
    Serial,
}

impl Path {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Chunked, Self::Serial];
}
