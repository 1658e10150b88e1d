// Causal depthwise convolution over the tokens of several sequences, SiLU, and the split of its channels into q, k and
// v, after lightseekorg/tokenspeed pull request 382.
//
// The twin of ../wgsl/conv1d_qkv_split.wgsl: the same grid and barrier, the same order of additions, and so the same
// bits; that file says what is kept from upstream and what is mapped anew.
//
// What differs: offsets have 64 bits; a workgroup has 64 invocations of four channels each, which ask for all tokens of
// their chunk before they compute with the first; SiLU's table is copied to workgroup memory, with a barrier of its own;
// the state is copied 16 bytes at a time where rows start at multiples of that; with an odd q, k, v or stride, where a word
// would belong to two rows, everything goes by single elements. The rare arguments of SiLU are looked for in two results
// at a time.

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

// Channels of an invocation, and words of them.
constexpr unsigned int CHANNELS = 4;
constexpr unsigned int OWN_WORDS = CHANNELS / 2;
// Tokens and channels of a workgroup.
constexpr unsigned int CHUNK = 8;
constexpr unsigned int BLOCK = 256;
// Workgroups that a multiprocessor should have room for: while some compute, the others wait for memory.
constexpr unsigned int RESIDENT = 16;
constexpr unsigned int INVOCATIONS = BLOCK / CHANNELS;
constexpr unsigned int DIM = (unsigned int)Q_DIM + K_DIM + V_DIM;
// Rows of a state.
constexpr unsigned int HISTORY = WIDTH - 1;
// Words that an invocation copies of the state, and invocations that copy a row of it.
constexpr unsigned int VECTOR = 4;
constexpr unsigned int ROW = BLOCK / (2 * VECTOR);
// Whether two neighbouring channels are always one word.
constexpr bool WORDS = Q_DIM % 2 == 0 && K_DIM % 2 == 0 && V_DIM % 2 == 0 && STRIDE % 2 == 0;
// Whether an invocation's channels always belong to one tensor, and are one piece of a row.
constexpr bool WHOLE =
    Q_DIM % CHANNELS == 0 && K_DIM % CHANNELS == 0 && V_DIM % CHANNELS == 0 && STRIDE % CHANNELS == 0;
// Whether eight are always 16 bytes.
constexpr bool VECTORS = WORDS && DIM % (2 * VECTOR) == 0 && STRIDE % (2 * VECTOR) == 0;

static_assert(WIDTH >= 2 && WIDTH <= 4, "2 to 4 taps");
static_assert(Q_DIM >= 1 && K_DIM >= 1 && V_DIM >= 1 && STRIDE >= DIM, "channels, and a row for all of them");

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

// Whether nothing is written for a chunk. No length is negative: that it is asked for too makes the compiler load the slot
// and the tokens' place at the same time, and not one after the other.
GP_FUNCTION bool is_padding(const Chunk &chunk) {
    return (chunk.slot | (int)chunk.length) < 0;
}

// The element at which a row of a chunk's slot begins.
GP_FUNCTION size_t state_offset(const Chunk &chunk, unsigned int row) {
    return ((size_t)chunk.slot * HISTORY + row) * DIM;
}

GP_FUNCTION float number(unsigned int bits) {
    return F16 ? gp_f16_to_f32(bits) : gp_bf16_to_f32(bits);
}

// Two numbers, neither of which is a NaN, as a word; then any two, and the two of a word: the low half first.
GP_FUNCTION unsigned int packed_numbers(float low, float high) {
    return F16 ? gp_f16x2_numbers(low, high) : gp_bf16x2_numbers(low, high);
}

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

// The words of an invocation, as far as there are channels; zeros behind them.
struct Words {
    unsigned int word[OWN_WORDS];
};

GP_FUNCTION Words load_words(const Element *from, unsigned int channel) {
    Words words = {};
    if constexpr (WHOLE) {
        uint2 both = *(const uint2 *)from;
        words.word[0] = both.x;
        words.word[1] = both.y;
    } else {
#pragma unroll
        for (unsigned int i = 0; i < OWN_WORDS; i++) {
            if (channel + 2 * i < DIM) {
                words.word[i] = load_pair(from + 2 * i, channel + 2 * i);
            }
        }
    }
    return words;
}

GP_FUNCTION void store_words(Element *to, unsigned int channel, const Words &words) {
    if constexpr (WHOLE) {
        *(uint2 *)to = make_uint2(words.word[0], words.word[1]);
    } else {
#pragma unroll
        for (unsigned int i = 0; i < OWN_WORDS; i++) {
            if (channel + 2 * i < DIM) {
                store_pair(to + 2 * i, channel + 2 * i, words.word[i]);
            }
        }
    }
}

