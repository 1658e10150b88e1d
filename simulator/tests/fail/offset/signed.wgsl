// An i32 product that overflows and comes back positive.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 1
//# init = [65536]
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let n = i32(input[0]);
    out[n * n + i32(lid)] = lid; //~ GP0005
}
