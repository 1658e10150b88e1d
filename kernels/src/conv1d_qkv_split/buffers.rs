//! The buffers of a launch.

use gridproof_launch::{Buffer, DType, Fill, LaunchError};
use gridproof_reference::conv1d_qkv_split::{ElementType, Problem, STATE_FILL, Shape, Tensor};

use super::dispatcher::{Chunks, Path};
use crate::buffers::{half_buffer, index_buffer, pool_buffer};

/// Elements in the place of a bias that there is not; nobody reads them.
const NO_BIAS: [u16; 2] = [0, 0];

/// All buffers, in the order of the kernels' parameters; `staging` last, where the path has it.
pub(super) fn buffers(problem: &Problem, path: Path) -> Result<Vec<Buffer>, LaunchError> {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let dtype = dtype(shape);
    let [tokens, dim] = [shape.tokens(), shape.dim()].map(u64::from);
    let half = |name, shape: &[u64], bits: &[u16]| half_buffer(name, dtype, shape, bits);
    let bias: &[u16] = if shape.bias() { &inputs.bias } else { &NO_BIAS };
    let bias_elements = if shape.bias() { dim } else { 2 };
    let states = inputs.states.iter().map(|(slot, bytes)| (slot * shape.state_bytes(), bytes.as_slice()));
    let state_shape = vec![shape.slots(), u64::from(shape.history()), dim];
    let chunks = Chunks::new(shape);
    let mut buffers = vec![
        half("x", &[tokens, shape.stride()], &inputs.x)?,
        half("weight", &[dim, u64::from(shape.width())], &inputs.weight)?,
        half("bias", &[bias_elements], bias)?,
        pool_buffer("conv_state", dtype, state_shape, STATE_FILL, states)?.as_output(),
        index_buffer("query_start_loc", &inputs.query_start_loc)?,
        index_buffer("cache_indices", &inputs.cache_indices)?,
        index_buffer("has_initial_state", &inputs.has_initial_state)?,
        index_buffer("chunk_sequence", &chunks.sequence)?,
        index_buffer("chunk_token", &chunks.token)?,
    ];
    let uninitialised =
        |name, columns: u32| Buffer::filled(name, dtype, [tokens, u64::from(columns)], Fill::Uninitialised);
    for tensor in Tensor::ALL {
        buffers.push(uninitialised(tensor.name(), shape.channels(tensor).len() as u32)?.as_output());
    }
    if path == Path::Sequential {
        buffers.push(uninitialised("staging", shape.dim())?);
    }
    Ok(buffers)
}

const fn dtype(shape: &Shape) -> DType {
    match shape.element() {
        ElementType::Bf16 => DType::Bf16,
        ElementType::F16 => DType::F16,
    }
}
