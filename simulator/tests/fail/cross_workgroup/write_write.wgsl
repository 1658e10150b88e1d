// Two workgroups write different values to one element.
//# grid = [3, 1, 1]
//# [buffers.out]
//# length = 1
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[0] = wg.x; //~ GP0001
}
