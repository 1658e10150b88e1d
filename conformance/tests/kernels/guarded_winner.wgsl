// Every workgroup that writes writes the same: a benign race, but only with the guard.
@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> winner: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>) {
    if (input[workgroup.x] == 7u) {
        winner[0] = input[workgroup.x];
    }
}
