// Causal depthwise convolution over the tokens of several sequences, SiLU, and the split of its channels into q, k and
// v, after lightseekorg/tokenspeed pull request 382, whose convolution is vLLM's and sglang's.
//
// Kept from upstream: a workgroup is one chunk of up to eight tokens of one sequence times 256 channels; the two tables
// of chunks that the host makes; the order of the taps, oldest first; chunk 0 takes its first taps from `conv_state`
// and rewrites it, later chunks take theirs from `x`; a sequence shorter than the state keeps what is left of it; a
// sequence with a negative cache index is padding, for which nothing is written.
//
// Mapped anew: 16-bit numbers are read and written as 32-bit words, two neighbouring channels by one invocation, so
// that q, k, v and the stride have to be even. The new state is copied in another layout than the taps are read in,
// four words an invocation, as wide copies would be. Offsets have 32 bits, which is as far as WGSL addresses.

// 16-bit data are binary16, not bfloat16.
override F16: bool = false;

// Variant `fused_block_routed`.
override BLOCK_ROUTED: bool = false;
// Variant `no_state_barrier`.
override MISSING_STATE_BARRIER: bool = false;

// What differs between launches. No constants: one pipeline serves all sizes, as some drivers take long to build one.
struct Sizes {
    // Channels of q, of k and of v, each even.
    q: u32,
    k: u32,
    v: u32,
    // Taps, 2 to MOST_TAPS.
    width: u32,
    // Elements from one token of x to the next, even.
    stride: u32,
    // 1 where there is a bias.
    bias: u32,
}

const MOST_TAPS = 4u;
const INVOCATIONS = 128u;
// Tokens and channels of a workgroup.
const CHUNK = 8u;
const BLOCK = 256u;
// Words that an invocation copies of the state, and invocations that copy a row of it.
const VECTOR = 4u;
const ROW = BLOCK / (2u * VECTOR);

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<u32>;
@group(0) @binding(3) var<storage, read_write> conv_state: array<u32>;
@group(0) @binding(4) var<storage, read> query_start_loc: array<i32>;
@group(0) @binding(5) var<storage, read> cache_indices: array<i32>;
@group(0) @binding(6) var<storage, read> has_initial_state: array<i32>;
@group(0) @binding(7) var<storage, read> chunk_sequence: array<i32>;
@group(0) @binding(8) var<storage, read> chunk_token: array<i32>;
@group(0) @binding(9) var<storage, read_write> q: array<u32>;
@group(0) @binding(10) var<storage, read_write> k: array<u32>;
@group(0) @binding(11) var<storage, read_write> v: array<u32>;
// In the place of q, k and v where the split is a dispatch of its own.
@group(0) @binding(12) var<storage, read_write> staging: array<u32>;
@group(0) @binding(13) var<uniform> sizes: Sizes;

// The tokens of a workgroup, and the sequence they are of.
struct Chunk {
    // The row of the first one, in x and in the outputs.
    row: u32,
    // The same, counted from the start of the sequence: a multiple of CHUNK.
    first: u32,
    // How many there are, 1 to CHUNK.
    tokens: u32,
    // Tokens of the sequence.
    length: u32,
    // Whether its slot holds what came before it.
    initial: bool,
    // The word of `conv_state` at which its slot begins.
    state: u32,
}

// Two neighbouring channels of MOST_TAPS taps or weights, the newest last; of fewer, the first are unused.
struct Taps {
    channels: array<vec2<f32>, MOST_TAPS>,
}

// Convolution and split in one dispatch.
@compute @workgroup_size(INVOCATIONS)
fn fused(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if (is_padding(workgroup.x)) {
        return;
    }
    let chunk = chunk_of(workgroup.x);
    let channel = workgroup.y * BLOCK + local * 2u;
    let outputs = outputs_of(chunk, channel, local);
    if (channel < channels()) {
        for (var token = 0u; token < chunk.tokens; token++) {
            store_routed(chunk.row + token, channel, outputs[token]);
        }
    }
}

