// The functions of gridproof_reference::numerics, operation for operation: the same bits as there and as in
// ../wgsl/numerics.wgsl, on every engine.
//
// What each function computes, its special values and its worst error are documented there. Only f32
// + - *, multiply-add, integer operations, comparisons of integers, selection and small exact conversions
// are used. Infinities and NaN are made as integers and become f32 in the last step.
//
// Every float operation is an intrinsic that rounds to nearest: the compiler contracts `a * b + c` into one
// operation wherever it likes, and never these. Needs no header.

#ifndef GRIDPROOF_NUMERICS_CUH
#define GRIDPROOF_NUMERICS_CUH

// Whether a multiply-add rounds once: 1 or 0.
#ifndef GP_FUSED
#define GP_FUSED 1
#endif

#define GP_FUNCTION static __device__ __forceinline__

GP_FUNCTION unsigned int gp_bits(float x) {
    return __float_as_uint(x);
}

GP_FUNCTION float gp_float(unsigned int bits) {
    return __uint_as_float(bits);
}

GP_FUNCTION float gp_add(float a, float b) {
    return __fadd_rn(a, b);
}

GP_FUNCTION float gp_sub(float a, float b) {
    return __fsub_rn(a, b);
}

GP_FUNCTION float gp_mul(float a, float b) {
    return __fmul_rn(a, b);
}

GP_FUNCTION float gp_multiply_add(float a, float b, float c) {
#if GP_FUSED
    return __fmaf_rn(a, b, c);
#else
    return __fadd_rn(__fmul_rn(a, b), c);
#endif
}

// ---- binary16 and bfloat16; packed words hold the lower element in the low half
//
// Conversion instructions give the bits of gridproof_reference::numerics for every number, and one NaN for all NaNs.
// There a NaN keeps its sign and its leading digits, so those are made as integers.

GP_FUNCTION bool gp_is_number(float x) {
    return x == x;
}

GP_FUNCTION float gp_f16_nan(unsigned int half) {
    return gp_float((half & 0x8000u) << 16 | 0x7fc00000u | (half & 0x03ffu) << 13);
}

GP_FUNCTION unsigned int gp_nan_f16(float nan) {
    unsigned int bits = gp_bits(nan);
    return (bits >> 16 & 0x8000u) | 0x7e00u | (bits >> 13 & 0x03ffu);
}

GP_FUNCTION unsigned int gp_nan_bf16(float nan) {
    return gp_bits(nan) >> 16 | 0x0040u;
}

// The f16 in the low half, as an f32 that may be any NaN.
GP_FUNCTION float gp_f16_number(unsigned int word) {
    float number;
    asm("cvt.f32.f16 %0, %1;" : "=f"(number) : "h"((unsigned short)word));
    return number;
}

GP_FUNCTION float gp_f16_to_f32(unsigned int half) {
    float number = gp_f16_number(half);
    return gp_is_number(number) ? number : gp_f16_nan(half);
}

GP_FUNCTION float gp_f16x2_lo(unsigned int word) {
    return gp_f16_to_f32(word);
}

GP_FUNCTION float gp_f16x2_hi(unsigned int word) {
    return gp_f16_to_f32(word >> 16);
}

// Two numbers in one word, or any NaNs.
GP_FUNCTION unsigned int gp_f16x2_numbers(float lo, float hi) {
    unsigned int word;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(hi), "f"(lo));
    return word;
}

GP_FUNCTION unsigned int gp_bf16x2_numbers(float lo, float hi) {
    unsigned int word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(hi), "f"(lo));
    return word;
}

// The word with the NaNs that there are.
GP_FUNCTION unsigned int gp_f16x2_with_nans(unsigned int word, float lo, float hi) {
    unsigned int low = gp_is_number(lo) ? word & 0xffffu : gp_nan_f16(lo);
    return low | (gp_is_number(hi) ? word & 0xffff0000u : gp_nan_f16(hi) << 16);
}

