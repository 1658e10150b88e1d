//! The buffers of a launch.

use gridproof_launch::{Buffer, ByteRange, DType, Fill, LaunchError, MayRace, Tensor};
use gridproof_reference::gdn_decode::problem::POOL_FILL;
use gridproof_reference::gdn_decode::{Problem, Shape, StateType};

use crate::buffers::{half_buffer, index_buffer, padded_half_buffer, pool_buffer};

/// Why the null slot may race.
const NULL_SLOT: &str = "slot 0 is the null slot: requests without a slot of their own share it, and nobody reads it \
                         for what it holds";

/// All buffers, in the order of the kernels' parameters.
pub(super) fn buffers(problem: &Problem) -> Result<Vec<Buffer>, LaunchError> {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let [b, t, h, hv] = [shape.b(), shape.t(), shape.h(), shape.hv()].map(u64::from);
    let half = |name, shape: &[u64], bits: &[u16]| half_buffer(name, DType::Bf16, shape, bits);
    let gates = |name, bits: &[u16]| padded_half_buffer(name, DType::Bf16, &[b, t, hv], bits);
    let single = |name, numbers: &[f32]| {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        Tensor::dense(name, DType::F32, [hv], bytes).map(Buffer::from_tensor)
    };
    Ok(vec![
        half("q", &[b, t, h, 128], &inputs.q)?,
        half("k", &[b, t, h, 128], &inputs.k)?,
        half("v", &[b, t, hv, 128], &inputs.v)?,
        gates("a", &inputs.a)?,
        gates("b", &inputs.b)?,
        single("a_log", &inputs.a_log)?,
        single("dt_bias", &inputs.dt_bias)?,
        index_buffer("read_indices", &inputs.read_indices)?,
        index_buffer("write_indices", &inputs.write_indices)?,
        pool(problem)?,
        Buffer::filled("output", DType::Bf16, [b, t, hv, 128], Fill::Uninitialised)?.as_output(),
        intermediate(shape)?,
    ])
}

const fn element(state: StateType) -> DType {
    match state {
        StateType::Bf16 => DType::Bf16,
        StateType::F32 => DType::F32,
    }
}

fn pool(problem: &Problem) -> Result<Buffer, LaunchError> {
    let shape = problem.shape();
    let extents = match shape.is_dense() {
        true => vec![shape.pool(), u64::from(shape.hv()), 128, 128],
        false => vec![shape.pool(), shape.stride()],
    };
    let states = problem.inputs().states.iter().map(|(slot, bytes)| (slot * shape.stride_bytes(), bytes.as_slice()));
    // An output also where nothing is stored: then it must not change.
    let mut buffer = pool_buffer("state_pool", element(shape.state()), extents, POOL_FILL, states)?.as_output();
    if has_null_requests(problem) {
        let range = ByteRange::new(0, shape.slot_bytes());
        buffer.may_race.push(MayRace { range, reason: NULL_SLOT.to_owned() });
    }
    Ok(buffer)
}

/// Whether a request has no slot, in a pool where such requests share slot 0.
fn has_null_requests(problem: &Problem) -> bool {
    let inputs = problem.inputs();
    let mut indices = inputs.read_indices.iter().chain(&inputs.write_indices);
    problem.shape().state() == StateType::Bf16 && indices.any(|index| *index < 0)
}

fn intermediate(shape: Shape) -> Result<Buffer, LaunchError> {
    let dtype = element(shape.state());
    if !shape.cache_intermediate() {
        let vector = 16 / u64::from(shape.state().bytes());
        return Buffer::filled("intermediate_states", dtype, [vector], Fill::Uninitialised);
    }
    let extents = [u64::from(shape.b()), u64::from(shape.steps()), u64::from(shape.hv()), 128, 128];
    Ok(Buffer::filled("intermediate_states", dtype, extents, Fill::Uninitialised)?.as_output())
}
