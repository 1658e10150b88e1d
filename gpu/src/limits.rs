//! What a launch asks of the device, checked before anything is created.
//!
//! wgpu checks the same for WGSL, but it cannot look inside the words that exact mode hands over: there
//! these checks are the only ones.

use gridproof_launch::{Dispatch, Launch, Module};
use naga::AddressSpace;
use naga::valid::ModuleInfo;

use crate::bindings::{Binding, Content, Space};
use crate::{Limit, LimitExceeded, RunError};

/// Refuses `value` when it is greater than `limit`.
pub(crate) fn at_most(
    what: Limit,
    value: u64,
    limit: impl Into<u64>,
    place: impl FnOnce() -> String,
) -> Result<(), RunError> {
    let limit = limit.into();
    if value <= limit { Ok(()) } else { Err(LimitExceeded { what, value, limit, place: place() }.into()) }
}

/// Refuses a module that says something else than its source: a device takes the source as it is.
pub(crate) fn check_unedited(module: &Module) -> Result<(), RunError> {
    let Some(edit) = module.edits.first() else { return Ok(()) };
    let message = format!("`{}` is edited at {}, which no device can run", module.name, edit.site);
    Err(RunError::Unsupported(message))
}

/// The buffers of a launch against the device's memory limits.
pub(crate) fn check_buffers(launch: &Launch, limits: &wgpu::Limits) -> Result<(), RunError> {
    launch.buffers.iter().try_for_each(|buffer| {
        at_most(Limit::BufferSize, buffer.length, limits.max_buffer_size, || format!("buffer `{}`", buffer.name))
    })
}

/// One dispatch with its bindings against the device's limits. `module` has no overrides left.
pub(crate) fn check_dispatch(
    position: usize,
    dispatch: &Dispatch,
    (module, info): (&naga::Module, &ModuleInfo),
    bindings: &[Binding],
    limits: &wgpu::Limits,
) -> Result<(), RunError> {
    let place = || format!("dispatch {position} (`{}`)", dispatch.entry);
    for extent in dispatch.grid {
        at_most(Limit::GridExtent, extent.into(), limits.max_compute_workgroups_per_dimension, place)?;
    }
    check_workgroup(place, dispatch, (module, info), limits)?;
    let count = |uniform| bindings.iter().filter(|b| (b.space == Space::Uniform) == uniform).count();
    at_most(Limit::StorageBuffers, count_u64(count(false)), limits.max_storage_buffers_per_shader_stage, place)?;
    at_most(Limit::UniformBuffers, count_u64(count(true)), limits.max_uniform_buffers_per_shader_stage, place)?;
    bindings.iter().try_for_each(|binding| check_binding(position, binding, limits))
}

fn check_workgroup(
    place: impl Fn() -> String + Copy,
    dispatch: &Dispatch,
    (module, info): (&naga::Module, &ModuleInfo),
    limits: &wgpu::Limits,
) -> Result<(), RunError> {
    let Some(position) = module.entry_points.iter().position(|entry| entry.name == dispatch.entry) else {
        return Ok(());
    };
    let size = module.entry_points[position].workgroup_size;
    let extents =
        [limits.max_compute_workgroup_size_x, limits.max_compute_workgroup_size_y, limits.max_compute_workgroup_size_z];
    for (extent, limit) in size.into_iter().zip(extents) {
        at_most(Limit::WorkgroupExtent, extent.into(), limit, place)?;
    }
    let invocations = size.iter().fold(1_u64, |product, &extent| product.saturating_mul(extent.into()));
    at_most(Limit::WorkgroupInvocations, invocations, limits.max_compute_invocations_per_workgroup, place)?;
    let memory = workgroup_memory(module, info, position);
    at_most(Limit::WorkgroupMemory, memory, limits.max_compute_workgroup_storage_size, place)?;
    match dispatch.workgroup {
        Some(asked) if asked != size => Err(RunError::Unsupported(format!(
            "{}: workgroup size {asked:?} is asked for, but the module itself says {size:?}",
            place()
        ))),
        _ if dispatch.dynamic_workgroup_bytes > 0 => {
            Err(RunError::Unsupported(format!("{}: dynamic workgroup memory", place())))
        }
        _ => Ok(()),
    }
}

/// Bytes of workgroup memory of an entry point, each variable rounded up to 16 as wgpu counts them.
fn workgroup_memory(module: &naga::Module, info: &ModuleInfo, entry: usize) -> u64 {
    let uses = info.get_entry_point(entry);
    let variables = module.global_variables.iter();
    variables
        .filter(|(handle, variable)| variable.space == AddressSpace::WorkGroup && !uses[*handle].is_empty())
        .map(|(_, variable)| module.types[variable.ty].inner.try_size(module.to_ctx()).map_or(u64::MAX, u64::from))
        .fold(0, |sum, bytes| sum.saturating_add(bytes.checked_next_multiple_of(16).unwrap_or(u64::MAX)))
}

fn check_binding(position: usize, binding: &Binding, limits: &wgpu::Limits) -> Result<(), RunError> {
    let place = || format!("dispatch {position}, {}", binding.variable);
    at_most(Limit::BindGroups, u64::from(binding.slot.group) + 1, limits.max_bind_groups, place)?;
    at_most(Limit::BindingNumber, u64::from(binding.slot.binding) + 1, limits.max_bindings_per_bind_group, place)?;
    let (start, length) = match &binding.content {
        Content::Buffer { range, .. } => (range.start, range.length()),
        Content::Scalar(bytes) => (0, count_u64(bytes.len())),
    };
    let (what, limit, alignment_of, alignment) = match binding.space {
        Space::Uniform => (
            Limit::UniformBindingSize,
            limits.max_uniform_buffer_binding_size,
            Limit::UniformOffsetAlignment,
            limits.min_uniform_buffer_offset_alignment,
        ),
        Space::Storage { .. } => (
            Limit::StorageBindingSize,
            limits.max_storage_buffer_binding_size,
            Limit::StorageOffsetAlignment,
            limits.min_storage_buffer_offset_alignment,
        ),
    };
    at_most(what, length, limit, place)?;
    if start.is_multiple_of(alignment.into()) {
        return Ok(());
    }
    Err(LimitExceeded { what: alignment_of, value: start, limit: alignment.into(), place: place() }.into())
}

pub(crate) fn count_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