// The tokens before a chunk, oldest first: of `x`, of the state, or zeros.
GP_FUNCTION void load_before(const Tensors &tensors, const Chunk &chunk, bool initial, unsigned int channel,
                             Words (&words)[HISTORY + CHUNK]) {
#pragma unroll
    for (unsigned int row = 0; row < HISTORY; row++) {
        words[row] = Words{};
        if (chunk.first > 0) {
            words[row] = load_words(tensors.x + (chunk.row + row - HISTORY) * STRIDE + channel, channel);
        } else if (initial) {
            words[row] = load_words(tensors.conv_state + state_offset(chunk, row) + channel, channel);
        }
    }
}

// Copies the last tokens of a sequence into its slot: 256 channels of each, an invocation eight channels of one token.
// All values are read before any is stored, by whichever invocation, and so are the taps.
GP_FUNCTION void rewrite_state(const Tensors &tensors, const Chunk &chunk, bool initial, unsigned int block,
                               unsigned int local) {
    constexpr unsigned int ROUNDS = (HISTORY * ROW + INVOCATIONS - 1) / INVOCATIONS;
    unsigned int kept[ROUNDS][VECTOR] = {};
#pragma unroll
    for (unsigned int round = 0; round < ROUNDS; round++) {
        unsigned int row = (round * INVOCATIONS + local) / ROW;
        unsigned int channel = block + local % ROW * 2 * VECTOR;
        unsigned int after = chunk.length + row;
        if (row < HISTORY && channel < DIM) {
            if (after >= HISTORY) {
                load_vector(tensors.x + (chunk.row + after - HISTORY) * STRIDE + channel, channel, kept[round]);
            } else if (initial) {
                load_vector(tensors.conv_state + state_offset(chunk, after) + channel, channel, kept[round]);
            }
        }
    }
    if constexpr (!MISSING_STATE_BARRIER) {
        __syncthreads();
    }
#pragma unroll
    for (unsigned int round = 0; round < ROUNDS; round++) {
        unsigned int row = (round * INVOCATIONS + local) / ROW;
        unsigned int channel = block + local % ROW * 2 * VECTOR;
        if (row < HISTORY && channel < DIM) {
            store_vector(tensors.conv_state + state_offset(chunk, row) + channel, channel, kept[round]);
        }
    }
}

// Weights and biases of an invocation's channels as they lie in memory, so that all can be asked for at once.
struct Taps {
    // Of two channels each: all taps of the first, oldest first, then all of the second.
    unsigned int weights[OWN_WORDS][WORDS ? WIDTH : 2 * WIDTH];
    unsigned int start[OWN_WORDS];
};

GP_FUNCTION Taps load_taps(const Tensors &tensors, unsigned int channel) {
    Taps taps = {};
    const Element *from = tensors.weight + (size_t)channel * WIDTH;
#pragma unroll
    for (unsigned int i = 0; i < OWN_WORDS; i++) {
        unsigned int first = channel + 2 * i;
        if (first < DIM) {
            if constexpr (BIAS) {
                taps.start[i] = load_pair(tensors.bias + first, first);
            }
            if constexpr (WORDS && !WHOLE) {
#pragma unroll
                for (unsigned int word = 0; word < WIDTH; word++) {
                    taps.weights[i][word] = *(const unsigned int *)(from + 2 * (i * WIDTH + word));
                }
            } else if constexpr (!WORDS) {
#pragma unroll
                for (unsigned int tap = 0; tap < WIDTH; tap++) {
                    taps.weights[i][tap] = from[2 * i * WIDTH + tap];
                    taps.weights[i][WIDTH + tap] = first + 1 < DIM ? from[(2 * i + 1) * WIDTH + tap] : 0u;
                }
            }
        }
    }
    if constexpr (WHOLE) {
        if (channel < DIM) {
#pragma unroll
            for (unsigned int word = 0; word < OWN_WORDS * WIDTH; word += 2) {
                uint2 both = *(const uint2 *)(from + 2 * word);
                taps.weights[word / WIDTH][word % WIDTH] = both.x;
                taps.weights[(word + 1) / WIDTH][(word + 1) % WIDTH] = both.y;
            }
        }
    }
    return taps;
}

// The convolution and SiLU of two channels.
struct Filter {
    float2 weights[WIDTH];
    float2 start;
    const float4 *rows;

