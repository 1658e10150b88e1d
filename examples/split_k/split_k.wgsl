// A matrix times a vector, with the sum over K split over workgroups: grid (slices, tiles), a tile being one row per
// invocation. Floating-point sums depend on their order, so the slices of a tile are added in the order of their
// index, in one of two ways:
//
// * `semaphore`: slice s waits for its turn, adds to what the slices before it have left, and passes the turn on. It
//   needs workgroups to start in index order where not all are resident.
// * `last_arriver`: every slice stores its part and counts up; whoever is last adds up all parts. Nobody waits.
//
// Parts and sums that pass between workgroups are atomic words, since WGSL's atomics order no plain memory.

override INVOCATIONS: u32 = 2u;
override PER_SLICE: u32 = 2u;
// Wrong, `semaphore`: nobody waits for the turn.
override NO_TURN: bool = false;
// Wrong, both: what passes between workgroups is plain memory.
override PLAIN_DATA: bool = false;
// Wrong, `last_arriver`: counts up before the part is stored.
override ARRIVE_FIRST: bool = false;

@group(0) @binding(0) var<storage, read> matrix: array<f32>;
@group(0) @binding(1) var<storage, read> vector: array<f32>;
// `semaphore`: whose turn it is, by tile. `last_arriver`: how many slices have arrived.
@group(0) @binding(2) var<storage, read_write> turns: array<atomic<u32>>;
// Bits of f32. `semaphore`: one running sum per row. `last_arriver`: one part per tile, slice and row.
@group(0) @binding(3) var<storage, read_write> parts: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> plain_parts: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

var<workgroup> is_last: u32;

fn store_part(place: u32, value: f32) {
    if PLAIN_DATA {
        plain_parts[place] = value;
    } else {
        atomicStore(&parts[place], bitcast<u32>(value));
    }
}

fn load_part(place: u32) -> f32 {
    if PLAIN_DATA {
        return plain_parts[place];
    }
    return bitcast<f32>(atomicLoad(&parts[place]));
}

// This slice's part of a row's sum.
fn part(row: u32, slice: u32, slices: u32) -> f32 {
    var sum = 0.0;
    for (var k = slice * PER_SLICE; k < (slice + 1u) * PER_SLICE; k++) {
        sum = fma(matrix[row * slices * PER_SLICE + k], vector[k], sum);
    }
    return sum;
}

@compute @workgroup_size(INVOCATIONS)
fn semaphore(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) i: u32,
) {
    let slice = workgroup.x;
    let tile = workgroup.y;
    let row = tile * INVOCATIONS + i;
    let own = part(row, slice, workgroups.x);
    if i == 0u && !NO_TURN {
        while atomicLoad(&turns[tile]) != slice {}
    }
    storageBarrier();
    let sum = load_part(row) + own;
    store_part(row, sum);
    if slice == workgroups.x - 1u {
        output[row] = sum;
    }
    storageBarrier();
    if i == 0u {
        atomicStore(&turns[tile], slice + 1u);
    }
}

@compute @workgroup_size(INVOCATIONS)
fn last_arriver(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) i: u32,
) {
    let slices = workgroups.x;
    let tile = workgroup.y;
    let row = tile * INVOCATIONS + i;
    let own = part(row, workgroup.x, slices);
    if ARRIVE_FIRST && i == 0u {
        is_last = u32(atomicAdd(&turns[tile], 1u) == slices - 1u);
    }
    store_part((tile * slices + workgroup.x) * INVOCATIONS + i, own);
    storageBarrier();
    if !ARRIVE_FIRST && i == 0u {
        is_last = u32(atomicAdd(&turns[tile], 1u) == slices - 1u);
    }
    if workgroupUniformLoad(&is_last) == 1u {
        var sum = 0.0;
        for (var slice = 0u; slice < slices; slice++) {
            sum += load_part((tile * slices + slice) * INVOCATIONS + i);
        }
        output[row] = sum;
    }
}
