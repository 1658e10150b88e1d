// A wrapped sum that a later subtraction undoes.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 1
//# init = [4294967295]
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[(input[0] + lid + 2u) - input[0]] = lid;
}
