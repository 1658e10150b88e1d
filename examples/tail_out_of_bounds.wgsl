// Doubles 1,000 elements with 16 workgroups of 64. The grid is rounded up and nothing guards the tail:
// the last 24 invocations read and write past the end.

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    // missing: if id.x >= arrayLength(&output) { return; }
    output[id.x] = 2.0 * input[id.x];
}
