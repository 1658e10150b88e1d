// Gated delta rule over a pool of states, one to eight tokens a request, after flashinfer pull requests 3147,
// 3145 and 3230.
//
// The twin of ../wgsl/gdn_decode.wgsl: the same grid, phases and barriers, and the same order of additions, so that
// both leave the same bits; that file says what is kept from upstream and what is mapped anew.
//
// What differs: offsets have 64 bits. Every kernel has groups of 8 lanes with 16 elements of a row each, whole blocks of
// those that the twin sums on their own: the first additions of a sum over lanes are made inside a lane, and the lanes
// share the rows of the others, so that 4 rows cost 4 shuffles and not 12. The gates of all tokens are made by lanes of
// the first subgroup. What does not depend on the slot is asked for before the slot is known, and the value of a token
// while the one before it is computed.

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
// Lanes that share rows, and groups of them.
constexpr int LANES = 8;
constexpr int GROUPS = INVOCATIONS / LANES;
// Rows that a group has at a time, at most: a single token leaves registers for more, and more memory to ask for.
constexpr int MOST_ROWS = TOKENS == 1 ? 8 : 4;
// Rows of a state, and elements of a row.
constexpr int V = 128;
constexpr int K = 128;
// Elements of a row that a lane has.
constexpr int ELEMENTS = K / LANES;
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

// The products of a block one after the other.
template <int ELEMENTS>
GP_FUNCTION float serial(const float *x, const float *y) {
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < ELEMENTS; i++) {
        add_products(x[i], y[i], sum);
    }
    return sum;
}

// The products of the even elements of a block of four, and those of the odd ones.
GP_FUNCTION float two_chains(const float *x, const float *y) {
    float even = 0.0f;
    float odd = 0.0f;
    add_products(x[0], y[0], even);
    add_products(x[1], y[1], odd);
    add_products(x[2], y[2], even);
    add_products(x[3], y[3], odd);
    return gp_add(even, odd);
}

// The sums over a subgroup, in every lane.
template <int SUMS>
GP_FUNCTION void subgroup_sums(float (&sums)[SUMS]) {
#pragma unroll
    for (int distance = SUBGROUP / 2; distance > 0; distance /= 2) {
#pragma unroll
        for (int i = 0; i < SUMS; i++) {
            sums[i] = gp_add(sums[i], __shfl_xor_sync(0xffffffffu, sums[i], distance));
        }
    }
}

// The sums of ROWS rows over a group of lanes: each lane ends with the sum of one row, `row_of(lane)`. As long as a
// lane has several rows, the two lanes of a pair share them: each adds the half that it keeps.
template <int ROWS>
GP_FUNCTION float shared_sum(const float (&sums)[ROWS], unsigned int lane) {
    float kept[ROWS];
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
        kept[i] = sums[i];
    }
    int rows = ROWS;
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
        if (rows > 1) {
            bool upper = (lane & distance) != 0;
            rows /= 2;
#pragma unroll
            for (int i = 0; i < rows; i++) {
                float given = upper ? kept[i] : kept[rows + i];
                float own = upper ? kept[rows + i] : kept[i];
                kept[i] = gp_add(own, __shfl_xor_sync(0xffffffffu, given, distance));
            }
        } else {
            kept[0] = gp_add(kept[0], __shfl_xor_sync(0xffffffffu, kept[0], distance));
        }
    }
    return kept[0];
}

// Of ROWS rows the one whose sum a lane has, and the first lane that has the sum of a row.
template <int ROWS>
GP_FUNCTION unsigned int row_of(unsigned int lane) {
    return lane / (LANES / ROWS);
}

