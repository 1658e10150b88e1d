// One decode step of a gated delta net: causal convolution of width 4 with SiLU, gated delta rule, and the shift of the
// convolution's rows, after intel/llm-scaler pull request 356.
//
// The twin of ../wgsl/gdn_conv_fused.wgsl: the same grid, phases, barrier and owners of every store, and the same order
// of additions, so that both leave the same bits; that file says what is kept from upstream and what is mapped anew.
// Four teams lie in one subgroup here, so lanes always meet in shuffles.
//
// What differs: offsets have 64 bits; an invocation convolves one word of this workgroup's heads, and one that has none
// makes the gates; z is copied 16 bytes at a time, several blocks of it before any is stored; what does not depend on
// the slot is asked for before the slot is known, and a lane's part of the states before the convolution, so that
// memory is busy while it computes; the quads of a lane lie 8 quads apart in workgroup memory, so that no two lanes of
// a team ask one bank at a time.

#include "numerics.cuh"

// Heads of q and k.
#ifndef H
#error "H is a macro of the launch"
#endif
// Heads of v, z and of the states, a multiple of H.
#ifndef HV
#error "HV is a macro of the launch"
#endif
// Whether `qkvz` and `ba` go by key heads.
#ifndef INTERLEAVED
#define INTERLEAVED 0
#endif
// Variant `inline`, and `split32` where it is the same.
#ifndef INLINE
#define INLINE 0
#endif
// Variant `inline_all`.
#ifndef INLINE_ALL
#define INLINE_ALL 0
#endif
// Variant `surplus_threads`.
#ifndef SURPLUS_THREADS
#define SURPLUS_THREADS 0
#endif

constexpr unsigned int INVOCATIONS = 256;
constexpr unsigned int TEAMS = 32;
constexpr unsigned int LANES = 8;
// Elements of a head, and rows of a state.
constexpr unsigned int HEAD = 128;
// Words of a head.
constexpr unsigned int HEAD_WORDS = HEAD / 2;
// Value heads that share a key head.
constexpr unsigned int RATIO = HV / H;
constexpr unsigned int CHANNELS = (2 * H + HV) * HEAD;
// Words of one row of the convolution's state.
constexpr unsigned int ROW_WORDS = CHANNELS / 2;
// Whether value heads go to one team each.
constexpr bool DOUBLE_V = 4 * H + 2 * HV > TEAMS;
constexpr unsigned int BLOCKS = 4 * H + (DOUBLE_V ? 1 : 2) * HV;
constexpr unsigned int ROUNDS = (BLOCKS + TEAMS - 1) / TEAMS;
// Words of a block that a lane takes, at most.
constexpr unsigned int MOST_WORDS = DOUBLE_V ? 8 : 4;
constexpr bool SHIFTS_INLINE = INLINE || SURPLUS_THREADS;
// Rows of a team.
constexpr unsigned int ROWS = 4;
// Elements of a lane.
constexpr unsigned int ELEMENTS = 16;
constexpr float EPSILON = 1e-6f;
// 1 / sqrt(HEAD), rounded to f32.
constexpr float SCALE = 0.088388346f;
constexpr unsigned int WRONG_ROW_STRIDE = 2048;

static_assert(HV % H == 0, "a key head serves the same number of value heads as any other");

// The convolved query, key and value of this workgroup's heads.
__shared__ float4 mixed_query[HEAD / 4];
__shared__ float4 mixed_key[HEAD / 4];
__shared__ float4 mixed_value[HEAD / 4];

// Its gates.
__shared__ float2 alpha_and_beta;

// What a launch is given, but the states of the recurrence and the output.
struct Tensors {
    const unsigned int *__restrict__ qkvz;
    unsigned int *conv_state;
    const uint4 *__restrict__ conv_weight;
    const unsigned int *__restrict__ conv_bias;
    unsigned int *__restrict__ z_out;
};

// What an invocation works on.
struct Work {
    unsigned int request;
    unsigned int value_head;
    unsigned int key_head;
    unsigned int team;
    unsigned int lane;
};

