// Where a program has atomics, a race between plain accesses that change values is still an error.
//# grid = [2, 1, 1]
//# [buffers.count]
//# length = 1
//# [buffers.out]
//# length = 1
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    atomicAdd(&count[0], 1u);
    out[0] = wg.x; //~ GP0001
}
