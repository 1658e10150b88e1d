// i - 1 below zero that select() throws away.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 64
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let before = select(lid - 1u, 0u, lid == 0u);
    out[lid] = input[before];
}