    // Word `word` of an invocation's channels; `rows` are those of `gp_silu_16`.
    __device__ __forceinline__ Filter(const Taps &taps, unsigned int word, const float4 *rows) : rows(rows) {
#pragma unroll
        for (unsigned int tap = 0; tap < WIDTH; tap++) {
            weights[tap] = make_float2(number(element(taps.weights[word], tap)),
                                       number(element(taps.weights[word], WIDTH + tap)));
        }
        start = BIAS ? unpacked(taps.start[word]) : make_float2(0.0f, 0.0f);
    }

    template <unsigned int COUNT>
    static __device__ __forceinline__ unsigned int element(const unsigned int (&from)[COUNT], unsigned int i) {
        return WORDS ? (i % 2 == 0 ? from[i / 2] & 0xffffu : from[i / 2] >> 16) : from[i];
    }

    // From word `word` of the tokens of a chunk to the same word of the results.
    __device__ __forceinline__ void apply(const Words (&words)[HISTORY + CHUNK], unsigned int word,
                                          Words (&outputs)[CHUNK]) const {
#pragma unroll
        for (unsigned int token = 0; token < CHUNK; token++) {
            float2 sum = start;
#pragma unroll
            for (unsigned int tap = 0; tap < WIDTH; tap++) {
                float2 x = unpacked(words[token + tap].word[word]);
                sum.x = gp_multiply_add(x.x, weights[tap].x, sum.x);
                sum.y = gp_multiply_add(x.y, weights[tap].y, sum.y);
            }
            bool are_near = gp_silu_16_is_near(gp_silu_16_row(sum.x) | gp_silu_16_row(sum.y));
            outputs[token].word[word] =
                are_near ? packed_numbers(gp_silu_16_near(sum.x, rows), gp_silu_16_near(sum.y, rows))
                         : packed(gp_silu_16(sum.x, rows), gp_silu_16(sum.y, rows));
        }
    }
};

// Copies `gp_gate_rows` to workgroup memory, where lanes with different rows do not wait for each other.
GP_FUNCTION void share_rows(float4 (&rows)[GP_GATE_ROWS]) {
    if (threadIdx.x < GP_GATE_ROWS) {
        rows[threadIdx.x] = gp_gate_rows[threadIdx.x];
    }
    __syncthreads();
}

// The channels of an invocation of every token of a chunk. The first chunk of a sequence also rewrites its state.
GP_FUNCTION void compute(const Tensors &tensors, const Chunk &chunk, const int *has_initial_state,
                         unsigned int channel, unsigned int local, const float4 *rows, Words (&outputs)[CHUNK]) {
    Words words[HISTORY + CHUNK] = {};
    bool owns = channel < DIM;
    bool initial = chunk.first == 0 && has_initial_state[chunk.sequence] != 0;
    if (owns) {
        load_before(tensors, chunk, initial, channel, words);
        const Element *first = tensors.x + chunk.row * STRIDE + channel;
        if (chunk.tokens == CHUNK) {
#pragma unroll
            for (unsigned int token = 0; token < CHUNK; token++) {
                words[HISTORY + token] = load_words(first + (size_t)token * STRIDE, channel);
            }
        } else {
#pragma unroll
            for (unsigned int token = 0; token < CHUNK; token++) {
                if (token < chunk.tokens) {
                    words[HISTORY + token] = load_words(first + (size_t)token * STRIDE, channel);
                }
            }
        }
    }
    if (chunk.first == 0) {
        rewrite_state(tensors, chunk, initial, channel - CHANNELS * local, local);
    }
    const Taps taps = load_taps(tensors, channel);
#pragma unroll
    for (unsigned int i = 0; i < OWN_WORDS; i++) {
        if (channel + 2 * i < DIM) {
            Filter(taps, i, rows).apply(words, i, outputs);
        }
    }
}

// Where a channel belongs: in q, k or v, the element of its first token, and from there to the next token's.
struct Place {
    Element *first;
    size_t stride;
};

GP_FUNCTION Place place(const Outputs &outputs, size_t row, unsigned int channel) {
    // The channel that says where: with BLOCK_ROUTED the first one of the workgroup says it for all.
    unsigned int decisive = BLOCK_ROUTED ? channel / BLOCK * BLOCK : channel;
    if (decisive < Q_DIM) {
        return Place{outputs.q + row * Q_DIM + channel, Q_DIM};
    }
    if (decisive < Q_DIM + K_DIM) {
        return Place{outputs.k + row * K_DIM + (channel - Q_DIM), K_DIM};
    }
    return Place{outputs.v + row * V_DIM + (channel - Q_DIM - K_DIM), V_DIM};
}

