// Causal depthwise convolution over the tokens of several sequences, SiLU, and the split of its channels into q, k and
// v, after lightseekorg/tokenspeed pull request 382.
//
// The twin of ../wgsl/conv1d_qkv_split.wgsl: the same grid, barrier and owners of every load and store, and the same
// order of additions, so that both leave the same bits; that file says what is kept from upstream and what is mapped
// anew.
//
// What differs: offsets have 64 bits; an invocation asks for all tokens of its chunk before it computes with the first;
// the state is copied 16 bytes at a time where rows start at multiples of that; with an odd q, k, v or stride, where a
// word would belong to two rows, everything goes by single elements.

#include "numerics.cuh"

// Channels of q, of k and of v.
#ifndef Q_DIM
#error "Q_DIM is a macro of the launch"
#endif
#ifndef K_DIM
#error "K_DIM is a macro of the launch"
#endif
#ifndef V_DIM
#error "V_DIM is a macro of the launch"
#endif
// Taps, 2 to 4.
#ifndef WIDTH
#error "WIDTH is a macro of the launch"
#endif
// Elements from one token of x to the next, all channels or more.
#ifndef STRIDE
#error "STRIDE is a macro of the launch"
#endif
// Whether there is a bias.
#ifndef BIAS
#define BIAS 1
#endif
// Whether 16-bit data are binary16, not bfloat16.
#ifndef F16
#define F16 0
#endif
// Variant `fused_block_routed`.
#ifndef BLOCK_ROUTED
#define BLOCK_ROUTED 0
#endif
// Variant `no_state_barrier`.
#ifndef MISSING_STATE_BARRIER
#define MISSING_STATE_BARRIER 0
#endif

typedef unsigned short Element;

constexpr unsigned int INVOCATIONS = 128;
// Tokens and channels of a workgroup.
constexpr unsigned int CHUNK = 8;
constexpr unsigned int BLOCK = 256;
constexpr unsigned int DIM = (unsigned int)Q_DIM + K_DIM + V_DIM;
// Rows of a state.
constexpr unsigned int HISTORY = WIDTH - 1;
// Words that an invocation copies of the state, and invocations that copy a row of it.
constexpr unsigned int VECTOR = 4;
constexpr unsigned int ROW = BLOCK / (2 * VECTOR);
// Whether two neighbouring channels are always one word.
constexpr bool WORDS = Q_DIM % 2 == 0 && K_DIM % 2 == 0 && V_DIM % 2 == 0 && STRIDE % 2 == 0;
// Whether eight are always 16 bytes.
constexpr bool VECTORS = WORDS && DIM % (2 * VECTOR) == 0 && STRIDE % (2 * VECTOR) == 0;

static_assert(WIDTH >= 2 && WIDTH <= 4, "2 to 4 taps");
static_assert(Q_DIM >= 1 && K_DIM >= 1 && V_DIM >= 1 && STRIDE >= DIM, "channels, and a row for all of them");
static_assert(HISTORY * ROW <= INVOCATIONS, "somebody for every vector of the state");

// What a launch is given.
struct Tensors {
    const Element *__restrict__ x;
    const Element *__restrict__ weight;
    const Element *__restrict__ bias;
    Element *conv_state;
};

struct Sequences {
    const int *__restrict__ query_start_loc;
    const int *__restrict__ cache_indices;
    const int *__restrict__ chunk_sequence;
    const int *__restrict__ chunk_token;
};

struct Outputs {
    Element *q;
    Element *k;
    Element *v;
};

// The tokens of a workgroup, and the sequence they are of.
struct Chunk {
    // The row of the first one, in x and in the outputs.
    size_t row;
    // The same, counted from the start of the sequence: a multiple of CHUNK.
    unsigned int first;
    // How many there are, 1 to CHUNK.
    unsigned int tokens;
    // Tokens of the sequence.
    unsigned int length;
    // The sequence.
    int sequence;
    // Its slot; negative: it is padding, for which nothing is written.
    int slot;
};