GP_FUNCTION unsigned int gp_bf16x2_with_nans(unsigned int word, float lo, float hi) {
    unsigned int low = gp_is_number(lo) ? word & 0xffffu : gp_nan_bf16(lo);
    return low | (gp_is_number(hi) ? word & 0xffff0000u : gp_nan_bf16(hi) << 16);
}

GP_FUNCTION unsigned int gp_f16x2_pack(float lo, float hi) {
    unsigned int word = gp_f16x2_numbers(lo, hi);
    if (!gp_is_number(lo) || !gp_is_number(hi)) {
        word = gp_f16x2_with_nans(word, lo, hi);
    }
    return word;
}

GP_FUNCTION unsigned int gp_f32_to_f16(float x) {
    return gp_f16x2_pack(x, 0.0f);
}

// Eight numbers in 16 bytes, the lowest element first. These functions give what four calls of those for two numbers
// give, and look for NaNs in all eight together.

GP_FUNCTION void gp_f16x8(uint4 words, float (&numbers)[8]) {
    const unsigned int word[4] = {words.x, words.y, words.z, words.w};
    bool all = true;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        numbers[i] = gp_f16_number(i % 2 == 0 ? word[i / 2] : word[i / 2] >> 16);
        all = all & gp_is_number(numbers[i]);
    }
    if (!all) {
#pragma unroll
        for (int i = 0; i < 8; i++) {
            numbers[i] = gp_f16_to_f32(i % 2 == 0 ? word[i / 2] : word[i / 2] >> 16);
        }
    }
}

GP_FUNCTION uint4 gp_f16x8_pack(const float (&numbers)[8]) {
    unsigned int words[4];
    bool all = true;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        words[i] = gp_f16x2_numbers(numbers[2 * i], numbers[2 * i + 1]);
        all = all & gp_is_number(numbers[2 * i]) & gp_is_number(numbers[2 * i + 1]);
    }
    if (!all) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            words[i] = gp_f16x2_with_nans(words[i], numbers[2 * i], numbers[2 * i + 1]);
        }
    }
    return make_uint4(words[0], words[1], words[2], words[3]);
}

GP_FUNCTION uint4 gp_bf16x8_pack(const float (&numbers)[8]) {
    unsigned int words[4];
    bool all = true;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        words[i] = gp_bf16x2_numbers(numbers[2 * i], numbers[2 * i + 1]);
        all = all & gp_is_number(numbers[2 * i]) & gp_is_number(numbers[2 * i + 1]);
    }
    if (!all) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            words[i] = gp_bf16x2_with_nans(words[i], numbers[2 * i], numbers[2 * i + 1]);
        }
    }
    return make_uint4(words[0], words[1], words[2], words[3]);
}

GP_FUNCTION float gp_bf16x2_lo(unsigned int word) {
    return gp_float(word << 16);
}

GP_FUNCTION float gp_bf16x2_hi(unsigned int word) {
    return gp_float(word & 0xffff0000u);
}

GP_FUNCTION float gp_bf16_to_f32(unsigned int bits) {
    return gp_bf16x2_lo(bits);
}

GP_FUNCTION unsigned int gp_bf16x2_pack(float lo, float hi) {
    unsigned int word = gp_bf16x2_numbers(lo, hi);
    if (!gp_is_number(lo) || !gp_is_number(hi)) {
        word = gp_bf16x2_with_nans(word, lo, hi);
    }
    return word;
}

GP_FUNCTION unsigned int gp_f32_to_bf16(float x) {
    return gp_bf16x2_pack(x, 0.0f);
}

// ---- shared parts

GP_FUNCTION float gp_upper(float x) {
    return gp_float(gp_bits(x) & 0xfffff000u);
}

// The sum of two numbers.
struct GpSum {
    float x;
    float y;
};

// (high + low) * 2^exponent
struct GpPower {
    float high;
    float low;
    int exponent;
};

