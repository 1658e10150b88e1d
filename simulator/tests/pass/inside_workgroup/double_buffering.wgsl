// The two halves of a tile change roles at each barrier.
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 128>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    tile[lid] = lid;
    workgroupBarrier();
    for (var step = 0u; step < 5u; step++) {
        let old = (step % 2u) * 64u;
        tile[64u - old + lid] = tile[old + (lid + 1u) % 64u] + 1u;
        workgroupBarrier();
    }
    out[lid] = tile[64u + lid];
}
