// A workgroup that does not fill its last subgroup.
//# [buffers.out]
//# length = 37
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 37>;
@compute @workgroup_size(37)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    tile[lid] = lid;
    workgroupBarrier();
    out[lid] = tile[36u - lid];
}
