// Every workgroup writes the same value: every order leaves the same bytes.
//# grid = [8, 1, 1]
//# [buffers.out]
//# length = 2
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    if lid == 0u {
        out[1] = 9u; //~ GP0001
    }
}
