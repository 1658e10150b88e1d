// An atomic past the end.
//# [buffers.count]
//# length = 4
@group(0) @binding(0) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    atomicAdd(&count[lid], 1u); //~ GP0004
}
