// The race is on a scratch buffer that no output depends on.
@group(0) @binding(0) var<storage, read_write> scratch: array<u32>;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    scratch[0] = id.x;
    result[id.x] = id.x + 1u;
}
