// An atomic's result is an address: one run does not decide the launch.
@group(0) @binding(0) var<storage, read_write> counter: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> slots: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    slots[atomicAdd(&counter, 1u)] = id.x;
}
