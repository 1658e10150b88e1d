// One barrier and one guard for each thing that can come of leaving it out.
override N: u32 = 100u;
override STEPS: u32 = 3u;

@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> output: array<u32>;

var<workgroup> part: array<u32, 64>;
var<workgroup> total: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    part[i] = input[min(id.x, N - 1u)];
    workgroupBarrier(); // needed: GP0002
    if (i == 0u) { // needed: GP0002
        var sum = 0u;
        for (var j = 0u; j < 64u; j++) {
            sum += part[j];
        }
        total = sum;
    }
    workgroupBarrier(); // redundant: beside the next one
    workgroupBarrier(); // redundant: beside the last one
    if (input[N] == 7u) {
        workgroupBarrier(); // idle
    }
    if (i >= 64u) { // idle
        return;
    }
    if (id.x < N) { // needed: GP0004
        var value = total;
        if (id.x % 2u == 0u) { // needed: outputs
            value += input[id.x];
        }
        if (id.x % 2u == 1u) { // redundant: nothing is added
            value += input[N];
        }
        output[id.x] = value;
    }
    workgroupBarrier(); // redundant: nothing follows
    var step = STEPS;
    loop {
        if (step == 0u) {
            break;
        }
        if (input[N] == 0u) { // needed: endless
            step -= 1u;
            continue;
        }
        step += input[N];
    }
}
