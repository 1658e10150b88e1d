// An atomic add to memory without a value.
//# [buffers.count]
//# length = 1
//# init = "uninit"
@group(0) @binding(0) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    atomicAdd(&count[0], 1u); //~ GP0006
}
