// Past a function's array.
//# [buffers.out]
//# length = 8
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    var mine: array<u32, 4>;
    mine[lid] = lid; //~ GP0004
    out[lid] = mine[0];
}
