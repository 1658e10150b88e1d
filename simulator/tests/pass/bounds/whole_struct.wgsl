// Each array of a struct up to its end.
//# [buffers.memory]
//# length = 16
//# init = "iota"
//# [buffers.out]
//# length = 12
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

struct Memory { first: array<u32, 4>, second: array<u32, 12> }
@group(0) @binding(1) var<storage> memory: Memory;
@compute @workgroup_size(12)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = memory.first[lid % 4u] + memory.second[lid];
}
