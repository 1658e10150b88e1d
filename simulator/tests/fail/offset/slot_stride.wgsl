// A pool slot times its stride, in 32 bits.
//# [buffers.pool]
//# length = 1024
//# [buffers.slots]
//# length = 4
//# init = [0, 1, 4096, 2]
@group(0) @binding(0) var<storage, read_write> pool: array<u32>;
@group(0) @binding(1) var<storage> slots: array<u32>;
@compute @workgroup_size(2)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let base = slots[2] * 1048576u;
    pool[base + lid] = 1u; //~ GP0005
}
