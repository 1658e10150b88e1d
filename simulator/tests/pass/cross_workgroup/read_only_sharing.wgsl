// All workgroups read all of a buffer that nobody writes.
//# grid = [4, 1, 1]
//# [buffers.out]
//# length = 4
//# [buffers.input]
//# length = 16
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    var sum = 0u;
    for (var i = 0u; i < 16u; i++) { sum += input[i]; }
    out[wg.x] = sum;
}