GP_FUNCTION GpPower gp_exponential(float x) {
    float rounded = gp_multiply_add(x, 1.442695f, 12582912.0f);
    int exponent = (int)(gp_bits(rounded) - 0x4b400000u);
    float k = gp_sub(rounded, 12582912.0f);
    float near = gp_multiply_add(-k, 0.69314575f, x);
    float r = gp_multiply_add(-k, 1.4286068e-6f, near);
    float r_tail = gp_multiply_add(-k, 1.4286068e-6f, gp_sub(near, r));

    float q = gp_multiply_add(r, 0.00138389f, 0.008369193f);
    q = gp_multiply_add(r, q, 0.041668102f);
    q = gp_multiply_add(r, q, 0.16666517f);
    q = gp_multiply_add(r, q, 0.49999994f);
    float sum = gp_add(1.0f, r);
    float sum_tail = gp_sub(r, gp_sub(sum, 1.0f));
    float tail = gp_multiply_add(gp_mul(r, r), q, gp_add(sum_tail, r_tail));
    float high = gp_add(sum, tail);
    return GpPower{high, gp_sub(tail, gp_sub(high, sum)), exponent};
}

GP_FUNCTION float gp_power_of_two(int exponent) {
    return gp_float((unsigned int)(127 + max(exponent, -64)) << 23);
}

GP_FUNCTION float gp_scaled(float x, int exponent) {
    unsigned int bits = gp_bits(x);
    int magnitude = (int)((bits & 0x7fffffffu) + ((unsigned int)exponent << 23));
    unsigned int normal = magnitude < 0x00800000 ? 0u : (unsigned int)magnitude;
    return gp_float(normal | (bits & 0x80000000u));
}

// 1 / (x + tail) as a sum of two.
GP_FUNCTION GpSum gp_inverse(float x, float tail) {
    float start = gp_float(0x7ef6cf5du - gp_bits(x));
    float error = gp_multiply_add(-x, start, 1.0f);
    float guess = gp_upper(gp_multiply_add(start, gp_multiply_add(error, error, error), start));

    float high = gp_upper(x);
    float low = gp_sub(x, high);
    float residual = gp_multiply_add(-high, guess, 1.0f);
    residual = gp_multiply_add(-low, guess, residual);
    residual = gp_multiply_add(-tail, guess, residual);
    float step = gp_multiply_add(residual, residual, residual);
    return GpSum{guess, gp_mul(guess, step)};
}

// The product of two sums; b.x has 12 significant bits.
GP_FUNCTION float gp_product(GpSum a, GpSum b) {
    float high = gp_upper(a.x);
    float low = gp_sub(a.x, high);
    float rest = gp_multiply_add(a.y, b.x, gp_mul(a.x, b.y));
    rest = gp_multiply_add(low, b.x, rest);
    return gp_multiply_add(high, b.x, rest);
}

struct GpReduced {
    float f;
    int exponent;
};

GP_FUNCTION GpReduced gp_reduced(unsigned int bits) {
    int exponent = (int)(bits - 0x3f2aaaabu) >> 23;
    float mantissa = gp_float(bits - ((unsigned int)exponent << 23));
    return GpReduced{gp_sub(mantissa, 1.0f), exponent};
}

GP_FUNCTION float gp_logarithm(float f, int exponent, float tail) {
    float k = (float)exponent;
    float p = gp_multiply_add(f, -0.12891695f, 0.13984436f);
    p = gp_multiply_add(f, p, -0.121842586f);
    p = gp_multiply_add(f, p, 0.1400587f);
    p = gp_multiply_add(f, p, -0.16680488f);
    p = gp_multiply_add(f, p, 0.20010406f);
    p = gp_multiply_add(f, p, -0.24999797f);
    p = gp_multiply_add(f, p, 0.33333215f);
    p = gp_multiply_add(f, p, -0.5f);
    float high = gp_mul(k, 0.69314575f);
    float sum = gp_add(high, f);
    float lost = gp_sub(f, gp_sub(sum, high));
    float rest = gp_multiply_add(k, 1.4286068e-6f, gp_add(lost, tail));
    rest = gp_multiply_add(gp_mul(f, f), p, rest);
    return gp_add(sum, rest);
}

// e^-a as power * 2^exponent, 1 / (1 + e^-a) as inverse, both sums.
struct GpGate {
    GpSum power;
    int exponent;
    GpSum inverse;
};

