// Two workgroups own the two halves of each word, as f16.
//# grid = [2, 1, 1]
//# [buffers.halves]
//# length = 8
//# dtype = "f16"
enable f16;
@group(0) @binding(0) var<storage, read_write> halves: array<f16>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    halves[2u * lid + wg.x] = f16(lid);
}
