// Every workgroup writes its own number to one word: the last one wins, whoever that is.
@group(0) @binding(0) var<storage, read_write> winner: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    winner[0] = id.x;
}
