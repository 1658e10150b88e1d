// Invocations that write one element with the same value.
//# [buffers.out]
//# length = 4
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    tile[lid % 4u] = 5u; //~ GP0002
    workgroupBarrier();
    if lid < 4u { out[lid] = tile[lid]; }
}
