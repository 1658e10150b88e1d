// WGSL zeroes private and function memory.
//# [buffers.out]
//# length = 4
//# init = "uninit"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<private> mine: array<u32, 4>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    var local: array<u32, 4>;
    out[lid] = mine[lid] + local[lid];
}
