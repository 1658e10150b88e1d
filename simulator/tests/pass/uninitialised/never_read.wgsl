// An output that is written only in part, and not read.
//# [buffers.out]
//# length = 64
//# init = "uninit"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[lid * 2u] = lid;
}
