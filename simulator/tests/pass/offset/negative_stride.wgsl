// A negative i32 step with a positive sum.
//# [buffers.out]
//# length = 64
//# [buffers.steps]
//# length = 1
//# init = [4294967294]
//# dtype = "i32"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> steps: array<i32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[20 + steps[0] * i32(lid)] = lid;
}
