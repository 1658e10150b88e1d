//! Mistakes seen in other people's kernels, made here: each must turn something red.
//!
//! A mistake is a replacement in the WGSL text; those that have a variant of their own are in `verdicts`.

#[path = "../support/mistaken.rs"]
mod mistaken;

use std::collections::BTreeSet;

use gridproof_kernels::gdn_conv_fused::{Options, Variant};
use mistaken::{Symptoms, buffers, mistaken};

use super::checked::{Case, rules};

#[track_caller]
fn symptoms(variant: Variant, text: &str, subgroup_size: u32, edits: &[(&str, &str)]) -> Symptoms {
    let case = Case::new(variant, text, Options::default(), subgroup_size).expect("there is a launch");
    let outcome = mistaken(&case.launch, &case.config, edits);
    Symptoms { rules: rules(&outcome), wrong: buffers(&case.differences(&outcome)) }
}

/// No detector sees the mistake, but these buffers are not as the model says.
#[track_caller]
fn only_wrong(text: &str, edits: &[(&str, &str)], buffers: &[&str]) {
    let found = symptoms(Variant::Split, text, 32, edits);
    assert_eq!(found, Symptoms::only_wrong(buffers), "{text}: {edits:?}");
}

/// A detector finds the mistake: these rules and places, and no others.
#[track_caller]
fn detected(variant: Variant, text: &str, subgroup_size: u32, edits: &[(&str, &str)], wanted: &[(&'static str, &str)]) {
    let found = symptoms(variant, text, subgroup_size, edits).rules;
    let wanted: BTreeSet<_> = wanted.iter().map(|(rule, place)| (*rule, (*place).to_owned())).collect();
    assert_eq!(found, wanted, "{} {text}: {edits:?}", variant.name());
}

const COMPUTED: &[&str] = &["ssm_state", "output"];

#[test]
fn no_barrier_between_the_convolution_and_the_rule() {
    let edits = [("    workgroupBarrier();\n    if (INLINE_ALL", "    if (INLINE_ALL")];
    for subgroup_size in [8, 32] {
        detected(Variant::Split, "n=1,h=1,hv=1", subgroup_size, &edits, &[("GP0002", "mixed")]);
    }
    // A barrier for storage does not order workgroup memory.
    let edits = [("    workgroupBarrier();\n    if (INLINE_ALL || SURPLUS_THREADS) {", "    if (true) {")];
    detected(Variant::Split, "n=1,h=1,hv=1", 32, &edits, &[("GP0002", "mixed")]);
}

#[test]
fn a_butterfly_through_one_place_only() {
    let edits = [("place = INVOCATIONS - place;", "")];
    detected(Variant::Split, "n=1,h=1,hv=1", 4, &edits, &[("GP0002", "lane_sums")]);
}

#[test]
fn heads_that_take_turns_where_neighbours_share_one() {
    let turns = [("work.value_head / (sizes.value_heads / sizes.heads)", "work.value_head % sizes.heads")];
    only_wrong("n=1,h=2,hv=4", &turns, COMPUTED);
    // Where every value head has its own key head, or all share one, nobody can tell.
    only_wrong("n=1,h=2,hv=2", &turns, &[]);
    only_wrong("n=1,h=1,hv=4", &turns, &[]);
}

#[test]
fn one_layout_taken_for_the_other() {
    let sequential = [("sizes.interleaved == 0u", "true")];
    only_wrong("n=1,h=2,hv=2,layout=interleaved", &sequential, &["conv_state", "ssm_state", "output", "z_out"]);
    let gates = [("    if (sizes.interleaved == 1u) {\n        beta_at", "    if (false) {\n        beta_at")];
    only_wrong("n=1,h=2,hv=4,layout=interleaved", &gates, COMPUTED);
    // With one key head, the layouts are one.
    only_wrong("n=1,h=1,hv=2,layout=interleaved", &sequential, &[]);
    only_wrong("n=1,h=1,hv=3,layout=interleaved", &gates, &[]);
}

#[test]
fn gates_of_another_head() {
    let swapped = [("let alpha = gp_exp(g);", "let alpha = gp_sigmoid(element(ba[(gates + beta_at) / 2u], beta_at));")];
    only_wrong("n=1,h=1,hv=2", &swapped, COMPUTED);
    let decay = [("element(a_log[work.value_head / 2u], work.value_head)", "element(a_log[0], 0u)")];
    only_wrong("n=1,h=1,hv=2", &decay, COMPUTED);
    only_wrong("n=1,h=1,hv=1", &decay, &[]);
    let bias =
        [("element(dt_bias[work.value_head / 2u], work.value_head)", "element(dt_bias[work.value_head / 2u], 0u)")];
    only_wrong("n=1,h=1,hv=2", &bias, COMPUTED);
}

#[test]
fn z_of_another_head_or_of_nobody() {
    let own = [(
        "let value_head = block.head - 2u * sizes.heads;\n    let destination",
        "let value_head = work.value_head;\n    let destination",
    )];
    detected(Variant::Split, "n=1,h=1,hv=2", 32, &own, &[("GP0002", "z_out")]);
    let by_key_heads = [("select(sizes.value_heads, ", "select(sizes.heads, ")];
    only_wrong("n=1,h=2,hv=4", &by_key_heads, &["z_out"]);
    let values = [("+ z_distance() + block.first", "+ block.first")];
    only_wrong("n=1,h=1,hv=2", &values, &["z_out"]);
    // Skipped requests have a z all the same.
    let skipped = [(
        "if (block.head >= 2u * sizes.heads) {\n            copy_z",
        "if (index >= 0 && block.head >= 2u * sizes.heads) {\n            copy_z",
    )];
    only_wrong("n=2,h=1,hv=2,slot=1+-1", &skipped, &["z_out"]);
    // The second half of the heads that one team copies.
    let half = [(
        "return Block(2u * sizes.heads + number - halves_of_heads, 0u, 8u, exists);",
        "return Block(2u * sizes.heads + number - halves_of_heads, 0u, 4u, exists);",
    )];
    only_wrong("n=1,h=4,hv=12", &half, &["ssm_state", "output", "z_out"]);
}

#[test]
fn a_single_round_of_blocks() {
    let one = [("return (blocks() + TEAMS - 1u) / TEAMS;", "return 1u;")];
    let found = symptoms(Variant::Split, "n=1,h=16,hv=16", 32, &one).wrong;
    assert_eq!(found, ["ssm_state", "output", "z_out"]);
    let found = symptoms(Variant::Inline, "n=1,h=16,hv=16", 32, &one).wrong;
    assert_eq!(found, ["conv_state", "ssm_state", "output", "z_out"]);
    only_wrong("n=1,h=4,hv=8", &one, &[]);
    // Twice the teams for v, where there are not as many.
    let single = [("select(2u, 1u, double_v()) * sizes.value_heads", "sizes.value_heads")];
    only_wrong("n=1,h=1,hv=2", &single, &["ssm_state", "output", "z_out"]);
    only_wrong("n=1,h=4,hv=16", &single, &[]);
}

#[test]
fn what_is_kept_of_one_round_in_the_place_of_another() {
    let edits = [("kept[round * MOST_WORDS + i]", "kept[i]")];
    let found = symptoms(Variant::Inline, "n=1,h=8,hv=8", 32, &edits).wrong;
    assert_eq!(found, ["conv_state"]);
    assert!(symptoms(Variant::Inline, "n=1,h=4,hv=8", 32, &edits).wrong.is_empty());
    // Room for the shorter blocks only.
    let edits = [("kept[round * MOST_WORDS + i]", "kept[round * 4u + i]"), ("round * MOST_WORDS;", "round * 4u;")];
    assert_eq!(symptoms(Variant::Inline, "n=1,h=1,hv=33", 32, &edits).wrong, ["conv_state"]);
}

#[test]
fn a_shift_in_the_wrong_order_or_of_too_little() {
    let (first, second) = (
        "conv_state[at] = conv_state[at + row_words()];\n",
        "conv_state[at + row_words()] = conv_state[at + 2u * row_words()];\n",
    );
    let swapped = [(&*format!("{first}    {second}"), &*format!("{second}    {first}"))];
    only_wrong("n=1,h=1,hv=2", &swapped, &["conv_state"]);
    only_wrong("n=1,h=1,hv=2", &[(first, "")], &["conv_state"]);
    only_wrong("n=1,h=1,hv=2", &[(second, "")], &["conv_state"]);
    let newest = "conv_state[at + 2u * row_words()] = qkvz[input_word";
    only_wrong("n=1,h=1,hv=2", &[(newest, "conv_state[at] = qkvz[input_word")], &["conv_state"]);
    // Too few workgroups a request, or too many words: of the next row.
    let fewer = [("(row_words() + INVOCATIONS - 1u) / INVOCATIONS", "row_words() / INVOCATIONS")];
    detected(Variant::Split, "n=2,h=1,hv=7", 32, &fewer, &[("GP0004", "state_indices"), ("GP0004", "qkvz")]);
    let no_end = [("index < 0 || word >= row_words()", "index < 0")];
    detected(Variant::Split, "n=1,h=1,hv=1", 32, &no_end, &[("GP0002", "conv_state")]);
}

#[test]
fn rows_of_another_length() {
    let heads = [("return sizes.channels / 2u;", "return 1024u;")];
    only_wrong("n=1,h=4,hv=8", &heads, &[]);
    let found = symptoms(Variant::Split, "n=1,h=2,hv=4,slot=3", 32, &heads);
    assert!(found.rules.contains(&("GP0004", "conv_state".to_owned())), "{found:?}");
    // Two rows a slot in the place of three.
    let short = [("u32(max(index, 0)) * 3u * row_words()", "u32(max(index, 0)) * 2u * row_words()")];
    only_wrong("n=1,h=1,hv=2,slot=1", &short, COMPUTED);
    only_wrong("n=1,h=1,hv=2,slot=0", &short, &[]);
}

#[test]
fn taps_that_are_turned_round() {
    let newest_first =
        [("let y = convolve(pairs + word, kept[first + i]);", "let y = convolve(pairs + word, kept[first + i].wzyx);")];
    only_wrong("n=1,h=1,hv=1", &newest_first, COMPUTED);
    let halves = [(
        "taps(low, f16x4(weights.xy)), taps(high, f16x4(weights.zw))",
        "taps(low, f16x4(weights.zw)), taps(high, f16x4(weights.xy))",
    )];
    only_wrong("n=1,h=1,hv=1", &halves, COMPUTED);
    let no_bias = [(" + halves(conv_bias[pair])", "")];
    only_wrong("n=1,h=1,hv=1", &no_bias, COMPUTED);
    let no_silu = [("return vec2(gp_silu(sums.x), gp_silu(sums.y));", "return sums;")];
    only_wrong("n=1,h=1,hv=1", &no_silu, COMPUTED);
}

#[test]
fn a_request_in_the_place_of_its_slot() {
    let rows = [("u32(max(index, 0)) * 3u", "request * 3u")];
    only_wrong("n=2,h=1,hv=2,slot=3+1", &rows, COMPUTED);
    let state = [("delta_rule(work, u32(index), own_rows, local);", "delta_rule(work, request, own_rows, local);")];
    only_wrong("n=2,h=1,hv=2,slot=3+1", &state, COMPUTED);
    // Where a slot has its request's number, nobody can tell.
    only_wrong("n=2,h=1,hv=2,slot=0+1", &rows, &[]);
}

#[test]
fn what_minus_one_means() {
    // Slot 0, or the last one, in the place of nothing.
    let text = "n=2,h=1,hv=2,slot=3+-1";
    for slot in ["0", "3"] {
        let means = format!("let index = select(state_indices[request], {slot}, state_indices[request] < 0);");
        let found = symptoms(Variant::Split, text, 32, &[("let index = state_indices[request];", &means)]);
        assert_eq!(found.rules.is_empty(), slot == "0", "slot 3 has another request: {found:?}");
        let changed: &[&str] =
            if slot == "0" { &["conv_state", "ssm_state", "output"] } else { &["conv_state", "output"] };
        assert!(changed.iter().all(|name| found.wrong.contains(&(*name).to_owned())), "{found:?}");
    }
    // Skipped without zeros.
    let text = "n=2,h=1,hv=2,slot=-1+2";
    only_wrong(text, &[("output[own_rows] = 0u;", "")], &["output"]);
    only_wrong(text, &[("output[own_rows + 1u] = 0u;", "")], &["output"]);
    // Not skipped by the second dispatch.
    let shifts = [
        ("index < 0 || word >= row_words()", "word >= row_words()"),
        ("u32(index) * 3u * row_words()", "u32(max(index, 0)) * 3u * row_words()"),
    ];
    only_wrong(text, &shifts, &["conv_state"]);
}

#[test]
fn an_output_row_that_nobody_writes() {
    let first = [("output[own_rows + i / 2u] =", "output[own_rows] =")];
    only_wrong("n=1,h=1,hv=1", &first, &["output"]);
    let half = [("i < 4u; i += 2u", "i < 2u; i += 2u")];
    only_wrong("n=1,h=1,hv=1", &half, COMPUTED);
}

#[test]
fn states_by_key_instead_of_by_value() {
    let heads = [(
        "(slot * sizes.value_heads + work.value_head) * (HEAD * HEAD / 8u)",
        "(slot * sizes.heads + work.value_head) * (HEAD * HEAD / 8u)",
    )];
    detected(Variant::Split, "n=2,h=1,hv=2,slot=1", 32, &heads, &[("GP0001", "ssm_state")]);
    only_wrong("n=2,h=1,hv=1,slot=1", &heads, &[]);
    let rows = [("let at = state + row * 16u;", "let at = state + (127u - row) * 16u;")];
    only_wrong("n=1,h=1,hv=4", &rows, COMPUTED);
}

#[test]
fn sums_in_another_order() {
    let turned = [
        ("subgroupShuffleXor(sum, 4u)", "subgroupShuffleXor(sum, 0x1u)"),
        ("sum += subgroupShuffleXor(sum, 1u);", "sum += subgroupShuffleXor(sum, 4u);"),
    ];
    only_wrong("n=2,h=2,hv=8", &turned, &["ssm_state"]);
    let two_lanes = [("    sum += subgroupShuffleXor(sum, 4u);\n", "")];
    only_wrong("n=1,h=1,hv=1", &two_lanes, COMPUTED);
    let unscaled = [("gp_rsqrt(squares.x + EPSILON) * SCALE", "gp_rsqrt(squares.x + EPSILON)")];
    only_wrong("n=1,h=1,hv=1", &unscaled, &["output"]);
    let no_norm = [("key = scaled(key, gp_rsqrt(squares.y + EPSILON));", "")];
    only_wrong("n=1,h=1,hv=1", &no_norm, COMPUTED);
}

#[test]
fn the_workgroup_that_shifts() {
    // Nobody, the last one, all of them from registers that only the first has filled.
    let nobody = [("work.value_head == 0u)) {", "false)) {")];
    assert_eq!(symptoms(Variant::Inline, "n=1,h=1,hv=2", 32, &nobody).wrong, ["conv_state"]);
    let all = [("shifts_inline() && work.value_head == 0u)) {", "shifts_inline())) {")];
    detected(Variant::Inline, "n=1,h=1,hv=2", 32, &all, &[("GP0001", "conv_state")]);
    // Before the convolution of others has read them, inside one workgroup.
    let early = [(
        "    workgroupBarrier();\n    if (INLINE_ALL",
        "    for (var round = 0u; round < rounds(); round++) {\n        shift_block(work, block_of(round * TEAMS + (work.team + 1u) % TEAMS), round);\n    }\n    workgroupBarrier();\n    if (INLINE_ALL",
    )];
    let found = symptoms(Variant::Inline, "n=1,h=1,hv=1", 32, &early).rules;
    assert!(found.contains(&("GP0002", "conv_state".to_owned())), "{found:?}");
}
