// Prefill of a gated delta net, chunk-parallel or token by token: causal convolution of width 4 with SiLU, gates, gated
// delta rule and gated norm, after ohdearquant/lattice pull request 190.
//
// Kept from upstream: the kernels and their order, the grids, four groups of 32 invocations, one scratch of one number a
// group for every sum over a workgroup, and where the barriers are: after the partial sums are stored (A), after
// invocation 0 has added them (B), and, where all read the total from the scratch, after they have (C). Upstream also
// sums the products of a token's key with itself in `solve`, which nobody uses.
//
// Mapped anew: a workgroup takes 32 rows of a state with 4 lanes a row, each of which owns every fourth quad of a row and
// keeps the residuals of its row to itself, so that the kernels per chunk need no barrier. The decay between two tokens is
// computed once a pair. Offsets have 32 bits, which is as far as WGSL addresses.
//
// Order of additions: over a workgroup, a butterfly over the 32 lanes of a group, at distances 1, 2, 4, 8, 16, then the
// four groups one after the other. Over a row, the 32 elements of a lane one after the other, then a butterfly at
// distances 1, 2. Subgroups have 4 invocations or more, filled in index order. Where they have fewer than 32, the
// butterfly ends early, each subgroup has a place in the scratch, and invocation 0 adds as the butterfly would have: the
// same bits, and no barrier more.

// Variant `no_barrier_materialize_q`: C of the sum of squares of the query.
override MISSING_BARRIER_MATERIALIZE_Q: bool = false;
// Variant `no_barrier_materialize_k`: C of the sum of squares of the key.
override MISSING_BARRIER_MATERIALIZE_K: bool = false;
// Variant `no_barrier_solve_kk`: B of the products of the keys of two tokens.
override MISSING_BARRIER_SOLVE_KK: bool = false;
// Variant `no_barrier_solve_diag`: B of the products of a token's key with itself.
override MISSING_BARRIER_SOLVE_DIAG: bool = false;

// What differs between launches. No constants: one pipeline serves all sizes, as some drivers take long to build one.
struct Sizes {
    // Heads of q and k.
    heads: u32,
    // Heads of v, z and of the states, a multiple of the heads of q and k.
    value_heads: u32,
    // Elements of a token's hidden vector.
    hidden: u32,
    // Tokens of a chunk, up to MOST_TOKENS.
    chunk: u32,
    // The chunk of each sequence that `residual_output` and `state_update` work on.
    index: u32,
}

const INVOCATIONS = 128u;
// Lanes whose numbers the butterfly adds.
const GROUP = 32u;
// Places of the scratch, for subgroups of 4 invocations.
const MOST_PARTS = 32u;
const MOST_TOKENS = 64u;
// Elements of a head, and rows of a state.
const HEAD = 128u;
// Rows of a state that a workgroup takes, and lanes of each.
const ROWS = 32u;
const LANES = 4u;
// Quads of a row, and of one lane.
const ROW_QUADS = 32u;
const QUADS = 8u;
const EPSILON = 1e-6f;
// 1 / HEAD.
const INVERSE_HEAD = 0.0078125f;
// 1 / sqrt(HEAD), rounded to f32.
const SCALE = 0.088388346f;

@group(0) @binding(0) var<storage, read> hidden: array<f32>;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read> conv_weight: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> w_beta: array<f32>;
@group(0) @binding(5) var<storage, read> w_alpha: array<f32>;
@group(0) @binding(6) var<storage, read> a_log: array<f32>;
@group(0) @binding(7) var<storage, read> dt_bias: array<f32>;
@group(0) @binding(8) var<storage, read> norm_weight: array<f32>;
@group(0) @binding(9) var<storage, read> sequence_start: array<i32>;
@group(0) @binding(10) var<storage, read> chunk_sequence: array<i32>;
@group(0) @binding(11) var<storage, read> chunk_index: array<i32>;
@group(0) @binding(12) var<storage, read_write> conv_state: array<f32>;
@group(0) @binding(13) var<storage, read_write> state: array<vec4<f32>>;
@group(0) @binding(14) var<storage, read_write> q_hat: array<f32>;
@group(0) @binding(15) var<storage, read_write> k_hat: array<f32>;
@group(0) @binding(16) var<storage, read_write> v_act: array<f32>;
@group(0) @binding(17) var<storage, read_write> beta: array<f32>;
@group(0) @binding(18) var<storage, read_write> log_alpha: array<f32>;
@group(0) @binding(19) var<storage, read_write> gamma: array<f32>;
@group(0) @binding(20) var<storage, read_write> w: array<f32>;
@group(0) @binding(21) var<storage, read_write> u: array<f32>;
@group(0) @binding(22) var<storage, read_write> attention: array<f32>;
@group(0) @binding(23) var<storage, read_write> residual: array<f32>;
@group(0) @binding(24) var<storage, read_write> core: array<f32>;
@group(0) @binding(25) var<storage, read_write> output: array<f32>;
@group(0) @binding(26) var<uniform> sizes: Sizes;

