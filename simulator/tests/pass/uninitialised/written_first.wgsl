// A scratch buffer is written before it is read.
//# [buffers.scratch]
//# length = 64
//# init = "uninit"
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    scratch[lid] = lid;
    storageBarrier();
    out[lid] = scratch[63u - lid];
}
