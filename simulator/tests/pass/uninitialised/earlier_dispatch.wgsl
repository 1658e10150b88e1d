// An earlier dispatch wrote it.
//# grid = [2, 1, 1]
//# entries = ["first", "second"]
//# [buffers.scratch]
//# length = 64
//# init = "uninit"
//# [buffers.out]
//# length = 64
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
@compute @workgroup_size(32)
fn first(@builtin(global_invocation_id) gid: vec3<u32>) {
    scratch[gid.x] = gid.x;
}
@compute @workgroup_size(32)
fn second(@builtin(global_invocation_id) gid: vec3<u32>) {
    out[gid.x] = scratch[63u - gid.x];
}
