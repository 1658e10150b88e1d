// Applies one function of numerics.wgsl to every word: the probe behind the comparison of engines.
// numerics.wgsl is appended to this text.

// The place of the function in gridproof_reference::numerics::RECIPES.
override FUNCTION: u32 = 0u;

@group(0) @binding(0) var<storage, read> arguments: array<u32>;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    // The grid may be folded into two dimensions.
    let index = id.x + id.y * workgroups.x * 64u;
    if index >= arrayLength(&arguments) || index >= arrayLength(&results) {
        return;
    }
    let word = arguments[index];
    let x = bitcast<f32>(word);
    var result = 0u;
    switch FUNCTION {
        case 0u: { result = bitcast<u32>(gp_reciprocal(x)); }
        case 1u: { result = bitcast<u32>(gp_rsqrt(x)); }
        case 2u: { result = bitcast<u32>(gp_exp(x)); }
        case 3u: { result = bitcast<u32>(gp_log(x)); }
        case 4u: { result = bitcast<u32>(gp_log1p(x)); }
        case 5u: { result = bitcast<u32>(gp_sigmoid(x)); }
        case 6u: { result = bitcast<u32>(gp_softplus(x)); }
        case 7u: { result = bitcast<u32>(gp_silu(x)); }
        case 8u: { result = bitcast<u32>(gp_tanh(x)); }
        case 9u: { result = bitcast<u32>(gp_f16_to_f32(word)); }
        case 10u: { result = gp_f32_to_f16(x); }
        case 11u: { result = bitcast<u32>(gp_bf16_to_f32(word)); }
        case 12u: { result = gp_f32_to_bf16(x); }
        case 13u: { result = bitcast<u32>(gp_silu_16(x)); }
        default: {}
    }
    results[index] = result;
}
