//! What launches must move, against sums made by hand.

use gridproof_conformance::family::{Making, Traffic, family};
use gridproof_launch::{Arithmetic, Language};

#[track_caller]
fn check(kernel: &str, variant: &str, shape: &str, expected: [u64; 3]) {
    let making = Making { data_seed: 0, arithmetic: Arithmetic::FUSED, subgroup_size: 32, language: Language::Cuda };
    let instance = family(kernel).unwrap().instance(variant, shape, &making);
    let traffic = instance.map(|instance| instance.traffic);
    let [read, written, handed_on] = expected;
    assert_eq!(traffic, Ok(Traffic { read, written, handed_on }), "{kernel}:{variant} {shape}");
}

/// 2 heads of 128 * 128 bf16 are 65,536 bytes.
#[test]
fn decode_moves_each_state_once_each_way() {
    // q, k: 2 * 3 * 128 * 2; v: 3 * 2 * 128 * 2; a, b: 2 * 3 * 2 * 2; a_log, dt_bias: 16; indices: 24.
    let small = 1536 + 1536 + 24 + 16 + 24;
    check("gdn_decode", "auto", "b=3,h=1,hv=2", [small + 3 * 65_536, 1536 + 3 * 65_536, 0]);
    check("gdn_decode", "auto", "b=3,h=1,hv=2,update=0", [small + 3 * 65_536, 1536, 0]);
    // Both requests without a slot read and write the null slot.
    check("gdn_decode", "auto", "b=3,h=1,hv=2,slot=-1+4+-1", [small + 2 * 65_536, 1536 + 2 * 65_536, 0]);
    // f32, 2 tokens, states after each of them; the second request is skipped.
    let tokens = 2 * (1536 + 1536 + 24) / 3 * 2;
    let expected = [tokens + 16 + 16 + 131_072, 2048 + 131_072 + 2 * 131_072, 0];
    check("gdn_decode", "auto", "b=2,t=2,h=1,hv=2,state=f32,cache=1,slot=5+-1", expected);
}

#[test]
fn the_convolution_moves_x_once_and_stages_it_in_two_steps() {
    // 8 channels of 2 bytes: 16 bytes a token, 11 tokens in 1 + 2 chunks; width 4: states of 48 bytes.
    let read = 11 * 16 + 64 + 16 + 2 * 48 + 4 * (3 + 2 + 2 + 3 + 3);
    let shape = "q=2,k=2,v=4,lens=2+9";
    check("conv1d_qkv_split", "fused", shape, [read, 11 * 16 + 2 * 48, 0]);
    check("conv1d_qkv_split", "sequential", shape, [read, 11 * 16 + 2 * 48, 11 * 16]);
    // No bias, no state to start from, the second sequence padded, and room between the rows of x.
    let read = 2 * 16 + 64 + 4 * 13;
    check("conv1d_qkv_split", "fused", &format!("{shape},bias=0,init=0,slot=1+-1,stride=24"), [read, 2 * 16 + 48, 0]);
}

#[test]
fn the_gemv_moves_half_a_byte_a_weight() {
    let read = 3 * 1024 + 40 * 256 + 40 * 8;
    check("resadd_norm_gemv_int4", "fused", "n=40,k=512", [read, 2048 + 160, 0]);
    check("resadd_norm_gemv_int4", "split", "n=40,k=512", [read + 1024, 2048 + 160, 0]);
}

#[test]
fn the_fused_step_moves_both_states() {
    // 2 requests, 4 heads of channels: qkvz 6 * 128, ba 4; states 3 * 512 and 2 * 128 * 128 elements.
    let states = 2 * 2 * (1536 + 32_768);
    let read = 2 * 2 * (768 + 4) + 2 * 5 * 512 + 2 * 4 + 2 * 4 + states;
    check("gdn_conv_fused", "split", "n=2,h=1,hv=2", [read, states + 2 * 2 * 2 * 2 * 128, 0]);
    check("gdn_conv_fused", "inline", "n=2,h=1,hv=2", [read, states + 2 * 2 * 2 * 2 * 128, 0]);
}

#[test]
fn prefill_hands_scratch_from_kernel_to_kernel() {
    // 35 + 2 tokens, dim 512, heads of 128: hidden 128, qkv 512 and z 256 elements a token; 2 + 1 chunks.
    let states = 2 * (3 * 512 + 2 * 16_384);
    let weights = 2048 + 2 * 256 + 4 + 128 + 3 + 6;
    let read = 4 * (37 * (128 + 512 + 256) + weights + states);
    let written = 4 * (states + 37 * 256);
    check("gdn_chunked", "serial", "t=35+2", [read, written, 4 * 37 * (4 * 256 + 2 * 2)]);
    check("gdn_chunked", "chunked", "t=35+2", [read, written, 4 * 37 * (7 * 256 + 3 * 2 + 64)]);
}

#[test]
fn what_is_handed_on_counts_both_ways_and_lies_in_memory_once() {
    let traffic = Traffic { read: 10, written: 7, handed_on: 100 };
    assert_eq!((traffic.bytes(), traffic.footprint()), (217, 110));
}
