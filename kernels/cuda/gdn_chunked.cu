// Prefill of a gated delta net, chunk-parallel or token by token: causal convolution of width 4 with SiLU, gates, gated
// delta rule and gated norm, after ohdearquant/lattice pull request 190.
//
// The twin of ../wgsl/gdn_chunked.wgsl: the same grids and phases, and the same order of additions, so that both leave
// the same bits; that file says what is kept from upstream and what is mapped anew. A group of 32 lanes is a subgroup
// here.
//
// What differs: offsets have 64 bits. `materialize` asks for what the next token needs while it sums. `solve` sums the
// products of many pairs between two barriers, through one scratch that has a place for each: those of all tokens
// with their own keys, then those of four tokens with all keys before them, for the keys and then for the queries; the
// lanes of a group share the sums. `residual_output` and `state_update` take 16 tokens at a time into workgroup memory,
// and a lane has several rows.

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
constexpr unsigned int GROUPS = INVOCATIONS / GROUP;
// Sums that a group takes at a time.
constexpr unsigned int SUMS = 8;
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
static_assert(HIDDEN % INVOCATIONS == 0, "every invocation has as much of a hidden vector");
static_assert(CHUNK == 16 || CHUNK == 32 || CHUNK == 64, "every pair of a token has an invocation");

// Tokens whose products are summed at a time.
constexpr unsigned int BATCH = 4;

// The partial sums of a workgroup: of one sum, of a sum for each token, or of one for each pair of a token of a batch
// with one of the chunk.
__shared__ float scratch[BATCH * CHUNK][GROUPS];
// Of every token of the chunk: the running sum of the logarithms of the decays, and the gate.
__shared__ float gammas[CHUNK];
__shared__ float own_betas[CHUNK];
// Of a token and each one up to it: the products of its key, and of its query, with the other's key.
__shared__ __align__(16) float key_products[CHUNK][CHUNK];
__shared__ __align__(16) float query_products[CHUNK][CHUNK];

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

// A channel of a token's row and of the three in front.
struct Window {
    float x[4];

    __device__ __forceinline__ Window(const Rows &rows, unsigned int position, unsigned int channel) {
#pragma unroll
        for (unsigned int i = 0; i < 4; i++) {
            x[i] = input(rows, position + i, channel);
        }
    }

    // Goes on to a token at `position`.
    __device__ __forceinline__ void advance(const Rows &rows, unsigned int position, unsigned int channel) {
        x[0] = x[1];
        x[1] = x[2];
        x[2] = x[3];
        x[3] = input(rows, position + 3, channel);
    }

    __device__ __forceinline__ float convolve(float4 weights) const {
        float sum = gp_mul(x[0], weights.x);
        sum = gp_multiply_add(x[1], weights.y, sum);
        sum = gp_multiply_add(x[2], weights.z, sum);
        sum = gp_multiply_add(x[3], weights.w, sum);
        return gp_silu(sum);
    }
};

// This invocation's part of a hidden vector, every 128th element, and of the weights of the gates: in registers where
// there are few.
struct HiddenPart {
    static constexpr unsigned int PARTS = HIDDEN / INVOCATIONS;
    static constexpr bool HELD = PARTS <= 8;
    static constexpr unsigned int HELD_PARTS = HELD ? PARTS : 1;

    float x[HELD_PARTS];
    float beta[HELD_PARTS];
    float alpha[HELD_PARTS];

    __device__ __forceinline__ void load_weights(const float *w_beta, const float *w_alpha, unsigned int head) {
        if constexpr (HELD) {
#pragma unroll
            for (unsigned int part = 0; part < PARTS; part++) {
                size_t at = (size_t)head * HIDDEN + part * INVOCATIONS + threadIdx.x;
                beta[part] = w_beta[at];
                alpha[part] = w_alpha[at];
            }
        }
    }

    __device__ __forceinline__ void load(const float *hidden, size_t token) {
        if constexpr (HELD) {
#pragma unroll
            for (unsigned int part = 0; part < PARTS; part++) {
                x[part] = hidden[token * HIDDEN + part * INVOCATIONS + threadIdx.x];
            }
        }
    }

