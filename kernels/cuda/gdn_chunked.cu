// Prefill of a gated delta net, chunk-parallel or token by token: causal convolution of width 4 with SiLU, gates, gated
// delta rule and gated norm, after ohdearquant/lattice pull request 190.
//
// The twin of ../wgsl/gdn_chunked.wgsl: the same grids, phases, barriers and owners of every store, and the same order
// of additions, so that both leave the same bits; that file says what is kept from upstream and what is mapped anew.
// A group of 32 lanes is a subgroup here.
//
// What differs: offsets have 64 bits; the quads of a lane are read whole, and its row of the state stays in registers.

#include "numerics.cuh"

// Heads of q and k.
#ifndef H
#error "H is a macro of the launch"
#endif
// Heads of v, z and of the states, a multiple of H.
#ifndef HV
#error "HV is a macro of the launch"
#endif
// Elements of a token's hidden vector.
#ifndef HIDDEN
#error "HIDDEN is a macro of the launch"
#endif
// Tokens of a chunk.
#ifndef CHUNK
#error "CHUNK is a macro of the launch"
#endif
// Variant `no_barrier_materialize_q`.
#ifndef MISSING_BARRIER_MATERIALIZE_Q
#define MISSING_BARRIER_MATERIALIZE_Q 0
#endif
// Variant `no_barrier_materialize_k`.
#ifndef MISSING_BARRIER_MATERIALIZE_K
#define MISSING_BARRIER_MATERIALIZE_K 0
#endif
// Variant `no_barrier_solve_kk`.
#ifndef MISSING_BARRIER_SOLVE_KK
#define MISSING_BARRIER_SOLVE_KK 0
#endif
// Variant `no_barrier_solve_diag`.
#ifndef MISSING_BARRIER_SOLVE_DIAG
#define MISSING_BARRIER_SOLVE_DIAG 0
#endif

constexpr unsigned int INVOCATIONS = 128;
constexpr unsigned int GROUP = 32;
// Elements of a head, and rows of a state.
constexpr unsigned int HEAD = 128;
// Value heads that share a key head.
constexpr unsigned int RATIO = HV / H;
constexpr size_t CHANNELS = (2 * (size_t)H + HV) * HEAD;
// Elements from a token of a head to the next.
constexpr size_t STRIDE = (size_t)HV * HEAD;
// Rows of a state that a workgroup takes, and lanes of each.
constexpr unsigned int ROWS = 32;
constexpr unsigned int LANES = 4;
// Quads of a row, and of one lane.
constexpr unsigned int ROW_QUADS = HEAD / 4;
constexpr unsigned int QUADS = ROW_QUADS / LANES;
constexpr float EPSILON = 1e-6f;
// 1 / HEAD.
constexpr float INVERSE_HEAD = 0.0078125f;
// 1 / sqrt(HEAD), rounded to f32.
constexpr float SCALE = 0.088388346f;

static_assert(HV % H == 0, "a key head serves the same number of value heads as any other");
static_assert(CHUNK == 16 || CHUNK == 32 || CHUNK == 64, "every pair of a token has an invocation");

// The partial sums of a workgroup.
__shared__ float scratch[INVOCATIONS / GROUP];
// Of every token of the chunk: the running sum of the logarithms of the decays.
__shared__ float gammas[CHUNK];
// Of a token and each one up to it: the products of its key, and of its query, with the other's key.
__shared__ float key_products[CHUNK];
__shared__ float query_products[CHUNK];
// What is subtracted of the w, and of the u, of each token before it.
__shared__ float w_factors[CHUNK];
__shared__ float u_factors[CHUNK];

// Consecutive tokens of one sequence.
struct Chunk {
    unsigned int sequence;
    // The first token, of all sequences, and of its own.
    unsigned int first;
    unsigned int position;
    unsigned int tokens;
};

GP_FUNCTION Chunk chunk_of(const int *sequence_start, const int *chunk_sequence, const int *chunk_index) {
    unsigned int sequence = chunk_sequence[blockIdx.x];
    unsigned int position = chunk_index[blockIdx.x] * CHUNK;
    unsigned int first = sequence_start[sequence] + position;
    unsigned int end = sequence_start[sequence + 1];
    return Chunk{sequence, first, position, min(end - first, CHUNK)};
}

