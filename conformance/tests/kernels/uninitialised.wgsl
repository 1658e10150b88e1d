// Reads what nobody wrote: the padding between rows.
@group(0) @binding(0) var<storage, read> rows: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    var sum = 0u;
    for (var i = 0u; i < 4u; i++) {
        sum += rows[id.x * 4u + i];
    }
    sums[id.x] = sum;
}
