// Everyone arrives and waits for everyone, and then reads what a neighbour wrote plainly before: relaxed atomics order
// nothing.
@group(0) @binding(0) var<storage, read_write> arrived: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> before: array<u32>;
@group(0) @binding(2) var<storage, read_write> after: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>) {
    before[workgroup.x] = workgroup.x + 1u;
    atomicAdd(&arrived, 1u);
    while atomicLoad(&arrived) != all.x {}
    after[workgroup.x] = before[(workgroup.x + 1u) % all.x];
}
