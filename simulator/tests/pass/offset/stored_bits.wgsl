// A packed word whose top bits are shifted out by a shift pair.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 1
//# init = [4026531845]
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[input[0] & 15u] = lid;
    out[16u + (input[0] >> 28u)] = lid;
}
