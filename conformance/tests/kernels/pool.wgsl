// A pool of 16 GiB; the element offset of its last slot does not fit in 32 bits.
@group(0) @binding(0) var<storage, read_write> pool: array<vec4<u32>>;
@group(0) @binding(1) var<uniform> slot: u32;

@compute @workgroup_size(1)
fn main() {
    let offset = slot * 1048576u;
    pool[offset / 4u].x = slot;
}
