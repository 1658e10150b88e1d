//! Mistakes seen in other people's kernels, made here: each must turn something red.
//!
//! A mistake is a replacement in the WGSL text; those that have a variant of their own are in `verdicts`.

#[path = "../comparison/mistaken.rs"]
mod mistaken;

use std::collections::BTreeSet;

use gridproof_kernels::conv1d_qkv_split::{Options, Variant};
use mistaken::{Symptoms, buffers, mistaken};

use super::checked::{Case, rules};

#[track_caller]
fn symptoms(variant: Variant, text: &str, edits: &[(&str, &str)]) -> Symptoms {
    let case = Case::new(variant, text, Options::default(), 32).expect("there is a launch");
    let outcome = mistaken(&case.launch, &case.config, edits);
    Symptoms { rules: rules(&outcome), wrong: buffers(&case.differences(&outcome)) }
}

/// No detector sees the mistake, but these buffers are not as the model says.
#[track_caller]
fn only_wrong(text: &str, edits: &[(&str, &str)], buffers: &[&str]) {
    for variant in [Variant::Fused, Variant::Sequential] {
        let found = symptoms(variant, text, edits);
        assert_eq!(found, Symptoms::only_wrong(buffers), "{} {text}: {edits:?}", variant.name());
    }
}

/// A detector finds the mistake: this rule, on this place, and no other.
#[track_caller]
fn detected(variant: Variant, text: &str, edits: &[(&str, &str)], rule: &'static str, place: &str) {
    let found = symptoms(variant, text, edits).rules;
    assert_eq!(found, BTreeSet::from([(rule, place.to_owned())]), "{} {text}: {edits:?}", variant.name());
}

const BARRIER: &str = "storageBarrier();";
const QKV: &[&str] = &["q", "k", "v"];
const ALL: &[&str] = &["conv_state", "q", "k", "v"];

#[test]
fn a_barrier_that_does_not_order_storage_memory() {
    for mistake in ["", "workgroupBarrier();"] {
        for variant in [Variant::Fused, Variant::Sequential] {
            detected(variant, "lens=9", &[(BARRIER, mistake)], "GP0002", "conv_state");
            let fresh = symptoms(variant, "lens=9,init=0", &[(BARRIER, mistake)]);
            assert_eq!(fresh, Symptoms::only_wrong(&[]));
        }
    }
}

#[test]
fn a_barrier_before_the_old_rows_are_read() {
    // The rows that a short sequence keeps are read where others store already; longer ones keep none.
    let read = "kept[word] = state_word(chunk, row, channel + word * 2u);";
    let edits = [
        (read, ""),
        (
            "    for (var word = 0u; word < words; word++) {\n        conv_state[",
            "    for (var word = 0u; word < words; word++) {\n        kept[word] = state_word(chunk, row, channel + word * 2u);\n        conv_state[",
        ),
    ];
    detected(Variant::Fused, "lens=1", &edits, "GP0002", "conv_state");
    only_wrong("lens=3", &edits, &[]);
}

#[test]
fn taps_the_newest_first() {
    only_wrong(
        "lens=9",
        &[("let at = channel * sizes.width + tap;", "let at = channel * sizes.width + sizes.width - 1u - tap;")],
        QKV,
    );
}

#[test]
fn weights_with_taps_outermost() {
    only_wrong(
        "lens=9,width=3",
        &[("let at = channel * sizes.width + tap;", "let at = tap * channels() + channel;")],
        QKV,
    );
}

#[test]
fn a_bias_added_last() {
    let start = "var sum = start;";
    let last = "let low = gp_silu_16(sum.x);\n    let high = gp_silu_16(sum.y);";
    let edits = [
        (start, "var sum = vec2(0.0);"),
        (last, "let low = gp_silu_16(sum.x + start.x);\n    let high = gp_silu_16(sum.y + start.y);"),
    ];
    // Other roundings, which only some elements keep when they are rounded to 16 bits.
    let found = symptoms(Variant::Fused, "lens=64,dtype=f16", &edits);
    assert!(found.rules.is_empty() && !found.wrong.is_empty(), "{found:?}");
    only_wrong("lens=9,bias=0", &edits, &[]);
}

#[test]
fn a_missing_tap_that_is_skipped_changes_nothing_and_one_that_is_not_zero_does() {
    only_wrong("lens=9,init=0", &[("    return 0u;\n}\n\n// Copies", "    return 0x3f803f80u;\n}\n\n// Copies")], QKV);
    only_wrong(
        "lens=1,init=0",
        &[("    return 0u;\n}\n\n// One token on", "    return 0x3f803f80u;\n}\n\n// One token on")],
        &["conv_state"],
    );
}

