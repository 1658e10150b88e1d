// The first elements get the same value from both, later ones do not: that is no benign race.
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 64>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    tile[lid % 64u] = select(lid, 5u, lid % 64u < 32u); //~ GP0002
    workgroupBarrier();
    if lid < 64u { out[lid] = tile[lid]; }
}