    // This invocation's part of the products with the weights of beta and of alpha.
    __device__ __forceinline__ float2 dots(const float *hidden, size_t token, const float *w_beta,
                                           const float *w_alpha, unsigned int head) const {
        float2 sums = make_float2(0.0f, 0.0f);
#pragma unroll HELD_PARTS
        for (unsigned int part = 0; part < PARTS; part++) {
            unsigned int element = part * INVOCATIONS + threadIdx.x;
            size_t at = (size_t)head * HIDDEN + element;
            float own = HELD ? x[HELD ? part : 0] : hidden[token * HIDDEN + element];
            sums.x = gp_multiply_add(own, HELD ? beta[HELD ? part : 0] : w_beta[at], sums.x);
            sums.y = gp_multiply_add(own, HELD ? alpha[HELD ? part : 0] : w_alpha[at], sums.y);
        }
        return sums;
    }
};

// Stores the sum over a group.
GP_FUNCTION void store_part(float own, unsigned int slot) {
    float sum = own;
#pragma unroll
    for (unsigned int distance = 1; distance < GROUP; distance *= 2) {
        sum = gp_add(sum, __shfl_xor_sync(0xffffffffu, sum, distance));
    }
    if (threadIdx.x % GROUP == 0) {
        scratch[slot][threadIdx.x / GROUP] = sum;
    }
}

// Stores several sums over a group, each as `store_part` does. As long as a lane has several, the two lanes of a pair
// share them: each adds the half that it keeps.
GP_FUNCTION void store_parts(float (&own)[SUMS], unsigned int first_slot) {
    unsigned int lane = threadIdx.x % GROUP;
    unsigned int slot = 0;
    unsigned int sums = SUMS;
#pragma unroll
    for (unsigned int distance = 1; distance < GROUP; distance *= 2) {
        if (sums > 1) {
            bool upper = (lane & distance) != 0;
            sums /= 2;
            slot += upper ? sums : 0;
#pragma unroll
            for (unsigned int i = 0; i < sums; i++) {
                float given = upper ? own[i] : own[sums + i];
                float kept = upper ? own[sums + i] : own[i];
                own[i] = gp_add(kept, __shfl_xor_sync(0xffffffffu, given, distance));
            }
        } else {
            own[0] = gp_add(own[0], __shfl_xor_sync(0xffffffffu, own[0], distance));
        }
    }
    if (lane < SUMS) {
        scratch[first_slot + slot][threadIdx.x / GROUP] = own[0];
    }
}

// The sum of what all have stored.
GP_FUNCTION float sum_of_parts(unsigned int slot) {
    return gp_add(gp_add(gp_add(scratch[slot][0], scratch[slot][1]), scratch[slot][2]), scratch[slot][3]);
}

