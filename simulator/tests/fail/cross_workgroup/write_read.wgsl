// A workgroup reads what its neighbour writes.
//# grid = [4, 1, 1]
//# [buffers.out]
//# length = 5
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let next = out[wg.x + 1u]; //~ GP0001
    out[wg.x] = next + wg.x + 1u; //~ GP0001
}
