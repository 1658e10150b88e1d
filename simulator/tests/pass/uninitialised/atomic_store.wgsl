// An atomic store gives a value.
//# [buffers.count]
//# length = 4
//# init = "uninit"
@group(0) @binding(0) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    atomicStore(&count[lid], 0u);
    atomicAdd(&count[lid], 1u);
}
