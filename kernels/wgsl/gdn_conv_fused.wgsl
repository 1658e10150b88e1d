// One decode step of a gated delta net: causal convolution of width 4 with SiLU, gated delta rule, and the shift of the
// convolution's rows, after intel/llm-scaler pull request 356.
//
// Kept from upstream: a workgroup for every request and value head; blocks of channels that go to the 32 subgroups
// of a workgroup, of 64 channels each, or of 128 for value heads where 64 would take too many (`double_v`); one barrier
// between the convolution and the gated delta rule; the two layouts of the inputs; who shifts the rows, and when; the
// copy of z, which every workgroup of a request makes for all heads (the same bytes: a benign race); and that
// a negative index skips a request: its output is zero, z is copied, and no state is touched.
//
// Mapped anew: a subgroup of upstream is a team of 8 lanes, so that 32 of them are 256 invocations. A workgroup
// convolves the channels it needs, not all. Blocks beyond 32 are taken in further rounds, up to four: upstream stops
// at one. f16 is read and written as 32-bit words, two channels at a time. Offsets have 32 bits, which is as far as WGSL
// addresses.
//
// Order of additions: 16 elements of a lane one after the other, then a butterfly over the lanes of a team, at
// distances 4, 2, 1. Lanes meet in subgroup shuffles: subgroups of 8 or more, filled in index order. With
// WORKGROUP_TREE they meet in workgroup memory, for adapters with narrower subgroups: the same additions and bits.

// How the lanes of a team meet.
override WORKGROUP_TREE: bool = false;

// Variant `inline`, and `split32` where it is the same: the workgroup of value head 0 shifts, from registers.
override INLINE: bool = false;
// Variant `inline_all`: every workgroup shifts, from memory, in rows of WRONG_ROW_STRIDE elements.
override INLINE_ALL: bool = false;
// Variant `surplus_threads`: `inline`, and teams without a block take one behind the last.
override SURPLUS_THREADS: bool = false;

// What differs between launches. No constants: one pipeline serves all sizes, as some drivers take long to build one.
struct Sizes {
    // Heads of q and k.
    heads: u32,
    // Heads of v, z and of the states, a multiple of the heads of q and k.
    value_heads: u32,
    // Channels: q, then k, then v.
    channels: u32,
    // 1 where `qkvz` and `ba` go by key heads.
    interleaved: u32,
}

const INVOCATIONS = 256u;
const TEAMS = 32u;
const LANES = 8u;
// Elements of a head, and rows of a state.
const HEAD = 128u;
const MOST_ROUNDS = 4u;
// Words of a block that a lane takes.
const MOST_WORDS = 8u;
const EPSILON = 1e-6f;
// 1 / sqrt(HEAD), rounded to f32.
const SCALE = 0.088388346f;
const WRONG_ROW_STRIDE = 2048u;

@group(0) @binding(0) var<storage, read> qkvz: array<u32>;
@group(0) @binding(1) var<storage, read> ba: array<u32>;
@group(0) @binding(2) var<storage, read_write> conv_state: array<u32>;
@group(0) @binding(3) var<storage, read> conv_weight: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> conv_bias: array<u32>;
@group(0) @binding(5) var<storage, read_write> ssm_state: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> a_log: array<u32>;
@group(0) @binding(7) var<storage, read> dt_bias: array<u32>;
@group(0) @binding(8) var<storage, read> state_indices: array<i32>;
@group(0) @binding(9) var<storage, read_write> output: array<u32>;
@group(0) @binding(10) var<storage, read_write> z_out: array<u32>;
@group(0) @binding(11) var<uniform> sizes: Sizes;

// The convolved query, key and value of this workgroup's heads.
var<workgroup> mixed: array<f32, 3u * HEAD>;
// Two places an invocation, used in turns, with WORKGROUP_TREE only.
var<workgroup> lane_sums: array<vec2<f32>, 2u * INVOCATIONS>;
// The place that is next.
var<private> place: u32 = 0u;
// The rows and the new token, oldest first, of each word of each block that this lane has read.
var<private> kept: array<vec4<u32>, MOST_ROUNDS * MOST_WORDS>;

