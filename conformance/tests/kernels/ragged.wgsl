// One workgroup does nearly all the work, and the barrier at the end orders nothing.
@group(0) @binding(0) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum = id.x;
    let steps = select(1u, 1500000u, id.x < 4u);
    for (var step = 0u; step < steps; step++) {
        sum = sum * 5u + step;
    }
    sums[id.x] = sum;
    workgroupBarrier();
}
