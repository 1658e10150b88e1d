// Past a workgroup array, into the next variable.
//# [buffers.out]
//# length = 8
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

var<workgroup> one: array<u32, 4>;
var<workgroup> two: array<u32, 4>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    one[lid] = lid; //~ GP0004
    workgroupBarrier();
    out[lid] = two[lid % 4u] + one[lid % 4u];
}
