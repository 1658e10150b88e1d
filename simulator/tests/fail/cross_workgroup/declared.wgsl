// A race on a range that the launch declares is a warning with its reason.
//# grid = [2, 1, 1]
//# [buffers.out]
//# length = 2
//# may_race = { range = [0, 4], reason = "null slot" }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[0] = wg.x; //~ GP0001
}
