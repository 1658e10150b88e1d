//! What an open device can do and how much fits on it: enough to choose what to run, without a measurement.

/// Optional abilities that kernels can use; each is switched on where the adapter has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// `f16` in kernels.
    pub f16: bool,
    /// `f64` in kernels.
    pub f64: bool,
    /// `i64` and `u64` in kernels.
    pub i64: bool,
    /// Atomics on `i64` and `u64`.
    pub i64_atomics: bool,
    /// Subgroup operations.
    pub subgroups: bool,
    /// The device's own clock.
    pub timestamps: bool,
}

impl Features {
    pub(crate) fn new(features: wgpu::Features) -> Self {
        use wgpu::Features as F;
        Self {
            f16: features.contains(F::SHADER_F16),
            f64: features.contains(F::SHADER_F64),
            i64: features.contains(F::SHADER_INT64),
            i64_atomics: features.contains(F::SHADER_INT64_ATOMIC_ALL_OPS),
            subgroups: features.contains(F::SUBGROUP),
            timestamps: features.contains(F::TIMESTAMP_QUERY),
        }
    }
}

/// Every feature that a compute kernel can use, the clock, and SPIR-V unchanged for exact mode.
pub(crate) fn wanted() -> wgpu::Features {
    use wgpu::Features as F;
    F::SHADER_F16
        | F::SHADER_F64
        | F::SHADER_I16
        | F::SHADER_INT64
        | F::SHADER_INT64_ATOMIC_ALL_OPS
        | F::SHADER_INT64_ATOMIC_MIN_MAX
        | F::SHADER_FLOAT32_ATOMIC
        | F::SUBGROUP
        | F::SUBGROUP_BARRIER
        | F::TIMESTAMP_QUERY
        | F::PASSTHROUGH_SHADERS
}

/// How much fits on the device: its limits, in bytes where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// One buffer.
    pub buffer: u64,
    /// What one storage binding shows.
    pub storage_binding: u64,
    /// What one uniform binding shows.
    pub uniform_binding: u64,
    /// Where a storage binding may start: multiples of this.
    pub storage_offset_alignment: u32,
    /// Storage buffers in one entry point.
    pub storage_buffers: u32,
    /// Memory of one workgroup.
    pub workgroup: u32,
    /// Invocations of one workgroup.
    pub workgroup_invocations: u32,
    /// Workgroups in one dimension of the grid.
    pub grid_extent: u32,
}

impl Memory {
    pub(crate) fn new(limits: &wgpu::Limits) -> Self {
        Self {
            buffer: limits.max_buffer_size,
            storage_binding: limits.max_storage_buffer_binding_size,
            uniform_binding: limits.max_uniform_buffer_binding_size,
            storage_offset_alignment: limits.min_storage_buffer_offset_alignment,
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
            workgroup: limits.max_compute_workgroup_storage_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            grid_extent: limits.max_compute_workgroups_per_dimension,
        }
    }
}
