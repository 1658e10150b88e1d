// Sums of 256 elements, one per workgroup: a tree reduction in workgroup memory, with a barrier after
// every step. Race-free.

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let first = workgroup.x * 256u;
    var sum = 0.0;
    for (var step = 0u; step < 4u; step++) {
        sum += input[first + step * 64u + i];
    }
    partial[i] = sum;
    workgroupBarrier();
    for (var stride = 32u; stride > 0u; stride /= 2u) {
        if i < stride {
            partial[i] += partial[i + stride];
        }
        workgroupBarrier();
    }
    if i == 0u {
        sums[workgroup.x] = partial[0];
    }
}
