// What each invocation is told about its subgroup, and how many of its neighbours really answer.

@group(0) @binding(0) var<storage, read_write> told: array<u32>;
@group(0) @binding(1) var<storage, read_write> answered: array<u32>;

@compute @workgroup_size(128)
fn observe(@builtin(local_invocation_index) at: u32, @builtin(subgroup_size) size: u32) {
    told[at] = size;
    answered[at] = subgroupAdd(1u);
}