template <int ROWS>
GP_FUNCTION unsigned int owner_of(unsigned int row) {
    return row * (LANES / ROWS);
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

// How a row is divided into blocks, each of which is summed on its own. A lane has every LANES-th of them.

// bf16 states, blocks of eight.
struct Wide {
    typedef unsigned short Element;
    static constexpr int BLOCK = 8;
    static constexpr int TILE = TILE_V;

    static __device__ __forceinline__ float dot(const float *x, const float *y) {
        return serial<8>(x, y);
    }

    static __device__ __forceinline__ void load(const Element *row, unsigned int lane, float (&numbers)[ELEMENTS]) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            uint4 word = ((const uint4 *)row)[i * LANES + lane];
            unpack_pair(word.x, numbers + 8 * i);
            unpack_pair(word.y, numbers + 8 * i + 2);
            unpack_pair(word.z, numbers + 8 * i + 4);
            unpack_pair(word.w, numbers + 8 * i + 6);
        }
    }

    static __device__ __forceinline__ void store(Element *row, unsigned int lane, const float (&numbers)[ELEMENTS]) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float eight[8];
#pragma unroll
            for (int e = 0; e < 8; e++) {
                eight[e] = numbers[8 * i + e];
            }
            ((uint4 *)row)[i * LANES + lane] = gp_bf16x8_pack(eight);
        }
    }
};

// bf16 states, blocks of four in two chains.
struct Ilp4 {
    typedef unsigned short Element;
    static constexpr int BLOCK = 4;
    static constexpr int TILE = TILE_V;

    static __device__ __forceinline__ float dot(const float *x, const float *y) {
        return two_chains(x, y);
    }

    static __device__ __forceinline__ void load(const Element *row, unsigned int lane, float (&numbers)[ELEMENTS]) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            uint2 word = ((const uint2 *)row)[i * LANES + lane];
            unpack_pair(word.x, numbers + 4 * i);
            unpack_pair(word.y, numbers + 4 * i + 2);
        }
    }

    static __device__ __forceinline__ void store(Element *row, unsigned int lane, const float (&numbers)[ELEMENTS]) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            ((uint2 *)row)[i * LANES + lane] = make_uint2(gp_bf16x2_pack(numbers[4 * i], numbers[4 * i + 1]),
                                                          gp_bf16x2_pack(numbers[4 * i + 2], numbers[4 * i + 3]));
        }
    }
};

// f32 states, blocks of four.
struct Pretranspose {
    typedef float Element;
    static constexpr int BLOCK = 4;
    static constexpr int TILE = 16;

    static __device__ __forceinline__ float dot(const float *x, const float *y) {
        return serial<4>(x, y);
    }

    static __device__ __forceinline__ void load(const Element *row, unsigned int lane, float (&numbers)[ELEMENTS]) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            unpack_quad(((const float4 *)row)[i * LANES + lane], numbers + 4 * i);
        }
    }

    static __device__ __forceinline__ void store(Element *row, unsigned int lane, const float (&numbers)[ELEMENTS]) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            ((float4 *)row)[i * LANES + lane] =
                make_float4(numbers[4 * i], numbers[4 * i + 1], numbers[4 * i + 2], numbers[4 * i + 3]);
        }
    }
};

// Rows that a group of lanes has at a time, rows of all of it, and times.
template <typename Kind>
struct Tiling {
    static constexpr int OF_GROUP = Kind::TILE / GROUPS;
    static constexpr int ROWS = OF_GROUP < MOST_ROWS ? OF_GROUP : MOST_ROWS;
    static constexpr int ITERATIONS = OF_GROUP / ROWS;
    static constexpr int TILES = V / Kind::TILE;
};

// Where a quad of a row lies in workgroup memory: what the lanes of a group ask for at a time lies together.
template <typename Kind>
GP_FUNCTION unsigned int place(unsigned int quad) {
    constexpr unsigned int QUADS_OF_BLOCK = Kind::BLOCK / 4;
    unsigned int block = quad / QUADS_OF_BLOCK;
    return (block / LANES * QUADS_OF_BLOCK + quad % QUADS_OF_BLOCK) * LANES + block % LANES;
}

