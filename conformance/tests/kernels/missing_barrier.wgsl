// Invocation i stores, and reads its neighbour's value without a barrier.
@group(0) @binding(0) var<storage, read_write> result: array<u32>;
var<workgroup> shared_: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
    shared_[local] = local;
    result[local] = shared_[(local + 32u) % 64u];
}