GP_FUNCTION GpGate gp_gate(unsigned int magnitude) {
    float a = gp_float(magnitude < 0x00800000u ? 0u : min(magnitude, 0x42d00000u));
    GpPower e = gp_exponential(-a);
    float factor = gp_power_of_two(e.exponent);
    float e_high = gp_mul(e.high, factor);
    float e_low = gp_mul(e.low, factor);
    float sum = gp_add(1.0f, e_high);
    float lost = gp_sub(e_high, gp_sub(sum, 1.0f));
    return GpGate{GpSum{e.high, e.low}, e.exponent, gp_inverse(sum, gp_add(lost, e_low))};
}

// ---- the functions

GP_FUNCTION float gp_reciprocal(float x) {
    unsigned int bits = gp_bits(x);
    unsigned int magnitude = bits & 0x7fffffffu;
    float mantissa = gp_float((magnitude & 0x007fffffu) | 0x3f800000u);
    GpSum sum = gp_inverse(mantissa, 0.0f);
    unsigned int scaled = gp_bits(gp_add(sum.x, sum.y)) - (magnitude & 0x7f800000u) + 0x3f800000u;
    unsigned int small = magnitude > 0x7e800000u ? 0u : scaled;
    unsigned int large = magnitude < 0x00800000u ? 0x7f800000u : small;
    unsigned int with_sign = large | (bits & 0x80000000u);
    return gp_float(magnitude > 0x7f800000u ? 0x7fc00000u : with_sign);
}

GP_FUNCTION float gp_rsqrt(float x) {
    unsigned int bits = gp_bits(x);
    unsigned int magnitude = bits & 0x7fffffffu;
    unsigned int quarter = (unsigned int)((int)(magnitude - 0x3f800000u) >> 24);
    float mantissa = gp_float(magnitude - (quarter << 24));

    float start = gp_float(0x5f375a00u - (gp_bits(mantissa) >> 1));
    float error = gp_multiply_add(-mantissa, gp_mul(start, start), 1.0f);
    float first = gp_mul(error, gp_multiply_add(error, 0.375f, 0.5f));
    float guess = gp_upper(gp_multiply_add(start, first, start));

    float square = gp_mul(guess, guess);
    float square_high = gp_upper(square);
    float mantissa_high = gp_upper(mantissa);
    float square_low = gp_sub(square, square_high);
    float mantissa_low = gp_sub(mantissa, mantissa_high);
    float residual = gp_multiply_add(-mantissa_high, square_high, 1.0f);
    residual = gp_multiply_add(-mantissa_high, square_low, residual);
    residual = gp_multiply_add(-mantissa_low, square_high, residual);
    residual = gp_multiply_add(-mantissa_low, square_low, residual);
    float step = gp_mul(residual, gp_multiply_add(residual, 0.375f, 0.5f));
    float root = gp_multiply_add(guess, step, guess);

    unsigned int scaled = gp_bits(root) - (quarter << 23);
    unsigned int positive = magnitude == 0x7f800000u ? 0u : scaled;
    unsigned int with_sign = bits > 0x7f800000u ? 0x7fc00000u : positive;
    unsigned int pole = 0x7f800000u | (bits & 0x80000000u);
    return gp_float(magnitude < 0x00800000u ? pole : with_sign);
}

GP_FUNCTION float gp_exp(float x) {
    unsigned int bits = gp_bits(x);
    unsigned int magnitude = bits & 0x7fffffffu;
    float tame = gp_float(magnitude < 0x42d00000u ? bits : 0u);
    GpPower e = gp_exponential(tame);
    unsigned int finite = gp_bits(e.high) + ((unsigned int)e.exponent << 23);
    bool positive = bits == magnitude;
    unsigned int limit = positive ? 0x42b17218u : 0x42aeac50u;
    unsigned int beyond = positive ? 0x7f800000u : 0u;
    unsigned int ordered = magnitude < limit ? finite : beyond;
    return gp_float(magnitude > 0x7f800000u ? 0x7fc00000u : ordered);
}

