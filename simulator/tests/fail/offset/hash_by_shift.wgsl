// A known limit: a hash reduced by a shift alone, after one multiplication, is reported although it is meant.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 16
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = input[((lid + 1u) * 2654435761u) >> 28u]; //~ GP0005
}
