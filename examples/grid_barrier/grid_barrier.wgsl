// A barrier of the whole grid: all workgroups count up one counter and wait until everybody has. In every round each
// workgroup publishes a word per invocation, meets the others, and adds up what all have published. The counter is
// never set back: round r waits for (r + 1) times the number of workgroups.
//
// All workgroups must be resident together. With fewer slots than workgroups nobody makes progress.

override INVOCATIONS: u32 = 4u;
override ROUNDS: u32 = 1u;
// Wrong: what is passed across the barrier is plain memory.
override PLAIN_DATA: bool = false;
// Wrong: waits for one arrival too few.
override SHORT_COUNT: bool = false;
// Wrong: the last to arrive sets the counter back to 0, and the others wait for that: whoever is slow misses it when
// a fast one has counted up for the next round.
override RESET_COUNTER: bool = false;
// Wrong: the last to arrive opens the barrier with a plain flag.
override PLAIN_FLAG: bool = false;

@group(0) @binding(0) var<storage, read_write> arrived: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> rounds_open: array<u32>;
@group(0) @binding(2) var<storage, read_write> words: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> plain_words: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<u32>;

fn meet(round: u32, workgroups: u32) {
    let goal = (round + 1u) * workgroups;
    let before = atomicAdd(&arrived, 1u);
    if RESET_COUNTER {
        if before == workgroups - 1u {
            atomicStore(&arrived, 0u);
        } else {
            while atomicLoad(&arrived) != 0u {}
        }
    } else if PLAIN_FLAG {
        if before + 1u == goal {
            rounds_open[0] = round + 1u;
        } else {
            while rounds_open[0] != round + 1u {}
        }
    } else if SHORT_COUNT {
        while atomicLoad(&arrived) < goal - 1u {}
    } else {
        while atomicLoad(&arrived) < goal {}
    }
}

fn publish(place: u32, value: u32) {
    if PLAIN_DATA {
        plain_words[place] = value;
    } else {
        atomicStore(&words[place], value);
    }
}

fn published(place: u32) -> u32 {
    if PLAIN_DATA {
        return plain_words[place];
    }
    return atomicLoad(&words[place]);
}

@compute @workgroup_size(INVOCATIONS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) i: u32,
) {
    var value = workgroup.x * INVOCATIONS + i + 1u;
    for (var round = 0u; round < ROUNDS; round++) {
        let first = round * workgroups.x;
        publish((first + workgroup.x) * INVOCATIONS + i, value);
        storageBarrier();
        if i == 0u {
            meet(round, workgroups.x);
        }
        storageBarrier();
        value = workgroup.x;
        for (var other = 0u; other < workgroups.x; other++) {
            value += published((first + other) * INVOCATIONS + i);
        }
    }
    output[workgroup.x * INVOCATIONS + i] = value;
}
