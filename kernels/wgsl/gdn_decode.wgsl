// Gated delta rule over a pool of states, one to eight tokens a request, after flashinfer pull requests 3147,
// 3145 and 3230.
//
// Kept from upstream: the three kernels and which lanes own which elements, the grid (V tile fastest, then value
// head, then request), both phases (query, key and gates of every token first, in passes of one token a subgroup
// with one barrier a pass; then rows of the state that stay in registers across all tokens), the order of every
// addition, and what an index means: with bf16 states a negative one is slot 0; with f32 states a negative read
// index skips the request and zero-fills its output, and a negative write index stores no state.
//
// Mapped anew: bf16 is read and written as 32-bit words, both halves by one invocation; a state as pairs of words.
// Lane 0 of a group stores the group's output rows. Offsets have 32 bits, which is as far as WGSL addresses.
//
// Order of additions: `serial` and `two_chains` over the elements of a lane, then a butterfly over the lanes of a
// group, at distances 16 (or 8), 4, 2, 1. Lanes meet in subgroup shuffles: subgroups of 32 or more, filled in index order.
// With WORKGROUP_TREE they meet in workgroup memory, for adapters with narrower subgroups: the same additions and
// the same bits. Its barriers also order what MISSING_PASS_BARRIER leaves unordered, but for a first token that
// the last pass has prepared: those of up to four tokens.

// How the lanes of a group meet.
override WORKGROUP_TREE: bool = false;

// Variant `intermediate_by_slot`.
override INTERMEDIATE_BY_SLOT: bool = false;
// Variant `offset32`.
override OFFSET_32: bool = false;
// Variant `intermediate_offset32`.
override INTERMEDIATE_OFFSET_32: bool = false;
// Variant `wide_vec_no_pass_barrier`.
override MISSING_PASS_BARRIER: bool = false;
// Variant `softplus_branchless`.
override SOFTPLUS_BRANCHLESS: bool = false;

// What differs between launches. No constants: one pipeline serves all sizes, as some drivers take long to build one.
struct Sizes {
    // Tokens of a request, 1 to MOST_TOKENS.
    tokens: u32,
    // Heads of q and k.
    heads: u32,
    // Heads of v and of the state, a multiple of the heads of q and k.
    value_heads: u32,
    // Elements from one slot of the pool to the next.
    slot_stride: u32,
    // Tokens from one request to the next in `intermediate_states`, as many as there are or more.
    steps: u32,
    // Rows of a workgroup.
    tile_v: u32,
    // 1 where the final state is stored.
    update: u32,
    // 1 where the state after every token is stored.
    cache: u32,
}

const MOST_TOKENS = 8u;
const INVOCATIONS = 128u;
// Rows of a state, and elements of a row.
const V = 128u;
const K = 128u;
const EPSILON = 1e-6f;
// 1 / sqrt(K), rounded to f32.
const SCALE = 0.088388346f;

@group(0) @binding(0) var<storage, read> q: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> k: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> v: array<u32>;
@group(0) @binding(3) var<storage, read> a: array<u32>;
@group(0) @binding(4) var<storage, read> b: array<u32>;
@group(0) @binding(5) var<storage, read> a_log: array<f32>;
@group(0) @binding(6) var<storage, read> dt_bias: array<f32>;
@group(0) @binding(7) var<storage, read> read_indices: array<i32>;
@group(0) @binding(8) var<storage, read> write_indices: array<i32>;
@group(0) @binding(9) var<storage, read_write> state_pool: array<vec2<u32>>;
@group(0) @binding(10) var<storage, read_write> output: array<u32>;
@group(0) @binding(11) var<storage, read_write> intermediate_states: array<vec2<u32>>;
@group(0) @binding(12) var<uniform> sizes: Sizes;

// Of every token: the normalised query (scaled) and key, four elements a lane, the decay and the gate.
var<workgroup> q_normed: array<vec4<f32>, MOST_TOKENS * 32u>;
var<workgroup> k_normed: array<vec4<f32>, MOST_TOKENS * 32u>;
var<workgroup> alphas: array<f32, MOST_TOKENS>;
var<workgroup> betas: array<f32, MOST_TOKENS>;
// Two places an invocation, used in turns, with WORKGROUP_TREE only.
var<workgroup> lane_sums: array<vec4<f32>, 256>;
// The place that is next.
var<private> place: u32 = 0u;

