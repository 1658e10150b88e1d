// A sum does not depend on the order of its terms: who reads it in the next dispatch is not steered.
//# entries = ["first", "second"]
//# grid = [4, 1, 1]
//# [buffers.counter]
//# length = 4
//# bind = { counter = [0, 16], total = [0, 16] }
//# [buffers.out]
//# length = 4
//# expect = [7]
@group(0) @binding(0) var<storage, read_write> counter: atomic<u32>;
@group(0) @binding(1) var<storage, read> total: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn first() {
    atomicAdd(&counter, 1u);
}
@compute @workgroup_size(1)
fn second(@builtin(workgroup_id) wg: vec3<u32>) {
    if wg.x == 0u && total[0] == 4u {
        out[0] = 7u;
    }
}
