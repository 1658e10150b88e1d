// A compare-exchange whose result nobody uses.
//# grid = [4, 1, 1]
//# [buffers.count]
//# length = 2
@group(0) @binding(1) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let unused = atomicCompareExchangeWeak(&count[1], 0u, 5u);
}