// A block of channels.
struct Block {
    // The head, counted through q, k and v.
    unsigned int head;
    // The first word, of those of the head.
    unsigned int first;
    // Words of each lane.
    unsigned int words;
    // Whether there is such a block.
    bool exists;
};

GP_FUNCTION Block block_of(unsigned int number) {
    bool exists = number < BLOCKS;
    if (DOUBLE_V && number >= 4 * H) {
        return Block{2 * H + number - 4 * H, 0, 8, exists};
    }
    return Block{number / 2, number % 2 * (HEAD_WORDS / 2), 4, exists};
}

// The first word of a block, of all channels. In 64 bits: compilers make wrapped sums of differences that are shifted
// in 32.
GP_FUNCTION size_t first_word(const Block &block) {
    return (size_t)block.head * HEAD_WORDS + block.first;
}

// The word of `qkvz` at which a head begins, counted through q, k and v.
GP_FUNCTION size_t input_word(unsigned int request, unsigned int head) {
    size_t row = (size_t)request * (ROW_WORDS + HV * HEAD_WORDS);
    if constexpr (!INTERLEAVED) {
        return row + (size_t)head * HEAD_WORDS;
    }
    // A key head has its query, its key, the values and the z of its value heads.
    constexpr size_t GROUP = (2 + 2 * RATIO) * HEAD_WORDS;
    size_t column = head * GROUP;
    if (head >= 2 * H) {
        unsigned int value_head = head - 2 * H;
        column = value_head / RATIO * GROUP + (size_t)(2 + value_head % RATIO) * HEAD_WORDS;
    } else if (head >= H) {
        column = (head - H) * GROUP + HEAD_WORDS;
    }
    return row + column;
}

// From the values of a head to its z, in words of `qkvz`.
constexpr unsigned int Z_DISTANCE = (INTERLEAVED ? RATIO : HV) * HEAD_WORDS;

// Quads of words that a lane has of the z of a block, at most, and rounds of blocks that are copied at a time.
constexpr unsigned int MOST_QUADS = MOST_WORDS / 4;
constexpr unsigned int Z_ROUNDS = 2;

// The z of some rounds of blocks: all of it is read before any is stored.
struct ZPart {
    uint4 quads[Z_ROUNDS][MOST_QUADS];

    // Lets `visit` see every quad of this lane: its place here, in `qkvz` and in `z_out`, in quads.
    template <typename Visit>
    static __device__ __forceinline__ void each(const Work &work, unsigned int first_round, const Visit &visit) {
#pragma unroll
        for (unsigned int i = 0; i < Z_ROUNDS; i++) {
            Block block = block_of((first_round + i) * TEAMS + work.team);
            if (first_round + i < ROUNDS && (block.exists || SURPLUS_THREADS) && block.head >= 2 * H) {
                size_t source = input_word(work.request, block.head) + Z_DISTANCE + block.first;
                size_t destination = ((size_t)work.request * HV + block.head - 2 * H) * HEAD_WORDS + block.first;
#pragma unroll
                for (unsigned int quad = 0; quad < MOST_QUADS; quad++) {
                    if (quad < block.words / 4) {
                        unsigned int own = quad * LANES + work.lane;
                        visit(i, quad, source / 4 + own, destination / 4 + own);
                    }
                }
            }
        }
    }

    __device__ __forceinline__ void load(const Tensors &tensors, const Work &work, unsigned int first_round) {
        each(work, first_round, [&](unsigned int round, unsigned int quad, size_t source, size_t) {
            quads[round][quad] = ((const uint4 *)tensors.qkvz)[source];
        });
    }

    __device__ __forceinline__ void store(const Tensors &tensors, const Work &work, unsigned int first_round) const {
        each(work, first_round, [&](unsigned int round, unsigned int quad, size_t, size_t destination) {
            ((uint4 *)tensors.z_out)[destination] = quads[round][quad];
        });
    }
};