#[test]
fn a_channel_in_the_wrong_tensor() {
    let keys = "v[(row * sizes.v + channel - sizes.q - sizes.k) / 2u] = word;";
    // k and v are as wide as each other, and change places.
    let swap = [
        ("k[(row * sizes.k + channel - sizes.q) / 2u] = word;", "v[(row * sizes.k + channel - sizes.q) / 2u] = word;"),
        (keys, "k[(row * sizes.v + channel - sizes.q - sizes.k) / 2u] = word;"),
    ];
    only_wrong("q=128,k=128,v=128", &swap, &["k", "v"]);
    // A column counted from the wrong start leaves the tensor in its last row.
    let edits = [(keys, "v[(row * sizes.v + channel - sizes.q) / 2u] = word;")];
    detected(Variant::Fused, "q=128,k=128,v=256,lens=1", &edits, "GP0004", "v");
}

#[test]
fn padding_that_is_not_skipped() {
    let edits = [("return cache_indices[chunk_sequence[chunk]] < 0;", "return false;")];
    for variant in [Variant::Fused, Variant::Sequential] {
        let found = symptoms(variant, "lens=9+3,slot=2+-1", &edits);
        assert!(found.rules.contains(&("GP0004", "conv_state".to_owned())), "{found:?}");
        assert_eq!(found.wrong, QKV);
    }
    // Padding taken for slot 0, or for the last one: only the model tells.
    let slot = "u32(cache_indices[sequence])";
    only_wrong("lens=9+3,slot=2+-1", &[edits[0], (slot, "u32(max(cache_indices[sequence], 0))")], ALL);
    only_wrong("lens=9+3,slot=2+-1", &[edits[0], (slot, "u32((cache_indices[sequence] + 8) % 8)")], ALL);
    // Two of them on slot 0, or one beside a sequence that has it.
    let zero = [edits[0], (slot, "u32(max(cache_indices[sequence], 0))")];
    detected(Variant::Fused, "lens=9+3,slot=-1", &zero, "GP0001", "conv_state");
    detected(Variant::Fused, "lens=9+3,slot=0+-1", &zero, "GP0001", "conv_state");
}

#[test]
fn a_batch_index_in_the_place_of_a_slot() {
    only_wrong("lens=9+3,slot=5+2", &[("u32(cache_indices[sequence])", "u32(sequence)")], ALL);
    only_wrong("lens=9+3,slot=0+1", &[("u32(cache_indices[sequence])", "u32(sequence)")], &[]);
}

#[test]
fn a_state_from_the_wrong_tokens() {
    // The first tokens of the sequence, or the last of its first chunk.
    let last = "x[((chunk.row + after + 1u - sizes.width) * sizes.stride + channel) / 2u]";
    only_wrong("lens=9", &[(last, "x[((chunk.row + row) * sizes.stride + channel) / 2u]")], &["conv_state"]);
    let chunk = [(last, "x[((chunk.row + min(after, 7u + row) + 1u - sizes.width) * sizes.stride + channel) / 2u]")];
    only_wrong("lens=9", &chunk, &["conv_state"]);
    // One token early; of a sequence that is just as long as the state, it is another one's, or in front of x.
    let early = [(last, "x[((chunk.row + after - sizes.width) * sizes.stride + channel) / 2u]")];
    only_wrong("lens=9", &early, &["conv_state"]);
    only_wrong("lens=5+3", &early, &["conv_state"]);
}

#[test]
fn a_short_sequence_that_forgets_or_keeps_too_much() {
    let kept = "conv_state[chunk.state + after * state_row() + channel / 2u]";
    only_wrong("lens=1", &[(kept, "0u")], &["conv_state"]);
    only_wrong("lens=1", &[(kept, "conv_state[chunk.state + row * state_row() + channel / 2u]")], &["conv_state"]);
    // What an earlier user left in the slot.
    only_wrong("lens=1,init=0", &[("has_initial_state[sequence] != 0", "true")], ALL);
    only_wrong("lens=9,init=0", &[("has_initial_state[sequence] != 0", "true")], QKV);
    only_wrong("lens=9,init=1", &[("has_initial_state[sequence] != 0", "false")], QKV);
}

#[test]
fn a_state_read_newest_row_first() {
    let edits = [("(sizes.width - 1u - back) * state_row()", "(back - 1u) * state_row()")];
    only_wrong("lens=1", &edits, QKV);
    only_wrong("lens=1,width=2", &edits, &[]);
}

