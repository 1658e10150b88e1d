// After a dispatch that ran out, later ones are not run.
//# entries = ["first", "second"]
//# [budget]
//# instructions = 1000
//# [buffers.out]
//# length = 4
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn first() {
    while true { }
}
@compute @workgroup_size(1)
fn second() {
    out[9] = 1u;
}
