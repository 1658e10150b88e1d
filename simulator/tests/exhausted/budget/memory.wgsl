// Buffers that do not fit in the memory budget.
//# [budget]
//# memory = 1000
//# [buffers.out]
//# length = 1024
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = 1u;
}