// The partial sums of a workgroup.
var<workgroup> scratch: array<f32, MOST_PARTS>;
// Of every token of the chunk: the running sum of the logarithms of the decays.
var<workgroup> gammas: array<f32, MOST_TOKENS>;
// Of a token and each one up to it: the products of its key, and of its query, with the other's key.
var<workgroup> key_products: array<f32, MOST_TOKENS>;
var<workgroup> query_products: array<f32, MOST_TOKENS>;
// What is subtracted of the w, and of the u, of each token before it.
var<workgroup> w_factors: array<f32, MOST_TOKENS>;
var<workgroup> u_factors: array<f32, MOST_TOKENS>;

// The quads of a lane: of its row of the state, and of the vector that it is multiplied with.
var<private> row: array<vec4<f32>, QUADS>;
var<private> column: array<vec4<f32>, QUADS>;
// The residuals of a lane's row, of every token of the chunk.
var<private> residuals: array<f32, MOST_TOKENS>;

// Consecutive tokens of one sequence.
struct Chunk {
    sequence: u32,
    // The first token, of all sequences, and of its own.
    first: u32,
    position: u32,
    tokens: u32,
}

// What a lane owns of a state.
struct Lane {
    sequence: u32,
    value_head: u32,
    // The row, and where the lane's first quad of it lies, in elements of a row.
    row: u32,
    start: u32,
    // Whether the lane stores what is computed once a row.
    first: bool,
}

// Query, key, value and gates of every token of a chunk.
@compute @workgroup_size(INVOCATIONS)
fn materialize(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_size) subgroup: u32,
) {
    let chunk = chunk_of(workgroup.x);
    let value_head = workgroup.y;
    let lanes = min(subgroup, GROUP);
    let query_channel = value_head / (sizes.value_heads / sizes.heads) * HEAD + local;
    let key_channel = sizes.heads * HEAD + query_channel;
    let value_channel = (2u * sizes.heads + value_head) * HEAD + local;
    let weights = value_head * sizes.hidden;

    for (var i = 0u; i < chunk.tokens; i++) {
        let token = chunk.first + i;
        let query = convolve(chunk, i, query_channel);
        let key = convolve(chunk, i, key_channel);
        let value = convolve(chunk, i, value_channel);

        let query_squares = workgroup_sum(query * query, local, lanes);
        if (!MISSING_BARRIER_MATERIALIZE_Q) {
            workgroupBarrier();
        }
        let key_squares = workgroup_sum(key * key, local, lanes);
        if (!MISSING_BARRIER_MATERIALIZE_K) {
            workgroupBarrier();
        }
        var beta_part = 0.0;
        var alpha_part = 0.0;
        for (var at = local; at < sizes.hidden; at += INVOCATIONS) {
            let x = hidden[token * sizes.hidden + at];
            beta_part = gp_multiply_add(x, w_beta[weights + at], beta_part);
            alpha_part = gp_multiply_add(x, w_alpha[weights + at], alpha_part);
        }
        let beta_dot = workgroup_sum(beta_part, local, lanes);
        workgroupBarrier();
        let alpha_dot = workgroup_sum(alpha_part, local, lanes);
        workgroupBarrier();

        let gate = token * sizes.value_heads + value_head;
        let own = gate * HEAD + local;
        q_hat[own] = query * gp_rsqrt(query_squares + EPSILON);
        k_hat[own] = key * gp_rsqrt(key_squares + EPSILON);
        v_act[own] = value;
        if (local == 0u) {
            beta[gate] = gp_sigmoid(beta_dot);
            log_alpha[gate] = -gp_exp(a_log[value_head]) * gp_softplus(alpha_dot + dt_bias[value_head]);
        }
    }
}

