//! The buffers of a launch.

use gridproof_launch::{Buffer, DType, Fill, LaunchError, Tensor};
use gridproof_reference::gdn_chunked::{HEAD, Path, Problem};

use crate::buffers::index_buffer;

/// All buffers of a path, in the order of the kernels' bindings.
pub(super) fn buffers(problem: &Problem, path: Path) -> Result<Vec<Buffer>, LaunchError> {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let [tokens, sequences, heads, hidden, chunk] =
        [shape.tokens(), shape.sequences(), shape.hv(), shape.d(), shape.c()].map(u64::from);
    let (channels, head) = (shape.dim(), u64::from(HEAD));
    let scratch = |name, shape: &[u64]| Buffer::filled(name, DType::F32, shape, Fill::Uninitialised);
    let mut buffers = vec![
        float_buffer("hidden", &[tokens, hidden], &inputs.hidden)?,
        float_buffer("qkv", &[tokens, channels], &inputs.qkv)?,
        float_buffer("z", &[tokens, heads, head], &inputs.z)?,
        float_buffer("conv_weight", &[channels, 4], &inputs.conv_weight)?,
        float_buffer("w_beta", &[heads, hidden], &inputs.w_beta)?,
        float_buffer("w_alpha", &[heads, hidden], &inputs.w_alpha)?,
        float_buffer("a_log", &[heads], &inputs.a_log)?,
        float_buffer("dt_bias", &[heads], &inputs.dt_bias)?,
        float_buffer("norm_weight", &[head], &inputs.norm_weight)?,
        index_buffer("sequence_start", &shape.sequence_start())?,
        index_buffer("chunk_sequence", &shape.chunk_sequence())?,
        index_buffer("chunk_index", &shape.chunk_index())?,
        float_buffer("conv_state", &[sequences, 3, channels], &inputs.conv_state)?.as_output(),
        float_buffer("state", &[sequences, heads, head, head], &inputs.state)?.as_output(),
        scratch("q_hat", &[tokens, heads, head])?,
        scratch("k_hat", &[tokens, heads, head])?,
        scratch("v_act", &[tokens, heads, head])?,
        scratch("beta", &[tokens, heads])?,
        scratch("log_alpha", &[tokens, heads])?,
    ];
    if path == Path::Chunked {
        buffers.extend([
            scratch("gamma", &[tokens, heads])?,
            scratch("w", &[tokens, heads, head])?,
            scratch("u", &[tokens, heads, head])?,
            scratch("attention", &[tokens, heads, chunk])?,
            scratch("residual", &[tokens, heads, head])?,
        ]);
    }
    buffers.push(scratch("core", &[tokens, heads, head])?);
    buffers.push(scratch("output", &[tokens, heads, head])?.as_output());
    Ok(buffers)
}

/// A buffer of f32 elements.
fn float_buffer(name: &str, shape: &[u64], numbers: &[f32]) -> Result<Buffer, LaunchError> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Tensor::dense(name, DType::F32, shape, bytes).map(Buffer::from_tensor)
}
