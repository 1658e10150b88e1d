// Both kinds of memory, both barriers.
//# [buffers.out]
//# length = 128
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = lid;
    tile[lid] = lid;
    workgroupBarrier();
    storageBarrier();
    out[64u + lid] = out[63u - lid] + tile[(lid + 9u) % 64u];
}
