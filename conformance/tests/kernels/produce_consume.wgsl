// The second dispatch reads what all workgroups of the first one wrote.
@group(0) @binding(0) var<storage, read_write> middle: array<u32>;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;

override SCALE: u32 = 1u;

@compute @workgroup_size(1)
fn produce(@builtin(workgroup_id) id: vec3<u32>) {
    middle[id.x] = id.x * SCALE;
}

@compute @workgroup_size(1)
fn consume() {
    result[0] = middle[0] + middle[1] + middle[2];
}
