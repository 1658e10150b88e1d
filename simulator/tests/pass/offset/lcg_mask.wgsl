// A generator with state in a loop, masked to an index.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 16
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    var x = lid;
    var sum = 0u;
    for (var i = 0u; i < 8u; i++) {
        x = x * 1664525u + 1013904223u;
        sum += input[x & 15u];
    }
    out[lid] = sum;
}
