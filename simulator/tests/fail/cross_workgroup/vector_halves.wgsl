// A vec2 store covers the word that the neighbour reads alone.
//# grid = [2, 1, 1]
//# [buffers.memory]
//# length = 4
//# bind = { pairs = [0, 16], words = [0, 16] }
@group(0) @binding(0) var<storage, read_write> pairs: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    if wg.x == 0u {
        pairs[1] = vec2(5u, 6u); //~ GP0001
    } else {
        words[0] = words[3]; //~ GP0001
    }
}
