// An atomic's result goes through memory to an address.
//# [buffers.count]
//# length = 1
//# [buffers.out]
//# length = 64
//# [buffers.scratch]
//# length = 1
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read_write> count: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> scratch: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    scratch[0] = atomicAdd(&count[0], 1u);
    out[scratch[0]] = 1u;
}
