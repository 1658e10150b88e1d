// Residual add + RMSNorm + int4 GEMV for one token, after intel/llm-scaler pull request 399.
//
// The twin of ../wgsl/resadd_norm_gemv_int4.wgsl: the same grid, groups, passes, barriers and owners of every
// store, and the same order of additions, so that both leave the same bits; that file says what is kept from
// upstream and what is mapped anew. A group of 32 invocations is a subgroup here, so its lanes always meet in
// shuffles.
//
// What differs is how memory is asked: an invocation loads its blocks of some steps before it computes with the first,
// and still adds them one after the other; and `prepass` has more invocations, which store what the first 32 have
// summed up. Every invocation reaches every barrier.

#include "numerics.cuh"

// Input elements, a multiple of 512.
#ifndef K
#error "K is a macro of the launch"
#endif
// 1 / K rounded to f32: the mean is a product, as in the twin.
#ifndef RECIPROCAL_K
#error "RECIPROCAL_K is a macro of the launch"
#endif
// Groups that share a row: 1, 2, 4 or 8; K is a multiple of 128 * GROUPS.
#ifndef GROUPS
#define GROUPS 1
#endif
// Variant `fused_no_barrier`.
#ifndef MISSING_BARRIER
#define MISSING_BARRIER 0
#endif

constexpr unsigned int LANES = 32;
constexpr unsigned int INVOCATIONS = GROUPS * LANES;
// Blocks of 8 elements in a group's range; a lane takes every LANES-th.
constexpr unsigned int BLOCKS = K / GROUPS / 8;
constexpr unsigned int STEPS = (BLOCKS + LANES - 1) / LANES;
// Steps for which an invocation asks memory at a time: the most up to `most` that need no test in the last ones.
__device__ constexpr int in_flight(int most) {
    for (int steps = most; steps > 1; steps--) {
        if (BLOCKS % (steps * LANES) == 0) {
            return steps;
        }
    }
    return STEPS < 4 ? STEPS : 4;
}

constexpr float EPSILON = 1e-6f;

static_assert(K % 512 == 0 && K % (128 * GROUPS) == 0, "K is a multiple of 512 and of 128 * GROUPS");

// Sums of the groups: first of squares, then of products.
__shared__ float partial[GROUPS];

// The blocks of one invocation in some steps.
template <int AT_ONCE>
struct Blocks {
    // The block of the first step.
    unsigned int first;
    // One past the last block of the group.
    unsigned int end;

    __device__ __forceinline__ unsigned int operator[](int step) const {
        return first + step * LANES;
    }

    // Whether this invocation takes part in a step: some do not in the last ones.
    __device__ __forceinline__ bool holds(int step) const {
        return BLOCKS % (AT_ONCE * LANES) == 0 || first + step * LANES < end;
    }
};

// Lets `pass` add the blocks of this invocation to `sum`, in order, some steps at a time.
template <typename Pass>
GP_FUNCTION float over_blocks(const Pass &pass, unsigned int local, float sum) {
    unsigned int group = local / LANES;
    Blocks<Pass::IN_FLIGHT> blocks = {group * BLOCKS + local % LANES, (group + 1) * BLOCKS};
#pragma unroll 1
    for (unsigned int step = 0; step < STEPS; step += Pass::IN_FLIGHT) {
        sum = pass.add(blocks, sum);
        blocks.first += Pass::IN_FLIGHT * LANES;
    }
    return sum;
}

GP_FUNCTION void add_halves(uint4 hidden, uint4 residual, float (&added)[8]) {
    float r[8];
    gp_f16x8(hidden, added);
    gp_f16x8(residual, r);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        added[i] = gp_add(added[i], r[i]);
    }
}

GP_FUNCTION void normalise(const float (&added)[8], float inverse, uint4 norm_weight, float (&normed)[8]) {
    gp_f16x8(norm_weight, normed);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        normed[i] = gp_mul(gp_mul(added[i], inverse), normed[i]);
    }
}

GP_FUNCTION float add_squares(const float (&added)[8], float sum) {
#pragma unroll
    for (int i = 0; i < 8; i++) {
        sum = gp_multiply_add(added[i], added[i], sum);
    }
    return sum;
}