// What the convolution reads.
struct Rows {
    const float *__restrict__ qkv;
    // Of the sequence.
    const float *conv_state;
    // The first token of the sequence.
    unsigned int start;
};

// A channel of a row: of the three in front of the sequence, then of its tokens.
GP_FUNCTION float input(const Rows &rows, unsigned int position, unsigned int channel) {
    if (position < 3) {
        return rows.conv_state[position * CHANNELS + channel];
    }
    return rows.qkv[((size_t)rows.start + position - 3) * CHANNELS + channel];
}

// A channel of a token, from its row and the three in front.
GP_FUNCTION float convolve(const Rows &rows, unsigned int position, float4 weights, unsigned int channel) {
    float sum = gp_mul(input(rows, position, channel), weights.x);
    sum = gp_multiply_add(input(rows, position + 1, channel), weights.y, sum);
    sum = gp_multiply_add(input(rows, position + 2, channel), weights.z, sum);
    sum = gp_multiply_add(input(rows, position + 3, channel), weights.w, sum);
    return gp_silu(sum);
}

// Stores the sum over a group.
GP_FUNCTION void store_part(float own) {
    float sum = own;
#pragma unroll
    for (unsigned int distance = 1; distance < GROUP; distance *= 2) {
        sum = gp_add(sum, __shfl_xor_sync(0xffffffffu, sum, distance));
    }
    if (threadIdx.x % GROUP == 0) {
        scratch[threadIdx.x / GROUP] = sum;
    }
}

// The sum of what all have stored.
GP_FUNCTION float sum_of_parts() {
    return gp_add(gp_add(gp_add(scratch[0], scratch[1]), scratch[2]), scratch[3]);
}

// The sum over the workgroup, in every invocation. Before the scratch is used again, all have to have read it.
GP_FUNCTION float workgroup_sum(float own) {
    store_part(own);
    __syncthreads();
    if (threadIdx.x == 0) {
        scratch[0] = sum_of_parts();
    }
    __syncthreads();
    return scratch[0];
}

// Query, key, value and gates of every token of a chunk.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    materialize(const float *__restrict__ hidden, const float *__restrict__ qkv,
                const float4 *__restrict__ conv_weight, const float *__restrict__ w_beta,
                const float *__restrict__ w_alpha, const float *__restrict__ a_log, const float *__restrict__ dt_bias,
                const int *__restrict__ sequence_start, const int *__restrict__ chunk_sequence,
                const int *__restrict__ chunk_index, const float *__restrict__ conv_state, float *__restrict__ q_hat,
                float *__restrict__ k_hat, float *__restrict__ v_act, float *__restrict__ beta,
                float *__restrict__ log_alpha) {
    const Chunk chunk = chunk_of(sequence_start, chunk_sequence, chunk_index);
    unsigned int value_head = blockIdx.y;
    unsigned int local = threadIdx.x;
    unsigned int query_channel = value_head / RATIO * HEAD + local;
    unsigned int key_channel = H * HEAD + query_channel;
    unsigned int value_channel = (2 * H + value_head) * HEAD + local;
    const Rows rows = {qkv, conv_state + chunk.sequence * (3 * CHANNELS), chunk.first - chunk.position};
    float4 query_weights = conv_weight[query_channel];
    float4 key_weights = conv_weight[key_channel];
    float4 value_weights = conv_weight[value_channel];

#pragma unroll 1
    for (unsigned int i = 0; i < chunk.tokens; i++) {
        size_t token = chunk.first + i;
        float query = convolve(rows, chunk.position + i, query_weights, query_channel);
        float key = convolve(rows, chunk.position + i, key_weights, key_channel);
        float value = convolve(rows, chunk.position + i, value_weights, value_channel);

        float query_squares = workgroup_sum(gp_mul(query, query));
        if (!MISSING_BARRIER_MATERIALIZE_Q) {
            __syncthreads();
        }
        float key_squares = workgroup_sum(gp_mul(key, key));
        if (!MISSING_BARRIER_MATERIALIZE_K) {
            __syncthreads();
        }
        float beta_part = 0.0f;
        float alpha_part = 0.0f;
        for (unsigned int at = local; at < HIDDEN; at += INVOCATIONS) {
            float x = hidden[token * HIDDEN + at];
            beta_part = gp_multiply_add(x, w_beta[(size_t)value_head * HIDDEN + at], beta_part);
            alpha_part = gp_multiply_add(x, w_alpha[(size_t)value_head * HIDDEN + at], alpha_part);
        }
        float beta_dot = workgroup_sum(beta_part);
        __syncthreads();
        float alpha_dot = workgroup_sum(alpha_part);
        __syncthreads();

        size_t gate = token * HV + value_head;
        size_t own = gate * HEAD + local;
        q_hat[own] = gp_mul(query, gp_rsqrt(gp_add(query_squares, EPSILON)));
        k_hat[own] = gp_mul(key, gp_rsqrt(gp_add(key_squares, EPSILON)));
        v_act[own] = value;
        if (local == 0) {
            float x = gp_add(alpha_dot, dt_bias[value_head]);
            beta[gate] = gp_sigmoid(beta_dot);
            log_alpha[gate] = gp_mul(-gp_exp(a_log[value_head]), gp_softplus(x));
        }
    }
}

