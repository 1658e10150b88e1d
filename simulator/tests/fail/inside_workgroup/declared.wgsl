// A declared range of a buffer, raced on inside a workgroup.
//# [buffers.out]
//# length = 2
//# may_race = { range = [0, 4], reason = "null slot" }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[0] = lid; //~ GP0002
}
