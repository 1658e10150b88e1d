// An atomic and a plain write to one word through two bindings of one buffer.
//# grid = [2, 1, 1]
//# [buffers.memory]
//# length = 4
//# bind = { count = [0, 16], plain = [0, 16] }
@group(0) @binding(0) var<storage, read_write> count: array<atomic<u32>>;
@group(0) @binding(1) var<storage, read_write> plain: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    if wg.x == 0u {
        atomicAdd(&count[1], 7u); //~ GP0001
    } else {
        plain[1] = 3u; //~ GP0001
    }
}
