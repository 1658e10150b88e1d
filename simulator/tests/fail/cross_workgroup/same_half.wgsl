// Two workgroups write one f16 with different values.
//# grid = [2, 1, 1]
//# [buffers.halves]
//# length = 8
//# dtype = "f16"
enable f16;
@group(0) @binding(0) var<storage, read_write> halves: array<f16>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    halves[lid + wg.x * 3u] = f16(gid.x); //~ GP0001
}