GP_FUNCTION float gp_log(float x) {
    unsigned int bits = gp_bits(x);
    unsigned int magnitude = bits & 0x7fffffffu;
    GpReduced reduced = gp_reduced(magnitude);
    unsigned int finite = gp_bits(gp_logarithm(reduced.f, reduced.exponent, 0.0f));
    unsigned int positive = magnitude == 0x7f800000u ? 0x7f800000u : finite;
    unsigned int with_sign = bits > 0x7f800000u ? 0x7fc00000u : positive;
    return gp_float(magnitude < 0x00800000u ? 0xff800000u : with_sign);
}

GP_FUNCTION float gp_log1p(float x) {
    unsigned int bits = gp_bits(x);
    unsigned int magnitude = bits & 0x7fffffffu;
    float tame = gp_float(magnitude < 0x7f800000u ? bits : 0u);
    bool above_one = magnitude > 0x3f800000u;
    float larger = above_one ? tame : 1.0f;
    float smaller = above_one ? 1.0f : tame;
    float sum = gp_add(1.0f, tame);
    float lost = gp_sub(smaller, gp_sub(sum, larger));

    GpReduced reduced = gp_reduced(gp_bits(sum) & 0x7fffffffu);
    float factor = gp_float((unsigned int)(127 - min(reduced.exponent, 64)) << 23);
    float tail = gp_mul(gp_mul(lost, factor), gp_multiply_add(reduced.f, -1.0588235f, 1.0588235f));

    bool small = magnitude <= 0x3eaaaaabu;
    float f = small ? tame : reduced.f;
    int exponent = small ? 0 : reduced.exponent;
    unsigned int finite = gp_bits(gp_logarithm(f, exponent, small ? 0.0f : tail));
    unsigned int above = bits == 0x7f800000u ? 0x7f800000u : finite;
    unsigned int defined = bits > 0xbf800000u || magnitude > 0x7f800000u ? 0x7fc00000u : above;
    unsigned int pole = bits == 0xbf800000u ? 0xff800000u : defined;
    return gp_float(magnitude < 0x00800000u ? bits & 0x80000000u : pole);
}

GP_FUNCTION float gp_sigmoid(float x) {
    unsigned int bits = gp_bits(x);
    unsigned int magnitude = bits & 0x7fffffffu;
    GpGate gate = gp_gate(magnitude);
    unsigned int right = gp_bits(gp_add(gate.inverse.x, gate.inverse.y));
    unsigned int left = gp_bits(gp_scaled(gp_product(gate.power, gate.inverse), gate.exponent));
    unsigned int ordered = bits == magnitude ? right : left;
    return gp_float(magnitude > 0x7f800000u ? 0x7fc00000u : ordered);
}

