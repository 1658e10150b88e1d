// An index that min() keeps inside.
//# [buffers.out]
//# length = 8
//# [buffers.input]
//# length = 4
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = input[min(lid, 3u)];
}
