// Only one workgroup does not end.
//# grid = [24, 1, 1]
//# [budget]
//# instructions = 1000
//# [buffers.out]
//# length = 1536
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    var i = 0u;
    while wg.x == 11u && i < 10u {
        out[gid.x] = 1u;
    }
    out[gid.x] = 2u;
}
