// The wrap happens in a function, far from the access.
//# [buffers.out]
//# length = 64
//# [buffers.input]
//# length = 1
//# init = [1073741824]
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage> input: array<u32>;

fn offset(row: u32) -> u32 {
    return row * 4u;
}
@compute @workgroup_size(2)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    let place = offset(input[0] + lid);
    out[place] = 1u; //~ GP0005
}
