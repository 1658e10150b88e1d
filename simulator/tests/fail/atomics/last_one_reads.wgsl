// The workgroup with the last ticket reads what the others wrote: nothing orders that.
//# grid = [4, 1, 1]
//# [buffers.count]
//# length = 1
//# [buffers.parts]
//# length = 4
//# [buffers.out]
//# length = 1
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read_write> count: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> parts: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    parts[wg.x] = wg.x + 1u; //~ GP0001
    if atomicAdd(&count[0], 1u) == 3u {
        out[0] = parts[0] + parts[1] + parts[2]; //~ GP0001
    }
}
