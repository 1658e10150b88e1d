//! Which kernels run, over which grids: a pure function of the sizes.
//!
//! Source: the order of ohdearquant/lattice pull request 190.

use gridproof_reference::gdn_chunked::{HEAD, Path, Shape};

/// Workgroups in z of the kernels that work on states: 32 rows each.
const ROW_BLOCKS: u32 = 4;

const MATERIALIZE: [&str; 16] = [
    "hidden",
    "qkv",
    "conv_weight",
    "w_beta",
    "w_alpha",
    "a_log",
    "dt_bias",
    "sequence_start",
    "chunk_sequence",
    "chunk_index",
    "conv_state",
    "q_hat",
    "k_hat",
    "v_act",
    "beta",
    "log_alpha",
];

const SOLVE: [&str; 12] = [
    "sequence_start",
    "chunk_sequence",
    "chunk_index",
    "q_hat",
    "k_hat",
    "v_act",
    "beta",
    "log_alpha",
    "gamma",
    "w",
    "u",
    "attention",
];

const RESIDUAL_OUTPUT: [&str; 9] =
    ["sequence_start", "state", "q_hat", "gamma", "w", "u", "attention", "residual", "core"];

const RECURRENT: [&str; 8] = ["sequence_start", "state", "q_hat", "k_hat", "v_act", "beta", "log_alpha", "core"];

/// One dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The kernel.
    pub entry: &'static str,
    /// Workgroups in x, y and z.
    pub grid: [u64; 3],
    /// The buffers that it uses, in the order of its parameters.
    pub buffers: &'static [&'static str],
    /// The chunk of each sequence that it works on, for kernels that take one.
    pub index: Option<u32>,
}

impl Step {
    const fn new(entry: &'static str, grid: [u64; 3], buffers: &'static [&'static str]) -> Self {
        Self { entry, grid, buffers, index: None }
    }
}

/// The dispatches of a path, in order: for chunks, two for each chunk of the longest sequence.
pub fn steps(shape: &Shape, path: Path) -> Vec<Step> {
    let [sequences, chunks, tokens, heads] =
        [shape.sequences(), shape.total_chunks(), shape.tokens(), shape.hv()].map(u64::from);
    let states = [sequences, heads, u64::from(ROW_BLOCKS)];
    let tiles = shape.dim().div_ceil(u64::from(HEAD));
    let mut steps = vec![
        Step::new("materialize", [chunks, heads, 1], &MATERIALIZE),
        Step::new("conv_state_update", [sequences, tiles, 1], &["qkv", "sequence_start", "conv_state"]),
    ];
    match path {
        Path::Serial => steps.push(Step::new("recurrent", states, &RECURRENT)),
        Path::Chunked => {
            steps.push(Step::new("solve", [chunks, heads, 1], &SOLVE));
            let update = ["sequence_start", "state", "k_hat", "gamma", "residual"].as_slice();
            for index in (0..shape.most_chunks()).map(Some) {
                steps.push(Step { index, ..Step::new("residual_output", states, &RESIDUAL_OUTPUT) });
                steps.push(Step { index, ..Step::new("state_update", states, update) });
            }
        }
    }
    steps.push(Step::new("norm_silu", [tokens, heads, 1], &["z", "norm_weight", "core", "output"]));
    steps
}