// What a workgroup works on.
struct Work {
    request: u32,
    value_head: u32,
    tile: u32,
}

// Eight adjacent elements.
struct Eight {
    low: vec4<f32>,
    high: vec4<f32>,
}

// bf16 states. Eight groups of 16 lanes, eight elements a lane, four rows at a time.
@compute @workgroup_size(INVOCATIONS)
fn wide_vec(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let work = work_of(workgroup.x);
    prepare(work, local);
    let group = local / 16u;
    let lane = local % 16u;
    let read_slot = u32(max(read_indices[work.request], 0));
    let write_slot = u32(max(write_indices[work.request], 0));

    for (var iteration = 0u; iteration < sizes.tile_v / 32u; iteration++) {
        let row = work.tile * sizes.tile_v + group * (sizes.tile_v / 8u) + iteration * 4u;
        // In pairs of words, of which a row has 32.
        let own = row * 32u + lane * 2u;
        let source = state_offset(read_slot, work.value_head) / 4u + own;
        var s0 = load_eight(source);
        var s1 = load_eight(source + 32u);
        var s2 = load_eight(source + 64u);
        var s3 = load_eight(source + 96u);

        for (var token = 0u; token < sizes.tokens; token++) {
            let query = Eight(q_normed[token * 32u + lane * 2u], q_normed[token * 32u + lane * 2u + 1u]);
            let key = Eight(k_normed[token * 32u + lane * 2u], k_normed[token * 32u + lane * 2u + 1u]);
            let alpha = alphas[token];
            let beta = betas[token];
            let at = output_word(work, token, row);
            let values = vec4(halves(v[at]), halves(v[at + 1u]));

            s0 = Eight(s0.low * alpha, s0.high * alpha);
            s1 = Eight(s1.low * alpha, s1.high * alpha);
            s2 = Eight(s2.low * alpha, s2.high * alpha);
            s3 = Eight(s3.low * alpha, s3.high * alpha);
            let known = vec4(serial_8(s0, key), serial_8(s1, key), serial_8(s2, key), serial_8(s3, key));
            let delta = (values - sum_of_16(known, local)) * beta;
            s0 = add_eight(delta.x, key, s0);
            s1 = add_eight(delta.y, key, s1);
            s2 = add_eight(delta.z, key, s2);
            s3 = add_eight(delta.w, key, s3);
            let read = vec4(serial_8(s0, query), serial_8(s1, query), serial_8(s2, query), serial_8(s3, query));
            store_rows(at, sum_of_16(read, local), lane);

            if (sizes.cache == 1u) {
                let destination = intermediate_offset(work, read_slot, token) / 4u + own;
                cache_eight(destination, s0);
                cache_eight(destination + 32u, s1);
                cache_eight(destination + 64u, s2);
                cache_eight(destination + 96u, s3);
            }
        }
        if (sizes.update == 1u) {
            let destination = state_offset(write_slot, work.value_head) / 4u + own;
            store_eight(destination, s0);
            store_eight(destination + 32u, s1);
            store_eight(destination + 64u, s2);
            store_eight(destination + 96u, s3);
        }
    }
}

