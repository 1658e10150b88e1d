// Every workgroup writes the same number to one word: a benign race.
@group(0) @binding(0) var<storage, read_write> flag: array<u32>;

@compute @workgroup_size(1)
fn main() {
    flag[0] = 7u;
}
