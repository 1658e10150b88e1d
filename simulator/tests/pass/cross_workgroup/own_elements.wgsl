// Every workgroup reads and writes its own elements.
//# grid = [4, 1, 1]
//# [buffers.out]
//# length = 64
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    out[gid.x] = out[gid.x] * 3u + 1u;
}
