// The first dispatch is clean, the second is not.
//# grid = [2, 1, 1]
//# entries = ["first", "second"]
//# [buffers.out]
//# length = 2
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(1)
fn first(@builtin(workgroup_id) wg: vec3<u32>) {
    out[wg.x] = wg.x;
}
@compute @workgroup_size(1)
fn second(@builtin(workgroup_id) wg: vec3<u32>) {
    out[1u - wg.x] += out[wg.x]; //~ GP0001
}
