// A tree reduction that relies on its last levels being one subgroup.
//# [buffers.out]
//# length = 1
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    tile[lid] = lid;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half >>= 1u) {
        if lid < half { tile[lid] += tile[lid + half]; } //~ GP0002
        if half > 4u { workgroupBarrier(); }
    }
    if lid == 0u { out[0] = tile[0]; }
}
