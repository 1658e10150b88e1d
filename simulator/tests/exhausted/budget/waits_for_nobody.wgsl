// A workgroup that waits for a flag nobody sets.
//# grid = [2, 1, 1]
//# [budget]
//# instructions = 1000
//# [buffers.count]
//# length = 1
@group(0) @binding(1) var<storage, read_write> count: array<atomic<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) wg: vec3<u32>, @builtin(global_invocation_id) gid: vec3<u32>) {
    while atomicLoad(&count[0]) == 0u { }
}
