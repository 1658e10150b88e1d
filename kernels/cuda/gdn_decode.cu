// Gated delta rule over a pool of states, one to eight tokens a request, after flashinfer pull requests 3147,
// 3145 and 3230.
//
// The twin of ../wgsl/gdn_decode.wgsl: the same grid, phases, barriers and owners of every store, and the same order
// of additions, so that both leave the same bits; that file says what is kept from upstream and what is mapped anew.
// A group of lanes lies in one subgroup here, so lanes always meet in shuffles.
//
// What differs: offsets have 64 bits; a lane asks for the states of its next rows before it computes with those it
// has, and for the first ones before the preparation; the two quads of a lane of `wide_vec` lie 16 quads apart in
// workgroup memory, so that no two lanes ask one bank at a time.

#include "numerics.cuh"

// Tokens of a request, 1 to 8.
#ifndef TOKENS
#error "TOKENS is a macro of the launch"
#endif
// Heads of q and k.
#ifndef H
#error "H is a macro of the launch"
#endif
// Heads of v and of the state, a multiple of H.
#ifndef HV
#error "HV is a macro of the launch"
#endif
// Elements from one slot of the pool to the next.
#ifndef SLOT_STRIDE
#error "SLOT_STRIDE is a macro of the launch"
#endif
// Tokens from one request to the next in `intermediate_states`, TOKENS or more.
#ifndef STEPS
#error "STEPS is a macro of the launch"
#endif
// Rows of a workgroup, in `wide_vec` and `ilp4`.
#ifndef TILE_V
#define TILE_V 32
#endif
// Whether the final state is stored.
#ifndef UPDATE
#define UPDATE 1
#endif
// Whether the state after every token is stored.
#ifndef CACHE
#define CACHE 0
#endif
// Variant `intermediate_by_slot`.
#ifndef INTERMEDIATE_BY_SLOT
#define INTERMEDIATE_BY_SLOT 0
#endif
// Variant `offset32`.
#ifndef OFFSET_32
#define OFFSET_32 0
#endif
// Variant `intermediate_offset32`.
#ifndef INTERMEDIATE_OFFSET_32
#define INTERMEDIATE_OFFSET_32 0
#endif
// Variant `wide_vec_no_pass_barrier`.
#ifndef MISSING_PASS_BARRIER
#define MISSING_PASS_BARRIER 0
#endif
// Variant `softplus_branchless`.
#ifndef SOFTPLUS_BRANCHLESS
#define SOFTPLUS_BRANCHLESS 0
#endif

constexpr unsigned int INVOCATIONS = 128;
constexpr unsigned int SUBGROUP = 32;
constexpr unsigned int PASS = INVOCATIONS / SUBGROUP;
// Rows of a state, and elements of a row.
constexpr int V = 128;
constexpr int K = 128;
// Quads of a row.
constexpr unsigned int QUADS = K / 4;
constexpr float EPSILON = 1e-6f;
// 1 / sqrt(K), rounded to f32.
constexpr float SCALE = 0.088388346f;

static_assert(TOKENS >= 1 && TOKENS <= 8 && STEPS >= TOKENS, "1 to 8 tokens, and a row for each");
static_assert(HV % H == 0, "a key head serves the same number of value heads as any other");

// Of every token: the normalised query (scaled) and key, the decay and the gate.
__shared__ float4 q_normed[TOKENS * QUADS];
__shared__ float4 k_normed[TOKENS * QUADS];
__shared__ float alphas[TOKENS];
__shared__ float betas[TOKENS];

// What a launch is given.
struct Tensors {
    const uint2 *__restrict__ q;
    const uint2 *__restrict__ k;
    const unsigned int *__restrict__ v;
    const unsigned short *__restrict__ a;
    const unsigned short *__restrict__ b;
    const float *__restrict__ a_log;
    const float *__restrict__ dt_bias;
    unsigned int *__restrict__ output;
};

// What a workgroup works on.
struct Work {
    unsigned int request;
    unsigned int value_head;
    unsigned int tile;
};

GP_FUNCTION Work work_of(unsigned int workgroup, unsigned int tiles) {
    unsigned int head = workgroup / tiles;
    return Work{head / HV, head % HV, workgroup % tiles};
}

// Position of a token and value head in `a` and `b`; in heads, in `v` and `output`.
GP_FUNCTION size_t gate_of(Work work, unsigned int token) {
    return ((size_t)work.request * TOKENS + token) * HV + work.value_head;
}

