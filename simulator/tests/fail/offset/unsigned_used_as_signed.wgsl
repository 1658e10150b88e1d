// A u32 product above 2^31, exact, that is read as a negative i32 and brought back.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 1
//# init = [3]
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let big = input[0] * 1000000000u;
    out[i32(big) + 1294967300] = lid; //~ GP0005
}
