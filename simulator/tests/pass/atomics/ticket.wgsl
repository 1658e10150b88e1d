// A ticket decides an address: one of many schedules.
//# grid = [4, 1, 1]
//# [buffers.count]
//# length = 1
//# [buffers.out]
//# length = 256
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let ticket = atomicAdd(&count[0], 1u);
    out[ticket] = gid.x;
}