// The last three tokens of a sequence, or as many as it has behind the rows that it had: one channel an invocation.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    conv_state_update(const float *__restrict__ qkv, const int *__restrict__ sequence_start, float *conv_state) {
    unsigned int channel = blockIdx.y * INVOCATIONS + threadIdx.x;
    if (channel >= CHANNELS) {
        return;
    }
    unsigned int start = sequence_start[blockIdx.x];
    unsigned int length = sequence_start[blockIdx.x + 1] - start;
    float *own = conv_state + blockIdx.x * (3 * CHANNELS);
    const Rows rows = {qkv, own, start};
    // All are read before any is stored.
    float oldest = input(rows, length, channel);
    float middle = input(rows, length + 1, channel);
    float newest = input(rows, length + 2, channel);
    own[channel] = oldest;
    own[CHANNELS + channel] = middle;
    own[2 * CHANNELS + channel] = newest;
}

// What the tokens of a chunk do to one another: forward substitution for w and u, and the scores.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    solve(const int *__restrict__ sequence_start, const int *__restrict__ chunk_sequence,
          const int *__restrict__ chunk_index, const float *__restrict__ q_hat, const float *__restrict__ k_hat,
          const float *__restrict__ v_act, const float *__restrict__ beta, const float *__restrict__ log_alpha,
          float *__restrict__ gamma, float *w, float *u, float *__restrict__ attention) {
    const Chunk chunk = chunk_of(sequence_start, chunk_sequence, chunk_index);
    unsigned int local = threadIdx.x;
    size_t first_gate = (size_t)chunk.first * HV + blockIdx.y;
    size_t first_own = first_gate * HEAD + local;

    if (local == 0) {
        float sum = 0.0f;
        for (unsigned int j = 0; j < chunk.tokens; j++) {
            sum = gp_add(sum, log_alpha[first_gate + (size_t)j * HV]);
            gammas[j] = sum;
            gamma[first_gate + (size_t)j * HV] = sum;
        }
    }
    __syncthreads();

#pragma unroll 1
    for (unsigned int j = 0; j < chunk.tokens; j++) {
        size_t gate = first_gate + (size_t)j * HV;
        size_t own = first_own + j * STRIDE;
        float query = q_hat[own];
        float key = k_hat[own];
#pragma unroll 1
        for (unsigned int r = 0; r <= j; r++) {
            float other = k_hat[first_own + r * STRIDE];
            store_part(gp_mul(key, other));
            __syncthreads();
            if (local == 0) {
                key_products[r] = sum_of_parts();
            }
            if (!(MISSING_BARRIER_SOLVE_KK && r < j) && !(MISSING_BARRIER_SOLVE_DIAG && r == j)) {
                __syncthreads();
            }
            store_part(gp_mul(query, other));
            __syncthreads();
            if (local == 0) {
                query_products[r] = sum_of_parts();
            }
            __syncthreads();
        }
        float own_beta = beta[gate];
        // Every pair has an invocation.
        if (local <= j) {
            float decay = gp_exp(gp_sub(gammas[j], gammas[local]));
            attention[gate * CHUNK + local] = gp_mul(decay, query_products[local]);
            if (local < j) {
                w_factors[local] = gp_mul(own_beta, key_products[local]);
                u_factors[local] = gp_mul(gp_mul(own_beta, decay), key_products[local]);
            }
        }
        __syncthreads();

        float own_w = gp_mul(own_beta, key);
        float own_u = gp_mul(own_beta, v_act[own]);
        for (unsigned int r = 0; r < j; r++) {
            own_w = gp_sub(own_w, gp_mul(w_factors[r], w[first_own + r * STRIDE]));
            own_u = gp_sub(own_u, gp_mul(u_factors[r], u[first_own + r * STRIDE]));
        }
        w[own] = own_w;
        u[own] = own_u;
    }
}

