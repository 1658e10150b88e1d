// The functions of gridproof_reference::numerics, operation for operation: the same bits as there, on
// every engine. Append this file after a kernel's text, so that the kernel keeps its line numbers.
//
// What each function computes, its special values and its worst error are documented there. Only f32
// + - *, multiply-add, integer operations, comparisons of integers, selection and small exact conversions
// are used. Infinities and NaN are made as integers and become f32 in the last step.
//
// `select(a, b, c)` is `b` where `c` holds.

// Whether a multiply-add rounds once. Set it to what the device's fma does.
override GP_FUSED: bool = true;

fn gp_multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if GP_FUSED {
        return fma(a, b, c);
    }
    return a * b + c;
}

// ---- binary16 and bfloat16, by bits; packed words hold the lower element in the low half

fn gp_f16x2_lo(word: u32) -> f32 {
    return gp_f16x2_hi(word << 16u);
}

fn gp_f16x2_hi(word: u32) -> f32 {
    // The arithmetic shift leaves the sign where it is; the mask drops its copies and the lower half.
    let digits = bitcast<u32>(bitcast<i32>(word) >> 3u) & 0x8fffe000u;
    var bits = digits + 0x38000000u;
    // Exponents 0 and 31, the ones that are not just rebiased, wrap to 1 and 0 here.
    if ((digits + 0x00800000u) & 0x0f000000u) == 0u {
        bits = gp_f16_special(digits);
    }
    return bitcast<f32>(bits);
}

fn gp_f16_special(digits: u32) -> u32 {
    let magnitude = digits & 0x7fffffffu;
    // 2^-14 and the digits behind its leading 1, less 2^-14.
    let denormal = bitcast<u32>(bitcast<f32>(magnitude + 0x38800000u) - 6.1035156e-5f);
    let special = (magnitude + 0x70000000u) | select(0u, 0x00400000u, magnitude > 0x0f800000u);
    return select(special, denormal, magnitude < 0x00800000u) | (digits & 0x80000000u);
}

fn gp_f16_to_f32(bits: u32) -> f32 {
    return gp_f16x2_lo(bits);
}

fn gp_f32_to_f16(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    var rounded = (magnitude + ((magnitude >> 13u) & 1u) - 0x37fff001u) >> 13u;
    // Outside [2^-14, 2^16).
    if magnitude - 0x38800000u >= 0x0f000000u {
        let small = bitcast<f32>(min(magnitude, 0x38800000u));
        let denormal = bitcast<u32>(small + 0.5) - 0x3f000000u;
        let special = select(0x7c00u, 0x7e00u | ((magnitude >> 13u) & 0x03ffu), magnitude > 0x7f800000u);
        rounded = select(special, denormal, magnitude < 0x38800000u);
    }
    return ((bits >> 16u) & 0x8000u) | rounded;
}

fn gp_f16x2_pack(lo: f32, hi: f32) -> u32 {
    return gp_f32_to_f16(lo) | (gp_f32_to_f16(hi) << 16u);
}

fn gp_bf16x2_lo(word: u32) -> f32 {
    return bitcast<f32>(word << 16u);
}

fn gp_bf16x2_hi(word: u32) -> f32 {
    return bitcast<f32>(word & 0xffff0000u);
}

fn gp_bf16_to_f32(bits: u32) -> f32 {
    return gp_bf16x2_lo(bits);
}

fn gp_f32_to_bf16(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
    return select(rounded, (bits >> 16u) | 0x0040u, (bits & 0x7fffffffu) > 0x7f800000u);
}

fn gp_bf16x2_pack(lo: f32, hi: f32) -> u32 {
    return gp_f32_to_bf16(lo) | (gp_f32_to_bf16(hi) << 16u);
}

// ---- shared parts

