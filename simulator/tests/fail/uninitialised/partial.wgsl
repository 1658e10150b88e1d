// Half of a buffer is written, all of it is read.
//# entries = ["first", "second"]
//# [buffers.scratch]
//# length = 64
//# init = "uninit"
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
@compute @workgroup_size(64)
fn first(@builtin(local_invocation_index) lid: u32) {
    if lid < 32u { scratch[lid] = lid; }
}
@compute @workgroup_size(64)
fn second(@builtin(local_invocation_index) lid: u32) {
    out[lid] = scratch[lid]; //~ GP0006
}