// What an invocation works on.
struct Work {
    request: u32,
    value_head: u32,
    // Where the convolution's rows of the request begin, in words.
    rows: u32,
    team: u32,
    lane: u32,
}

// A block of channels.
struct Block {
    // The head, counted through q, k and v.
    head: u32,
    // The first word, of those of the head.
    first: u32,
    // Words of each lane.
    words: u32,
    // Whether there is such a block.
    exists: bool,
}

// 16 adjacent elements.
struct Sixteen {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

@compute @workgroup_size(INVOCATIONS)
fn decode(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let request = workgroup.x / sizes.value_heads;
    let value_head = workgroup.x % sizes.value_heads;
    let index = state_indices[request];
    // Never looked at where the index is negative.
    let rows = u32(max(index, 0)) * 3u * row_words();
    let work = Work(request, value_head, rows, local / LANES, local % LANES);
    // The first of the team's four rows, of two in one word.
    let own_rows = (request * sizes.value_heads + value_head) * (HEAD / 2u) + work.team * 2u;

    for (var round = 0u; round < rounds(); round++) {
        let block = block_of(round * TEAMS + work.team);
        if (!block.exists && !SURPLUS_THREADS) {
            continue;
        }
        if (block.head >= 2u * sizes.heads) {
            copy_z(work, block);
        }
        if (index >= 0) {
            take(work, block, round);
        }
    }
    if (index < 0) {
        if (work.lane == 0u) {
            output[own_rows] = 0u;
            output[own_rows + 1u] = 0u;
        }
        return;
    }
    workgroupBarrier();
    if (INLINE_ALL || SURPLUS_THREADS) {
        // CUDA's barrier covers storage too; who keeps to blocks of its own does not need it.
        storageBarrier();
    }

    delta_rule(work, u32(index), own_rows, local);

    if (INLINE_ALL || (shifts_inline() && work.value_head == 0u)) {
        for (var round = 0u; round < rounds(); round++) {
            let block = block_of(round * TEAMS + work.team);
            if (block.exists || SURPLUS_THREADS) {
                shift_block(work, block, round);
            }
        }
    }
}

// The shift on its own: two channels an invocation.
@compute @workgroup_size(INVOCATIONS)
fn shift(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tiles = (row_words() + INVOCATIONS - 1u) / INVOCATIONS;
    let request = workgroup.x / tiles;
    let word = workgroup.x % tiles * INVOCATIONS + local;
    let index = state_indices[request];
    if (index < 0 || word >= row_words()) {
        return;
    }
    let at = u32(index) * 3u * row_words() + word;
    conv_state[at] = conv_state[at + row_words()];
    conv_state[at + row_words()] = conv_state[at + 2u * row_words()];
    conv_state[at + 2u * row_words()] = qkvz[input_word(request, word / (HEAD / 2u)) + word % (HEAD / 2u)];
}

fn shifts_inline() -> bool {
    return INLINE || SURPLUS_THREADS;
}

// Words of one row of the convolution's state.
fn row_words() -> u32 {
    return sizes.channels / 2u;
}

// Whether value heads go to one team each.
fn double_v() -> bool {
    return 4u * sizes.heads + 2u * sizes.value_heads > TEAMS;
}

fn blocks() -> u32 {
    return 4u * sizes.heads + select(2u, 1u, double_v()) * sizes.value_heads;
}

fn rounds() -> u32 {
    return (blocks() + TEAMS - 1u) / TEAMS;
}

fn block_of(number: u32) -> Block {
    let halves_of_heads = 4u * sizes.heads;
    let exists = number < blocks();
    if (double_v() && number >= halves_of_heads) {
        return Block(2u * sizes.heads + number - halves_of_heads, 0u, 8u, exists);
    }
    return Block(number / 2u, number % 2u * (HEAD / 4u), 4u, exists);
}

// The word of `qkvz` at which a head begins, counted through q, k and v.
fn input_word(request: u32, head: u32) -> u32 {
    let row = request * (sizes.channels + sizes.value_heads * HEAD);
    if (sizes.interleaved == 0u) {
        return (row + head * HEAD) / 2u;
    }
    // A key head has its query, its key, the values and the z of its value heads.
    let ratio = sizes.value_heads / sizes.heads;
    let group = (2u + 2u * ratio) * HEAD;
    var column = head * group;
    if (head >= 2u * sizes.heads) {
        let value_head = head - 2u * sizes.heads;
        column = value_head / ratio * group + (2u + value_head % ratio) * HEAD;
    } else if (head >= sizes.heads) {
        column = (head - sizes.heads) * group + HEAD;
    }
    return (row + column) / 2u;
}

// From the values of a head to its z, in words of `qkvz`.
fn z_distance() -> u32 {
    let heads = select(sizes.value_heads, sizes.value_heads / sizes.heads, sizes.interleaved == 1u);
    return heads * (HEAD / 2u);
}

fn copy_z(work: Work, block: Block) {
    let source = input_word(work.request, block.head) + z_distance() + block.first;
    let value_head = block.head - 2u * sizes.heads;
    let destination = (work.request * sizes.value_heads + value_head) * (HEAD / 2u) + block.first;
    for (var i = 0u; i < block.words; i++) {
        let word = i * LANES + work.lane;
        z_out[destination + word] = qkvz[source + word];
    }
}

// Reads a block of this workgroup's heads and convolves it; reads any, where this workgroup shifts. All of a block is
// read before any of it is convolved: memory has more to do at a time, and rows are not read late.
fn take(work: Work, block: Block, round: u32) {
    let key_head = work.value_head / (sizes.value_heads / sizes.heads);
    var own = 3u;
    if (block.head == key_head) {
        own = 0u;
    } else if (block.head == sizes.heads + key_head) {
        own = 1u;
    } else if (block.head == 2u * sizes.heads + work.value_head) {
        own = 2u;
    }
    if (own == 3u && !(shifts_inline() && work.value_head == 0u)) {
        return;
    }
    let first = round * MOST_WORDS;
    let source = input_word(work.request, block.head) + block.first;
    // Of all channels.
    let pairs = block.head * (HEAD / 2u) + block.first;
    for (var i = 0u; i < block.words; i++) {
        let word = i * LANES + work.lane;
        let at = work.rows + pairs + word;
        var oldest = 0u;
        if (own < 3u) {
            oldest = conv_state[at];
        }
        kept[first + i] = vec4(oldest, conv_state[at + row_words()], conv_state[at + 2u * row_words()], qkvz[source + word]);
    }
    if (own == 3u) {
        return;
    }
    for (var i = 0u; i < block.words; i++) {
        let word = i * LANES + work.lane;
        let y = convolve(pairs + word, kept[first + i]);
        let channel = own * HEAD + 2u * (block.first + word);
        mixed[channel] = y.x;
        mixed[channel + 1u] = y.y;
    }
}

// Two channels, oldest row first.
fn convolve(pair: u32, rows: vec4<u32>) -> vec2<f32> {
    let weights = conv_weight[pair];
    let low = vec4(gp_f16x2_lo(rows.x), gp_f16x2_lo(rows.y), gp_f16x2_lo(rows.z), gp_f16x2_lo(rows.w));
    let high = vec4(gp_f16x2_hi(rows.x), gp_f16x2_hi(rows.y), gp_f16x2_hi(rows.z), gp_f16x2_hi(rows.w));
    let sums = vec2(taps(low, f16x4(weights.xy)), taps(high, f16x4(weights.zw))) + halves(conv_bias[pair]);
    return vec2(gp_silu(sums.x), gp_silu(sums.y));
}

fn taps(rows: vec4<f32>, weights: vec4<f32>) -> f32 {
    var sum = rows.x * weights.x;
    sum = gp_multiply_add(rows.y, weights.y, sum);
    sum = gp_multiply_add(rows.z, weights.z, sum);
    return gp_multiply_add(rows.w, weights.w, sum);
}

// Four rows of the state: each decays, learns what it did not know of its value, and is read.
fn delta_rule(work: Work, slot: u32, own_rows: u32, local: u32) {
    var query = mixed_16(work.lane * 16u);
    var key = mixed_16(HEAD + work.lane * 16u);
    let squares = team_sums(vec2(serial(query, query), serial(key, key)), local);
    query = scaled(query, gp_rsqrt(squares.x + EPSILON) * SCALE);
    key = scaled(key, gp_rsqrt(squares.y + EPSILON));

    let ratio = sizes.value_heads / sizes.heads;
    // In elements of the request's row of `ba`.
    var beta_at = work.value_head;
    var alpha_at = sizes.value_heads + work.value_head;
    if (sizes.interleaved == 1u) {
        beta_at = work.value_head / ratio * 2u * ratio + work.value_head % ratio;
        alpha_at = beta_at + ratio;
    }
    let gates = work.request * 2u * sizes.value_heads;
    let x = element(ba[(gates + alpha_at) / 2u], alpha_at) + element(dt_bias[work.value_head / 2u], work.value_head);
    let g = -gp_exp(element(a_log[work.value_head / 2u], work.value_head)) * gp_softplus(x);
    let alpha = gp_exp(g);
    let beta = gp_sigmoid(element(ba[(gates + beta_at) / 2u], beta_at));

    // In eights of elements, of which a row has 16.
    let state = (slot * sizes.value_heads + work.value_head) * (HEAD * HEAD / 8u) + work.lane * 2u;
    for (var i = 0u; i < 4u; i += 2u) {
        let row = work.team * 4u + i;
        let at = state + row * 16u;
        var s0 = scaled(load(at), alpha);
        var s1 = scaled(load(at + 16u), alpha);
        let known = team_sums(vec2(serial(s0, key), serial(s1, key)), local);
        let delta = (vec2(mixed[2u * HEAD + row], mixed[2u * HEAD + row + 1u]) - known) * beta;
        s0 = add(delta.x, key, s0);
        s1 = add(delta.y, key, s1);
        let read = team_sums(vec2(serial(s0, query), serial(s1, query)), local);
        if (work.lane == 0u) {
            output[own_rows + i / 2u] = gp_f16x2_pack(read.x, read.y);
        }
        store(at, s0);
        store(at + 16u, s1);
    }
}

fn shift_block(work: Work, block: Block, round: u32) {
    let source = input_word(work.request, block.head) + block.first;
    for (var i = 0u; i < block.words; i++) {
        let word = i * LANES + work.lane;
        let at = work.rows + block.head * (HEAD / 2u) + block.first + word;
        if (INLINE_ALL) {
            let stride = WRONG_ROW_STRIDE / 2u;
            conv_state[at] = conv_state[at + stride];
            conv_state[at + stride] = conv_state[at + 2u * stride];
            conv_state[at + 2u * stride] = qkvz[source + word];
        } else {
            let rows = kept[round * MOST_WORDS + i];
            conv_state[at] = rows.y;
            conv_state[at + row_words()] = rows.z;
            conv_state[at + 2u * row_words()] = rows.w;
        }
    }
}

// The half of a word in which an element of that number lies.
fn element(word: u32, number: u32) -> f32 {
    return gp_f16x2_lo(word >> (number % 2u * 16u));
}

// The two f16 numbers of a word, low half first.
fn halves(word: u32) -> vec2<f32> {
    return vec2(gp_f16x2_lo(word), gp_f16x2_hi(word));
}

fn f16x4(words: vec2<u32>) -> vec4<f32> {
    return vec4(halves(words.x), halves(words.y));
}

fn f16x4_pack(numbers: vec4<f32>) -> vec2<u32> {
    return vec2(gp_f16x2_pack(numbers.x, numbers.y), gp_f16x2_pack(numbers.z, numbers.w));
}

fn load(at: u32) -> Sixteen {
    let low = ssm_state[at];
    let high = ssm_state[at + 1u];
    return Sixteen(f16x4(low.xy), f16x4(low.zw), f16x4(high.xy), f16x4(high.zw));
}

fn store(at: u32, numbers: Sixteen) {
    ssm_state[at] = vec4(f16x4_pack(numbers.a), f16x4_pack(numbers.b));
    ssm_state[at + 1u] = vec4(f16x4_pack(numbers.c), f16x4_pack(numbers.d));
}

fn mixed_4(at: u32) -> vec4<f32> {
    return vec4(mixed[at], mixed[at + 1u], mixed[at + 2u], mixed[at + 3u]);
}

fn mixed_16(at: u32) -> Sixteen {
    return Sixteen(mixed_4(at), mixed_4(at + 4u), mixed_4(at + 8u), mixed_4(at + 12u));
}

fn scaled(numbers: Sixteen, factor: f32) -> Sixteen {
    return Sixteen(numbers.a * factor, numbers.b * factor, numbers.c * factor, numbers.d * factor);
}

// The products one after the other.
fn serial(x: Sixteen, y: Sixteen) -> f32 {
    return serial_4(x.d, y.d, serial_4(x.c, y.c, serial_4(x.b, y.b, serial_4(x.a, y.a, 0.0))));
}

fn serial_4(x: vec4<f32>, y: vec4<f32>, start: f32) -> f32 {
    var sum = gp_multiply_add(x.x, y.x, start);
    sum = gp_multiply_add(x.y, y.y, sum);
    sum = gp_multiply_add(x.z, y.z, sum);
    return gp_multiply_add(x.w, y.w, sum);
}

// state + delta * key.
fn add(delta: f32, key: Sixteen, state: Sixteen) -> Sixteen {
    return Sixteen(
        add_4(delta, key.a, state.a),
        add_4(delta, key.b, state.b),
        add_4(delta, key.c, state.c),
        add_4(delta, key.d, state.d),
    );
}

fn add_4(delta: f32, key: vec4<f32>, state: vec4<f32>) -> vec4<f32> {
    return vec4(
        gp_multiply_add(delta, key.x, state.x),
        gp_multiply_add(delta, key.y, state.y),
        gp_multiply_add(delta, key.z, state.z),
        gp_multiply_add(delta, key.w, state.w),
    );
}

// Two sums over the lanes of a team, in every lane.
fn team_sums(own: vec2<f32>, local: u32) -> vec2<f32> {
    if (WORKGROUP_TREE) {
        return workgroup_butterfly(own, local);
    }
    var sum = own;
    sum += subgroupShuffleXor(sum, 4u);
    sum += subgroupShuffleXor(sum, 2u);
    sum += subgroupShuffleXor(sum, 1u);
    return sum;
}

// Places take turns, so one barrier a step is enough: whoever stores to a place again has passed the barrier of the
// other one, which all reach after they have read this one.
fn workgroup_butterfly(own: vec2<f32>, local: u32) -> vec2<f32> {
    var sum = own;
    // There is a head, but compilers are not to know: they would unroll the loop with its barrier, which some (LLVM,
    // in drivers for CPUs) then take minutes for.
    for (var distance = min(LANES / 2u, LANES / 2u * sizes.heads); distance > 0u; distance >>= 1u) {
        let mine = place;
        place = INVOCATIONS - place;
        lane_sums[mine + local] = sum;
        workgroupBarrier();
        sum += lane_sums[mine + (local ^ distance)];
    }
    return sum;
}
