// Private and function memory are nobody else's.
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<private> mine: array<u32, 4>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    mine[lid % 4u] = lid;
    var local: array<u32, 4>;
    local[(lid + 1u) % 4u] = lid;
    out[lid] = mine[lid % 4u] + local[(lid + 1u) % 4u];
}
