// A value is changed and restored: readers may see the one in between.
//# grid = [2, 1, 1]
//# [buffers.out]
//# length = 4
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[3] = 77u; //~ GP0001
    out[3] = 3u; //~ GP0001
    out[wg.x] = out[3]; //~ GP0001
}