// bf16 states. Four groups of 32 lanes, four elements a lane in two chains, four rows at a time.
@compute @workgroup_size(INVOCATIONS)
fn ilp4(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let work = work_of(workgroup.x);
    prepare(work, local);
    let group = local / 32u;
    let lane = local % 32u;
    let read_slot = u32(max(read_indices[work.request], 0));
    let write_slot = u32(max(write_indices[work.request], 0));

    for (var iteration = 0u; iteration < sizes.tile_v / 16u; iteration++) {
        let row = work.tile * sizes.tile_v + group * (sizes.tile_v / 4u) + iteration * 4u;
        // In pairs of words, of which a row has 32.
        let own = row * 32u + lane;
        let source = state_offset(read_slot, work.value_head) / 4u + own;
        var s0 = bf16x4(state_pool[source]);
        var s1 = bf16x4(state_pool[source + 32u]);
        var s2 = bf16x4(state_pool[source + 64u]);
        var s3 = bf16x4(state_pool[source + 96u]);

        for (var token = 0u; token < sizes.tokens; token++) {
            let query = q_normed[token * 32u + lane];
            let key = k_normed[token * 32u + lane];
            let alpha = alphas[token];
            let beta = betas[token];
            let at = output_word(work, token, row);
            let values = vec4(halves(v[at]), halves(v[at + 1u]));

            s0 = s0 * alpha;
            s1 = s1 * alpha;
            s2 = s2 * alpha;
            s3 = s3 * alpha;
            let known = vec4(two_chains(s0, key), two_chains(s1, key), two_chains(s2, key), two_chains(s3, key));
            let delta = (values - sum_of_32(known, local)) * beta;
            s0 = add_four(delta.x, key, s0);
            s1 = add_four(delta.y, key, s1);
            s2 = add_four(delta.z, key, s2);
            s3 = add_four(delta.w, key, s3);
            let read = vec4(two_chains(s0, query), two_chains(s1, query), two_chains(s2, query), two_chains(s3, query));
            store_rows(at, sum_of_32(read, local), lane);

            if (sizes.cache == 1u) {
                let destination = intermediate_offset(work, read_slot, token) / 4u + own;
                intermediate_states[destination] = bf16x4_pack(s0);
                intermediate_states[destination + 32u] = bf16x4_pack(s1);
                intermediate_states[destination + 64u] = bf16x4_pack(s2);
                intermediate_states[destination + 96u] = bf16x4_pack(s3);
            }
        }
        if (sizes.update == 1u) {
            let destination = state_offset(write_slot, work.value_head) / 4u + own;
            state_pool[destination] = bf16x4_pack(s0);
            state_pool[destination + 32u] = bf16x4_pack(s1);
            state_pool[destination + 64u] = bf16x4_pack(s2);
            state_pool[destination + 96u] = bf16x4_pack(s3);
        }
    }
}

// f32 states. Two tiles of eight rows a workgroup, four groups of 32 lanes, four elements a lane, two rows at a time.
@compute @workgroup_size(INVOCATIONS)
fn pretranspose(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let work = work_of(workgroup.x);
    let first_row = work.tile * 16u + local / 32u * 2u;
    let lane = local % 32u;
    let read_index = read_indices[work.request];
    let write_index = write_indices[work.request];

    if (read_index < 0) {
        if (lane == 0u) {
            for (var token = 0u; token < sizes.tokens; token++) {
                output[output_word(work, token, first_row)] = 0u;
                output[output_word(work, token, first_row + 8u)] = 0u;
            }
        }
        return;
    }
    let read_slot = u32(read_index);
    prepare(work, local);

    for (var tile = 0u; tile < sizes.tile_v / 8u; tile++) {
        let row = first_row + tile * 8u;
        // In pairs of words, of which a row has 64.
        let own = row * 64u + lane * 2u;
        let source = state_offset(read_slot, work.value_head) / 2u + own;
        var s0 = load_four(source);
        var s1 = load_four(source + 64u);

        for (var token = 0u; token < sizes.tokens; token++) {
            let query = q_normed[token * 32u + lane];
            let key = k_normed[token * 32u + lane];
            let alpha = alphas[token];
            let beta = betas[token];
            let at = output_word(work, token, row);

            s0 = s0 * alpha;
            s1 = s1 * alpha;
            let known = vec2(serial(s0, key, 0.0), serial(s1, key, 0.0));
            let delta = (halves(v[at]) - sum_of_32(vec4(known, 0.0, 0.0), local).xy) * beta;
            s0 = add_four(delta.x, key, s0);
            s1 = add_four(delta.y, key, s1);
            let read = vec2(serial(s0, query, 0.0), serial(s1, query, 0.0));
            let rows = sum_of_32(vec4(read, 0.0, 0.0), local);
            if (lane == 0u) {
                output[at] = gp_bf16x2_pack(rows.x, rows.y);
            }

            if (sizes.cache == 1u) {
                let destination = intermediate_offset(work, read_slot, token) / 2u + own;
                intermediate_states[destination] = bitcast<vec2<u32>>(s0.xy);
                intermediate_states[destination + 1u] = bitcast<vec2<u32>>(s0.zw);
                intermediate_states[destination + 64u] = bitcast<vec2<u32>>(s1.xy);
                intermediate_states[destination + 65u] = bitcast<vec2<u32>>(s1.zw);
            }
        }
        if (sizes.update == 1u && write_index >= 0) {
            let destination = state_offset(u32(write_index), work.value_head) / 2u + own;
            state_pool[destination] = bitcast<vec2<u32>>(s0.xy);
            state_pool[destination + 1u] = bitcast<vec2<u32>>(s0.zw);
            state_pool[destination + 64u] = bitcast<vec2<u32>>(s1.xy);
            state_pool[destination + 65u] = bitcast<vec2<u32>>(s1.zw);
        }
    }
}