// Stores the channels of an invocation of a chunk's tokens where they belong.
template <typename Row>
GP_FUNCTION void store_routed(const Outputs &outputs, const Chunk &chunk, unsigned int channel, const Row &row) {
    if constexpr (WHOLE) {
        Place to = place(outputs, chunk.row, channel);
        if (chunk.tokens == CHUNK) {
#pragma unroll
            for (unsigned int token = 0; token < CHUNK; token++) {
                store_words(to.first + token * to.stride, channel, row(token));
            }
        } else {
#pragma unroll
            for (unsigned int token = 0; token < CHUNK; token++) {
                if (token < chunk.tokens) {
                    store_words(to.first + token * to.stride, channel, row(token));
                }
            }
        }
    } else {
#pragma unroll
        for (unsigned int i = 0; i < CHANNELS; i += WORDS ? 2 : 1) {
            if (channel + i < DIM) {
                Place to = place(outputs, chunk.row, channel + i);
#pragma unroll
                for (unsigned int token = 0; token < CHUNK; token++) {
                    if (token < chunk.tokens) {
                        unsigned int word = row(token).word[i / 2];
                        if constexpr (WORDS) {
                            *(unsigned int *)(to.first + token * to.stride) = word;
                        } else {
                            to.first[token * to.stride] = (Element)(word >> (i % 2 * 16));
                        }
                    }
                }
            }
        }
    }
}

// Convolution and split in one dispatch.
extern "C" __global__ void __launch_bounds__(INVOCATIONS, RESIDENT)
    fused(const Element *__restrict__ x, const Element *__restrict__ weight, const Element *__restrict__ bias,
          Element *conv_state, const int *__restrict__ query_start_loc, const int *__restrict__ cache_indices,
          const int *__restrict__ has_initial_state, const int *__restrict__ chunk_sequence,
          const int *__restrict__ chunk_token, Element *__restrict__ q, Element *__restrict__ k,
          Element *__restrict__ v) {
    __shared__ float4 rows[GP_GATE_ROWS];
    const Tensors tensors = {x, weight, bias, conv_state};
    unsigned int channel = blockIdx.y * BLOCK + threadIdx.x * CHANNELS;
    const Chunk chunk = chunk_of({query_start_loc, cache_indices, chunk_sequence, chunk_token}, blockIdx.x);
    share_rows(rows);
    if (is_padding(chunk)) {
        return;
    }
    const Outputs outputs = {q, k, v};
    Words words[CHUNK] = {};
    compute(tensors, chunk, has_initial_state, channel, threadIdx.x, rows, words);
    if (channel < DIM) {
        store_routed(outputs, chunk, channel, [&](unsigned int token) { return words[token]; });
    }
}

// The convolution of `sequential`.
extern "C" __global__ void __launch_bounds__(INVOCATIONS, RESIDENT)
    conv(const Element *__restrict__ x, const Element *__restrict__ weight, const Element *__restrict__ bias,
         Element *conv_state, const int *__restrict__ query_start_loc, const int *__restrict__ cache_indices,
         const int *__restrict__ has_initial_state, const int *__restrict__ chunk_sequence,
         const int *__restrict__ chunk_token, Element *__restrict__ staging) {
    __shared__ float4 rows[GP_GATE_ROWS];
    const Tensors tensors = {x, weight, bias, conv_state};
    unsigned int channel = blockIdx.y * BLOCK + threadIdx.x * CHANNELS;
    const Chunk chunk = chunk_of({query_start_loc, cache_indices, chunk_sequence, chunk_token}, blockIdx.x);
    share_rows(rows);
    if (is_padding(chunk)) {
        return;
    }
    Words words[CHUNK] = {};
    compute(tensors, chunk, has_initial_state, channel, threadIdx.x, rows, words);
#pragma unroll
    for (unsigned int token = 0; token < CHUNK; token++) {
        if (token < chunk.tokens && channel < DIM) {
            store_words(staging + (chunk.row + token) * DIM + channel, channel, words[token]);
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
    unsigned int channel = blockIdx.y * BLOCK + threadIdx.x * CHANNELS;
    // The rows of a padded sequence were never written.
    if (chunk.slot < 0 || channel >= DIM) {
        return;
    }
    const Element *from = staging + chunk.row * DIM + channel;
    store_routed(outputs, chunk, channel,
                 [&](unsigned int token) { return load_words(from + (size_t)token * DIM, channel); });
}
