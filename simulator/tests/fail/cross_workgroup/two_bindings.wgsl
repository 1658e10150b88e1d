// One buffer through two bindings whose ranges overlap.
//# grid = [2, 1, 1]
//# [buffers.memory]
//# length = 128
//# bind = { low = [0, 320], high = [256, 512] }
@group(0) @binding(0) var<storage, read_write> low: array<u32>;
@group(0) @binding(1) var<storage, read_write> high: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    if wg.x == 0u {
        low[64] = 1u; //~ GP0001
    } else {
        high[0] = 2u; //~ GP0001
    }
}
