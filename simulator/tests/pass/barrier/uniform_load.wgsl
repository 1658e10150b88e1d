// workgroupUniformLoad is a barrier and a read.
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
var<workgroup> shared_value: u32;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    if lid == 3u { shared_value = 11u; }
    let x = workgroupUniformLoad(&shared_value);
    if lid == 5u { shared_value = 12u; }
    out[lid] = x;
}