// The element at which the state of a value head begins, in the pool.
GP_FUNCTION long long state_offset(int slot, Work work) {
    int value_head = (int)work.value_head;
    if constexpr (OFFSET_32) {
        if constexpr (SLOT_STRIDE == (long long)HV * V * K) {
            return (slot * HV + value_head) * (V * K);
        } else {
            return slot * (int)SLOT_STRIDE + (long long)value_head * (V * K);
        }
    }
    return (long long)slot * SLOT_STRIDE + (long long)value_head * (V * K);
}

// The element at which the state of a value head after a token begins, in `intermediate_states`.
GP_FUNCTION long long intermediate_offset(Work work, int read_slot, int token) {
    int index = INTERMEDIATE_BY_SLOT ? read_slot : (int)work.request;
    int value_head = (int)work.value_head;
    if constexpr (INTERMEDIATE_OFFSET_32) {
        return ((index * STEPS + token) * HV + value_head) * (V * K);
    }
    return (((long long)index * STEPS + token) * HV + value_head) * (V * K);
}

GP_FUNCTION void add_products(float x, float y, float &sum) {
    sum = gp_multiply_add(x, y, sum);
}

// The products of a lane one after the other.
template <int ELEMENTS>
GP_FUNCTION float serial(const float (&x)[ELEMENTS], const float (&y)[ELEMENTS]) {
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++) {
        add_products(x[i], y[i], sum);
    }
    return sum;
}

// The products of the even elements of a lane, and those of the odd ones.
GP_FUNCTION float two_chains(const float (&x)[4], const float (&y)[4]) {
    float even = 0.0f;
    float odd = 0.0f;
    add_products(x[0], y[0], even);
    add_products(x[1], y[1], odd);
    add_products(x[2], y[2], even);
    add_products(x[3], y[3], odd);
    return gp_add(even, odd);
}

// The sums over a group of lanes, in every lane.
template <int LANES, int SUMS>
GP_FUNCTION void group_sums(float (&sums)[SUMS]) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
#pragma unroll
        for (int i = 0; i < SUMS; i++) {
            sums[i] = gp_add(sums[i], __shfl_xor_sync(0xffffffffu, sums[i], distance));
        }
    }
}

GP_FUNCTION void unpack_quad(float4 quad, float *numbers) {
    numbers[0] = quad.x;
    numbers[1] = quad.y;
    numbers[2] = quad.z;
    numbers[3] = quad.w;
}

GP_FUNCTION void unpack_pair(unsigned int word, float *numbers) {
    numbers[0] = gp_bf16x2_lo(word);
    numbers[1] = gp_bf16x2_hi(word);
}

// bf16 states: groups of 16 lanes, eight elements a lane, four rows at a time.
struct Wide {
    typedef unsigned short Element;
    typedef uint4 Word;
    static constexpr int ELEMENTS = 8;
    static constexpr int LANES = 16;
    static constexpr int ROWS = 4;
    static constexpr int TILES = V / TILE_V;
    static constexpr int ITERATIONS = TILE_V / 32;

    static __device__ __forceinline__ unsigned int row(unsigned int tile, unsigned int group, unsigned int iteration) {
        return tile * TILE_V + group * (TILE_V / 8) + iteration * ROWS;
    }

    static __device__ __forceinline__ float dot(const float (&x)[8], const float (&y)[8]) {
        return serial(x, y);
    }

    // Where a quad of a row lies in workgroup memory.
    static __device__ __forceinline__ unsigned int place(unsigned int quad) {
        return quad % 2 * LANES + quad / 2;
    }

    static __device__ __forceinline__ void unpack(uint4 word, float (&numbers)[8]) {
        unpack_pair(word.x, numbers);
        unpack_pair(word.y, numbers + 2);
        unpack_pair(word.z, numbers + 4);
        unpack_pair(word.w, numbers + 6);
    }

    static __device__ __forceinline__ uint4 pack(const float (&numbers)[8]) {
        return make_uint4(gp_bf16x2_pack(numbers[0], numbers[1]), gp_bf16x2_pack(numbers[2], numbers[3]),
                          gp_bf16x2_pack(numbers[4], numbers[5]), gp_bf16x2_pack(numbers[6], numbers[7]));
    }
};

