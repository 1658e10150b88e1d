// The same with an atomic in workgroup memory.
//# entries = ["first", "second"]
//# subgroups = [32]
//# [buffers.ticket]
//# length = 64
//# [buffers.out]
//# length = 4
@group(0) @binding(1) var<storage, read_write> ticket: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
var<workgroup> counter: atomic<u32>;
@compute @workgroup_size(64)
fn first(@builtin(local_invocation_index) i: u32) {
    ticket[i] = atomicAdd(&counter, 1u);
}
@compute @workgroup_size(1)
fn second() {
    if ticket[0] != 0u {
        out[1000] = 1u;
    }
}
