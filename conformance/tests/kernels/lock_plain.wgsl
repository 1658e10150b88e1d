// A lock whose holder adds to plain memory, or takes the lock in two steps.
override TWO_STEPS: bool = false;

@group(0) @binding(0) var<storage, read_write> lock: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> total: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>) {
    if TWO_STEPS {
        while atomicLoad(&lock) != 0u {}
        atomicStore(&lock, 1u);
    } else {
        while !atomicCompareExchangeWeak(&lock, 0u, 1u).exchanged {}
    }
    total[0] += workgroup.x + 1u;
    atomicStore(&lock, 0u);
}