// A lane's part of a vector in workgroup memory.
template <typename Kind>
GP_FUNCTION void load_vector(const float4 *vector, unsigned int lane, float (&numbers)[ELEMENTS]) {
#pragma unroll
    for (int i = 0; i < ELEMENTS / 4; i++) {
        unpack_quad(vector[i * LANES + lane], numbers + 4 * i);
    }
}

// A lane's part of a row times a vector: block by block, then those that are added first.
template <typename Kind>
GP_FUNCTION float dot(const float (&x)[ELEMENTS], const float (&y)[ELEMENTS]) {
    constexpr int BLOCKS = ELEMENTS / Kind::BLOCK;
    float sums[BLOCKS];
#pragma unroll
    for (int i = 0; i < BLOCKS; i++) {
        sums[i] = Kind::dot(x + i * Kind::BLOCK, y + i * Kind::BLOCK);
    }
#pragma unroll
    for (int half = BLOCKS / 2; half > 0; half /= 2) {
#pragma unroll
        for (int i = 0; i < half; i++) {
            sums[i] = gp_add(sums[i], sums[half + i]);
        }
    }
    return sums[0];
}

GP_FUNCTION float softplus(float x) {
    if constexpr (SOFTPLUS_BRANCHLESS) {
        float u = x <= 20.0f ? 1.0f : 0.0f;
        return gp_add(gp_mul(u, gp_log1p(gp_exp(x))), gp_mul(gp_sub(1.0f, u), x));
    }
    return gp_softplus(x);
}

GP_FUNCTION float4 scaled(const float (&numbers)[4], float factor) {
    return make_float4(gp_mul(numbers[0], factor), gp_mul(numbers[1], factor), gp_mul(numbers[2], factor),
                       gp_mul(numbers[3], factor));
}

// The gates of a token: what they are made of, and they themselves.
struct Gates {
    unsigned short a;
    unsigned short b;
    float a_log;
    float dt_bias;

    __device__ __forceinline__ void load(const Tensors &tensors, Work work, unsigned int token) {
        size_t at = gate_of(work, token);
        a = tensors.a[at];
        b = tensors.b[at];
        a_log = tensors.a_log[work.value_head];
        dt_bias = tensors.dt_bias[work.value_head];
    }

    __device__ __forceinline__ void store(unsigned int token) const {
        float x = gp_add(gp_bf16_to_f32(a), dt_bias);
        float g = gp_mul(-gp_exp(a_log), softplus(x));
        alphas[token] = gp_exp(g);
        betas[token] = gp_sigmoid(gp_bf16_to_f32(b));
    }
};

// Query and key of a token: four elements a lane of a subgroup.
struct Heads {
    uint2 query;
    uint2 key;

    __device__ __forceinline__ void load(const Tensors &tensors, Work work, unsigned int token, unsigned int lane) {
        size_t head = ((size_t)work.request * TOKENS + token) * H + work.value_head / (HV / H);
        query = tensors.q[head * QUADS + lane];
        key = tensors.k[head * QUADS + lane];
    }

    template <typename Kind>
    __device__ __forceinline__ void store(unsigned int token, unsigned int lane) const {
        float q[4], k[4];
        unpack_pair(query.x, q);
        unpack_pair(query.y, q + 2);
        unpack_pair(key.x, k);
        unpack_pair(key.y, k + 2);
        float squares[2] = {serial<4>(q, q), serial<4>(k, k)};
        subgroup_sums(squares);
        unsigned int at = token * QUADS + place<Kind>(lane);
        q_normed[at] = scaled(q, gp_mul(gp_rsqrt(gp_add(squares[0], EPSILON)), SCALE));
        k_normed[at] = scaled(k, gp_rsqrt(gp_add(squares[1], EPSILON)));
    }
};

// What a workgroup asks for before it knows where its states are: the first subgroup's lanes have the gates of all
// tokens, and every subgroup has a token's query and key.
struct Preparation {
    Gates gates;
    Heads heads;