// bf16 states: groups of 32 lanes, four elements a lane in two chains, four rows at a time.
struct Ilp4 {
    typedef unsigned short Element;
    typedef uint2 Word;
    static constexpr int ELEMENTS = 4;
    static constexpr int LANES = 32;
    static constexpr int ROWS = 4;
    static constexpr int TILES = V / TILE_V;
    static constexpr int ITERATIONS = TILE_V / 16;

    static __device__ __forceinline__ unsigned int row(unsigned int tile, unsigned int group, unsigned int iteration) {
        return tile * TILE_V + group * (TILE_V / 4) + iteration * ROWS;
    }

    static __device__ __forceinline__ float dot(const float (&x)[4], const float (&y)[4]) {
        return two_chains(x, y);
    }

    static __device__ __forceinline__ unsigned int place(unsigned int quad) {
        return quad;
    }

    static __device__ __forceinline__ void unpack(uint2 word, float (&numbers)[4]) {
        unpack_pair(word.x, numbers);
        unpack_pair(word.y, numbers + 2);
    }

    static __device__ __forceinline__ uint2 pack(const float (&numbers)[4]) {
        return make_uint2(gp_bf16x2_pack(numbers[0], numbers[1]), gp_bf16x2_pack(numbers[2], numbers[3]));
    }
};

// f32 states: groups of 32 lanes, four elements a lane, two rows of each of two tiles of eight.
struct Pretranspose {
    typedef float Element;
    typedef float4 Word;
    static constexpr int ELEMENTS = 4;
    static constexpr int LANES = 32;
    static constexpr int ROWS = 2;
    static constexpr int TILES = V / 16;
    static constexpr int ITERATIONS = 2;

    static __device__ __forceinline__ unsigned int row(unsigned int tile, unsigned int group, unsigned int iteration) {
        return tile * 16 + iteration * 8 + group * ROWS;
    }

    static __device__ __forceinline__ float dot(const float (&x)[4], const float (&y)[4]) {
        return serial(x, y);
    }

    static __device__ __forceinline__ unsigned int place(unsigned int quad) {
        return quad;
    }

    static __device__ __forceinline__ void unpack(float4 word, float (&numbers)[4]) {
        unpack_quad(word, numbers);
    }

    static __device__ __forceinline__ float4 pack(const float (&numbers)[4]) {
        return make_float4(numbers[0], numbers[1], numbers[2], numbers[3]);
    }
};

// The rows that a lane holds a part of.
template <typename Kind>
struct Rows {
    float state[Kind::ROWS][Kind::ELEMENTS];

    __device__ __forceinline__ void unpack(const typename Kind::Word (&words)[Kind::ROWS]) {
#pragma unroll
        for (int r = 0; r < Kind::ROWS; r++) {
            Kind::unpack(words[r], state[r]);
        }
    }

    // One token: the state decays, learns what it did not know of `values`, and is read.
    __device__ __forceinline__ void step(unsigned int token, unsigned int lane, const float (&values)[Kind::ROWS],
                                         float (&read)[Kind::ROWS]) {
        float query[Kind::ELEMENTS], key[Kind::ELEMENTS];
#pragma unroll
        for (unsigned int i = 0; i < Kind::ELEMENTS / 4; i++) {
            // The quads of a lane are neighbours.
            unsigned int place = token * QUADS + Kind::place(lane * (Kind::ELEMENTS / 4) + i);
            unpack_quad(q_normed[place], query + 4 * i);
            unpack_quad(k_normed[place], key + 4 * i);
        }
        float alpha = alphas[token];
        float beta = betas[token];
        float known[Kind::ROWS];
#pragma unroll
        for (int r = 0; r < Kind::ROWS; r++) {
#pragma unroll
            for (int i = 0; i < Kind::ELEMENTS; i++) {
                state[r][i] = gp_mul(alpha, state[r][i]);
            }
            known[r] = Kind::dot(state[r], key);
        }
        group_sums<Kind::LANES>(known);
#pragma unroll
        for (int r = 0; r < Kind::ROWS; r++) {
            float delta = gp_mul(gp_sub(values[r], known[r]), beta);
#pragma unroll
            for (int i = 0; i < Kind::ELEMENTS; i++) {
                state[r][i] = gp_multiply_add(delta, key[i], state[r][i]);
            }
            read[r] = Kind::dot(state[r], query);
        }
        group_sums<Kind::LANES>(read);
    }