// The last three tokens of a sequence, or as many as it has behind the rows that it had: one channel an invocation.
@compute @workgroup_size(INVOCATIONS)
fn conv_state_update(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = workgroup.y * INVOCATIONS + local;
    if (channel >= channels()) {
        return;
    }
    let start = u32(sequence_start[workgroup.x]);
    let length = u32(sequence_start[workgroup.x + 1u]) - start;
    // All are read before any is stored.
    let oldest = input(workgroup.x, start, length, channel);
    let middle = input(workgroup.x, start, length + 1u, channel);
    let newest = input(workgroup.x, start, length + 2u, channel);
    let at = workgroup.x * 3u * channels() + channel;
    conv_state[at] = oldest;
    conv_state[at + channels()] = middle;
    conv_state[at + 2u * channels()] = newest;
}

// What the tokens of a chunk do to one another: forward substitution for w and u, and the scores.
@compute @workgroup_size(INVOCATIONS)
fn solve(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_size) subgroup: u32,
) {
    let chunk = chunk_of(workgroup.x);
    let lanes = min(subgroup, GROUP);
    let first_gate = chunk.first * sizes.value_heads + workgroup.y;
    let first_own = first_gate * HEAD + local;
    let stride = sizes.value_heads * HEAD;

    if (local == 0u) {
        var sum = 0.0;
        for (var j = 0u; j < chunk.tokens; j++) {
            sum += log_alpha[first_gate + j * sizes.value_heads];
            gammas[j] = sum;
            gamma[first_gate + j * sizes.value_heads] = sum;
        }
    }
    workgroupBarrier();

    for (var j = 0u; j < chunk.tokens; j++) {
        let gate = first_gate + j * sizes.value_heads;
        let own = first_own + j * stride;
        let query = q_hat[own];
        let key = k_hat[own];
        for (var r = 0u; r <= j; r++) {
            let other = k_hat[first_own + r * stride];
            store_part(key * other, local, lanes);
            workgroupBarrier();
            if (local == 0u) {
                key_products[r] = sum_of_parts(lanes);
            }
            if (!(MISSING_BARRIER_SOLVE_KK && r < j) && !(MISSING_BARRIER_SOLVE_DIAG && r == j)) {
                workgroupBarrier();
            }
            store_part(query * other, local, lanes);
            workgroupBarrier();
            if (local == 0u) {
                query_products[r] = sum_of_parts(lanes);
            }
            workgroupBarrier();
        }
        let own_beta = beta[gate];
        // Every pair has an invocation.
        if (local <= j) {
            let decay = gp_exp(gammas[j] - gammas[local]);
            attention[gate * sizes.chunk + local] = decay * query_products[local];
            if (local < j) {
                w_factors[local] = own_beta * key_products[local];
                u_factors[local] = own_beta * decay * key_products[local];
            }
        }
        workgroupBarrier();

        var own_w = own_beta * key;
        var own_u = own_beta * v_act[own];
        for (var r = 0u; r < j; r++) {
            own_w -= w_factors[r] * w[first_own + r * stride];
            own_u -= u_factors[r] * u[first_own + r * stride];
        }
        w[own] = own_w;
        u[own] = own_u;
    }
}

// Of one chunk of every sequence: what the state does not know of the values, and what is read.
@compute @workgroup_size(INVOCATIONS)
fn residual_output(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let first = first_of_chunk(lane.sequence);
    let end = u32(sequence_start[lane.sequence + 1u]);
    if (first >= end) {
        return;
    }
    load_row(lane);
    for (var j = 0u; j < min(end - first, sizes.chunk); j++) {
        let gate = (first + j) * sizes.value_heads + lane.value_head;
        let at = gate * HEAD + lane.row;
        let decay = gp_exp(gamma[gate]);
        load_w(gate, lane);
        let left = u[at] - decay * product();
        residuals[j] = left;
        load_query(gate, lane);
        var sum = decay * product();
        for (var r = 0u; r <= j; r++) {
            sum = gp_multiply_add(attention[gate * sizes.chunk + r], residuals[r], sum);
        }
        if (lane.first) {
            residual[at] = left;
            core[at] = SCALE * sum;
        }
    }
}

