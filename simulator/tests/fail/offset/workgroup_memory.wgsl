// A wrapped index of workgroup memory.
//# [buffers.out]
//# length = 4
//# [buffers.input]
//# length = 1
//# init = [1073741824]
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
var<workgroup> tile: array<u32, 64>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    tile[(input[0] + lid) * 4u] = 1u; //~ GP0005
    workgroupBarrier();
    out[lid] = tile[lid];
}
