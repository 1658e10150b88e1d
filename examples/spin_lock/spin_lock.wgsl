// A spin lock. Every workgroup adds to the same words, one workgroup at a time: the first invocation takes the lock,
// the others wait for it at a barrier. Atomics in WGSL are relaxed and order no plain memory between workgroups,
// so what the lock protects is atomic too; it is loaded, added to and stored in three steps, which only the lock
// keeps together.

override INVOCATIONS: u32 = 4u;
// Wrong: what the lock protects is plain memory.
override PLAIN_DATA: bool = false;
// Wrong: looks whether the lock is free and then takes it, so that two workgroups can take it.
override TEST_THEN_SET: bool = false;

@group(0) @binding(0) var<storage, read_write> lock: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> total: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> plain_total: array<u32>;

fn acquire() {
    if TEST_THEN_SET {
        while atomicLoad(&lock) != 0u {}
        atomicStore(&lock, 1u);
    } else {
        while !atomicCompareExchangeWeak(&lock, 0u, 1u).exchanged {}
    }
}

fn add(i: u32, value: u32) {
    if PLAIN_DATA {
        plain_total[i] += value;
    } else {
        atomicStore(&total[i], atomicLoad(&total[i]) + value);
    }
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    if i == 0u {
        acquire();
    }
    storageBarrier();
    add(i, (workgroup.x + 1u) * (i + 1u));
    storageBarrier();
    if i == 0u {
        atomicStore(&lock, 0u);
    }
}