GP_FUNCTION Chunk chunk_of(const Sequences &sequences, unsigned int chunk) {
    int sequence = sequences.chunk_sequence[chunk];
    unsigned int first = (unsigned int)sequences.chunk_token[chunk];
    unsigned int start = (unsigned int)sequences.query_start_loc[sequence];
    unsigned int length = (unsigned int)sequences.query_start_loc[sequence + 1] - start;
    return Chunk{(size_t)start + first, first, min(CHUNK, length - first), length, sequence,
                 sequences.cache_indices[sequence]};
}

// The element at which a row of a chunk's slot begins.
GP_FUNCTION size_t state_offset(const Chunk &chunk, unsigned int row) {
    return ((size_t)chunk.slot * HISTORY + row) * DIM;
}

GP_FUNCTION float number(unsigned int bits) {
    return F16 ? gp_f16_to_f32(bits) : gp_bf16_to_f32(bits);
}

// Two numbers as a word, or the two of a word, low half first.
GP_FUNCTION unsigned int packed(float low, float high) {
    return F16 ? gp_f16x2_pack(low, high) : gp_bf16x2_pack(low, high);
}

GP_FUNCTION float2 unpacked(unsigned int word) {
    return F16 ? make_float2(gp_f16x2_lo(word), gp_f16x2_hi(word))
               : make_float2(gp_bf16x2_lo(word), gp_bf16x2_hi(word));
}

// Two channels, of which the second may be beyond the last; then the high half is zero.
GP_FUNCTION unsigned int load_pair(const Element *from, unsigned int channel) {
    if constexpr (WORDS) {
        return *(const unsigned int *)from;
    }
    return from[0] | (channel + 1 < DIM ? (unsigned int)from[1] << 16 : 0u);
}

GP_FUNCTION void store_pair(Element *to, unsigned int channel, unsigned int word) {
    if constexpr (WORDS) {
        *(unsigned int *)to = word;
    } else {
        to[0] = (Element)word;
        if (channel + 1 < DIM) {
            to[1] = (Element)(word >> 16);
        }
    }
}

// Eight channels, as far as there are.
GP_FUNCTION void load_vector(const Element *from, unsigned int channel, unsigned int (&words)[VECTOR]) {
    if constexpr (VECTORS) {
        uint4 vector = *(const uint4 *)from;
        words[0] = vector.x;
        words[1] = vector.y;
        words[2] = vector.z;
        words[3] = vector.w;
    } else {
#pragma unroll
        for (unsigned int word = 0; word < VECTOR; word++) {
            if (channel + 2 * word < DIM) {
                words[word] = load_pair(from + 2 * word, channel + 2 * word);
            }
        }
    }
}

GP_FUNCTION void store_vector(Element *to, unsigned int channel, const unsigned int (&words)[VECTOR]) {
    if constexpr (VECTORS) {
        *(uint4 *)to = make_uint4(words[0], words[1], words[2], words[3]);
    } else {
#pragma unroll
        for (unsigned int word = 0; word < VECTOR; word++) {
            if (channel + 2 * word < DIM) {
                store_pair(to + 2 * word, channel + 2 * word, words[word]);
            }
        }
    }
}

// The tokens before a chunk, oldest first: of `x`, of the state, or zeros.
GP_FUNCTION void load_before(const Tensors &tensors, const Chunk &chunk, bool initial, unsigned int channel,
                             unsigned int (&words)[HISTORY + CHUNK]) {
#pragma unroll
    for (unsigned int row = 0; row < HISTORY; row++) {
        words[row] = 0;
        if (chunk.first > 0) {
            words[row] = load_pair(tensors.x + (chunk.row + row - HISTORY) * STRIDE + channel, channel);
        } else if (initial) {
            words[row] = load_pair(tensors.conv_state + state_offset(chunk, row) + channel, channel);
        }
    }
}

