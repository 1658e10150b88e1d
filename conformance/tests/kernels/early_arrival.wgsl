// The first workgroup writes back when all others have read; but they say so before they read.
@group(0) @binding(0) var<storage, read_write> arrived: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> residual: array<u32>;
@group(0) @binding(2) var<storage, read_write> rows: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>) {
    atomicAdd(&arrived, 1u);
    let value = residual[0];
    rows[workgroup.x] = value + 1u;
    if workgroup.x == 0u {
        while atomicLoad(&arrived) != all.x {}
        residual[0] = value + 1u;
    }
}
