//! What a caller may ask of a run, and what it gets back.

use std::time::Duration;

/// Whether the driver may rewrite float arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Exactness {
    /// Every float operation is done as written: `NoContraction` on every arithmetic result. Vulkan only.
    #[default]
    Exact,
    /// As any wgpu program: drivers fold `(a + b) - a` and contract `a * b + c` as they like.
    Ordinary,
}

/// Which buffers are read back after the last dispatch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReadBack {
    /// Those marked as an output of the launch; every buffer when none is marked.
    #[default]
    Outputs,
    /// Every buffer.
    All,
}

/// How to run a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// Whether the driver may rewrite float arithmetic.
    pub exactness: Exactness,
    /// Which buffers come back.
    pub read_back: ReadBack,
    /// Longest wait for the dispatches, and for each transfer. A kernel that is still running then stays
    /// on the device: open another one.
    pub timeout: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { exactness: Exactness::Exact, read_back: ReadBack::Outputs, timeout: Duration::from_secs(300) }
    }
}

impl RunOptions {
    /// The defaults, without exact mode.
    pub fn ordinary() -> Self {
        Self { exactness: Exactness::Ordinary, ..Self::default() }
    }
}

/// How long the dispatches of a launch took. Uploads, compilation and reading back are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elapsed {
    /// From submission until the host saw the end.
    pub wall: Duration,
    /// From the start of the first dispatch to the end of the last, by the device's own clock; `None`
    /// where it has no timestamp queries, or nothing was dispatched.
    pub gpu: Option<Duration>,
}

/// What a launch left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// One entry for each buffer of the launch, in its order: the bytes, where they were read back.
    pub buffers: Vec<Option<Vec<u8>>>,
    /// How long it took.
    pub elapsed: Elapsed,
}