// Adds the products of a block with its weights. A nibble is read where it stands: 2^23 + 16^i q, less
// 2^23 + 16^i 8, times the scale / 16^i. All of that is exact, and so the twin's (q - 8) * scale.
GP_FUNCTION float add_products(const float (&normed)[8], unsigned int quanta, float scale, float sum) {
    const float scales[4] = {scale, gp_mul(scale, 0x1p-4f), gp_mul(scale, 0x1p-8f), gp_mul(scale, 0x1p-12f)};
#pragma unroll
    for (int i = 0; i < 8; i++) {
        unsigned int in_half = i < 4 ? quanta : quanta >> 16;
        unsigned int nibble = in_half & (15u << (i % 4 * 4));
        float times_scale = gp_sub(gp_float(nibble | 0x4b000000u), 0x1p23f + (8 << (i % 4 * 4)));
        sum = gp_multiply_add(normed[i], gp_mul(times_scale, scales[i % 4]), sum);
    }
    return sum;
}

GP_FUNCTION float inverse_root(float squares) {
    return gp_rsqrt(gp_multiply_add(squares, (float)(RECIPROCAL_K), EPSILON));
}

// The sum over the group, in every lane.
GP_FUNCTION float group_sum(float sum) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        sum = gp_add(sum, __shfl_xor_sync(0xffffffffu, sum, distance));
    }
    return sum;
}

// The sum over the workgroup, in every invocation.
GP_FUNCTION float row_sum(float own, unsigned int local) {
    float sum = group_sum(own);
    if constexpr (GROUPS > 1) {
        if (local % LANES == 0) {
            partial[local / LANES] = sum;
        }
        __syncthreads();
        sum = partial[0];
#pragma unroll
        for (int group = 1; group < GROUPS; group++) {
            sum = gp_add(sum, partial[group]);
        }
    }
    return sum;
}

GP_FUNCTION void store_output(unsigned int *output, unsigned int row, float value, unsigned int local) {
    if (local == 0) {
        output[row] = gp_f32_to_f16(value);
    }
}

// The sum of squares of hidden + residual, of up to MOST steps at a time.
template <int MOST>
struct Squares {
    static constexpr int IN_FLIGHT = in_flight(MOST);
    const uint4 *__restrict__ hidden;
    const uint4 *residual;

    __device__ __forceinline__ float add(const Blocks<IN_FLIGHT> &blocks, float sum) const {
        uint4 h[IN_FLIGHT], r[IN_FLIGHT];
#pragma unroll
        for (int i = 0; i < IN_FLIGHT; i++) {
            if (blocks.holds(i)) {
                h[i] = hidden[blocks[i]];
                r[i] = residual[blocks[i]];
            }
        }
#pragma unroll
        for (int i = 0; i < IN_FLIGHT; i++) {
            if (!blocks.holds(i)) {
                break;
            }
            float added[8];
            add_halves(h[i], r[i], added);
            sum = add_squares(added, sum);
        }
        return sum;
    }
};

// The dot product of the normed hidden + residual with a row of weights. Row 0 writes both vectors.
struct NormedProducts {
    static constexpr int IN_FLIGHT = in_flight(4);
    const uint4 *__restrict__ hidden;
    uint4 *residual;
    const uint4 *__restrict__ norm_weight;
    const unsigned int *__restrict__ weight;
    // One for 128 elements.
    const unsigned short *__restrict__ scale;
    uint4 *__restrict__ normed_out;
    float inverse;
    bool writes;

    __device__ __forceinline__ float add(const Blocks<IN_FLIGHT> &blocks, float sum) const {
        uint4 h[IN_FLIGHT], r[IN_FLIGHT], w[IN_FLIGHT];
        unsigned int quanta[IN_FLIGHT];
        unsigned short scales[IN_FLIGHT];
#pragma unroll
        for (int i = 0; i < IN_FLIGHT; i++) {
            if (blocks.holds(i)) {
                quanta[i] = weight[blocks[i]];
                h[i] = hidden[blocks[i]];
                r[i] = residual[blocks[i]];
                w[i] = norm_weight[blocks[i]];
                scales[i] = scale[blocks[i] / 16];
            }
        }
#pragma unroll
        for (int i = 0; i < IN_FLIGHT; i++) {
            if (!blocks.holds(i)) {
                break;
            }
            float added[8], normed[8];
            add_halves(h[i], r[i], added);
            normalise(added, inverse, w[i], normed);
            if (writes) {
                residual[blocks[i]] = gp_f16x8_pack(added);
                normed_out[blocks[i]] = gp_f16x8_pack(normed);
            }
            sum = add_products(normed, quanta[i], gp_f16_to_f32(scales[i]), sum);
        }
        return sum;
    }
};

extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    fused(const uint4 *__restrict__ hidden, uint4 *residual, const uint4 *__restrict__ norm_weight,
          const unsigned int *__restrict__ weight, const unsigned short *__restrict__ scale,
          unsigned int *__restrict__ output, uint4 *__restrict__ normed_out) {
    unsigned int row = blockIdx.x;
    unsigned int local = threadIdx.x;
    float squares = over_blocks(Squares<4>{hidden, residual}, local, 0.0f);
    float inverse = inverse_root(row_sum(squares, local));

    // Every invocation has read the sums of squares; their slots take the dot products next.
    if constexpr (!MISSING_BARRIER && GROUPS > 1) {
        __syncthreads();
    }

    const unsigned int *weights = weight + (size_t)row * (K / 8);
    const unsigned short *scales = scale + (size_t)row * (K / 128);
    const NormedProducts products = {hidden, residual, norm_weight, weights, scales, normed_out, inverse, row == 0};
    float dot = over_blocks(products, local, 0.0f);
    store_output(output, row, row_sum(dot, local), local);
}

// One workgroup: residual, and normed_out from the residual as stored. GROUPS is 1: the first subgroup sums the squares
// as that of every row does in `fused`, then all store.
constexpr unsigned int PREPASS_INVOCATIONS = 256;

extern "C" __global__ void __launch_bounds__(PREPASS_INVOCATIONS)
    prepass(const uint4 *__restrict__ hidden, uint4 *residual, const uint4 *__restrict__ norm_weight,
            uint4 *__restrict__ normed_out) {
    // 1 / the root of the mean square.
    __shared__ float shared_inverse;
    unsigned int local = threadIdx.x;
    if (local < LANES) {
        float squares = group_sum(over_blocks(Squares<10>{hidden, residual}, local, 0.0f));
        if (local == 0) {
            shared_inverse = inverse_root(squares);
        }
    }
    __syncthreads();
    float inverse = shared_inverse;
    for (unsigned int block = local; block < K / 8; block += PREPASS_INVOCATIONS) {
        float added[8], normed[8];
        uint4 weights = norm_weight[block];
        add_halves(hidden[block], residual[block], added);
        uint4 stored = gp_f16x8_pack(added);
        residual[block] = stored;
        gp_f16x8(stored, added);
        normalise(added, inverse, weights, normed);
        normed_out[block] = gp_f16x8_pack(normed);
    }
}

// The dot product of normed_out with a row of weights.
struct Products {
    static constexpr int IN_FLIGHT = in_flight(10);
    const uint4 *__restrict__ normed_out;
    const unsigned int *__restrict__ weight;
    const unsigned short *__restrict__ scale;

    __device__ __forceinline__ float add(const Blocks<IN_FLIGHT> &blocks, float sum) const {
        uint4 n[IN_FLIGHT];
        unsigned int quanta[IN_FLIGHT];
        unsigned short scales[IN_FLIGHT];
#pragma unroll
        for (int i = 0; i < IN_FLIGHT; i++) {
            if (blocks.holds(i)) {
                quanta[i] = weight[blocks[i]];
                n[i] = normed_out[blocks[i]];
                scales[i] = scale[blocks[i] / 16];
            }
        }
#pragma unroll
        for (int i = 0; i < IN_FLIGHT; i++) {
            if (!blocks.holds(i)) {
                break;
            }
            float normed[8];
            gp_f16x8(n[i], normed);
            sum = add_products(normed, quanta[i], gp_f16_to_f32(scales[i]), sum);
        }
        return sum;
    }
};

// One workgroup per output row: reads normed_out, writes output.
extern "C" __global__ void __launch_bounds__(INVOCATIONS)
    gemv(const unsigned int *__restrict__ weight, const unsigned short *__restrict__ scale,
         unsigned int *__restrict__ output, const uint4 *__restrict__ normed_out) {
    unsigned int row = blockIdx.x;
    unsigned int local = threadIdx.x;
    const unsigned int *weights = weight + (size_t)row * (K / 8);
    const unsigned short *scales = scale + (size_t)row * (K / 128);
    const Products products = {normed_out, weights, scales};
    float dot = over_blocks(products, local, 0.0f);
    store_output(output, row, row_sum(dot, local), local);
}
