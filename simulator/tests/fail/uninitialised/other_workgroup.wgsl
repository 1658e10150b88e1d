// What another workgroup of the dispatch writes is not there yet.
//# grid = [2, 1, 1]
//# [buffers.scratch]
//# length = 2
//# init = "uninit"
//# [buffers.out]
//# length = 2
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    scratch[wg.x] = wg.x + 1u; //~ GP0001
    out[wg.x] = scratch[1u - wg.x]; //~ GP0001 GP0006
}