    __device__ __forceinline__ void store(typename Kind::Element *row) const {
#pragma unroll
        for (int r = 0; r < Kind::ROWS; r++) {
            *(typename Kind::Word *)(row + r * K) = Kind::pack(state[r]);
        }
    }
};

template <typename Kind>
GP_FUNCTION void load_rows(const typename Kind::Element *row, typename Kind::Word (&words)[Kind::ROWS]) {
#pragma unroll
    for (int r = 0; r < Kind::ROWS; r++) {
        words[r] = *(const typename Kind::Word *)(row + r * K);
    }
}

// Two or four rows from `v` on, and into `output`.
GP_FUNCTION void load_values(const unsigned int *words, float (&values)[4]) {
    uint2 pairs = *(const uint2 *)words;
    unpack_pair(pairs.x, values);
    unpack_pair(pairs.y, values + 2);
}

GP_FUNCTION void load_values(const unsigned int *words, float (&values)[2]) {
    unpack_pair(*words, values);
}

GP_FUNCTION void store_values(unsigned int *words, const float (&values)[4]) {
    *(uint2 *)words = make_uint2(gp_bf16x2_pack(values[0], values[1]), gp_bf16x2_pack(values[2], values[3]));
}

GP_FUNCTION void store_values(unsigned int *words, const float (&values)[2]) {
    *words = gp_bf16x2_pack(values[0], values[1]);
}

GP_FUNCTION float softplus(float x) {
    if constexpr (SOFTPLUS_BRANCHLESS) {
        float u = x <= 20.0f ? 1.0f : 0.0f;
        return gp_add(gp_mul(u, gp_log1p(gp_exp(x))), gp_mul(gp_sub(1.0f, u), x));
    }
    return gp_softplus(x);
}

GP_FUNCTION void store_gates(const Tensors &tensors, Work work, unsigned int token) {
    size_t at = gate_of(work, token);
    float x = gp_add(gp_bf16_to_f32(tensors.a[at]), tensors.dt_bias[work.value_head]);
    float g = gp_mul(-gp_exp(tensors.a_log[work.value_head]), softplus(x));
    alphas[token] = gp_exp(g);
    betas[token] = gp_sigmoid(gp_bf16_to_f32(tensors.b[at]));
}

GP_FUNCTION float4 scaled(const float (&numbers)[4], float factor) {
    return make_float4(gp_mul(numbers[0], factor), gp_mul(numbers[1], factor), gp_mul(numbers[2], factor),
                       gp_mul(numbers[3], factor));
}

// Query, key and gates of every token: a subgroup takes one, four elements a lane.
template <typename Kind>
GP_FUNCTION void prepare(const Tensors &tensors, Work work, unsigned int local) {
    unsigned int lane = local % SUBGROUP;
#pragma unroll 1
    for (unsigned int first = 0; first < TOKENS; first += PASS) {
        unsigned int token = first + local / SUBGROUP;
        if (token < TOKENS) {
            size_t head = ((size_t)work.request * TOKENS + token) * H + work.value_head / (HV / H);
            float query[4], key[4];
            uint2 words = tensors.q[head * QUADS + lane];
            unpack_pair(words.x, query);
            unpack_pair(words.y, query + 2);
            words = tensors.k[head * QUADS + lane];
            unpack_pair(words.x, key);
            unpack_pair(words.y, key + 2);
            float squares[2] = {serial(query, query), serial(key, key)};
            group_sums<SUBGROUP>(squares);
            unsigned int place = token * QUADS + Kind::place(lane);
            q_normed[place] = scaled(query, gp_mul(gp_rsqrt(gp_add(squares[0], EPSILON)), SCALE));
            k_normed[place] = scaled(key, gp_rsqrt(gp_add(squares[1], EPSILON)));
            if (lane == 0) {
                store_gates(tensors, work, token);
            }
        }
        if constexpr (!MISSING_PASS_BARRIER) {
            __syncthreads();
        }
    }
}

