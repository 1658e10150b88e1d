// One half of a word is written, the whole word is read.
//# [buffers.memory]
//# length = 4
//# init = "uninit"
//# bind = { halves = [0, 16], words = [0, 16] }
//# [buffers.out]
//# length = 4
enable f16;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read_write> halves: array<f16>;
@group(0) @binding(2) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    halves[2u * lid] = 1.0h;
    out[lid] = words[lid]; //~ GP0006
}