GP_FUNCTION float gp_softplus(float x) {
    unsigned int bits = gp_bits(x);
    bool linear = bits > 0x41a00000u && bits <= 0x7f800000u;
    float tame = gp_float(linear ? 0u : bits);
    unsigned int curved = gp_bits(gp_log1p(gp_exp(tame)));
    unsigned int ordered = linear ? bits : curved;
    return gp_float((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : ordered);
}

GP_FUNCTION float gp_silu(float x) {
    unsigned int bits = gp_bits(x);
    unsigned int magnitude = bits & 0x7fffffffu;
    GpGate gate = gp_gate(magnitude);
    bool negative = bits != magnitude;
    float limited = gp_float(min(magnitude, 0x42d00000u));
    float high = negative ? gate.power.x : 1.0f;
    float low = negative ? gate.power.y : 0.0f;
    int exponent = negative ? gate.exponent : 0;
    GpSum factor = GpSum{gp_mul(limited, high), gp_mul(limited, low)};
    unsigned int product = gp_bits(gp_scaled(gp_product(factor, gate.inverse), exponent));
    unsigned int far = magnitude > 0x42d00000u && !negative ? magnitude : product;
    unsigned int half = magnitude < 0x01000000u ? 0u : magnitude - 0x00800000u;
    unsigned int ordered = (magnitude < 0x21800000u ? half : far) | (bits & 0x80000000u);
    return gp_float(magnitude > 0x7f800000u ? 0x7fc00000u : ordered);
}

// The gate 1 / (1 + e^a) on each half from 0 to 16: the coefficients of a cubic polynomial in a, the constant one first.
constexpr unsigned int GP_GATE_ROWS = 32;
__device__ const float4 gp_gate_rows[GP_GATE_ROWS] = {
    {0.5f, -0.25004777f, 5.045519e-4f, 0.019527048f},
    {0.50124043f, -0.25682816f, 0.013185568f, 0.011348415f},
    {0.51102126f, -0.2860769f, 0.042638417f, 0.0013591306f},
    {0.530934f, -0.32663372f, 0.07029947f, -0.0049574752f},
    {0.54452795f, -0.34786773f, 0.08137325f, -0.0068853246f},
    {0.53317475f, -0.33470887f, 0.07628999f, -0.0062308423f},
    {0.49243805f, -0.29404533f, 0.06274487f, -0.0047251903f},
    {0.43051216f, -0.24082017f, 0.04748298f, -0.0032652111f},
    {0.35951304f, -0.18735602f, 0.034054283f, -0.0021401772f},
    {0.2894437f, -0.14043921f, 0.02357743f, -0.0013599264f},
    {0.22639616f, -0.10244633f, 0.015942669f, -8.4830704e-4f},
    {0.17305537f, -0.073229514f, 0.010606445f, -5.2332313e-4f},
    {0.12984167f, -0.05153663f, 0.006975524f, -3.2068585e-4f},
    {0.09593229f, -0.035827205f, 0.004548994f, -1.9571879e-4f},
    {0.069966435f, -0.024659397f, 0.0029475803f, -1.19157565e-4f},
    {0.050464753f, -0.016832504f, 0.0019002949f, -7.2438e-5f},
    {0.036047883f, -0.011408981f, 0.0012200883f, -4.3996763e-5f},
    {0.025530301f, -0.007685696f, 7.806709e-4f, -2.670781e-5f},
    {0.017943809f, -0.005149617f, 4.9804075e-4f, -1.620736e-5f},
    {0.012525211f, -0.0034338094f, 3.1691577e-4f, -9.8332985e-6f},
    {0.008688475f, -0.0022797906f, 2.0120143e-4f, -5.9653144e-6f},
    {0.0059927558f, -0.0015076675f, 1.2747593e-4f, -3.6185575e-6f},
    {0.004111864f, -9.934735e-4f, 8.061554e-5f, -2.1949172e-6f},
    {0.0028077504f, -6.524914e-4f, 5.0894767e-5f, -1.3313403e-6f},
    {0.001908726f, -4.2724094e-4f, 3.208127e-5f, -8.075192e-7f},
    {0.0012922115f, -2.7896432e-4f, 2.019325e-5f, -4.897927e-7f},
    {8.714724e-4f, -1.816726e-4f, 1.269355e-5f, -2.9707704e-7f},
    {5.8562e-4f, -1.180248e-4f, 7.969351e-6f, -1.8018736e-7f},
    {3.922126e-4f, -7.650153e-5f, 4.997606e-6f, -1.0928953e-7f},
    {2.618558e-4f, -4.9481536e-5f, 3.1306388e-6f, -6.628759e-8f},
    {1.7430953e-4f, -3.1941086e-5f, 1.959139e-6f, -4.0205506e-8f},
    {1.1571091e-4f, -2.0579831e-5f, 1.2248576e-6f, -2.438589e-8f},
};

// Has, for |x| below 16, the number of its row in the bits from 4 on and 0x48c00000 above them: with 3 * 2^17 added, a
// number ends with its 32nds.
GP_FUNCTION unsigned int gp_silu_16_row(float x) {
    return gp_bits(gp_add(fabsf(x), 393216.0f));
}

// Whether `gp_silu_16_near` knows the result. `bits` may be the union of what `gp_silu_16_row` says of several numbers: then
// whether it knows all.
GP_FUNCTION bool gp_silu_16_is_near(unsigned int bits) {
    return (bits & ~(16 * GP_GATE_ROWS - 1)) == 0x48c00000u;
}

// x, or zero for a negative one, without |x| times the gate of -|x|. Where a result is denormal, the last operation makes it
// a zero.
GP_FUNCTION float gp_silu_16_of(float x, float gate) {
    // Of the two zeros this is the argument's.
    float above = fmaxf(x, -0.0f);
    float result;
#if GP_FUSED
    asm("fma.rn.ftz.f32 %0, %1, %2, %3;" : "=f"(result) : "f"(-fabsf(x)), "f"(gate), "f"(above));
#else
    // The product of a tiny number may be denormal, and is exactly half of it before it is rounded.
    asm("add.rn.ftz.f32 %0, %1, %2;" : "=f"(result) : "f"(gp_mul(-fabsf(x), gate)), "f"(above));
    if (fabsf(x) < 0x1p-60f) {
        asm("mul.rn.ftz.f32 %0, %1, 0f3F000000;" : "=f"(result) : "f"(x));
    }
#endif
    return result;
}

// For results that are rounded to 16 bits. `rows` are `gp_gate_rows`, or a copy of them. Where `gp_silu_16_is_near` does not
// hold, it is anything.
GP_FUNCTION float gp_silu_16_near(float x, const float4 *rows) {
    float4 c = rows[gp_silu_16_row(x) / 16 % GP_GATE_ROWS];
    float gate = gp_multiply_add(fabsf(x), c.w, c.z);
    gate = gp_multiply_add(fabsf(x), gate, c.y);
    return gp_silu_16_of(x, gp_multiply_add(fabsf(x), gate, c.x));
}

GP_FUNCTION float gp_silu_16(float x, const float4 *rows) {
    float scaled = gp_mul(fabsf(x), -1.442695f);
    float rounded = gp_add(scaled, 12582912.0f);
    float r = gp_sub(scaled, gp_sub(rounded, 12582912.0f));
    float p = gp_multiply_add(r, 0.009582853f, 0.055906426f);
    p = gp_multiply_add(r, p, 0.24024099f);
    p = gp_multiply_add(r, p, 0.6931242f);
    p = gp_multiply_add(r, p, 1.0f);
    float e = gp_float(gp_bits(p) + (gp_bits(rounded) << 23));
    float beyond = fabsf(x) < 87.0f ? gp_silu_16_of(x, gp_multiply_add(-e, e, e)) : fmaxf(x, -0.0f);
    float all = gp_silu_16_is_near(gp_silu_16_row(x)) ? gp_silu_16_near(x, rows) : beyond;
    return gp_is_number(x) ? all : gp_float(0x7fc00000u);
}

GP_FUNCTION float gp_tanh(float x) {
    unsigned int bits = gp_bits(x);
    unsigned int magnitude = bits & 0x7fffffffu;
    float a = gp_float(magnitude < 0x00800000u ? 0u : min(magnitude, 0x41800000u));

    float square = gp_mul(a, a);
    float p = gp_multiply_add(square, -0.0061719236f, 0.02100098f);
    p = gp_multiply_add(square, p, -0.053835757f);
    p = gp_multiply_add(square, p, 0.13332437f);
    p = gp_multiply_add(square, p, -0.33333313f);
    unsigned int near = gp_bits(gp_multiply_add(a, gp_mul(square, p), a));

    GpPower e = gp_exponential(gp_mul(a, 2.0f));
    float factor = gp_power_of_two(e.exponent);
    float e_high = gp_mul(e.high, factor);
    float e_low = gp_mul(e.low, factor);
    float sum = gp_add(e_high, 1.0f);
    float lost = gp_sub(1.0f, gp_sub(sum, e_high));
    GpSum inverse = gp_inverse(sum, gp_add(lost, e_low));
    unsigned int far = gp_bits(gp_multiply_add(-2.0f, gp_add(inverse.x, inverse.y), 1.0f));

    unsigned int value = (magnitude < 0x3f0ccccdu ? near : far) | (bits & 0x80000000u);
    return gp_float(magnitude > 0x7f800000u ? 0x7fc00000u : value);
}

#endif
