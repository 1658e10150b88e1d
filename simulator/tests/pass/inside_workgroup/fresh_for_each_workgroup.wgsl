// Workgroup memory of one workgroup has nothing to do with that of the next.
//# grid = [5, 1, 1]
//# [buffers.out]
//# length = 320
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    tile[(lid + wg.x) % 64u] = lid;
    workgroupBarrier();
    out[gid.x] = tile[lid];
}
