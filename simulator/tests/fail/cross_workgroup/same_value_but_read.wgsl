// The same value from all, but others read the word while it changes.
//# grid = [2, 1, 1]
//# [buffers.out]
//# length = 4
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[0] = 9u; //~ GP0001
    out[1u + wg.x] = out[0]; //~ GP0001
}
