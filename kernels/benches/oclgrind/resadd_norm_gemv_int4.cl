// The twin of `fused` in wgsl/resadd_norm_gemv_int4.wgsl for Oclgrind: the same phases, barriers, owners of
// writes and order of additions, hence the same bits. Lanes meet in local memory, as with WORKGROUP_TREE.
// K, GROUPS and RECIPROCAL_K (its bits) are macros that the bench defines.

#pragma OPENCL FP_CONTRACT OFF

#define LANES 32u
#define EPSILON 1e-6f

float f16_high(uint word) {
    uint digits = as_uint(as_int(word) >> 3) & 0x8fffe000u;
    if (((digits + 0x00800000u) & 0x0f000000u) != 0u) {
        return as_float(digits + 0x38000000u);
    }
    uint magnitude = digits & 0x7fffffffu;
    uint denormal = as_uint(as_float(magnitude + 0x38800000u) - 6.1035156e-5f);
    uint special = (magnitude + 0x70000000u) | (magnitude > 0x0f800000u ? 0x00400000u : 0u);
    return as_float((magnitude < 0x00800000u ? denormal : special) | (digits & 0x80000000u));
}

float2 halves(uint word) {
    return (float2)(f16_high(word << 16), f16_high(word));
}

uint f32_to_f16(float x) {
    uint bits = as_uint(x);
    uint magnitude = bits & 0x7fffffffu;
    uint rounded = (magnitude + ((magnitude >> 13) & 1u) - 0x37fff001u) >> 13;
    if (magnitude - 0x38800000u >= 0x0f000000u) {
        uint denormal = as_uint(as_float(min(magnitude, 0x38800000u)) + 0.5f) - 0x3f000000u;
        uint special = magnitude > 0x7f800000u ? 0x7e00u | ((magnitude >> 13) & 0x03ffu) : 0x7c00u;
        rounded = magnitude < 0x38800000u ? denormal : special;
    }
    return ((bits >> 16) & 0x8000u) | rounded;
}

uint pack(float2 pair) {
    return f32_to_f16(pair.x) | (f32_to_f16(pair.y) << 16);
}

float upper(float x) {
    return as_float(as_uint(x) & 0xfffff000u);
}

float inverse_root(float squares) {
    float x = fma(squares, as_float(RECIPROCAL_K), EPSILON);
    uint bits = as_uint(x);
    uint magnitude = bits & 0x7fffffffu;
    uint quarter = as_uint(as_int(magnitude - 0x3f800000u) >> 24);
    float mantissa = as_float(magnitude - (quarter << 24));

    float start = as_float(0x5f375a00u - (as_uint(mantissa) >> 1));
    float error = fma(-mantissa, start * start, 1.0f);
    float first = error * fma(error, 0.375f, 0.5f);
    float guess = upper(fma(start, first, start));

    float square = guess * guess;
    float square_high = upper(square);
    float mantissa_high = upper(mantissa);
    float square_low = square - square_high;
    float mantissa_low = mantissa - mantissa_high;
    float residual = fma(-mantissa_high, square_high, 1.0f);
    residual = fma(-mantissa_high, square_low, residual);
    residual = fma(-mantissa_low, square_high, residual);
    residual = fma(-mantissa_low, square_low, residual);
    float step = residual * fma(residual, 0.375f, 0.5f);
    float root = fma(guess, step, guess);

    uint scaled = as_uint(root) - (quarter << 23);
    uint positive = magnitude == 0x7f800000u ? 0u : scaled;
    uint settled = bits > 0x7f800000u ? 0x7fc00000u : positive;
    return as_float(magnitude < 0x00800000u ? 0x7f800000u | (bits & 0x80000000u) : settled);
}

float add_squares(float2 added, float sum) {
    return fma(added.y, added.y, fma(added.x, added.x, sum));
}

