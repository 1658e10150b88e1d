// Inclusive prefix sums in one pass, with decoupled look-back (Merrill and Garland, Single-pass Parallel Prefix Scan
// with Decoupled Look-back, 2016). A workgroup sums its tile, publishes that aggregate, looks back over the tiles
// before its own until it meets one whose whole prefix is known, and publishes its own prefix.
//
// A tile's status and value are one atomic word: whoever sees the status has the value that belongs to it. Tiles are
// drawn from a counter, so that all tiles before one's own belong to workgroups that have started.

override INVOCATIONS: u32 = 4u;
// Wrong: the tile is the workgroup's index, so that a workgroup can wait for one that has not started.
override TILE_IS_INDEX: bool = false;
// Wrong: status and value are two words. Who reads `aggregate` and then the value can get the prefix that has
// replaced it, and adds the tiles before it twice.
override TWO_WORDS: bool = false;
// Wrong: status and value are two words, and the value is plain memory.
override PLAIN_VALUE: bool = false;

const AGGREGATE: u32 = 1u << 30u;
const PREFIX: u32 = 2u << 30u;
const STATUS: u32 = 3u << 30u;

@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> next_tile: atomic<u32>;
// What each tile has published; nothing yet where the status is 0.
@group(0) @binding(2) var<storage, read_write> tiles: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> values: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> plain_values: array<u32>;
@group(0) @binding(5) var<storage, read_write> output: array<u32>;

var<workgroup> drawn: u32;
var<workgroup> before: u32;
var<workgroup> sums: array<u32, 32>;

fn publish(tile: u32, status: u32, value: u32) {
    if TWO_WORDS {
        atomicStore(&values[tile], value);
        atomicStore(&tiles[tile], status);
    } else if PLAIN_VALUE {
        plain_values[tile] = value;
        atomicStore(&tiles[tile], status);
    } else {
        atomicStore(&tiles[tile], status | value);
    }
}

fn value_of(tile: u32, word: u32) -> u32 {
    if TWO_WORDS {
        return atomicLoad(&values[tile]);
    }
    if PLAIN_VALUE {
        return plain_values[tile];
    }
    return word & ~STATUS;
}

// The sum of all tiles before this one.
fn look_back(tile: u32) -> u32 {
    var sum = 0u;
    var first = tile;
    while first > 0u {
        let word = atomicLoad(&tiles[first - 1u]);
        if (word & STATUS) != 0u {
            first -= 1u;
            sum += value_of(first, word);
            if (word & STATUS) == PREFIX {
                break;
            }
        }
    }
    return sum;
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    if i == 0u {
        if TILE_IS_INDEX {
            drawn = workgroup.x;
        } else {
            drawn = atomicAdd(&next_tile, 1u);
        }
    }
    workgroupBarrier();
    let tile = drawn;
    sums[i] = input[tile * INVOCATIONS + i];
    workgroupBarrier();
    if i == 0u {
        for (var j = 1u; j < INVOCATIONS; j++) {
            sums[j] += sums[j - 1u];
        }
        let aggregate = sums[INVOCATIONS - 1u];
        if tile > 0u {
            publish(tile, AGGREGATE, aggregate);
        }
        before = look_back(tile);
        publish(tile, PREFIX, before + aggregate);
    }
    workgroupBarrier();
    output[tile * INVOCATIONS + i] = before + sums[i];
}