// What a lane owns of a state: every fourth quad of one row.
struct Lane {
    unsigned int row;
    unsigned int number;
    float elements[4 * QUADS];
};

GP_FUNCTION Lane lane_of() {
    Lane lane;
    lane.row = blockIdx.z * ROWS + threadIdx.x / LANES;
    lane.number = threadIdx.x % LANES;
    return lane;
}

// The quads of a lane in a vector of 128 elements.
GP_FUNCTION void load(const float4 *vector, const Lane &lane, float (&elements)[4 * QUADS]) {
#pragma unroll
    for (unsigned int m = 0; m < QUADS; m++) {
        float4 quad = vector[m * LANES + lane.number];
        elements[4 * m] = quad.x;
        elements[4 * m + 1] = quad.y;
        elements[4 * m + 2] = quad.z;
        elements[4 * m + 3] = quad.w;
    }
}

GP_FUNCTION void store(float4 *vector, const Lane &lane) {
#pragma unroll
    for (unsigned int m = 0; m < QUADS; m++) {
        vector[m * LANES + lane.number] = make_float4(lane.elements[4 * m], lane.elements[4 * m + 1],
                                                      lane.elements[4 * m + 2], lane.elements[4 * m + 3]);
    }
}

// The lane's row of `state`.
GP_FUNCTION float4 *row_of(float4 *state, const Lane &lane) {
    return state + (((size_t)blockIdx.x * HV + blockIdx.y) * HEAD + lane.row) * ROW_QUADS;
}

// The row of the state times a vector, in every lane of the row.
GP_FUNCTION float product(const Lane &lane, const float4 *vector) {
    float elements[4 * QUADS];
    load(vector, lane, elements);
    float sum = 0.0f;
#pragma unroll
    for (unsigned int i = 0; i < 4 * QUADS; i++) {
        sum = gp_multiply_add(lane.elements[i], elements[i], sum);
    }
    sum = gp_add(sum, __shfl_xor_sync(0xffffffffu, sum, 1));
    return gp_add(sum, __shfl_xor_sync(0xffffffffu, sum, 2));
}

GP_FUNCTION void scale(Lane &lane, float factor) {
#pragma unroll
    for (unsigned int i = 0; i < 4 * QUADS; i++) {
        lane.elements[i] = gp_mul(lane.elements[i], factor);
    }
}

// row + factor * vector.
GP_FUNCTION void add(Lane &lane, float factor, const float4 *vector) {
    float elements[4 * QUADS];
    load(vector, lane, elements);
#pragma unroll
    for (unsigned int i = 0; i < 4 * QUADS; i++) {
        lane.elements[i] = gp_multiply_add(factor, elements[i], lane.elements[i]);
    }
}