// Copies the last tokens of a sequence into its slot: 256 channels of each, an invocation eight channels of one token.
// All values are read before any is stored, by whichever invocation, and so are the taps.
GP_FUNCTION void rewrite_state(const Tensors &tensors, const Chunk &chunk, bool initial, unsigned int block,
                               unsigned int local) {
    unsigned int row = local / ROW;
    unsigned int channel = block + local % ROW * 2 * VECTOR;
    bool owns = row < HISTORY && channel < DIM;
    unsigned int after = chunk.length + row;
    unsigned int kept[VECTOR] = {0, 0, 0, 0};
    if (owns) {
        if (after >= HISTORY) {
            load_vector(tensors.x + (chunk.row + after - HISTORY) * STRIDE + channel, channel, kept);
        } else if (initial) {
            load_vector(tensors.conv_state + state_offset(chunk, after) + channel, channel, kept);
        }
    }
    if constexpr (!MISSING_STATE_BARRIER) {
        __syncthreads();
    }
    if (owns) {
        store_vector(tensors.conv_state + state_offset(chunk, row) + channel, channel, kept);
    }
}

// The weights of two channels, oldest tap first.
GP_FUNCTION void load_weights(const Element *weight, unsigned int channel, float2 (&weights)[WIDTH]) {
    const Element *from = weight + (size_t)channel * WIDTH;
    unsigned int elements[2 * WIDTH];
#pragma unroll
    for (unsigned int i = 0; i < WIDTH; i++) {
        if constexpr (WORDS) {
            unsigned int word = *(const unsigned int *)(from + 2 * i);
            elements[2 * i] = word & 0xffffu;
            elements[2 * i + 1] = word >> 16;
        } else {
            elements[i] = from[i];
            elements[WIDTH + i] = channel + 1 < DIM ? from[WIDTH + i] : 0u;
        }
    }
#pragma unroll
    for (unsigned int tap = 0; tap < WIDTH; tap++) {
        weights[tap] = make_float2(number(elements[tap]), number(elements[WIDTH + tap]));
    }
}

// Two channels of every token of a chunk, a word each. The first chunk of a sequence also rewrites its state.
GP_FUNCTION void compute(const Tensors &tensors, const Chunk &chunk, bool initial, unsigned int channel,
                         unsigned int local, unsigned int (&outputs)[CHUNK]) {
    unsigned int words[HISTORY + CHUNK] = {};
    bool owns = channel < DIM;
    if (owns) {
        load_before(tensors, chunk, initial, channel, words);
#pragma unroll
        for (unsigned int token = 0; token < CHUNK; token++) {
            if (token < chunk.tokens) {
                words[HISTORY + token] = load_pair(tensors.x + (chunk.row + token) * STRIDE + channel, channel);
            }
        }
    }
    if (chunk.first == 0) {
        rewrite_state(tensors, chunk, initial, channel - 2 * local, local);
    }
    if (!owns) {
        return;
    }
    float2 weights[WIDTH];
    load_weights(tensors.weight, channel, weights);
    float2 start = BIAS ? unpacked(load_pair(tensors.bias + channel, channel)) : make_float2(0.0f, 0.0f);
#pragma unroll
    for (unsigned int token = 0; token < CHUNK; token++) {
        if (token < chunk.tokens) {
            float2 sum = start;
#pragma unroll
            for (unsigned int tap = 0; tap < WIDTH; tap++) {
                float2 x = unpacked(words[token + tap]);
                sum.x = gp_multiply_add(x.x, weights[tap].x, sum.x);
                sum.y = gp_multiply_add(x.y, weights[tap].y, sum.y);
            }
            outputs[token] = packed(gp_silu(sum.x), gp_silu(sum.y));
        }
    }
}

// Where a channel of a token belongs, in q, k or v.
GP_FUNCTION Element *destination(const Outputs &outputs, size_t row, unsigned int channel) {
    // The channel that says where: with BLOCK_ROUTED the first one of the workgroup says it for all.
    unsigned int decisive = BLOCK_ROUTED ? channel / BLOCK * BLOCK : channel;
    if (decisive < Q_DIM) {
        return outputs.q + row * Q_DIM + channel;
    }
    if (decisive < Q_DIM + K_DIM) {
        return outputs.k + row * K_DIM + (channel - Q_DIM);
    }
    return outputs.v + row * V_DIM + (channel - Q_DIM - K_DIM);
}

