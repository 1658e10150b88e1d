// An atomic add and a plain read of a buffer word, no barrier between.
//# [buffers.memory]
//# length = 4
//# bind = { count = [0, 16], plain = [0, 16] }
//# [buffers.out]
//# length = 64
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@group(0) @binding(0) var<storage, read_write> count: array<atomic<u32>>;
@group(0) @binding(1) var<storage, read_write> plain: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    atomicAdd(&count[1], 7u); //~ GP0002
    out[lid] = plain[1]; //~ GP0002
}