// Rounds in front of this one have blocks of q and k only.
constexpr unsigned int FIRST_Z_ROUND = 4 * H / TEAMS;

GP_FUNCTION void copy_z(const Tensors &tensors, const Work &work, unsigned int first_round) {
#pragma unroll 1
    for (unsigned int round = first_round; round < ROUNDS; round += Z_ROUNDS) {
        ZPart part;
        part.load(tensors, work, round);
        part.store(tensors, work, round);
    }
}

GP_FUNCTION float taps(float oldest, float middle, float newest, float x, unsigned int weights_01,
                       unsigned int weights_23, float bias) {
    float sum = gp_mul(oldest, gp_f16x2_lo(weights_01));
    sum = gp_multiply_add(middle, gp_f16x2_hi(weights_01), sum);
    sum = gp_multiply_add(newest, gp_f16x2_lo(weights_23), sum);
    sum = gp_multiply_add(x, gp_f16x2_hi(weights_23), sum);
    return gp_silu(gp_add(sum, bias));
}

// Where a quad of the query or the key lies in workgroup memory.
GP_FUNCTION unsigned int place(unsigned int quad) {
    return quad % 4 * LANES + quad / 4;
}

// Invocations that convolve: one for every word of this workgroup's three heads.
constexpr unsigned int CONVOLVING = 3 * HEAD_WORDS;

// The place of an invocation among those that convolve and those that do not. Which subgroups convolve depends on the
// head, as it does where every subgroup has its own channels.
GP_FUNCTION unsigned int turned(const Work &work) {
    return (threadIdx.x + work.value_head % 4 * HEAD_WORDS) % INVOCATIONS;
}

// Two channels of one of this workgroup's heads: the query's, the key's and the value's words follow each other. What
// does not depend on the slot is asked for before the slot is known.
struct Convolution {
    unsigned int word;
    unsigned int part;
    // The word, of all channels.
    size_t pair;
    uint4 weights;
    unsigned int bias;
    unsigned int x;
    unsigned int rows[3];

    __device__ __forceinline__ void load(const Tensors &tensors, const Work &work) {
        word = turned(work) % HEAD_WORDS;
        part = turned(work) / HEAD_WORDS;
        if (part < 3) {
            unsigned int head = part == 0 ? work.key_head : part == 1 ? H + work.key_head : 2 * H + work.value_head;
            pair = (size_t)head * HEAD_WORDS + word;
            weights = tensors.conv_weight[pair];
            bias = tensors.conv_bias[pair];
            x = tensors.qkvz[input_word(work.request, head) + word];
        }
    }

    __device__ __forceinline__ void load_rows(const Tensors &tensors, size_t first) {
        if (part < 3) {
#pragma unroll
            for (unsigned int row = 0; row < 3; row++) {
                rows[row] = tensors.conv_state[first + pair + row * ROW_WORDS];
            }
        }
    }

    __device__ __forceinline__ void store() const {
        if (part < 3) {
            float2 channels = make_float2(
                taps(gp_f16x2_lo(rows[0]), gp_f16x2_lo(rows[1]), gp_f16x2_lo(rows[2]), gp_f16x2_lo(x), weights.x,
                     weights.y, gp_f16x2_lo(bias)),
                taps(gp_f16x2_hi(rows[0]), gp_f16x2_hi(rows[1]), gp_f16x2_hi(rows[2]), gp_f16x2_hi(x), weights.z,
                     weights.w, gp_f16x2_hi(bias)));
            if (part == 0) {
                ((float2 *)&mixed_query[place(word / 2)])[word % 2] = channels;
            } else if (part == 1) {
                ((float2 *)&mixed_key[place(word / 2)])[word % 2] = channels;
            } else {
                ((float2 *)&mixed_value[word / 2])[word % 2] = channels;
            }
        }
    }
};

// The gates of this workgroup's head, made by an invocation that does not convolve.
struct Gates {
    unsigned short a;
    unsigned short b;
    unsigned short a_log;
    unsigned short dt_bias;

