// A virtual buffer of which too much is written: nothing of that dispatch is reported.
//# grid = [64, 1, 1]
//# [budget]
//# memory = 100000
//# [buffers.out]
//# length = 65536
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    for (var i = 0u; i < 16u; i++) {
        out[wg.x * 1024u + i * 64u + lid] = out[65536u + i];
    }
}