fn work_of(workgroup: u32) -> Work {
    let tiles = V / sizes.tile_v;
    let head = workgroup / tiles;
    return Work(head / sizes.value_heads, head % sizes.value_heads, workgroup % tiles);
}

// Query, key and gates of every token: 32 lanes take one, four elements a lane.
fn prepare(work: Work, local: u32) {
    let lane = local % 32u;
    for (var first = 0u; first < sizes.tokens; first += 4u) {
        let token = first + local / 32u;
        var query = vec4(0.0);
        var key = vec4(0.0);
        if (token < sizes.tokens) {
            let head = (work.request * sizes.tokens + token) * sizes.heads + work.value_head / (sizes.value_heads / sizes.heads);
            query = bf16x4(q[head * 32u + lane]);
            key = bf16x4(k[head * 32u + lane]);
        }
        // All lanes meet here, those without a token too.
        let squares = sum_of_32(vec4(serial(query, query, 0.0), serial(key, key, 0.0), 0.0, 0.0), local);
        if (token < sizes.tokens) {
            q_normed[token * 32u + lane] = query * (gp_rsqrt(squares.x + EPSILON) * SCALE);
            k_normed[token * 32u + lane] = key * gp_rsqrt(squares.y + EPSILON);
            if (lane == 0u) {
                store_gates(work, token);
            }
        }
        if (!MISSING_PASS_BARRIER) {
            workgroupBarrier();
        }
    }
}

fn store_gates(work: Work, token: u32) {
    let at = (work.request * sizes.tokens + token) * sizes.value_heads + work.value_head;
    // The half of an odd element is moved to where that of an even one is.
    let x = gp_bf16x2_lo(a[at / 2u] >> (at % 2u * 16u)) + dt_bias[work.value_head];
    let g = -gp_exp(a_log[work.value_head]) * softplus(x);
    alphas[token] = gp_exp(g);
    betas[token] = gp_sigmoid(gp_bf16x2_lo(b[at / 2u] >> (at % 2u * 16u)));
}

fn softplus(x: f32) -> f32 {
    if (SOFTPLUS_BRANCHLESS) {
        let u = select(0.0, 1.0, x <= 20.0);
        return u * gp_log1p(gp_exp(x)) + (1.0 - u) * x;
    }
    return gp_softplus(x);
}

// The element at which the state of a value head begins, in the pool.
fn state_offset(slot: u32, value_head: u32) -> u32 {
    if (OFFSET_32) {
        if (sizes.slot_stride == sizes.value_heads * V * K) {
            return bitcast<u32>((i32(slot) * i32(sizes.value_heads) + i32(value_head)) * i32(V * K));
        }
        return bitcast<u32>(i32(slot) * i32(sizes.slot_stride)) + value_head * V * K;
    }
    return slot * sizes.slot_stride + value_head * V * K;
}

// The element at which the state of a value head after a token begins, in `intermediate_states`.
fn intermediate_offset(work: Work, read_slot: u32, token: u32) -> u32 {
    let index = select(work.request, read_slot, INTERMEDIATE_BY_SLOT);
    if (INTERMEDIATE_OFFSET_32) {
        let step = i32(index) * i32(sizes.steps) + i32(token);
        return bitcast<u32>((step * i32(sizes.value_heads) + i32(work.value_head)) * i32(V * K));
    }
    return ((index * sizes.steps + token) * sizes.value_heads + work.value_head) * (V * K);
}

// The word of `v` and of `output` in which a row and the one behind it lie.
fn output_word(work: Work, token: u32, row: u32) -> u32 {
    return ((work.request * sizes.tokens + token) * sizes.value_heads + work.value_head) * (V / 2u) + row / 2u;
}

// Stores four rows from the word `at` on.
fn store_rows(at: u32, rows: vec4<f32>, lane: u32) {
    if (lane == 0u) {
        output[at] = gp_bf16x2_pack(rows.x, rows.y);
        output[at + 1u] = gp_bf16x2_pack(rows.z, rows.w);
    }
}