    __device__ __forceinline__ void load(const unsigned short *ba, const unsigned short *a_logs,
                                         const unsigned short *dt_biases, const Work &work) {
        if (turned(work) == CONVOLVING) {
            const unsigned short *gates = ba + (size_t)work.request * 2 * HV;
            unsigned int head = work.value_head;
            unsigned int beta_at = INTERLEAVED ? head / RATIO * 2 * RATIO + head % RATIO : head;
            b = gates[beta_at];
            a = gates[beta_at + (INTERLEAVED ? RATIO : HV)];
            a_log = a_logs[head];
            dt_bias = dt_biases[head];
        }
    }

    __device__ __forceinline__ void store(const Work &work) const {
        if (turned(work) == CONVOLVING) {
            float x = gp_add(gp_f16_to_f32(a), gp_f16_to_f32(dt_bias));
            float g = gp_mul(-gp_exp(gp_f16_to_f32(a_log)), gp_softplus(x));
            alpha_and_beta = make_float2(gp_exp(g), gp_sigmoid(gp_f16_to_f32(b)));
        }
    }
};

// What the rows will be, in the workgroup that shifts: three words for each word of each block of a lane. Loops over it
// are unrolled, so that it stays in registers.
struct Kept {
    unsigned int words[SHIFTS_INLINE ? ROUNDS : 1][SHIFTS_INLINE ? MOST_WORDS : 1][3];
};

// All rounds of blocks, from this one on. What is convolved too is read twice.
template <unsigned int ROUND>
GP_FUNCTION void keep_rounds(const Tensors &tensors, const Work &work, size_t rows, Kept &kept) {
    if constexpr (SHIFTS_INLINE && ROUND < ROUNDS) {
        Block block = block_of(ROUND * TEAMS + work.team);
        if (block.exists || SURPLUS_THREADS) {
            const unsigned int *source = tensors.qkvz + input_word(work.request, block.head) + block.first;
#pragma unroll
            for (unsigned int i = 0; i < MOST_WORDS; i++) {
                if (i < block.words) {
                    unsigned int word = i * LANES + work.lane;
                    const unsigned int *state = tensors.conv_state + rows + first_word(block) + word;
                    kept.words[ROUND][i][0] = state[ROW_WORDS];
                    kept.words[ROUND][i][1] = state[2 * ROW_WORDS];
                    kept.words[ROUND][i][2] = source[word];
                }
            }
        }
        keep_rounds<ROUND + 1>(tensors, work, rows, kept);
    }
}

// All rounds of blocks, from this one on.
template <unsigned int ROUND>
GP_FUNCTION void shift_rounds(const Tensors &tensors, const Work &work, size_t rows, const Kept &kept) {
    if constexpr (SHIFTS_INLINE && ROUND < ROUNDS) {
        Block block = block_of(ROUND * TEAMS + work.team);
        if (block.exists || SURPLUS_THREADS) {
#pragma unroll
            for (unsigned int i = 0; i < MOST_WORDS; i++) {
                if (i < block.words) {
                    unsigned int word = i * LANES + work.lane;
                    unsigned int *state = tensors.conv_state + rows + first_word(block) + word;
                    state[0] = kept.words[ROUND][i][0];
                    state[ROW_WORDS] = kept.words[ROUND][i][1];
                    state[2 * ROW_WORDS] = kept.words[ROUND][i][2];
                }
            }
        }
        shift_rounds<ROUND + 1>(tensors, work, rows, kept);
    }
}

// Variant `inline_all`.
GP_FUNCTION void shift_from_memory(const Tensors &tensors, const Work &work, size_t rows) {
    constexpr unsigned int STRIDE = WRONG_ROW_STRIDE / 2;
#pragma unroll 1
    for (unsigned int round = 0; round < ROUNDS; round++) {
        Block block = block_of(round * TEAMS + work.team);
        if (!block.exists) {
            continue;
        }
        const unsigned int *source = tensors.qkvz + input_word(work.request, block.head) + block.first;
#pragma unroll 1
        for (unsigned int i = 0; i < block.words; i++) {
            unsigned int word = i * LANES + work.lane;
            unsigned int *state = tensors.conv_state + rows + first_word(block) + word;
            state[0] = state[STRIDE];
            state[STRIDE] = state[2 * STRIDE];
            state[2 * STRIDE] = source[word];
        }
    }
}