// Of one chunk of every sequence: the state after it.
@compute @workgroup_size(INVOCATIONS)
fn state_update(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let first = first_of_chunk(lane.sequence);
    let end = u32(sequence_start[lane.sequence + 1u]);
    if (first >= end) {
        return;
    }
    let tokens = min(end - first, sizes.chunk);
    let last_gamma = gamma[(first + tokens - 1u) * sizes.value_heads + lane.value_head];
    load_row(lane);
    scale_row(gp_exp(last_gamma));
    for (var j = 0u; j < tokens; j++) {
        let gate = (first + j) * sizes.value_heads + lane.value_head;
        load_key(gate, lane);
        add_to_row(gp_exp(last_gamma - gamma[gate]) * residual[gate * HEAD + lane.row]);
    }
    store_row(lane);
}

// Variant `serial`: the recurrence, token by token.
@compute @workgroup_size(INVOCATIONS)
fn recurrent(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let end = u32(sequence_start[lane.sequence + 1u]);
    load_row(lane);
    for (var token = u32(sequence_start[lane.sequence]); token < end; token++) {
        let gate = token * sizes.value_heads + lane.value_head;
        let at = gate * HEAD + lane.row;
        scale_row(gp_exp(log_alpha[gate]));
        load_key(gate, lane);
        add_to_row((v_act[at] - product()) * beta[gate]);
        load_query(gate, lane);
        let read = product();
        if (lane.first) {
            core[at] = SCALE * read;
        }
    }
    store_row(lane);
}

// The norm of what a head has read, gated by its z.
@compute @workgroup_size(INVOCATIONS)
fn norm_silu(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_size) subgroup: u32,
) {
    let at = (workgroup.x * sizes.value_heads + workgroup.y) * HEAD + local;
    let x = core[at];
    let squares = workgroup_sum(x * x, local, min(subgroup, GROUP));
    let inverse = gp_rsqrt(gp_multiply_add(squares, INVERSE_HEAD, EPSILON));
    output[at] = x * inverse * norm_weight[local] * gp_silu(z[at]);
}

fn channels() -> u32 {
    return (2u * sizes.heads + sizes.value_heads) * HEAD;
}

fn chunk_of(number: u32) -> Chunk {
    let sequence = u32(chunk_sequence[number]);
    let position = u32(chunk_index[number]) * sizes.chunk;
    let first = u32(sequence_start[sequence]) + position;
    let end = u32(sequence_start[sequence + 1u]);
    return Chunk(sequence, first, position, min(end - first, sizes.chunk));
}

// The first token of the chunk that is next, or one behind the end of the sequence.
fn first_of_chunk(sequence: u32) -> u32 {
    return u32(sequence_start[sequence]) + sizes.index * sizes.chunk;
}

// A channel of a row: of the three in front of the sequence, then of its tokens.
fn input(sequence: u32, start: u32, position: u32, channel: u32) -> f32 {
    if (position < 3u) {
        return conv_state[(sequence * 3u + position) * channels() + channel];
    }
    return qkv[(start + position - 3u) * channels() + channel];
}

// A channel of a token of the chunk, from its row and the three in front.
fn convolve(chunk: Chunk, token: u32, channel: u32) -> f32 {
    let weights = conv_weight[channel];
    let start = chunk.first - chunk.position;
    let position = chunk.position + token;
    var sum = input(chunk.sequence, start, position, channel) * weights.x;
    sum = gp_multiply_add(input(chunk.sequence, start, position + 1u, channel), weights.y, sum);
    sum = gp_multiply_add(input(chunk.sequence, start, position + 2u, channel), weights.z, sum);
    sum = gp_multiply_add(input(chunk.sequence, start, position + 3u, channel), weights.w, sum);
    return gp_silu(sum);
}

// The sum over the workgroup, in every invocation. Before the scratch is used again, all have to have read it.
fn workgroup_sum(own: f32, local: u32, lanes: u32) -> f32 {
    store_part(own, local, lanes);
    workgroupBarrier();
    if (local == 0u) {
        scratch[0] = sum_of_parts(lanes);
    }
    workgroupBarrier();
    return scratch[0];
}

