// An exact u32 product above 2^31 that is divided down again.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 1
//# init = [3000000000]
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let big = input[0] + lid * 100000000u;
    out[big / 100000000u] = lid;
}
