// vec3 elements lie sixteen bytes apart.
//# [buffers.vectors]
//# length = 16
//# init = "iota"
//# [buffers.out]
//# length = 4
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage> vectors: array<vec3<u32>>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = dot(vectors[lid], vec3(1u));
}