fn gp_upper(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// (high + low) * 2^exponent
struct GpPower {
    high: f32,
    low: f32,
    exponent: i32,
}

fn gp_exponential(x: f32) -> GpPower {
    let rounded = gp_multiply_add(x, 1.442695f, 12582912.0f);
    let exponent = bitcast<i32>(bitcast<u32>(rounded) - 0x4b400000u);
    let k = rounded - 12582912.0f;
    let near = gp_multiply_add(-k, 0.69314575f, x);
    let r = gp_multiply_add(-k, 1.4286068e-6f, near);
    let r_tail = gp_multiply_add(-k, 1.4286068e-6f, near - r);

    var q = gp_multiply_add(r, 0.00138389f, 0.008369193f);
    q = gp_multiply_add(r, q, 0.041668102f);
    q = gp_multiply_add(r, q, 0.16666517f);
    q = gp_multiply_add(r, q, 0.49999994f);
    let sum = 1.0 + r;
    let sum_tail = r - (sum - 1.0);
    let tail = gp_multiply_add(r * r, q, sum_tail + r_tail);
    let high = sum + tail;
    return GpPower(high, tail - (high - sum), exponent);
}

fn gp_power_of_two(exponent: i32) -> f32 {
    return bitcast<f32>(bitcast<u32>(127i + max(exponent, -64i)) << 23u);
}

fn gp_scaled(x: f32, exponent: i32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bitcast<i32>((bits & 0x7fffffffu) + (bitcast<u32>(exponent) << 23u));
    let normal = select(bitcast<u32>(magnitude), 0u, magnitude < 0x00800000i);
    return bitcast<f32>(normal | (bits & 0x80000000u));
}

// 1 / (x + tail) as a sum of two.
fn gp_inverse(x: f32, tail: f32) -> vec2<f32> {
    let start = bitcast<f32>(0x7ef6cf5du - bitcast<u32>(x));
    let error = gp_multiply_add(-x, start, 1.0);
    let guess = gp_upper(gp_multiply_add(start, gp_multiply_add(error, error, error), start));

    let high = gp_upper(x);
    let low = x - high;
    var residual = gp_multiply_add(-high, guess, 1.0);
    residual = gp_multiply_add(-low, guess, residual);
    residual = gp_multiply_add(-tail, guess, residual);
    let step = gp_multiply_add(residual, residual, residual);
    return vec2<f32>(guess, guess * step);
}

// The product of two sums; b.x has 12 significant bits.
fn gp_product(a: vec2<f32>, b: vec2<f32>) -> f32 {
    let high = gp_upper(a.x);
    let low = a.x - high;
    var rest = gp_multiply_add(a.y, b.x, a.x * b.y);
    rest = gp_multiply_add(low, b.x, rest);
    return gp_multiply_add(high, b.x, rest);
}

struct GpReduced {
    f: f32,
    exponent: i32,
}

fn gp_reduced(bits: u32) -> GpReduced {
    let exponent = bitcast<i32>(bits - 0x3f2aaaabu) >> 23u;
    let mantissa = bitcast<f32>(bits - (bitcast<u32>(exponent) << 23u));
    return GpReduced(mantissa - 1.0, exponent);
}

fn gp_logarithm(f: f32, exponent: i32, tail: f32) -> f32 {
    let k = f32(exponent);
    var p = gp_multiply_add(f, -0.12891695f, 0.13984436f);
    p = gp_multiply_add(f, p, -0.121842586f);
    p = gp_multiply_add(f, p, 0.1400587f);
    p = gp_multiply_add(f, p, -0.16680488f);
    p = gp_multiply_add(f, p, 0.20010406f);
    p = gp_multiply_add(f, p, -0.24999797f);
    p = gp_multiply_add(f, p, 0.33333215f);
    p = gp_multiply_add(f, p, -0.5f);
    let high = k * 0.69314575f;
    let sum = high + f;
    let lost = f - (sum - high);
    var rest = gp_multiply_add(k, 1.4286068e-6f, lost + tail);
    rest = gp_multiply_add(f * f, p, rest);
    return sum + rest;
}

// e^-a as power * 2^exponent, 1 / (1 + e^-a) as inverse, both sums.
struct GpGate {
    power: vec2<f32>,
    exponent: i32,
    inverse: vec2<f32>,
}

fn gp_gate(magnitude: u32) -> GpGate {
    let a = bitcast<f32>(select(min(magnitude, 0x42d00000u), 0u, magnitude < 0x00800000u));
    let e = gp_exponential(-a);
    let factor = gp_power_of_two(e.exponent);
    let e_high = e.high * factor;
    let e_low = e.low * factor;
    let sum = 1.0 + e_high;
    let lost = e_high - (sum - 1.0);
    return GpGate(vec2<f32>(e.high, e.low), e.exponent, gp_inverse(sum, lost + e_low));
}

// ---- the functions

fn gp_reciprocal(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let mantissa = bitcast<f32>((magnitude & 0x007fffffu) | 0x3f800000u);
    let sum = gp_inverse(mantissa, 0.0);
    let scaled = bitcast<u32>(sum.x + sum.y) - (magnitude & 0x7f800000u) + 0x3f800000u;
    let small = select(scaled, 0u, magnitude > 0x7e800000u);
    let large = select(small, 0x7f800000u, magnitude < 0x00800000u);
    let signed = large | (bits & 0x80000000u);
    return bitcast<f32>(select(signed, 0x7fc00000u, magnitude > 0x7f800000u));
}

fn gp_rsqrt(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let quarter = bitcast<u32>(bitcast<i32>(magnitude - 0x3f800000u) >> 24u);
    let mantissa = bitcast<f32>(magnitude - (quarter << 24u));

    let start = bitcast<f32>(0x5f375a00u - (bitcast<u32>(mantissa) >> 1u));
    let error = gp_multiply_add(-mantissa, start * start, 1.0);
    let first = error * gp_multiply_add(error, 0.375, 0.5);
    let guess = gp_upper(gp_multiply_add(start, first, start));

    let square = guess * guess;
    let square_high = gp_upper(square);
    let mantissa_high = gp_upper(mantissa);
    let square_low = square - square_high;
    let mantissa_low = mantissa - mantissa_high;
    var residual = gp_multiply_add(-mantissa_high, square_high, 1.0);
    residual = gp_multiply_add(-mantissa_high, square_low, residual);
    residual = gp_multiply_add(-mantissa_low, square_high, residual);
    residual = gp_multiply_add(-mantissa_low, square_low, residual);
    let step = residual * gp_multiply_add(residual, 0.375, 0.5);
    let root = gp_multiply_add(guess, step, guess);

    let scaled = bitcast<u32>(root) - (quarter << 23u);
    let positive = select(scaled, 0u, magnitude == 0x7f800000u);
    let signed = select(positive, 0x7fc00000u, bits > 0x7f800000u);
    let pole = 0x7f800000u | (bits & 0x80000000u);
    return bitcast<f32>(select(signed, pole, magnitude < 0x00800000u));
}

fn gp_exp(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let tame = bitcast<f32>(select(0u, bits, magnitude < 0x42d00000u));
    let e = gp_exponential(tame);
    let finite = bitcast<u32>(e.high) + (bitcast<u32>(e.exponent) << 23u);
    let positive = bits == magnitude;
    let limit = select(0x42aeac50u, 0x42b17218u, positive);
    let beyond = select(0u, 0x7f800000u, positive);
    let ordered = select(beyond, finite, magnitude < limit);
    return bitcast<f32>(select(ordered, 0x7fc00000u, magnitude > 0x7f800000u));
}

fn gp_log(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let reduced = gp_reduced(magnitude);
    let finite = bitcast<u32>(gp_logarithm(reduced.f, reduced.exponent, 0.0));
    let positive = select(finite, 0x7f800000u, magnitude == 0x7f800000u);
    let signed = select(positive, 0x7fc00000u, bits > 0x7f800000u);
    return bitcast<f32>(select(signed, 0xff800000u, magnitude < 0x00800000u));
}

fn gp_log1p(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let tame = bitcast<f32>(select(0u, bits, magnitude < 0x7f800000u));
    let above_one = magnitude > 0x3f800000u;
    let larger = select(1.0, tame, above_one);
    let smaller = select(tame, 1.0, above_one);
    let sum = 1.0 + tame;
    let lost = smaller - (sum - larger);

    let reduced = gp_reduced(bitcast<u32>(sum) & 0x7fffffffu);
    let factor = bitcast<f32>(bitcast<u32>(127i - min(reduced.exponent, 64i)) << 23u);
    let tail = lost * factor * gp_multiply_add(reduced.f, -1.0588235f, 1.0588235f);

    let small = magnitude <= 0x3eaaaaabu;
    let f = select(reduced.f, tame, small);
    let exponent = select(reduced.exponent, 0i, small);
    let finite = bitcast<u32>(gp_logarithm(f, exponent, select(tail, 0.0, small)));
    let above = select(finite, 0x7f800000u, bits == 0x7f800000u);
    let defined = select(above, 0x7fc00000u, bits > 0xbf800000u || magnitude > 0x7f800000u);
    let pole = select(defined, 0xff800000u, bits == 0xbf800000u);
    return bitcast<f32>(select(pole, bits & 0x80000000u, magnitude < 0x00800000u));
}

fn gp_sigmoid(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let gate = gp_gate(magnitude);
    let right = bitcast<u32>(gate.inverse.x + gate.inverse.y);
    let left = bitcast<u32>(gp_scaled(gp_product(gate.power, gate.inverse), gate.exponent));
    let ordered = select(left, right, bits == magnitude);
    return bitcast<f32>(select(ordered, 0x7fc00000u, magnitude > 0x7f800000u));
}

fn gp_softplus(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let linear = bits > 0x41a00000u && bits <= 0x7f800000u;
    let tame = bitcast<f32>(select(bits, 0u, linear));
    let curved = bitcast<u32>(gp_log1p(gp_exp(tame)));
    let ordered = select(curved, bits, linear);
    return bitcast<f32>(select(ordered, 0x7fc00000u, (bits & 0x7fffffffu) > 0x7f800000u));
}

fn gp_silu(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let gate = gp_gate(magnitude);
    let negative = bits != magnitude;
    let limited = bitcast<f32>(min(magnitude, 0x42d00000u));
    let high = select(1.0, gate.power.x, negative);
    let low = select(0.0, gate.power.y, negative);
    let exponent = select(0i, gate.exponent, negative);
    let factor = vec2<f32>(limited * high, limited * low);
    let product = bitcast<u32>(gp_scaled(gp_product(factor, gate.inverse), exponent));
    let far = select(product, magnitude, magnitude > 0x42d00000u && !negative);
    let half = select(magnitude - 0x00800000u, 0u, magnitude < 0x01000000u);
    let ordered = select(far, half, magnitude < 0x21800000u) | (bits & 0x80000000u);
    return bitcast<f32>(select(ordered, 0x7fc00000u, magnitude > 0x7f800000u));
}

// The gate 1 / (1 + e^a) on each half from 0 to 16: the coefficients of a cubic polynomial in a, the constant one first.
const GP_GATE_ROWS = array<vec4<f32>, 32>(
    vec4(0.5, -0.25004777, 5.045519e-4, 0.019527048),
    vec4(0.50124043, -0.25682816, 0.013185568, 0.011348415),
    vec4(0.51102126, -0.2860769, 0.042638417, 0.0013591306),
    vec4(0.530934, -0.32663372, 0.07029947, -0.0049574752),
    vec4(0.54452795, -0.34786773, 0.08137325, -0.0068853246),
    vec4(0.53317475, -0.33470887, 0.07628999, -0.0062308423),
    vec4(0.49243805, -0.29404533, 0.06274487, -0.0047251903),
    vec4(0.43051216, -0.24082017, 0.04748298, -0.0032652111),
    vec4(0.35951304, -0.18735602, 0.034054283, -0.0021401772),
    vec4(0.2894437, -0.14043921, 0.02357743, -0.0013599264),
    vec4(0.22639616, -0.10244633, 0.015942669, -8.4830704e-4),
    vec4(0.17305537, -0.073229514, 0.010606445, -5.2332313e-4),
    vec4(0.12984167, -0.05153663, 0.006975524, -3.2068585e-4),
    vec4(0.09593229, -0.035827205, 0.004548994, -1.9571879e-4),
    vec4(0.069966435, -0.024659397, 0.0029475803, -1.19157565e-4),
    vec4(0.050464753, -0.016832504, 0.0019002949, -7.2438e-5),
    vec4(0.036047883, -0.011408981, 0.0012200883, -4.3996763e-5),
    vec4(0.025530301, -0.007685696, 7.806709e-4, -2.670781e-5),
    vec4(0.017943809, -0.005149617, 4.9804075e-4, -1.620736e-5),
    vec4(0.012525211, -0.0034338094, 3.1691577e-4, -9.8332985e-6),
    vec4(0.008688475, -0.0022797906, 2.0120143e-4, -5.9653144e-6),
    vec4(0.0059927558, -0.0015076675, 1.2747593e-4, -3.6185575e-6),
    vec4(0.004111864, -9.934735e-4, 8.061554e-5, -2.1949172e-6),
    vec4(0.0028077504, -6.524914e-4, 5.0894767e-5, -1.3313403e-6),
    vec4(0.001908726, -4.2724094e-4, 3.208127e-5, -8.075192e-7),
    vec4(0.0012922115, -2.7896432e-4, 2.019325e-5, -4.897927e-7),
    vec4(8.714724e-4, -1.816726e-4, 1.269355e-5, -2.9707704e-7),
    vec4(5.8562e-4, -1.180248e-4, 7.969351e-6, -1.8018736e-7),
    vec4(3.922126e-4, -7.650153e-5, 4.997606e-6, -1.0928953e-7),
    vec4(2.618558e-4, -4.9481536e-5, 3.1306388e-6, -6.628759e-8),
    vec4(1.7430953e-4, -3.1941086e-5, 1.959139e-6, -4.0205506e-8),
    vec4(1.1571091e-4, -2.0579831e-5, 1.2248576e-6, -2.438589e-8),
);

// For results that are rounded to 16 bits.
fn gp_silu_16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let sign = bits & 0x80000000u;
    let a = bitcast<f32>(magnitude);

    // With 3 * 2^17 added, a number below 16 ends with its 32nds: the row stands in the bits from 4 on.
    let number = bitcast<u32>(a + 393216.0);
    let row = GP_GATE_ROWS[(number >> 4u) & 31u];
    var near = gp_multiply_add(a, row.w, row.z);
    near = gp_multiply_add(a, near, row.y);
    near = gp_multiply_add(a, near, row.x);

    let scaled = a * -1.442695;
    let rounded = scaled + 12582912.0;
    let r = scaled - (rounded - 12582912.0);
    var p = gp_multiply_add(r, 0.009582853, 0.055906426);
    p = gp_multiply_add(r, p, 0.24024099);
    p = gp_multiply_add(r, p, 0.6931242);
    p = gp_multiply_add(r, p, 1.0);
    let e = bitcast<f32>(bitcast<u32>(p) + (bitcast<u32>(rounded) << 23u));

    let gate = select(gp_multiply_add(-e, e, e), near, (number & 0xfffffe00u) == 0x48c00000u);
    let above = select(0x80000000u, bits, sign == 0u);
    let gated = bitcast<u32>(gp_multiply_add(-a, gate, bitcast<f32>(above)));
    let half = select(bits - 0x00800000u, sign, magnitude < 0x01000000u);
    let ordered = select(gated, half, magnitude < 0x21800000u);
    let all = select(above, ordered, magnitude < 0x42ae0000u);
    return bitcast<f32>(select(all, 0x7fc00000u, magnitude > 0x7f800000u));
}

fn gp_tanh(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let a = bitcast<f32>(select(min(magnitude, 0x41800000u), 0u, magnitude < 0x00800000u));

    let square = a * a;
    var p = gp_multiply_add(square, -0.0061719236f, 0.02100098f);
    p = gp_multiply_add(square, p, -0.053835757f);
    p = gp_multiply_add(square, p, 0.13332437f);
    p = gp_multiply_add(square, p, -0.33333313f);
    let near = bitcast<u32>(gp_multiply_add(a, square * p, a));

    let e = gp_exponential(a * 2.0);
    let factor = gp_power_of_two(e.exponent);
    let e_high = e.high * factor;
    let e_low = e.low * factor;
    let sum = e_high + 1.0;
    let lost = 1.0 - (sum - e_high);
    let inverse = gp_inverse(sum, lost + e_low);
    let far = bitcast<u32>(gp_multiply_add(-2.0, inverse.x + inverse.y, 1.0));

    let value = select(far, near, magnitude < 0x3f0ccccdu) | (bits & 0x80000000u);
    return bitcast<f32>(select(value, 0x7fc00000u, magnitude > 0x7f800000u));
}
