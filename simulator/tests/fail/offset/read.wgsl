// A wrapped offset of a read.
//# [buffers.out]
//# length = 4
//# [buffers.input]
//# length = 4
//# init = [2147483649, 5, 6, 7]
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[0] = input[input[0] * 2u]; //~ GP0005
}
