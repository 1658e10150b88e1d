//! The buffers of a launch.

use gridproof_launch::{Buffer, DType, Fill, LaunchError};
use gridproof_reference::gdn_conv_fused::{POOL_FILL, Problem};

use crate::buffers::{half_buffer, index_buffer, padded_half_buffer, pool_buffer};

/// All buffers, in the order of the kernel's parameters.
pub(super) fn buffers(problem: &Problem) -> Result<Vec<Buffer>, LaunchError> {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let (n, hv) = (u64::from(shape.n()), u64::from(shape.hv()));
    let half = |name, shape: &[u64], bits: &[u16]| half_buffer(name, DType::F16, shape, bits);
    let uninitialised = |name| Buffer::filled(name, DType::F16, [n, hv, 128], Fill::Uninitialised);
    let conv = inputs.conv_states.iter().map(|(slot, bytes)| (slot * shape.conv_slot_bytes(), bytes.as_slice()));
    let ssm = inputs.ssm_states.iter().map(|(slot, bytes)| (slot * shape.ssm_slot_bytes(), bytes.as_slice()));
    Ok(vec![
        half("qkvz", &[n, shape.qkvz_columns()], &inputs.qkvz)?,
        half("ba", &[n, shape.ba_columns()], &inputs.ba)?,
        pool_buffer("conv_state", DType::F16, [shape.pool(), 3, shape.dim()], POOL_FILL, conv)?.as_output(),
        half("conv_weight", &[shape.dim(), 4], &inputs.conv_weight)?,
        half("conv_bias", &[shape.dim()], &inputs.conv_bias)?,
        pool_buffer("ssm_state", DType::F16, [shape.pool(), hv, 128, 128], POOL_FILL, ssm)?.as_output(),
        padded_half_buffer("a_log", DType::F16, &[hv], &inputs.a_log)?,
        padded_half_buffer("dt_bias", DType::F16, &[hv], &inputs.dt_bias)?,
        index_buffer("state_indices", &inputs.state_indices)?,
        uninitialised("output")?.as_output(),
        uninitialised("z_out")?.as_output(),
    ])
}
