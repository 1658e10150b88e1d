// A known limit: a negative i32 kept in a u32 buffer and read with i32() counts as its unsigned value.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 1
//# init = [4294967294]
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[20 + i32(input[0]) * i32(lid)] = lid; //~ GP0005
}
