// Storage memory, no barrier at all.
//# [buffers.out]
//# length = 128
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid] = lid; //~ GP0002
    out[64u + lid] = out[63u - lid]; //~ GP0002
}
