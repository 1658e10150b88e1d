// A lock that workgroups wait for, one of many schedules.
//# grid = [4, 1, 1]
//# [buffers.count]
//# length = 2
@group(0) @binding(1) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    loop {
        let got = atomicCompareExchangeWeak(&count[0], 0u, 1u);
        if got.exchanged { break; }
    }
    atomicAdd(&count[1], 1u);
    atomicStore(&count[0], 0u);
}