float add_products(float2 normed, uint quanta, float step, float sum) {
    float low = ((float)(quanta & 15u) - 8.0f) * step;
    float high = ((float)((quanta >> 4) & 15u) - 8.0f) * step;
    return fma(normed.y, high, fma(normed.x, low, sum));
}

float group_sum(float own, uint local_id, __local float *lane_sums) {
    lane_sums[local_id] = own;
    barrier(CLK_LOCAL_MEM_FENCE);
    if ((local_id & (LANES - 1u)) != 0u) {
        return own;
    }
    for (uint distance = LANES / 2u; distance > 0u; distance >>= 1) {
        for (uint lane = 0u; lane < distance; lane++) {
            lane_sums[local_id + lane] += lane_sums[local_id + lane + distance];
        }
    }
    return lane_sums[local_id];
}

float row_sum(float own, uint local_id, __local float *partial, __local float *lane_sums) {
    float sum = group_sum(own, local_id, lane_sums);
    if ((local_id & (LANES - 1u)) == 0u) {
        partial[local_id / LANES] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    sum = partial[0];
    for (uint group = 1u; group < GROUPS; group++) {
        sum += partial[group];
    }
    return sum;
}

__kernel void fused(__global const uint4 *hidden, __global uint4 *residual, __global const uint4 *norm_weight,
                    __global const uint *weight, __global const uint *scale, __global uint *output,
                    __global uint4 *normed_out) {
    __local float partial[GROUPS];
    __local float lane_sums[GROUPS * LANES];
    uint row = get_group_id(0);
    uint local_id = get_local_id(0);
    uint first = local_id / LANES * (K / GROUPS / 8u) + (local_id & (LANES - 1u));
    uint end = (local_id / LANES + 1u) * (K / GROUPS / 8u);

    float squares = 0.0f;
    for (uint block = first; block < end; block += LANES) {
        uint4 h = hidden[block];
        uint4 r = residual[block];
        squares = add_squares(halves(h.x) + halves(r.x), squares);
        squares = add_squares(halves(h.y) + halves(r.y), squares);
        squares = add_squares(halves(h.z) + halves(r.z), squares);
        squares = add_squares(halves(h.w) + halves(r.w), squares);
    }
    float inverse = inverse_root(row_sum(squares, local_id, partial, lane_sums));
    barrier(CLK_LOCAL_MEM_FENCE);

    float dot_product = 0.0f;
    for (uint block = first; block < end; block += LANES) {
        uint4 h = hidden[block];
        uint4 r = residual[block];
        uint4 w = norm_weight[block];
        float2 added_x = halves(h.x) + halves(r.x);
        float2 added_y = halves(h.y) + halves(r.y);
        float2 added_z = halves(h.z) + halves(r.z);
        float2 added_w = halves(h.w) + halves(r.w);
        float2 normed_x = (added_x * inverse) * halves(w.x);
        float2 normed_y = (added_y * inverse) * halves(w.y);
        float2 normed_z = (added_z * inverse) * halves(w.z);
        float2 normed_w = (added_w * inverse) * halves(w.w);
        if (row == 0u) {
            residual[block] = (uint4)(pack(added_x), pack(added_y), pack(added_z), pack(added_w));
            normed_out[block] = (uint4)(pack(normed_x), pack(normed_y), pack(normed_z), pack(normed_w));
        }
        uint quanta = weight[row * (K / 8u) + block];
        float step = f16_high(scale[row * (K / 256u) + block / 32u] >> (block & 16u) << 16);
        dot_product = add_products(normed_x, quanta, step, dot_product);
        dot_product = add_products(normed_y, quanta >> 8, step, dot_product);
        dot_product = add_products(normed_z, quanta >> 16, step, dot_product);
        dot_product = add_products(normed_w, quanta >> 24, step, dot_product);
    }
    float total = row_sum(dot_product, local_id, partial, lane_sums);
    if (local_id == 0u) {
        output[row] = f32_to_f16(total);
    }
}
