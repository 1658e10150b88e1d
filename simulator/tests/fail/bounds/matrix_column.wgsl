// A column index past the matrix.
//# [buffers.out]
//# length = 4
//# [buffers.m]
//# length = 16
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage> m: mat4x4<f32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = u32(m[lid + 1u].x); //~ GP0004
}