// The two bf16 numbers of a word, low half first.
fn halves(word: u32) -> vec2<f32> {
    return vec2(gp_bf16x2_lo(word), gp_bf16x2_hi(word));
}

fn bf16x4(words: vec2<u32>) -> vec4<f32> {
    return vec4(halves(words.x), halves(words.y));
}

fn bf16x4_pack(numbers: vec4<f32>) -> vec2<u32> {
    return vec2(gp_bf16x2_pack(numbers.x, numbers.y), gp_bf16x2_pack(numbers.z, numbers.w));
}

fn load_four(at: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4(state_pool[at], state_pool[at + 1u]));
}

fn load_eight(at: u32) -> Eight {
    return Eight(bf16x4(state_pool[at]), bf16x4(state_pool[at + 1u]));
}

fn store_eight(at: u32, numbers: Eight) {
    state_pool[at] = bf16x4_pack(numbers.low);
    state_pool[at + 1u] = bf16x4_pack(numbers.high);
}

fn cache_eight(at: u32, numbers: Eight) {
    intermediate_states[at] = bf16x4_pack(numbers.low);
    intermediate_states[at + 1u] = bf16x4_pack(numbers.high);
}

// The products one after the other.
fn serial(x: vec4<f32>, y: vec4<f32>, start: f32) -> f32 {
    var sum = gp_multiply_add(x.x, y.x, start);
    sum = gp_multiply_add(x.y, y.y, sum);
    sum = gp_multiply_add(x.z, y.z, sum);
    return gp_multiply_add(x.w, y.w, sum);
}

fn serial_8(x: Eight, y: Eight) -> f32 {
    return serial(x.high, y.high, serial(x.low, y.low, 0.0));
}

// The products of the even elements, and those of the odd ones.
fn two_chains(x: vec4<f32>, y: vec4<f32>) -> f32 {
    let even = gp_multiply_add(x.z, y.z, gp_multiply_add(x.x, y.x, 0.0));
    let odd = gp_multiply_add(x.w, y.w, gp_multiply_add(x.y, y.y, 0.0));
    return even + odd;
}

// state + delta * key.
fn add_four(delta: f32, key: vec4<f32>, state: vec4<f32>) -> vec4<f32> {
    return vec4(
        gp_multiply_add(delta, key.x, state.x),
        gp_multiply_add(delta, key.y, state.y),
        gp_multiply_add(delta, key.z, state.z),
        gp_multiply_add(delta, key.w, state.w),
    );
}

fn add_eight(delta: f32, key: Eight, state: Eight) -> Eight {
    return Eight(add_four(delta, key.low, state.low), add_four(delta, key.high, state.high));
}

// Four sums over the 32 lanes of a group, in every lane.
fn sum_of_32(own: vec4<f32>, local: u32) -> vec4<f32> {
    if (WORKGROUP_TREE) {
        return workgroup_butterfly(own, 16u, local);
    }
    return subgroup_butterfly(own + subgroupShuffleXor(own, 16u));
}

// Four sums over the 16 lanes of a group, in every lane.
fn sum_of_16(own: vec4<f32>, local: u32) -> vec4<f32> {
    if (WORKGROUP_TREE) {
        return workgroup_butterfly(own, 8u, local);
    }
    return subgroup_butterfly(own);
}

fn subgroup_butterfly(own: vec4<f32>) -> vec4<f32> {
    var sum = own;
    sum += subgroupShuffleXor(sum, 8u);
    sum += subgroupShuffleXor(sum, 4u);
    sum += subgroupShuffleXor(sum, 2u);
    sum += subgroupShuffleXor(sum, 1u);
    return sum;
}

// Places take turns, so one barrier a step is enough: whoever stores to a place again has passed the barrier of the
// other one, which all reach after they have read this one.
fn workgroup_butterfly(own: vec4<f32>, farthest: u32, local: u32) -> vec4<f32> {
    var sum = own;
    // There is a token, but compilers are not to know: they would unroll the loop with its barrier, which some (LLVM,
    // in drivers for CPUs) then take minutes for.
    for (var distance = min(farthest, farthest * sizes.tokens); distance > 0u; distance >>= 1u) {
        let mine = place;
        place = INVOCATIONS - place;
        lane_sums[mine + local] = sum;
        workgroupBarrier();
        sum += lane_sums[mine + (local ^ distance)];
    }
    return sum;
}
