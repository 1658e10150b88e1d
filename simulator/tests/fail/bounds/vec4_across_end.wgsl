// The last vec4 does not fit any more.
//# [buffers.vectors]
//# length = 14
//# init = "iota"
//# [buffers.out]
//# length = 4
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage> vectors: array<vec4<u32>>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = vectors[lid].x; //~ GP0004
}
