// A residual add fused into the kernel that uses it. Every workgroup reads all of `residual`; workgroup 0
// writes the sum back in the same launch, so a workgroup that starts late adds `hidden` twice.

override K: u32 = 256u;

@group(0) @binding(0) var<storage, read> hidden: array<f32>;
@group(0) @binding(1) var<storage, read_write> residual: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) row: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    var sum = 0.0;
    for (var k = i; k < K; k += 64u) {
        let added = hidden[k] + residual[k];
        sum += added * weight[row.x * K + k];
        if row.x == 0u {
            residual[k] = added;
        }
    }
    partial[i] = sum;
    workgroupBarrier();
    if i == 0u {
        var total = 0.0;
        for (var j = 0u; j < 64u; j++) {
            total += partial[j];
        }
        output[row.x] = total;
    }
}
