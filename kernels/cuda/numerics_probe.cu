// Applies one function of numerics.cuh to every word: the probe behind the comparison of engines.

#include "numerics.cuh"

// The place of the function in gridproof_reference::numerics::RECIPES.
#ifndef FUNCTION
#define FUNCTION 0
#endif

extern "C" __global__ void probe(const unsigned int *arguments, unsigned int *results, unsigned int count) {
    unsigned int index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= count) {
        return;
    }
    unsigned int word = arguments[index];
    float x = gp_float(word);
    unsigned int result = 0u;
    switch (FUNCTION) {
        case 0: result = gp_bits(gp_reciprocal(x)); break;
        case 1: result = gp_bits(gp_rsqrt(x)); break;
        case 2: result = gp_bits(gp_exp(x)); break;
        case 3: result = gp_bits(gp_log(x)); break;
        case 4: result = gp_bits(gp_log1p(x)); break;
        case 5: result = gp_bits(gp_sigmoid(x)); break;
        case 6: result = gp_bits(gp_softplus(x)); break;
        case 7: result = gp_bits(gp_silu(x)); break;
        case 8: result = gp_bits(gp_tanh(x)); break;
        case 9: result = gp_bits(gp_f16_to_f32(word)); break;
        case 10: result = gp_f32_to_f16(x); break;
        case 11: result = gp_bits(gp_bf16_to_f32(word)); break;
        case 12: result = gp_f32_to_bf16(x); break;
        case 13: result = gp_bits(gp_silu_16(x, gp_gate_rows)); break;
    }
    results[index] = result;
}
