// Two loops that together make more than 65,535 iterations, counted so that no compiler can know the
// answer: the step is read from memory at a place that depends on a generator's state.

struct Iterations {
    plain: u32,
    outer: u32,
    inner: u32,
}

@group(0) @binding(0) var<uniform> iterations: Iterations;
@group(0) @binding(1) var<storage, read> ones: array<u32, 2>;
@group(0) @binding(2) var<storage, read_write> counted: array<u32, 2>;

fn advance(state: u32) -> u32 {
    return state * 1664525u + 1013904223u;
}

// One loop.
@compute @workgroup_size(1)
fn plain() {
    var state = 1u;
    var count = 0u;
    for (var i = 0u; i < iterations.plain; i++) {
        state = advance(state);
        count += ones[state >> 31u];
    }
    counted[0] = count;
}

// Two nested loops: neither makes 65,535 iterations in one go.
@compute @workgroup_size(1)
fn nested() {
    var state = 1u;
    var count = 0u;
    for (var i = 0u; i < iterations.outer; i++) {
        for (var j = 0u; j < iterations.inner; j++) {
            state = advance(state);
            count += ones[state >> 31u];
        }
    }
    counted[1] = count;
}