#[test]
fn a_state_shared_by_slots() {
    let edits = [(
        "u32(cache_indices[sequence]) * (sizes.width - 1u) * state_row()",
        "u32(cache_indices[sequence]) * state_row()",
    )];
    detected(Variant::Fused, "lens=9+9,slot=3+4", &edits, "GP0001", "conv_state");
    only_wrong("lens=9,slot=3", &edits, ALL);
}

#[test]
fn a_chunk_without_its_halo() {
    // Later chunks begin with zeros, or with the state.
    let halo = "return x[((chunk.row - back) * sizes.stride + channel) / 2u];";
    only_wrong("lens=9", &[(halo, "return 0u;")], QKV);
    only_wrong("lens=8", &[(halo, "return 0u;")], &[]);
    // Reading the state, they race with the first one, which rewrites it.
    for variant in [Variant::Fused, Variant::Sequential] {
        detected(variant, "lens=9", &[("if (chunk.first > 0u) {", "if (chunk.first > 8u) {")], "GP0001", "conv_state");
    }
    // A sequence that takes its first taps from the one in front.
    only_wrong("lens=9+9", &[("if (chunk.first > 0u) {", "if (chunk.row > 0u) {")], QKV);
}

#[test]
fn every_chunk_rewrites_the_state() {
    let edits = [("if (chunk.first == 0u) {", "if (chunk.first <= 8u) {")];
    let found = symptoms(Variant::Fused, "lens=9", &edits).rules;
    // The second chunk takes itself for the first, so what it copies lies behind the sequence.
    assert_eq!(
        found,
        BTreeSet::from([("GP0001", "conv_state"), ("GP0004", "x")].map(|(rule, place)| (rule, place.to_owned())))
    );
    only_wrong("lens=8", &edits, &[]);
}

#[test]
fn a_padded_row_taken_for_a_dense_one() {
    let edits = [("* sizes.stride + ", "* channels() + ")];
    only_wrong("lens=9,stride=520", &edits, ALL);
    only_wrong("lens=9", &edits, &[]);
}

#[test]
fn a_chunk_that_does_not_end_with_its_sequence() {
    let edits =
        [("return min(CHUNK, u32(query_start_loc[chunk_sequence[chunk] + 1]) - first_row(chunk));", "return CHUNK;")];
    // It runs on into the next sequence, whose chunks store the same rows.
    let found = symptoms(Variant::Fused, "q=128,k=128,v=256,lens=3+8", &edits).rules;
    assert_eq!(found, BTreeSet::from(["q", "k", "v"].map(|place| ("GP0001", place.to_owned()))));
    // Behind the last sequence there is nothing to read or to write.
    let found = symptoms(Variant::Fused, "q=128,k=128,v=256,lens=3", &edits).rules;
    assert_eq!(found, BTreeSet::from(["q", "k", "v", "x"].map(|place| ("GP0004", place.to_owned()))));
}

#[test]
fn channels_behind_the_last() {
    // A block that is not full, without its mask.
    let edits = [(
        "if (channel < channels()) {\n        for (var token = 0u; token < chunk.tokens; token++) {\n            store_routed",
        "if (true) {\n        for (var token = 0u; token < chunk.tokens; token++) {\n            store_routed",
    )];
    let found = symptoms(Variant::Fused, "q=100,k=30,v=20,lens=2", &edits);
    assert!(found.rules.contains(&("GP0004", "v".to_owned())), "{found:?}");
    only_wrong("q=128,k=128,v=256,lens=2", &edits, &[]);
}

#[test]
fn rows_of_padding_copied_by_the_split() {
    let edits = [("if (is_padding(workgroup.x) || channel >= channels()) {", "if (channel >= channels()) {")];
    let found = symptoms(Variant::Sequential, "lens=9+3,slot=2+-1", &edits);
    assert_eq!(found.rules, BTreeSet::from([("GP0006", "staging".to_owned())]));
    assert_eq!(found.wrong, QKV);
}

#[test]
fn silu_left_out_and_f16_taken_for_bf16() {
    only_wrong("lens=1", &[("gp_silu_16(sum.x)", "sum.x")], QKV);
    only_wrong("lens=1,dtype=f16", &[("if (F16) {\n        return vec2", "if (false) {\n        return vec2")], QKV);
    only_wrong(
        "lens=1,dtype=f16",
        &[("if (F16) {\n        return gp_f16x2_pack", "if (false) {\n        return gp_f16x2_pack")],
        QKV,
    );
}
