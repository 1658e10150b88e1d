// A binding that starts two bytes into a word.
//# [buffers.memory]
//# length = 8
//# init = "iota"
//# bind = { input = [2, 18] }
//# [buffers.out]
//# length = 4
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = input[lid]; //~ GP0008
}