// Of one chunk of every sequence: what the state does not know of the values, and what is read.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    residual_output(const int *__restrict__ sequence_start, float4 *__restrict__ state,
                    const float4 *__restrict__ q_hat, const float *__restrict__ gamma, const float4 *__restrict__ w,
                    const float *__restrict__ u, const float *__restrict__ attention, float *__restrict__ residual,
                    float *__restrict__ core, unsigned int index) {
    unsigned int first = sequence_start[blockIdx.x] + index * CHUNK;
    unsigned int end = sequence_start[blockIdx.x + 1];
    if (first >= end) {
        return;
    }
    unsigned int tokens = min(end - first, CHUNK);
    Lane lane = lane_of();
    load(row_of(state, lane), lane, lane.elements);
    float residuals[CHUNK];
#pragma unroll 1
    for (unsigned int j = 0; j < tokens; j++) {
        size_t gate = ((size_t)first + j) * HV + blockIdx.y;
        size_t at = gate * HEAD + lane.row;
        float decay = gp_exp(gamma[gate]);
        float left = gp_sub(u[at], gp_mul(decay, product(lane, w + gate * ROW_QUADS)));
        residuals[j] = left;
        float sum = gp_mul(decay, product(lane, q_hat + gate * ROW_QUADS));
        for (unsigned int r = 0; r <= j; r++) {
            sum = gp_multiply_add(attention[gate * CHUNK + r], residuals[r], sum);
        }
        if (lane.number == 0) {
            residual[at] = left;
            core[at] = gp_mul(SCALE, sum);
        }
    }
}

// Of one chunk of every sequence: the state after it.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    state_update(const int *__restrict__ sequence_start, float4 *__restrict__ state, const float4 *__restrict__ k_hat,
                 const float *__restrict__ gamma, const float *__restrict__ residual, unsigned int index) {
    unsigned int first = sequence_start[blockIdx.x] + index * CHUNK;
    unsigned int end = sequence_start[blockIdx.x + 1];
    if (first >= end) {
        return;
    }
    unsigned int tokens = min(end - first, CHUNK);
    float last_gamma = gamma[((size_t)first + tokens - 1) * HV + blockIdx.y];
    Lane lane = lane_of();
    load(row_of(state, lane), lane, lane.elements);
    scale(lane, gp_exp(last_gamma));
#pragma unroll 1
    for (unsigned int j = 0; j < tokens; j++) {
        size_t gate = ((size_t)first + j) * HV + blockIdx.y;
        float factor = gp_mul(gp_exp(gp_sub(last_gamma, gamma[gate])), residual[gate * HEAD + lane.row]);
        add(lane, factor, k_hat + gate * ROW_QUADS);
    }
    store(row_of(state, lane), lane);
}

// Variant `serial`: the recurrence, token by token.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    recurrent(const int *__restrict__ sequence_start, float4 *__restrict__ state, const float4 *__restrict__ q_hat,
              const float4 *__restrict__ k_hat, const float *__restrict__ v_act, const float *__restrict__ beta,
              const float *__restrict__ log_alpha, float *__restrict__ core) {
    unsigned int end = sequence_start[blockIdx.x + 1];
    Lane lane = lane_of();
    load(row_of(state, lane), lane, lane.elements);
#pragma unroll 1
    for (unsigned int token = sequence_start[blockIdx.x]; token < end; token++) {
        size_t gate = (size_t)token * HV + blockIdx.y;
        size_t at = gate * HEAD + lane.row;
        scale(lane, gp_exp(log_alpha[gate]));
        float known = product(lane, k_hat + gate * ROW_QUADS);
        add(lane, gp_mul(gp_sub(v_act[at], known), beta[gate]), k_hat + gate * ROW_QUADS);
        float read = product(lane, q_hat + gate * ROW_QUADS);
        if (lane.number == 0) {
            core[at] = gp_mul(SCALE, read);
        }
    }
    store(row_of(state, lane), lane);
}

// The norm of what a head has read, gated by its z.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    norm_silu(const float *__restrict__ z, const float *__restrict__ norm_weight, const float *__restrict__ core,
              float *__restrict__ output) {
    size_t at = ((size_t)blockIdx.x * HV + blockIdx.y) * HEAD + threadIdx.x;
    float x = core[at];
    float squares = workgroup_sum(gp_mul(x, x));
    float inverse = gp_rsqrt(gp_multiply_add(squares, INVERSE_HEAD, EPSILON));
    output[at] = gp_mul(gp_mul(gp_mul(x, inverse), norm_weight[threadIdx.x]), gp_silu(z[at]));
}
