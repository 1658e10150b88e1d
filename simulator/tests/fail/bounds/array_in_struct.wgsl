// In the buffer, but outside its array.
//# [buffers.memory]
//# length = 16
//# init = "iota"
//# [buffers.out]
//# length = 8
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

struct Memory { first: array<u32, 4>, second: array<u32, 12> }
@group(0) @binding(1) var<storage> memory: Memory;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = memory.first[lid]; //~ GP0004
}
