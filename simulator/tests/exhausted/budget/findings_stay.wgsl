// What was found before the budget ran out is still reported.
//# grid = [2, 1, 1]
//# [budget]
//# instructions = 1000
//# [buffers.out]
//# length = 4
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[9] = 1u; //~ GP0004
    while wg.x == 1u { }
}
