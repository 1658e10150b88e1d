// A xorshift generator that never reaches an address.
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    var x = lid + 1u;
    for (var i = 0u; i < 8u; i++) { x ^= x << 13u; x ^= x >> 17u; x ^= x << 5u; }
    out[lid] = x;
}