// All tokens of the rows of a workgroup. A state is stored to `write_slot` where that is not negative.
template <typename Kind>
GP_FUNCTION void decode(const Tensors &tensors, Work work, int read_slot, int write_slot,
                        typename Kind::Element *state_pool, typename Kind::Element *intermediate_states) {
    unsigned int local = threadIdx.x;
    unsigned int lane = local % Kind::LANES;
    unsigned int group = local / Kind::LANES;
    // What this lane holds of row 0.
    const typename Kind::Element *source = state_pool + state_offset(read_slot, work) + lane * Kind::ELEMENTS;
    typename Kind::Word next[Kind::ROWS];
    load_rows<Kind>(source + Kind::row(work.tile, group, 0) * K, next);
    prepare<Kind>(tensors, work, local);

#pragma unroll 1
    for (unsigned int iteration = 0; iteration < Kind::ITERATIONS; iteration++) {
        unsigned int row = Kind::row(work.tile, group, iteration);
        Rows<Kind> rows;
        rows.unpack(next);
        if (iteration + 1 < Kind::ITERATIONS) {
            load_rows<Kind>(source + Kind::row(work.tile, group, iteration + 1) * K, next);
        }
#pragma unroll 1
        for (unsigned int token = 0; token < TOKENS; token++) {
            size_t at = gate_of(work, token) * (V / 2) + row / 2;
            float values[Kind::ROWS], read[Kind::ROWS];
            load_values(tensors.v + at, values);
            rows.step(token, lane, values, read);
            if (lane == 0) {
                store_values(tensors.output + at, read);
            }
            if constexpr (CACHE) {
                long long offset = intermediate_offset(work, read_slot, (int)token);
                rows.store(intermediate_states + offset + row * K + lane * Kind::ELEMENTS);
            }
        }
        if (UPDATE && write_slot >= 0) {
            rows.store(state_pool + state_offset(write_slot, work) + row * K + lane * Kind::ELEMENTS);
        }
    }
}

extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    wide_vec(const uint2 *__restrict__ q, const uint2 *__restrict__ k, const unsigned int *__restrict__ v,
             const unsigned short *__restrict__ a, const unsigned short *__restrict__ b,
             const float *__restrict__ a_log, const float *__restrict__ dt_bias,
             const int *__restrict__ read_indices, const int *__restrict__ write_indices,
             unsigned short *state_pool, unsigned int *__restrict__ output, unsigned short *intermediate_states) {
    Work work = work_of(blockIdx.x, Wide::TILES);
    int read_slot = max(read_indices[work.request], 0);
    int write_slot = max(write_indices[work.request], 0);
    const Tensors tensors = {q, k, v, a, b, a_log, dt_bias, output};
    decode<Wide>(tensors, work, read_slot, write_slot, state_pool, intermediate_states);
}

extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    ilp4(const uint2 *__restrict__ q, const uint2 *__restrict__ k, const unsigned int *__restrict__ v,
         const unsigned short *__restrict__ a, const unsigned short *__restrict__ b, const float *__restrict__ a_log,
         const float *__restrict__ dt_bias, const int *__restrict__ read_indices,
         const int *__restrict__ write_indices, unsigned short *state_pool, unsigned int *__restrict__ output,
         unsigned short *intermediate_states) {
    Work work = work_of(blockIdx.x, Ilp4::TILES);
    int read_slot = max(read_indices[work.request], 0);
    int write_slot = max(write_indices[work.request], 0);
    const Tensors tensors = {q, k, v, a, b, a_log, dt_bias, output};
    decode<Ilp4>(tensors, work, read_slot, write_slot, state_pool, intermediate_states);
}

extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    pretranspose(const uint2 *__restrict__ q, const uint2 *__restrict__ k, const unsigned int *__restrict__ v,
                 const unsigned short *__restrict__ a, const unsigned short *__restrict__ b,
                 const float *__restrict__ a_log, const float *__restrict__ dt_bias,
                 const int *__restrict__ read_indices, const int *__restrict__ write_indices, float *state_pool,
                 unsigned int *__restrict__ output, float *intermediate_states) {
    Work work = work_of(blockIdx.x, Pretranspose::TILES);
    int read_index = read_indices[work.request];
    if (read_index < 0) {
        // Skipped: its output is zero, and nothing else is touched.
        if (threadIdx.x % Pretranspose::LANES == 0) {
            unsigned int row = Pretranspose::row(work.tile, threadIdx.x / Pretranspose::LANES, 0);
#pragma unroll 1
            for (unsigned int token = 0; token < TOKENS; token++) {
                size_t at = gate_of(work, token) * (V / 2) + row / 2;
                output[at] = 0;
                output[at + 4] = 0;
            }
        }
        return;
    }
    const Tensors tensors = {q, k, v, a, b, a_log, dt_bias, output};
    decode<Pretranspose>(tensors, work, read_index, write_indices[work.request], state_pool, intermediate_states);
}