// The convolution of `sequential`.
@compute @workgroup_size(INVOCATIONS)
fn conv(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if (is_padding(workgroup.x)) {
        return;
    }
    let chunk = chunk_of(workgroup.x);
    let channel = workgroup.y * BLOCK + local * 2u;
    let outputs = outputs_of(chunk, channel, local);
    if (channel < channels()) {
        for (var token = 0u; token < chunk.tokens; token++) {
            staging[((chunk.row + token) * channels() + channel) / 2u] = outputs[token];
        }
    }
}

// The split of `sequential`.
@compute @workgroup_size(INVOCATIONS)
fn split(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = workgroup.y * BLOCK + local * 2u;
    // The rows of a padded sequence were never written.
    if (is_padding(workgroup.x) || channel >= channels()) {
        return;
    }
    let row = first_row(workgroup.x);
    for (var token = 0u; token < tokens_of(workgroup.x); token++) {
        store_routed(row + token, channel, staging[((row + token) * channels() + channel) / 2u]);
    }
}

fn channels() -> u32 {
    return sizes.q + sizes.k + sizes.v;
}

// Words of a row of `conv_state`.
fn state_row() -> u32 {
    return channels() / 2u;
}

fn is_padding(chunk: u32) -> bool {
    return cache_indices[chunk_sequence[chunk]] < 0;
}

fn first_row(chunk: u32) -> u32 {
    return u32(query_start_loc[chunk_sequence[chunk]] + chunk_token[chunk]);
}

fn tokens_of(chunk: u32) -> u32 {
    return min(CHUNK, u32(query_start_loc[chunk_sequence[chunk] + 1]) - first_row(chunk));
}

// A chunk of a sequence that is not padding.
fn chunk_of(chunk: u32) -> Chunk {
    let sequence = chunk_sequence[chunk];
    let length = u32(query_start_loc[sequence + 1] - query_start_loc[sequence]);
    let state = u32(cache_indices[sequence]) * (sizes.width - 1u) * state_row();
    let first = u32(chunk_token[chunk]);
    return Chunk(first_row(chunk), first, tokens_of(chunk), length, has_initial_state[sequence] != 0, state);
}

// Two channels of every token of a chunk, a word each. The first chunk of a sequence also rewrites its state.
fn outputs_of(chunk: Chunk, channel: u32, local: u32) -> array<u32, CHUNK> {
    var outputs: array<u32, CHUNK>;
    var taps: Taps;
    if (channel < channels()) {
        for (var back = sizes.width - 1u; back > 0u; back--) {
            push(&taps, numbers(word_before(chunk, back, channel)));
        }
    }
    if (chunk.first == 0u) {
        rewrite_state(chunk, channel - local * 2u, local);
    }
    if (channel < channels()) {
        let weights = weights_of(channel);
        let start = bias_of(channel);
        for (var token = 0u; token < chunk.tokens; token++) {
            push(&taps, numbers(x[((chunk.row + token) * sizes.stride + channel) / 2u]));
            outputs[token] = convolved(taps, weights, start);
        }
    }
    return outputs;
}

// The channels of the token `back` places before the chunk: of `x`, of the state, or zeros.
fn word_before(chunk: Chunk, back: u32, channel: u32) -> u32 {
    if (chunk.first > 0u) {
        return x[((chunk.row - back) * sizes.stride + channel) / 2u];
    }
    if (chunk.initial) {
        return conv_state[chunk.state + (sizes.width - 1u - back) * state_row() + channel / 2u];
    }
    return 0u;
}

// Copies the last tokens of a sequence into its slot: 256 channels of each, an invocation eight channels of one token.
// All values are read before any is stored, by whichever invocation, and so are the taps.
fn rewrite_state(chunk: Chunk, block: u32, local: u32) {
    let row = local / ROW;
    let channel = block + local % ROW * 2u * VECTOR;
    var words = 0u;
    if (row + 1u < sizes.width && channel < channels()) {
        words = min(VECTOR, (channels() - channel) / 2u);
    }
    var kept: array<u32, VECTOR>;
    for (var word = 0u; word < words; word++) {
        kept[word] = state_word(chunk, row, channel + word * 2u);
    }
    if (!MISSING_STATE_BARRIER) {
        storageBarrier();
    }
    for (var word = 0u; word < words; word++) {
        conv_state[chunk.state + row * state_row() + channel / 2u + word] = kept[word];
    }
}

