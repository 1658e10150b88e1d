// Relaxed atomics order nothing: plain data under a lock still races.
//# grid = [3, 1, 1]
//# [buffers.count]
//# length = 1
//# [buffers.out]
//# length = 1
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    loop {
        let got = atomicCompareExchangeWeak(&count[0], 0u, 1u);
        if got.exchanged { break; }
    }
    out[0] += wg.x + 1u; //~ GP0001
    atomicStore(&count[0], 0u);
}