// Stores the sum over `lanes` neighbours, a power of two.
fn store_part(own: f32, local: u32, lanes: u32) {
    var sum = own;
    for (var distance = 1u; distance < lanes; distance <<= 1u) {
        sum += subgroupShuffleXor(sum, distance);
    }
    if (local % lanes == 0u) {
        scratch[local / lanes] = sum;
    }
}

// The sum of what all have stored: of each group, then of the groups.
fn sum_of_parts(lanes: u32) -> f32 {
    let parts = GROUP / lanes;
    return group_sum(0u, parts) + group_sum(1u, parts) + group_sum(2u, parts) + group_sum(3u, parts);
}

// Goes on where the butterfly has ended.
fn group_sum(group: u32, parts: u32) -> f32 {
    let at = group * parts;
    switch parts {
        case 1u: {
            return scratch[at];
        }
        case 2u: {
            return two_parts(at);
        }
        case 4u: {
            return two_parts(at) + two_parts(at + 2u);
        }
        default: {
            return (two_parts(at) + two_parts(at + 2u)) + (two_parts(at + 4u) + two_parts(at + 6u));
        }
    }
}

fn two_parts(at: u32) -> f32 {
    return scratch[at] + scratch[at + 1u];
}

fn lane_of(workgroup: vec3<u32>, local: u32) -> Lane {
    let lane = local % LANES;
    return Lane(workgroup.x, workgroup.y, workgroup.z * ROWS + local / LANES, lane * 4u, lane == 0u);
}

// The first quad of a lane, of all quads of `state`.
fn state_quad(lane: Lane) -> u32 {
    let head = lane.sequence * sizes.value_heads + lane.value_head;
    return (head * HEAD + lane.row) * ROW_QUADS + lane.start / 4u;
}

fn load_row(lane: Lane) {
    let at = state_quad(lane);
    for (var m = 0u; m < QUADS; m++) {
        row[m] = state[at + m * LANES];
    }
}

fn store_row(lane: Lane) {
    let at = state_quad(lane);
    for (var m = 0u; m < QUADS; m++) {
        state[at + m * LANES] = row[m];
    }
}

fn load_query(gate: u32, lane: Lane) {
    for (var m = 0u; m < QUADS; m++) {
        let at = gate * HEAD + m * 4u * LANES + lane.start;
        column[m] = vec4(q_hat[at], q_hat[at + 1u], q_hat[at + 2u], q_hat[at + 3u]);
    }
}

fn load_key(gate: u32, lane: Lane) {
    for (var m = 0u; m < QUADS; m++) {
        let at = gate * HEAD + m * 4u * LANES + lane.start;
        column[m] = vec4(k_hat[at], k_hat[at + 1u], k_hat[at + 2u], k_hat[at + 3u]);
    }
}

fn load_w(gate: u32, lane: Lane) {
    for (var m = 0u; m < QUADS; m++) {
        let at = gate * HEAD + m * 4u * LANES + lane.start;
        column[m] = vec4(w[at], w[at + 1u], w[at + 2u], w[at + 3u]);
    }
}

// The row of the state times the vector, in every lane of the row.
fn product() -> f32 {
    var sum = 0.0;
    for (var m = 0u; m < QUADS; m++) {
        sum = gp_multiply_add(row[m].x, column[m].x, sum);
        sum = gp_multiply_add(row[m].y, column[m].y, sum);
        sum = gp_multiply_add(row[m].z, column[m].z, sum);
        sum = gp_multiply_add(row[m].w, column[m].w, sum);
    }
    sum += subgroupShuffleXor(sum, 1u);
    sum += subgroupShuffleXor(sum, 2u);
    return sum;
}

fn scale_row(factor: f32) {
    for (var m = 0u; m < QUADS; m++) {
        row[m] = row[m] * factor;
    }
}

// row + factor * vector.
fn add_to_row(factor: f32) {
    for (var m = 0u; m < QUADS; m++) {
        row[m] = vec4(
            gp_multiply_add(factor, column[m].x, row[m].x),
            gp_multiply_add(factor, column[m].y, row[m].y),
            gp_multiply_add(factor, column[m].z, row[m].z),
            gp_multiply_add(factor, column[m].w, row[m].w),
        );
    }
}
