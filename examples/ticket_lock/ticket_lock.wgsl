// A ticket lock: a workgroup draws a number and waits until it is served, so that the lock is taken in the order of
// asking. As in spin_lock.wgsl, what it protects is atomic.

override INVOCATIONS: u32 = 4u;
// Wrong: what the lock protects is plain memory.
override PLAIN_DATA: bool = false;
// Wrong: the ticket is read and then counted up, so that two workgroups can draw the same number.
override SPLIT_TICKET: bool = false;
// Wrong: the ticket is the workgroup's index, so that a workgroup can wait for one that has not started.
override TICKET_IS_INDEX: bool = false;

@group(0) @binding(0) var<storage, read_write> next: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> serving: atomic<u32>;
@group(0) @binding(2) var<storage, read_write> total: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> plain_total: array<u32>;

fn draw(workgroup: u32) -> u32 {
    if TICKET_IS_INDEX {
        return workgroup;
    }
    if SPLIT_TICKET {
        let ticket = atomicLoad(&next);
        atomicStore(&next, ticket + 1u);
        return ticket;
    }
    return atomicAdd(&next, 1u);
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
    var ticket = 0u;
    if i == 0u {
        ticket = draw(workgroup.x);
        while atomicLoad(&serving) != ticket {}
    }
    storageBarrier();
    add(i, (workgroup.x + 1u) * (i + 1u));
    storageBarrier();
    if i == 0u {
        atomicStore(&serving, ticket + 1u);
    }
}