    __device__ __forceinline__ void load(const Tensors &tensors, Work work) {
        unsigned int token = threadIdx.x / SUBGROUP;
        unsigned int lane = threadIdx.x % SUBGROUP;
        if (threadIdx.x < TOKENS) {
            gates.load(tensors, work, threadIdx.x);
        }
        if (token < TOKENS) {
            heads.load(tensors, work, token, lane);
        }
    }

    // Query, key and gates of every token: a subgroup takes one.
    template <typename Kind>
    __device__ __forceinline__ void store(const Tensors &tensors, Work work) {
        unsigned int lane = threadIdx.x % SUBGROUP;
        if (threadIdx.x < TOKENS) {
            gates.store(threadIdx.x);
        }
#pragma unroll
        for (unsigned int first = 0; first < TOKENS; first += PASS) {
            unsigned int token = first + threadIdx.x / SUBGROUP;
            if (token < TOKENS) {
                Heads own = heads;
                if (token + PASS < TOKENS) {
                    heads.load(tensors, work, token + PASS, lane);
                }
                own.store<Kind>(token, lane);
            }
            if constexpr (!MISSING_PASS_BARRIER) {
                __syncthreads();
            }
        }
    }
};

// All tokens of the rows of a workgroup. A state is stored to `write_slot` where that is not negative.
template <typename Kind>
GP_FUNCTION void decode(const Tensors &tensors, Work work, Preparation &preparation, int read_slot, int write_slot,
                        typename Kind::Element *state_pool, typename Kind::Element *intermediate_states) {
    constexpr int ROWS = Tiling<Kind>::ROWS;
    unsigned int lane = threadIdx.x % LANES;
    unsigned int group = threadIdx.x / LANES;
    // The row whose sums this lane has.
    unsigned int own = row_of<ROWS>(lane);
    bool owns = lane == owner_of<ROWS>(own);
    unsigned int row = work.tile * Kind::TILE + group * Tiling<Kind>::OF_GROUP;
    const typename Kind::Element *source = state_pool + state_offset(read_slot, work);

    float state[ROWS][ELEMENTS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        Kind::load(source + (row + r) * K, lane, state[r]);
    }
    const unsigned short *values = (const unsigned short *)tensors.v;
    unsigned short *outputs = (unsigned short *)tensors.output;
    size_t at = gate_of(work, 0) * V + row + own;
    unsigned int value = values[at];
    preparation.store<Kind>(tensors, work);

#pragma unroll 1
    for (unsigned int iteration = 0; iteration < Tiling<Kind>::ITERATIONS; iteration++) {
        if (iteration > 0) {
            row += ROWS;
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                Kind::load(source + (row + r) * K, lane, state[r]);
            }
            at = gate_of(work, 0) * V + row + own;
            value = values[at];
        }
#pragma unroll 1
        for (unsigned int token = 0; token < TOKENS; token++) {
            float wanted = gp_bf16_to_f32(value);
            if (token + 1 < TOKENS) {
                value = values[at + (size_t)HV * V];
            }
            // The state decays, learns what it did not know of the value, and is read.
            float vector[ELEMENTS], sums[ROWS];
            load_vector<Kind>(k_normed + token * QUADS, lane, vector);
            float alpha = alphas[token];
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
#pragma unroll
                for (int i = 0; i < ELEMENTS; i++) {
                    state[r][i] = gp_mul(alpha, state[r][i]);
                }
                sums[r] = dot<Kind>(state[r], vector);
            }
            float own_delta = gp_mul(gp_sub(wanted, shared_sum<ROWS>(sums, lane)), betas[token]);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                float delta = __shfl_sync(0xffffffffu, own_delta, owner_of<ROWS>(r), LANES);
#pragma unroll
                for (int i = 0; i < ELEMENTS; i++) {
                    state[r][i] = gp_multiply_add(delta, vector[i], state[r][i]);
                }
            }
            load_vector<Kind>(q_normed + token * QUADS, lane, vector);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                sums[r] = dot<Kind>(state[r], vector);
            }
            float read = shared_sum<ROWS>(sums, lane);
            if (owns) {
                outputs[at] = (unsigned short)gp_f32_to_bf16(read);
            }
            at += (size_t)HV * V;
            if constexpr (CACHE) {
                long long offset = intermediate_offset(work, read_slot, (int)token);
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    Kind::store(intermediate_states + offset + (row + r) * K, lane, state[r]);
                }
            }
        }
        if (UPDATE && write_slot >= 0) {
            typename Kind::Element *target = state_pool + state_offset(write_slot, work);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                Kind::store(target + (row + r) * K, lane, state[r]);
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    wide_vec(const uint2 *__restrict__ q, const uint2 *__restrict__ k, const unsigned int *__restrict__ v,
             const unsigned short *__restrict__ a, const unsigned short *__restrict__ b,
             const float *__restrict__ a_log, const float *__restrict__ dt_bias,
             const int *__restrict__ read_indices, const int *__restrict__ write_indices,
             unsigned short *state_pool, unsigned int *__restrict__ output, unsigned short *intermediate_states) {
    Work work = work_of(blockIdx.x, Tiling<Wide>::TILES);
    const Tensors tensors = {q, k, v, a, b, a_log, dt_bias, output};
    Preparation preparation;
    preparation.load(tensors, work);
    int read_slot = max(read_indices[work.request], 0);
    int write_slot = max(write_indices[work.request], 0);
    decode<Wide>(tensors, work, preparation, read_slot, write_slot, state_pool, intermediate_states);
}

extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    ilp4(const uint2 *__restrict__ q, const uint2 *__restrict__ k, const unsigned int *__restrict__ v,
         const unsigned short *__restrict__ a, const unsigned short *__restrict__ b, const float *__restrict__ a_log,
         const float *__restrict__ dt_bias, const int *__restrict__ read_indices,
         const int *__restrict__ write_indices, unsigned short *state_pool, unsigned int *__restrict__ output,
         unsigned short *intermediate_states) {
    Work work = work_of(blockIdx.x, Tiling<Ilp4>::TILES);
    const Tensors tensors = {q, k, v, a, b, a_log, dt_bias, output};
    Preparation preparation;
    preparation.load(tensors, work);
    int read_slot = max(read_indices[work.request], 0);
    int write_slot = max(write_indices[work.request], 0);
    decode<Ilp4>(tensors, work, preparation, read_slot, write_slot, state_pool, intermediate_states);
}

extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    pretranspose(const uint2 *__restrict__ q, const uint2 *__restrict__ k, const unsigned int *__restrict__ v,
                 const unsigned short *__restrict__ a, const unsigned short *__restrict__ b,
                 const float *__restrict__ a_log, const float *__restrict__ dt_bias,
                 const int *__restrict__ read_indices, const int *__restrict__ write_indices, float *state_pool,
                 unsigned int *__restrict__ output, float *intermediate_states) {
    Work work = work_of(blockIdx.x, Tiling<Pretranspose>::TILES);
    const Tensors tensors = {q, k, v, a, b, a_log, dt_bias, output};
    int read_index = read_indices[work.request];
    if (read_index < 0) {
        // Skipped: its output is zero, and nothing else is touched.
        unsigned int row = work.tile * Pretranspose::TILE + threadIdx.x / LANES * 2;
        if (threadIdx.x % LANES == 0 && threadIdx.x / LANES < Pretranspose::TILE / 2) {
#pragma unroll 1
            for (unsigned int token = 0; token < TOKENS; token++) {
                output[gate_of(work, token) * (V / 2) + row / 2] = 0;
            }
        }
        return;
    }
    Preparation preparation;
    preparation.load(tensors, work);
    decode<Pretranspose>(tensors, work, preparation, read_index, write_indices[work.request], state_pool,
                         intermediate_states);
}
