// The racing write stands in a function; the call is in the report.
//# grid = [2, 1, 1]
//# [buffers.out]
//# length = 1
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

fn put(value: u32) {
    out[0] = value; //~ GP0001
}
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    put(wg.x);
}