// What a row of the new state holds, seen from the first chunk of a sequence: one of its tokens, or what came before.
fn state_word(chunk: Chunk, row: u32, channel: u32) -> u32 {
    let after = chunk.length + row;
    if (after + 1u >= sizes.width) {
        return x[((chunk.row + after + 1u - sizes.width) * sizes.stride + channel) / 2u];
    }
    if (chunk.initial) {
        return conv_state[chunk.state + after * state_row() + channel / 2u];
    }
    return 0u;
}

// One token on.
fn push(taps: ptr<function, Taps>, newest: vec2<f32>) {
    (*taps).channels[0] = (*taps).channels[1];
    (*taps).channels[1] = (*taps).channels[2];
    (*taps).channels[2] = (*taps).channels[3];
    (*taps).channels[3] = newest;
}

fn weights_of(channel: u32) -> Taps {
    var weights: Taps;
    for (var tap = 0u; tap < sizes.width; tap++) {
        push(&weights, vec2(weight_of(channel, tap), weight_of(channel + 1u, tap)));
    }
    return weights;
}

fn weight_of(channel: u32, tap: u32) -> f32 {
    let at = channel * sizes.width + tap;
    // The half of an odd element is moved to where that of an even one is.
    return numbers(weight[at / 2u] >> (at % 2u * 16u)).x;
}

fn bias_of(channel: u32) -> vec2<f32> {
    if (sizes.bias == 1u) {
        return numbers(bias[channel / 2u]);
    }
    return vec2(0.0);
}

// The output of two channels for the newest of their taps, as a word.
fn convolved(taps: Taps, weights: Taps, start: vec2<f32>) -> u32 {
    var sum = start;
    // A tap that there is not is not added either, as adding 0.0 would turn -0.0 into 0.0.
    if (sizes.width >= 4u) {
        sum = add_products(taps.channels[0], weights.channels[0], sum);
    }
    if (sizes.width >= 3u) {
        sum = add_products(taps.channels[1], weights.channels[1], sum);
    }
    sum = add_products(taps.channels[2], weights.channels[2], sum);
    sum = add_products(taps.channels[3], weights.channels[3], sum);
    let low = gp_silu_16(sum.x);
    let high = gp_silu_16(sum.y);
    if (F16) {
        return gp_f16x2_pack(low, high);
    }
    return gp_bf16x2_pack(low, high);
}

fn add_products(taps: vec2<f32>, weights: vec2<f32>, sum: vec2<f32>) -> vec2<f32> {
    return vec2(gp_multiply_add(taps.x, weights.x, sum.x), gp_multiply_add(taps.y, weights.y, sum.y));
}

// The two numbers of a word, low half first.
fn numbers(word: u32) -> vec2<f32> {
    if (F16) {
        return vec2(gp_f16x2_lo(word), gp_f16x2_hi(word));
    }
    return vec2(gp_bf16x2_lo(word), gp_bf16x2_hi(word));
}

// Stores two channels of a token where they belong, in q, k or v.
fn store_routed(row: u32, channel: u32, word: u32) {
    // The channel that says where: with BLOCK_ROUTED the first one of the workgroup says it for all.
    let decisive = select(channel, channel / BLOCK * BLOCK, BLOCK_ROUTED);
    if (decisive < sizes.q) {
        q[(row * sizes.q + channel) / 2u] = word;
    } else if (decisive < sizes.q + sizes.k) {
        k[(row * sizes.k + channel - sizes.q) / 2u] = word;
    } else {
        v[(row * sizes.v + channel - sizes.q - sizes.k) / 2u] = word;
    }
}
