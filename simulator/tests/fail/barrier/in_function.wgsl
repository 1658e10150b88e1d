// The barrier stands in a function that not all call.
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

fn wait() {
    workgroupBarrier(); //~ GP0003
}
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    if lid > 3u { wait(); }
    out[lid] = lid;
}
