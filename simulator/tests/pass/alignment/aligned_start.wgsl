// A binding that starts at a multiple of sixteen.
//# [buffers.vectors]
//# length = 12
//# init = "iota"
//# bind = { vectors = [16, 48] }
//# [buffers.out]
//# length = 2
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage> vectors: array<vec4<u32>>;
@compute @workgroup_size(2)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = dot(vectors[lid], vec4(1u));
}
