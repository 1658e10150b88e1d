// What an atomic returned steers the next dispatch: in index order all is well.
//# entries = ["first", "second"]
//# grid = [4, 1, 1]
//# [buffers.counter]
//# length = 1
//# [buffers.ticket]
//# length = 4
//# [buffers.out]
//# length = 4
@group(0) @binding(0) var<storage, read_write> counter: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> ticket: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn first(@builtin(workgroup_id) wg: vec3<u32>) {
    ticket[wg.x] = atomicAdd(&counter, 1u);
}
@compute @workgroup_size(1)
fn second(@builtin(workgroup_id) wg: vec3<u32>) {
    if wg.x == 0u && ticket[0] != 0u {
        out[1000] = 1u;
    }
}
