// A histogram: atomics whose results nobody uses. One run decides.
//# grid = [4, 1, 1]
//# [buffers.count]
//# length = 8
//# [buffers.input]
//# length = 256
//# init = "iota"
@group(0) @binding(0) var<storage> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    atomicAdd(&count[input[gid.x] % 8u], 1u);
}