// Stores two channels of a token where they belong.
GP_FUNCTION void store_routed(const Outputs &outputs, size_t row, unsigned int channel, unsigned int word) {
    if constexpr (WORDS) {
        *(unsigned int *)destination(outputs, row, channel) = word;
    } else {
        *destination(outputs, row, channel) = (Element)word;
        if (channel + 1 < DIM) {
            *destination(outputs, row, channel + 1) = (Element)(word >> 16);
        }
    }
}

// Convolution and split in one dispatch.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    fused(const Element *__restrict__ x, const Element *__restrict__ weight, const Element *__restrict__ bias,
          Element *conv_state, const int *__restrict__ query_start_loc, const int *__restrict__ cache_indices,
          const int *__restrict__ has_initial_state, const int *__restrict__ chunk_sequence,
          const int *__restrict__ chunk_token, Element *__restrict__ q, Element *__restrict__ k,
          Element *__restrict__ v) {
    const Chunk chunk = chunk_of({query_start_loc, cache_indices, chunk_sequence, chunk_token}, blockIdx.x);
    if (chunk.slot < 0) {
        return;
    }
    const Tensors tensors = {x, weight, bias, conv_state};
    const Outputs outputs = {q, k, v};
    unsigned int channel = blockIdx.y * BLOCK + threadIdx.x * 2;
    unsigned int words[CHUNK];
    compute(tensors, chunk, has_initial_state[chunk.sequence] != 0, channel, threadIdx.x, words);
#pragma unroll
    for (unsigned int token = 0; token < CHUNK; token++) {
        if (token < chunk.tokens && channel < DIM) {
            store_routed(outputs, chunk.row + token, channel, words[token]);
        }
    }
}

// The convolution of `sequential`.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    conv(const Element *__restrict__ x, const Element *__restrict__ weight, const Element *__restrict__ bias,
         Element *conv_state, const int *__restrict__ query_start_loc, const int *__restrict__ cache_indices,
         const int *__restrict__ has_initial_state, const int *__restrict__ chunk_sequence,
         const int *__restrict__ chunk_token, Element *__restrict__ staging) {
    const Chunk chunk = chunk_of({query_start_loc, cache_indices, chunk_sequence, chunk_token}, blockIdx.x);
    if (chunk.slot < 0) {
        return;
    }
    const Tensors tensors = {x, weight, bias, conv_state};
    unsigned int channel = blockIdx.y * BLOCK + threadIdx.x * 2;
    unsigned int words[CHUNK];
    compute(tensors, chunk, has_initial_state[chunk.sequence] != 0, channel, threadIdx.x, words);
#pragma unroll
    for (unsigned int token = 0; token < CHUNK; token++) {
        if (token < chunk.tokens && channel < DIM) {
            store_pair(staging + (chunk.row + token) * DIM + channel, channel, words[token]);
        }
    }
}

// The split of `sequential`.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    split(const Element *__restrict__ staging, const int *__restrict__ query_start_loc,
          const int *__restrict__ cache_indices, const int *__restrict__ chunk_sequence,
          const int *__restrict__ chunk_token, Element *__restrict__ q, Element *__restrict__ k,
          Element *__restrict__ v) {
    const Chunk chunk = chunk_of({query_start_loc, cache_indices, chunk_sequence, chunk_token}, blockIdx.x);
    const Outputs outputs = {q, k, v};
    unsigned int channel = blockIdx.y * BLOCK + threadIdx.x * 2;
    // The rows of a padded sequence were never written.
    if (chunk.slot < 0 || channel >= DIM) {
        return;
    }
#pragma unroll 1
    for (unsigned int token = 0; token < chunk.tokens; token++) {
        size_t row = chunk.row + token;
        store_routed(outputs, row, channel, load_pair(staging + row * DIM + channel, channel));
    }
}
