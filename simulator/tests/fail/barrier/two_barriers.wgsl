// Each side of a branch has its own barrier.
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    if lid < 32u {
        workgroupBarrier(); //~ GP0003
    } else {
        workgroupBarrier();
    }
    out[lid] = lid;
}