// The sum over the workgroup, in every invocation. Before the scratch is used again, all have to have read it.
GP_FUNCTION float workgroup_sum(float own) {
    store_part(own, 0);
    __syncthreads();
    if (threadIdx.x == 0) {
        scratch[0][0] = sum_of_parts(0);
    }
    __syncthreads();
    return scratch[0][0];
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

    Window query_window(rows, chunk.position, query_channel);
    Window key_window(rows, chunk.position, key_channel);
    Window value_window(rows, chunk.position, value_channel);
    HiddenPart part;
    part.load_weights(w_beta, w_alpha, value_head);
    part.load(hidden, chunk.first);
#pragma unroll 1
    for (unsigned int i = 0; i < chunk.tokens; i++) {
        size_t token = chunk.first + i;
        float query = query_window.convolve(query_weights);
        float key = key_window.convolve(key_weights);
        float value = value_window.convolve(value_weights);
        float2 dots = part.dots(hidden, token, w_beta, w_alpha, value_head);
        // What the next token needs comes while the sums of this one are made.
        if (i + 1 < chunk.tokens) {
            query_window.advance(rows, chunk.position + i + 1, query_channel);
            key_window.advance(rows, chunk.position + i + 1, key_channel);
            value_window.advance(rows, chunk.position + i + 1, value_channel);
            part.load(hidden, token + 1);
        }

        float query_squares = workgroup_sum(gp_mul(query, query));
        if (!MISSING_BARRIER_MATERIALIZE_Q) {
            __syncthreads();
        }
        float key_squares = workgroup_sum(gp_mul(key, key));
        if (!MISSING_BARRIER_MATERIALIZE_K) {
            __syncthreads();
        }
        float beta_dot = workgroup_sum(dots.x);
        __syncthreads();
        float alpha_dot = workgroup_sum(dots.y);
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

// Tokens whose w and u are found at a time.
constexpr unsigned int BLOCK = 8;

// This channel of the vectors of COUNT tokens from `first` on; zeros behind the last token.
template <unsigned int COUNT>
GP_FUNCTION void load_channel(const float *vectors, size_t first_own, unsigned int first, unsigned int tokens,
                              float (&numbers)[COUNT]) {
#pragma unroll
    for (unsigned int i = 0; i < COUNT; i++) {
        numbers[i] = first + i < tokens ? vectors[first_own + (first + i) * STRIDE] : 0.0f;
    }
}

// Subtracts what COUNT tokens have in common with one, the first of them first.
template <unsigned int COUNT>
GP_FUNCTION void subtract(const float *factors, const float *vectors, float &own) {
#pragma unroll
    for (unsigned int i = 0; i < COUNT; i += 4) {
        const float4 quad = *(const float4 *)(factors + i);
        const float four[4] = {quad.x, quad.y, quad.z, quad.w};
#pragma unroll
        for (unsigned int k = 0; k < 4 && i + k < COUNT; k++) {
            own = gp_sub(own, gp_mul(four[k], vectors[i + k]));
        }
    }
}

// The forward substitution inside a block, from token I on.
template <unsigned int I>
GP_FUNCTION void substitute(unsigned int first, unsigned int tokens, float (&block_w)[BLOCK], float (&block_u)[BLOCK]) {
    if constexpr (I < BLOCK) {
        if (first + I < tokens) {
            subtract<I>(key_products[first + I] + first, block_w, block_w[I]);
            subtract<I>(query_products[first + I] + first, block_u, block_u[I]);
        }
        substitute<I + 1>(first, tokens, block_w, block_u);
    }
}

// Stores the parts of the sums of the products of the batch from token `first` on with all keys before each of them,
// and with some behind.
GP_FUNCTION void store_products(const float (&batch)[BATCH], const float (&keys)[CHUNK], unsigned int first) {
#pragma unroll
    for (unsigned int r = 0; r < CHUNK; r += SUMS) {
        if (r < first + BATCH - 1) {
#pragma unroll
            for (unsigned int i = 0; i < BATCH; i++) {
                float products[SUMS];
#pragma unroll
                for (unsigned int k = 0; k < SUMS; k++) {
                    products[k] = gp_mul(batch[i], keys[r + k]);
                }
                store_parts(products, i * CHUNK + r);
            }
        }
    }
}

// Adds the parts that `store_products` has stored, an invocation a pair.
GP_FUNCTION void add_products(float (&products)[CHUNK][CHUNK], unsigned int first, unsigned int tokens) {
#pragma unroll
    for (unsigned int at = threadIdx.x; at < BATCH * CHUNK; at += INVOCATIONS) {
        unsigned int j = first + at / CHUNK;
        if (at % CHUNK < j && j < tokens) {
            products[j][at % CHUNK] = sum_of_parts(at);
        }
    }
}

// Stores the parts of the sums of the products of every token's vector with its own key.
GP_FUNCTION void store_own_products(const float *vectors, const float (&keys)[CHUNK], size_t first_own,
                                    unsigned int tokens) {
#pragma unroll
    for (unsigned int first = 0; first < CHUNK; first += SUMS) {
        if (first < tokens) {
            float products[SUMS];
            load_channel(vectors, first_own, first, tokens, products);
#pragma unroll
            for (unsigned int i = 0; i < SUMS; i++) {
                products[i] = gp_mul(products[i], keys[first + i]);
            }
            store_parts(products, first);
        }
    }
}

// Adds those parts, an invocation a token.
GP_FUNCTION void add_own_products(float (&products)[CHUNK][CHUNK], unsigned int tokens) {
    if (threadIdx.x < tokens) {
        products[threadIdx.x][threadIdx.x] = sum_of_parts(threadIdx.x);
    }
}

// What the tokens of a chunk do to one another: forward substitution for w and u, and the scores.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    solve(const int *__restrict__ sequence_start, const int *__restrict__ chunk_sequence,
          const int *__restrict__ chunk_index, const float *__restrict__ q_hat, const float *__restrict__ k_hat,
          const float *__restrict__ v_act, const float *__restrict__ beta, const float *__restrict__ log_alpha,
          float *__restrict__ gamma, float *__restrict__ w, float *__restrict__ u, float *__restrict__ attention) {
    const Chunk chunk = chunk_of(sequence_start, chunk_sequence, chunk_index);
    unsigned int local = threadIdx.x;
    unsigned int tokens = chunk.tokens;
    size_t first_gate = (size_t)chunk.first * HV + blockIdx.y;
    size_t first_own = first_gate * HEAD + local;
    // This channel of every key; zeros behind the last token.
    float keys[CHUNK];
    load_channel(k_hat, first_own, 0, tokens, keys);
    if (local < tokens) {
        gammas[local] = log_alpha[first_gate + (size_t)local * HV];
        own_betas[local] = beta[first_gate + (size_t)local * HV];
    }
    __syncthreads();
    if (local == 0) {
        float sum = 0.0f;
        for (unsigned int j = 0; j < tokens; j++) {
            sum = gp_add(sum, gammas[j]);
            gammas[j] = sum;
        }
    }

    // Of every token with its own key: all sums for the keys, then, through the same scratch, all for the queries.
    store_own_products(k_hat, keys, first_own, tokens);
    __syncthreads();
    add_own_products(key_products, tokens);
    if (!MISSING_BARRIER_SOLVE_DIAG) {
        __syncthreads();
    }
    store_own_products(q_hat, keys, first_own, tokens);
    __syncthreads();
    add_own_products(query_products, tokens);
    __syncthreads();
    // With the keys before it, the same, a batch of tokens at a time.
    float key_batch[BATCH], query_batch[BATCH];
    load_channel(k_hat, first_own, 0, tokens, key_batch);
    load_channel(q_hat, first_own, 0, tokens, query_batch);
#pragma unroll 1
    for (unsigned int first = 0; first < tokens; first += BATCH) {
        store_products(key_batch, keys, first);
        load_channel(k_hat, first_own, first + BATCH, tokens, key_batch);
        __syncthreads();
        add_products(key_products, first, tokens);
        if (!MISSING_BARRIER_SOLVE_KK) {
            __syncthreads();
        }
        store_products(query_batch, keys, first);
        load_channel(q_hat, first_own, first + BATCH, tokens, query_batch);
        __syncthreads();
        add_products(query_products, first, tokens);
        __syncthreads();
    }

    // The products become what is subtracted: of the w (in place of the keys' products) and of the u (of the queries').
    if (local < tokens) {
        gamma[first_gate + (size_t)local * HV] = gammas[local];
    }
    for (unsigned int at = local; at < CHUNK * CHUNK; at += INVOCATIONS) {
        unsigned int j = at / CHUNK;
        unsigned int r = at % CHUNK;
        if (r <= j && j < tokens) {
            float decay = gp_exp(gp_sub(gammas[j], gammas[r]));
            attention[(first_gate + (size_t)j * HV) * CHUNK + r] = gp_mul(decay, query_products[j][r]);
            float product = key_products[j][r];
            key_products[j][r] = gp_mul(own_betas[j], product);
            query_products[j][r] = gp_mul(gp_mul(own_betas[j], decay), product);
        } else {
            // Read with its neighbours, and not used.
            key_products[j][r] = 0.0f;
            query_products[j][r] = 0.0f;
        }
    }
    __syncthreads();

    // This channel of the w and u so far.
    float ws[CHUNK], us[CHUNK];
    float values[BLOCK], own_keys[BLOCK];
    load_channel(v_act, first_own, 0, tokens, values);
    load_channel(k_hat, first_own, 0, tokens, own_keys);
#pragma unroll 1
    for (unsigned int first = 0; first < tokens; first += BLOCK) {
        float block_w[BLOCK], block_u[BLOCK];
#pragma unroll
        for (unsigned int i = 0; i < BLOCK; i++) {
            float own_beta = first + i < tokens ? own_betas[first + i] : 0.0f;
            block_w[i] = gp_mul(own_beta, own_keys[i]);
            block_u[i] = gp_mul(own_beta, values[i]);
        }
        load_channel(v_act, first_own, first + BLOCK, tokens, values);
        load_channel(k_hat, first_own, first + BLOCK, tokens, own_keys);
        // The blocks in front, then this one.
#pragma unroll
        for (unsigned int r = 0; r < CHUNK; r += BLOCK) {
            if (r < first) {
#pragma unroll
                for (unsigned int i = 0; i < BLOCK; i++) {
                    if (first + i < tokens) {
                        subtract<BLOCK>(key_products[first + i] + r, ws + r, block_w[i]);
                        subtract<BLOCK>(query_products[first + i] + r, us + r, block_u[i]);
                    }
                }
            }
        }
        substitute<0>(first, tokens, block_w, block_u);
#pragma unroll
        for (unsigned int i = 0; i < BLOCK; i++) {
            if (first + i < tokens) {
                w[first_own + (first + i) * STRIDE] = block_w[i];
                u[first_own + (first + i) * STRIDE] = block_u[i];
            }
        }
#pragma unroll
        for (unsigned int r = 0; r < CHUNK; r += BLOCK) {
            if (r == first) {
#pragma unroll
                for (unsigned int i = 0; i < BLOCK; i++) {
                    ws[r + i] = block_w[i];
                    us[r + i] = block_u[i];
                }
            }
        }
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

// The same for two rows.
GP_FUNCTION void products(const Lane (&rows)[2], const float4 *vector, float (&sums)[2]) {
    float elements[4 * QUADS];
    load(vector, rows[0], elements);
#pragma unroll
    for (unsigned int i = 0; i < 2; i++) {
        float sum = 0.0f;
#pragma unroll
        for (unsigned int e = 0; e < 4 * QUADS; e++) {
            sum = gp_multiply_add(rows[i].elements[e], elements[e], sum);
        }
        sum = gp_add(sum, __shfl_xor_sync(0xffffffffu, sum, 1));
        sums[i] = gp_add(sum, __shfl_xor_sync(0xffffffffu, sum, 2));
    }
}

GP_FUNCTION float4 scaled(float4 quad, float factor) {
    return make_float4(gp_mul(quad.x, factor), gp_mul(quad.y, factor), gp_mul(quad.z, factor),
                       gp_mul(quad.w, factor));
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

// Tokens that `residual_output` and `state_update` take at a time.
constexpr unsigned int TILE = 16;
// Rows that a lane of `residual_output` takes, for every second token; and a lane of `state_update`.
constexpr unsigned int PAIR = 2;
constexpr unsigned int FOUR = 4;
// In workgroup memory rows are one element longer, so that neighbours in a column lie in different banks.
constexpr unsigned int PADDED_ROWS = ROWS + 1;
constexpr unsigned int PADDED_CHUNK = CHUNK + 1;

// The tokens of a tile, of vectors of a head: a quad of a token for each invocation, TILE_QUADS times.
constexpr unsigned int TILE_QUADS = TILE * ROW_QUADS / INVOCATIONS;

// This invocation's quads of `tokens` tokens from `gate` on, zeros behind them.
GP_FUNCTION void load_tile(const float4 *vectors, size_t gate, unsigned int tokens, float4 (&quads)[TILE_QUADS]) {
#pragma unroll
    for (unsigned int i = 0; i < TILE_QUADS; i++) {
        unsigned int at = i * INVOCATIONS + threadIdx.x;
        quads[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (at / ROW_QUADS < tokens) {
            quads[i] = vectors[(gate + (size_t)(at / ROW_QUADS) * HV) * ROW_QUADS + at % ROW_QUADS];
        }
    }
}

GP_FUNCTION void store_tile(const float4 (&quads)[TILE_QUADS], float4 *tile) {
#pragma unroll
    for (unsigned int i = 0; i < TILE_QUADS; i++) {
        tile[i * INVOCATIONS + threadIdx.x] = quads[i];
    }
}

// What `residual_output` asks for of a tile of tokens, before it computes with the tile in front of it. Behind the last
// token everything is zero.
struct OutputTile {
    static constexpr unsigned int SCORES = TILE * CHUNK / INVOCATIONS;

    float4 w[TILE_QUADS];
    float4 query[TILE_QUADS];
    // Of the tokens and rows of this invocation's products.
    float2 u[TILE / 2];
    float attention[SCORES];
    float gamma;

    // `first_token` is the tile's first, of the chunk; the two rows from `first_row` on are those of this invocation's
    // products, for every second token from `half` on.
    __device__ __forceinline__ void load(const float4 *w_of, const float4 *q_hat, const float *u_of,
                                         const float *attention_of, const float *gamma_of, size_t gate,
                                         unsigned int first_token, unsigned int tokens, unsigned int half,
                                         unsigned int first_row) {
        load_tile(w_of, gate, tokens, w);
        load_tile(q_hat, gate, tokens, query);
#pragma unroll
        for (unsigned int i = 0; i < TILE / 2; i++) {
            unsigned int j = 2 * i + half;
            u[i] = make_float2(0.0f, 0.0f);
            if (j < tokens) {
                u[i] = *(const float2 *)(u_of + (gate + (size_t)j * HV) * HEAD + first_row);
            }
        }
#pragma unroll
        for (unsigned int i = 0; i < SCORES; i++) {
            unsigned int at = i * INVOCATIONS + threadIdx.x;
            attention[i] = 0.0f;
            if (at / CHUNK < tokens && at % CHUNK <= first_token + at / CHUNK) {
                attention[i] = attention_of[(gate + (size_t)(at / CHUNK) * HV) * CHUNK + at % CHUNK];
            }
        }
        gamma = 0.0f;
        if (threadIdx.x < tokens) {
            gamma = gamma_of[gate + (size_t)threadIdx.x * HV];
        }
    }
};

// Of one chunk of every sequence: what the state does not know of the values, and what is read.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    residual_output(const int *__restrict__ sequence_start, float4 *__restrict__ state,
                    const float4 *__restrict__ q_hat, const float *__restrict__ gamma, const float4 *__restrict__ w,
                    const float *__restrict__ u, const float *__restrict__ attention, float *__restrict__ residual,
                    float *__restrict__ core, unsigned int index) {
    __shared__ float4 w_tile[TILE * ROW_QUADS];
    __shared__ float4 query_tile[TILE * ROW_QUADS];
    __shared__ float attention_tile[TILE * PADDED_CHUNK];
    __shared__ float decays[TILE];
    __shared__ float outputs[TILE * PADDED_ROWS];
    __shared__ float residuals[CHUNK * PADDED_ROWS];
    unsigned int first = sequence_start[blockIdx.x] + index * CHUNK;
    unsigned int end = sequence_start[blockIdx.x + 1];
    if (first >= end) {
        return;
    }
    unsigned int tokens = min(end - first, CHUNK);
    unsigned int local = threadIdx.x;
    size_t first_gate = (size_t)first * HV + blockIdx.y;
    // For the products with the state: two rows, every fourth quad of them, and every second token.
    unsigned int half = local / (INVOCATIONS / 2);
    unsigned int pair = local % (INVOCATIONS / 2) / LANES * PAIR;
    // For the sums over the tokens: one row, and every fourth token.
    unsigned int row = local / LANES;
    unsigned int number = local % LANES;
    unsigned int first_row = blockIdx.z * ROWS;

    OutputTile next;
    next.load(w, q_hat, u, attention, gamma, first_gate, 0, min(tokens, TILE), half, first_row + pair);
    Lane rows[PAIR];
#pragma unroll
    for (unsigned int i = 0; i < PAIR; i++) {
        rows[i].row = first_row + pair + i;
        rows[i].number = number;
        load(row_of(state, rows[i]), rows[i], rows[i].elements);
    }

#pragma unroll 1
    for (unsigned int tile = 0; tile < tokens; tile += TILE) {
        size_t gate = first_gate + (size_t)tile * HV;
        unsigned int in_tile = min(tokens - tile, TILE);
        store_tile(next.w, w_tile);
        store_tile(next.query, query_tile);
        float2 values[TILE / 2];
#pragma unroll
        for (unsigned int i = 0; i < TILE / 2; i++) {
            values[i] = next.u[i];
        }
#pragma unroll
        for (unsigned int i = 0; i < OutputTile::SCORES; i++) {
            unsigned int at = i * INVOCATIONS + local;
            attention_tile[at / CHUNK * PADDED_CHUNK + at % CHUNK] = next.attention[i];
        }
        if (local < TILE) {
            decays[local] = gp_exp(next.gamma);
        }
        __syncthreads();
        if (tile + TILE < tokens) {
            next.load(w, q_hat, u, attention, gamma, gate + (size_t)TILE * HV, tile + TILE,
                      min(tokens - tile - TILE, TILE), half, first_row + pair);
        }
#pragma unroll
        for (unsigned int i = 0; i < TILE / 2; i++) {
            unsigned int j = 2 * i + half;
            float known[PAIR], read[PAIR];
            products(rows, w_tile + j * ROW_QUADS, known);
            products(rows, query_tile + j * ROW_QUADS, read);
            float decay = decays[j];
            float2 left = make_float2(gp_sub(values[i].x, gp_mul(decay, known[0])),
                                      gp_sub(values[i].y, gp_mul(decay, known[1])));
            if (number == 0) {
                residuals[(tile + j) * PADDED_ROWS + pair] = left.x;
                residuals[(tile + j) * PADDED_ROWS + pair + 1] = left.y;
                outputs[j * PADDED_ROWS + pair] = gp_mul(decay, read[0]);
                outputs[j * PADDED_ROWS + pair + 1] = gp_mul(decay, read[1]);
                if (j < in_tile) {
                    *(float2 *)(residual + (gate + (size_t)j * HV) * HEAD + first_row + pair) = left;
                }
            }
        }
        __syncthreads();
        float sums[TILE / LANES];
#pragma unroll
        for (unsigned int i = 0; i < TILE / LANES; i++) {
            sums[i] = outputs[(i * LANES + number) * PADDED_ROWS + row];
        }
#pragma unroll 8
        for (unsigned int r = 0; r < tile; r++) {
            float left = residuals[r * PADDED_ROWS + row];
#pragma unroll
            for (unsigned int i = 0; i < TILE / LANES; i++) {
                unsigned int j = i * LANES + number;
                sums[i] = gp_multiply_add(attention_tile[j * PADDED_CHUNK + r], left, sums[i]);
            }
        }
#pragma unroll
        for (unsigned int r = 0; r < TILE; r++) {
            float left = residuals[(tile + r) * PADDED_ROWS + row];
#pragma unroll
            for (unsigned int i = r / LANES; i < TILE / LANES; i++) {
                unsigned int j = i * LANES + number;
                float sum = gp_multiply_add(attention_tile[j * PADDED_CHUNK + tile + r], left, sums[i]);
                sums[i] = r <= j ? sum : sums[i];
            }
        }
#pragma unroll
        for (unsigned int i = 0; i < TILE / LANES; i++) {
            unsigned int j = i * LANES + number;
            if (j < in_tile) {
                core[(gate + (size_t)j * HV) * HEAD + first_row + row] = gp_mul(SCALE, sums[i]);
            }
        }
        // The next tile takes the place of this one's scores.
        __syncthreads();
    }
}

// Of one chunk of every sequence: the state after it.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    state_update(const int *__restrict__ sequence_start, float4 *__restrict__ state, const float4 *__restrict__ k_hat,
                 const float *__restrict__ gamma, const float *__restrict__ residual, unsigned int index) {
    constexpr unsigned int UPDATE_LANES = INVOCATIONS / (ROWS / FOUR);
    constexpr unsigned int UPDATE_QUADS = ROW_QUADS / UPDATE_LANES;
    __shared__ float4 key_tile[TILE * ROW_QUADS];
    __shared__ float decays[CHUNK];
    __shared__ float4 factors[TILE * ROWS / FOUR];
    unsigned int first = sequence_start[blockIdx.x] + index * CHUNK;
    unsigned int end = sequence_start[blockIdx.x + 1];
    if (first >= end) {
        return;
    }
    unsigned int tokens = min(end - first, CHUNK);
    unsigned int local = threadIdx.x;
    size_t first_gate = (size_t)first * HV + blockIdx.y;
    float4 key_quads[TILE_QUADS];
    load_tile(k_hat, first_gate, min(tokens, TILE), key_quads);
    // Four rows, and every sixteenth quad of them.
    unsigned int four = local / UPDATE_LANES;
    unsigned int lane = local % UPDATE_LANES;
    size_t first_row = ((size_t)blockIdx.x * HV + blockIdx.y) * HEAD + blockIdx.z * ROWS + four * FOUR;
    float4 *rows = state + first_row * ROW_QUADS;
    float4 quads[FOUR][UPDATE_QUADS];
#pragma unroll
    for (unsigned int i = 0; i < FOUR; i++) {
#pragma unroll
        for (unsigned int m = 0; m < UPDATE_QUADS; m++) {
            quads[i][m] = rows[i * ROW_QUADS + m * UPDATE_LANES + lane];
        }
    }
    // Four rows of one token of every tile for each invocation.
    static_assert(TILE * ROWS / FOUR == INVOCATIONS, "somebody for every factor");
    unsigned int own_token = local / (ROWS / FOUR);
    float4 lefts[CHUNK / TILE];
#pragma unroll
    for (unsigned int tile = 0; tile < CHUNK; tile += TILE) {
        if (tile + own_token < tokens) {
            size_t head = (first_gate + (size_t)(tile + own_token) * HV) * HEAD;
            size_t at = head + blockIdx.z * ROWS + local % (ROWS / FOUR) * FOUR;
            lefts[tile / TILE] = *(const float4 *)(residual + at);
        }
    }
    float last_gamma = gamma[first_gate + (size_t)(tokens - 1) * HV];
    if (local < tokens) {
        decays[local] = gp_exp(gp_sub(last_gamma, gamma[first_gate + (size_t)local * HV]));
    }
    float decay = gp_exp(last_gamma);
#pragma unroll
    for (unsigned int i = 0; i < FOUR; i++) {
#pragma unroll
        for (unsigned int m = 0; m < UPDATE_QUADS; m++) {
            quads[i][m] = scaled(quads[i][m], decay);
        }
    }
    __syncthreads();
#pragma unroll
    for (unsigned int tile = 0; tile < CHUNK; tile += TILE) {
        if (tile >= tokens) {
            break;
        }
        size_t tile_gate = first_gate + (size_t)tile * HV;
        unsigned int in_tile = min(tokens - tile, TILE);
        store_tile(key_quads, key_tile);
        if (tile + own_token < tokens) {
            factors[local] = scaled(lefts[tile / TILE], decays[tile + own_token]);
        }
        __syncthreads();
        if (tile + TILE < tokens) {
            load_tile(k_hat, tile_gate + (size_t)TILE * HV, min(tokens - tile - TILE, TILE), key_quads);
        }
#pragma unroll 4
        for (unsigned int j = 0; j < in_tile; j++) {
            float4 own = factors[j * (ROWS / FOUR) + four];
            const float factor[FOUR] = {own.x, own.y, own.z, own.w};
#pragma unroll
            for (unsigned int m = 0; m < UPDATE_QUADS; m++) {
                float4 key = key_tile[j * ROW_QUADS + m * UPDATE_LANES + lane];
#pragma unroll
                for (unsigned int i = 0; i < FOUR; i++) {
                    quads[i][m].x = gp_multiply_add(factor[i], key.x, quads[i][m].x);
                    quads[i][m].y = gp_multiply_add(factor[i], key.y, quads[i][m].y);
                    quads[i][m].z = gp_multiply_add(factor[i], key.z, quads[i][m].z);
                    quads[i][m].w = gp_multiply_add(factor[i], key.w, quads[i][m].w);
                }
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (unsigned int i = 0; i < FOUR; i++) {
#pragma unroll
        for (unsigned int m = 0; m < UPDATE_QUADS; m++) {
            rows[i * ROW_QUADS + m * UPDATE_LANES + lane] = quads[i][m];
        }
    }
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