// The products of a lane one after the other.
GP_FUNCTION float serial(const float (&x)[ELEMENTS], const float (&y)[ELEMENTS]) {
    float sum = 0.0f;
#pragma unroll
    for (unsigned int i = 0; i < ELEMENTS; i++) {
        sum = gp_multiply_add(x[i], y[i], sum);
    }
    return sum;
}

// The sums over the lanes of a team, in every lane.
template <int SUMS>
GP_FUNCTION void team_sums(float (&sums)[SUMS]) {
#pragma unroll
    for (unsigned int distance = LANES / 2; distance > 0; distance /= 2) {
#pragma unroll
        for (int i = 0; i < SUMS; i++) {
            sums[i] = gp_add(sums[i], __shfl_xor_sync(0xffffffffu, sums[i], distance));
        }
    }
}

// The 16 elements of a lane.
GP_FUNCTION void load_mixed(const float4 *quads, unsigned int lane, float (&numbers)[ELEMENTS]) {
#pragma unroll
    for (unsigned int i = 0; i < ELEMENTS / 4; i++) {
        float4 quad = quads[i * LANES + lane];
        numbers[4 * i] = quad.x;
        numbers[4 * i + 1] = quad.y;
        numbers[4 * i + 2] = quad.z;
        numbers[4 * i + 3] = quad.w;
    }
}

GP_FUNCTION void scale(float (&numbers)[ELEMENTS], float factor) {
#pragma unroll
    for (unsigned int i = 0; i < ELEMENTS; i++) {
        numbers[i] = gp_mul(numbers[i], factor);
    }
}

GP_FUNCTION void unpack(const uint4 (&words)[2], float (&numbers)[ELEMENTS]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float eight[8];
        gp_f16x8(words[half], eight);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            numbers[8 * half + i] = eight[i];
        }
    }
}

GP_FUNCTION void pack(const float (&numbers)[ELEMENTS], uint4 (&words)[2]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float eight[8];
#pragma unroll
        for (int i = 0; i < 8; i++) {
            eight[i] = numbers[8 * half + i];
        }
        words[half] = gp_f16x8_pack(eight);
    }
}

extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    decode(const unsigned int *__restrict__ qkvz, const unsigned short *__restrict__ ba, unsigned int *conv_state,
           const uint4 *__restrict__ conv_weight, const unsigned int *__restrict__ conv_bias,
           uint4 *__restrict__ ssm_state, const unsigned short *__restrict__ a_log,
           const unsigned short *__restrict__ dt_bias, const int *__restrict__ state_indices,
           unsigned int *__restrict__ output, unsigned int *__restrict__ z_out) {
    const Tensors tensors = {qkvz, conv_state, conv_weight, conv_bias, z_out};
    unsigned int request = blockIdx.x / HV;
    unsigned int value_head = blockIdx.x % HV;
    const Work work = {request, value_head, value_head / RATIO, threadIdx.x / LANES, threadIdx.x % LANES};
    ZPart z;
    z.load(tensors, work, FIRST_Z_ROUND);
    Convolution convolution;
    convolution.load(tensors, work);
    Gates gates;
    gates.load(ba, a_log, dt_bias, work);
    int index = state_indices[request];
    // The first of the team's rows, of two in one word.
    unsigned int *own_rows = output + ((size_t)request * HV + value_head) * HEAD_WORDS + work.team * (ROWS / 2);
    if (index < 0) {
        // Skipped: its output is zero, and no state is touched.
        z.store(tensors, work, FIRST_Z_ROUND);
        copy_z(tensors, work, FIRST_Z_ROUND + Z_ROUNDS);
        if (work.lane == 0) {
            *(uint2 *)own_rows = make_uint2(0, 0);
        }
        return;
    }
    // In words, and in eights of elements, of which a row of the state has 16.
    size_t rows = (size_t)index * 3 * ROW_WORDS;
    convolution.load_rows(tensors, rows);
    uint4 *state = ssm_state + (((size_t)index * HV + value_head) * HEAD + work.team * ROWS) * 16 + work.lane * 2;
    uint4 words[ROWS][2];
#pragma unroll
    for (unsigned int row = 0; row < ROWS; row++) {
        words[row][0] = state[row * 16];
        words[row][1] = state[row * 16 + 1];
    }
    Kept kept;
    if (work.value_head == 0) {
        keep_rounds<0>(tensors, work, rows, kept);
    }
    gates.store(work);
    z.store(tensors, work, FIRST_Z_ROUND);
    copy_z(tensors, work, FIRST_Z_ROUND + Z_ROUNDS);
    convolution.store();
    __syncthreads();

    float query[ELEMENTS], key[ELEMENTS];
    load_mixed(mixed_query, work.lane, query);
    load_mixed(mixed_key, work.lane, key);
    float squares[2] = {serial(query, query), serial(key, key)};
    team_sums(squares);
    scale(query, gp_mul(gp_rsqrt(gp_add(squares[0], EPSILON)), SCALE));
    scale(key, gp_rsqrt(gp_add(squares[1], EPSILON)));

    float alpha = alpha_and_beta.x;
    float beta = alpha_and_beta.y;
    float4 values = mixed_value[work.team];
    float value[ROWS] = {values.x, values.y, values.z, values.w};

    float read[ROWS];
#pragma unroll
    for (unsigned int row = 0; row < ROWS; row += 2) {
        // Decays, learns what it did not know of its value, and is read: two rows at a time.
        float numbers[2][ELEMENTS], known[2], both[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            unpack(words[row + i], numbers[i]);
            scale(numbers[i], alpha);
            known[i] = serial(numbers[i], key);
        }
        team_sums(known);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float delta = gp_mul(gp_sub(value[row + i], known[i]), beta);
#pragma unroll
            for (unsigned int e = 0; e < ELEMENTS; e++) {
                numbers[i][e] = gp_multiply_add(delta, key[e], numbers[i][e]);
            }
            both[i] = serial(numbers[i], query);
            pack(numbers[i], words[row + i]);
            state[(row + i) * 16] = words[row + i][0];
            state[(row + i) * 16 + 1] = words[row + i][1];
        }
        team_sums(both);
        read[row] = both[0];
        read[row + 1] = both[1];
    }
    if (work.lane == 0) {
        *(uint2 *)own_rows = make_uint2(gp_f16x2_pack(read[0], read[1]), gp_f16x2_pack(read[2], read[3]));
    }
    if (value_head == 0) {
        shift_rounds<0>(tensors, work, rows, kept);
    }
    if constexpr (INLINE_ALL) {
        shift_from_memory(tensors, work, rows);
    }
}

// The shift on its own: two channels an invocation.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    shift(const unsigned int *__restrict__ qkvz, unsigned int *__restrict__ conv_state,
          const int *__restrict__ state_indices) {
    constexpr unsigned int TILES = (ROW_WORDS + INVOCATIONS - 1) / INVOCATIONS;
    unsigned int request = blockIdx.x / TILES;
    unsigned int word = blockIdx.x % TILES * INVOCATIONS + threadIdx.x;
    int index = state_indices[request];
    if (index < 0 || word >= ROW_WORDS) {
        return;
    }
    unsigned int *state = conv_state + (size_t)index * 3 * ROW_WORDS + word;
    state[0] = state[ROW_WORDS];
    state[ROW_WORDS] = state[2 * ROW_WORDS];
    state[2 * ROW_WORDS] = qkvz[input_word(request, word / HEAD_WORDS) + word % HEAD_WORDS];
}
