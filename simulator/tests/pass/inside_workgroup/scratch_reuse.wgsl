// Scratch is written again behind a second barrier.
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    for (var round = 0u; round < 3u; round++) {
        tile[lid] = lid + round;
        workgroupBarrier();
        out[lid] += tile[63u - lid];
        workgroupBarrier();
    }
}
