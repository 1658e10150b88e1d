// A linear congruential generator that never reaches an address.
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    var x = lid;
    for (var i = 0u; i < 8u; i++) { x = x * 1664525u + 1013904223u; }
    out[lid] = x;
}
