// A component index past the vector.
//# [buffers.out]
//# length = 8
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let v = vec4(1u, 2u, 3u, 4u);
    out[lid] = v[lid]; //~ GP0004
}
