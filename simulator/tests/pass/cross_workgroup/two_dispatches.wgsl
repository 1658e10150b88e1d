// The end of a dispatch orders its writes before the next one.
//# grid = [4, 1, 1]
//# entries = ["first", "second"]
//# [buffers.out]
//# length = 4
//# [buffers.other]
//# length = 4
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@group(0) @binding(1) var<storage, read_write> other: array<u32>;
@compute @workgroup_size(1)
fn first(@builtin(workgroup_id) wg: vec3<u32>) {
    out[wg.x] = wg.x;
}
@compute @workgroup_size(1)
fn second(@builtin(workgroup_id) wg: vec3<u32>) {
    other[wg.x] = out[3u - wg.x];
}
