// Every workgroup reads the whole row that each of them writes one element of.
//# grid = [8, 1, 1]
//# [buffers.row]
//# length = 8
//# init = "iota"
@group(0) @binding(0) var<storage, read_write> row: array<u32>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    var sum = 0u;
    for (var i = 0u; i < 8u; i++) {
        sum += row[i]; //~ GP0001
    }
    storageBarrier();
    if lid == 0u {
        row[wg.x] = sum; //~ GP0001
    }
}
