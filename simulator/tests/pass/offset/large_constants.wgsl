// u32 constants above 2^31 that are multiplied, divided or compared mean what they say.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 16
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;
@compute @workgroup_size(2)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = input[(lid * 3000000000u) / 1000000000u] + input[(lid * 2654435761u) >> 28u];
    out[2u + lid] = input[min(lid, 0xffffffffu)] + input[4000000000u / (1000000000u + lid)];
}
