// Workgroups take tiles from a counter; the one with the first tile writes back what all of them read.
@group(0) @binding(0) var<storage, read_write> next: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> residual: array<u32>;
@group(0) @binding(2) var<storage, read_write> rows: array<u32>;

var<workgroup> taken: u32;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) i: u32) {
    if i == 0u {
        taken = atomicAdd(&next, 1u);
    }
    let tile = workgroupUniformLoad(&taken);
    let value = residual[i];
    rows[tile * 4u + i] = value + 1u;
    if tile == 0u {
        residual[i] = value + 1u;
    }
}
