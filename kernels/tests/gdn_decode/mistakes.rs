//! Mistakes seen in other people's kernels, made here: each must turn something red.
//!
//! A mistake is a replacement in the WGSL text; those that have a variant of their own are in `verdicts`.

#[path = "../support/mistaken.rs"]
mod mistaken;

use std::collections::BTreeSet;

use gridproof_kernels::gdn_decode::{Options, Variant};
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
fn only_wrong(variant: Variant, text: &str, edits: &[(&str, &str)], buffers: &[&str]) {
    let found = symptoms(variant, text, 32, edits);
    assert_eq!(found, Symptoms::only_wrong(buffers), "{} {text}: {edits:?}", variant.name());
}

/// A detector finds the mistake: this rule, on this place, and no other.
#[track_caller]
fn detected(variant: Variant, text: &str, subgroup_size: u32, edits: &[(&str, &str)], rule: &'static str, place: &str) {
    let found = symptoms(variant, text, subgroup_size, edits).rules;
    assert_eq!(found, BTreeSet::from([(rule, place.to_owned())]), "{} {text}: {edits:?}", variant.name());
}

const ALL: [Variant; 3] = [Variant::WideVec, Variant::Ilp4, Variant::Pretranspose];
const BF16: [Variant; 2] = [Variant::WideVec, Variant::Ilp4];
const READ: &str = "u32(max(read_indices[work.request], 0))";
const WRITE: &str = "u32(max(write_indices[work.request], 0))";

#[test]
fn a_batch_index_in_the_place_of_a_slot() {
    const BOTH: &[&str] = &["state_pool", "output"];
    for variant in BF16 {
        only_wrong(variant, "h=1,hv=4,slot=5+2", &[(READ, "work.request")], BOTH);
        only_wrong(variant, "h=1,hv=4,slot=5+2", &[(WRITE, "work.request")], &["state_pool"]);
    }
    let edits = [("u32(read_index)", "work.request")];
    only_wrong(Variant::Pretranspose, "h=1,hv=4,slot=5+2", &edits, BOTH);
    // Where a slot has its request's number, nobody can tell.
    only_wrong(Variant::Pretranspose, "h=1,hv=4,slot=0+1", &edits, &[]);
}

#[test]
fn what_minus_one_means() {
    for variant in BF16 {
        let text = "h=1,hv=4,slot=3+-1,write=4+5";
        let last = "select(u32(read_indices[work.request]), 7u, read_indices[work.request] < 0)";
        only_wrong(variant, text, &[(READ, last)], &["state_pool", "output"]);
        let skip = "u32(max(read_indices[work.request], 0));\n    if (read_indices[work.request] < 0) { return; }";
        only_wrong(variant, text, &[(&format!("{READ};"), skip)], &["state_pool", "output"]);
        let no_meaning = "u32(read_indices[work.request])";
        let found = symptoms(variant, text, 32, &[(READ, no_meaning)]).rules;
        assert!(found.contains(&("GP0005", "state_pool".to_owned())), "{found:?}");

        let text = "h=1,hv=4,slot=3+4,write=5+-1";
        let last = "select(u32(write_indices[work.request]), 7u, write_indices[work.request] < 0)";
        only_wrong(variant, text, &[(WRITE, last)], &["state_pool"]);
        let skip = ("if (sizes.update == 1u) {", "if (sizes.update == 1u && write_indices[work.request] >= 0) {");
        only_wrong(variant, text, &[skip], &["state_pool"]);
    }
    // f32: slot 0 in the place of nothing.
    let null = [("if (read_index < 0) {", "if (false) {"), ("u32(read_index)", "u32(max(read_index, 0))")];
    only_wrong(Variant::Pretranspose, "h=1,hv=4,slot=3+-1,write=4+5", &null, &["state_pool", "output"]);
    let null = [
        ("sizes.update == 1u && write_index >= 0", "sizes.update == 1u"),
        ("u32(write_index)", "u32(max(write_index, 0))"),
    ];
    only_wrong(Variant::Pretranspose, "h=1,hv=4,slot=3+4,write=5+-1", &null, &["state_pool"]);
}

#[test]
fn slot_0_is_reserved_with_bf16_and_live_with_f32() {
    let text = "h=1,hv=4,slot=0+1";
    let reserved = [("if (read_index < 0) {", "if (read_index <= 0) {")];
    only_wrong(Variant::Pretranspose, text, &reserved, &["state_pool", "output"]);
    let reserved = [("write_index >= 0", "write_index > 0")];
    only_wrong(Variant::Pretranspose, text, &reserved, &["state_pool"]);
    // Live: a request without a slot overwrites the state of one that has slot 0 by its number.
    let outcome = Case::new(Variant::WideVec, "h=1,hv=4,slot=0+-1", Options::default(), 32);
    let error = outcome.map(drop).expect_err("slot 0 is the null slot");
    assert!(error.contains("read_indices[0] = 0: slot 0 of a bf16 pool is the reserved null slot"), "{error}");
}

#[test]
fn an_output_row_that_nobody_writes() {
    let text = "h=1,hv=4,t=2,slot=3+-1,write=4+5";
    let (first, second) = ("output[output_word(work, token, first_row)] = 0u;", "first_row + 8u)] = 0u;");
    only_wrong(Variant::Pretranspose, text, &[(first, "")], &["output"]);
    only_wrong(Variant::Pretranspose, text, &[(second, "first_row)] = 0u;")], &["output"]);
    let one_token = [(
        "for (var token = 0u; token < sizes.tokens; token++) {\n                output",
        "for (var token = 0u; token < 1u; token++) {\n                output",
    )];
    only_wrong(Variant::Pretranspose, text, &one_token, &["output"]);
    for variant in BF16 {
        only_wrong(variant, "h=1,hv=4", &[("output[at + 1u] = gp_bf16x2_pack(rows.z, rows.w);", "")], &["output"]);
    }
}

#[test]
fn a_padded_pool_taken_for_a_dense_one() {
    for variant in ALL {
        let edits = [("return slot * sizes.slot_stride + ", "return slot * sizes.value_heads * V * K + ")];
        only_wrong(variant, "h=1,hv=4,slot=3+5,stride=73728", &edits, &["state_pool", "output"]);
        only_wrong(variant, "h=1,hv=4,slot=3+5", &edits, &[]);
    }
}

#[test]
fn a_state_read_with_keys_outermost() {
    // Element (row, column) of the state is read where (column, row) lies.
    let transposed = "let block = at / 8192u * 8192u;
    let row = (at - block) / 64u;
    let column = (at - block) % 64u * 2u;
    var quad = vec4(0.0);
    for (var i = 0u; i < 4u; i++) {
        quad[i] = bitcast<f32>(state_pool[block + (column + i) * 64u + row / 2u][row % 2u]);
    }
    return quad;";
    let edits = [("return bitcast<vec4<f32>>(vec4(state_pool[at], state_pool[at + 1u]));", transposed)];
    only_wrong(Variant::Pretranspose, "b=1,h=1,hv=4,slot=3,write=5", &edits, &["state_pool", "output"]);
    // In place, rows are read that another workgroup, or another lane, writes.
    let found = symptoms(Variant::Pretranspose, "b=1,h=1,hv=4,slot=3", 32, &edits).rules;
    assert_eq!(found, BTreeSet::from(["GP0001", "GP0002"].map(|rule| (rule, "state_pool".to_owned()))));
}

#[test]
fn key_heads_dealt_out_in_turns() {
    for variant in ALL {
        let edits = [("work.value_head / (sizes.value_heads / sizes.heads)", "work.value_head % sizes.heads")];
        only_wrong(variant, "b=1,h=2,hv=4,cache=1", &edits, &["state_pool", "output", "intermediate_states"]);
        only_wrong(variant, "b=1,h=1,hv=2,cache=1", &edits, &[]);
        only_wrong(variant, "b=1,h=2,hv=2,cache=1", &edits, &[]);
    }
}

#[test]
fn tokens_in_the_place_of_steps() {
    for variant in ALL {
        let edits = [("((index * sizes.steps + token)", "((index * sizes.tokens + token)")];
        only_wrong(variant, "h=1,hv=4,t=2,steps=5,cache=1", &edits, &["intermediate_states"]);
        only_wrong(variant, "h=1,hv=4,t=2,cache=1", &edits, &[]);
        // Neighbouring requests share rows where there is less room than tokens.
        let edits = [("((index * sizes.steps + token)", "((index * (sizes.tokens - 1u) + token)")];
        detected(variant, "h=1,hv=4,t=2,cache=1", 32, &edits, "GP0001", "intermediate_states");
    }
    let error = Case::new(Variant::WideVec, "t=3,steps=2", Options::default(), 32).map(drop);
    assert_eq!(error, Err("steps = 2 is less than t = 3: intermediate states need a row for every token".to_owned()));
}

#[test]
fn no_final_state_where_intermediate_ones_are_cached() {
    for variant in BF16 {
        let edits = [("if (sizes.update == 1u) {", "if (sizes.update == 1u && sizes.cache == 0u) {")];
        only_wrong(variant, "b=1,h=1,hv=4,cache=1", &edits, &["state_pool"]);
        only_wrong(variant, "b=1,h=1,hv=4", &edits, &[]);
    }
}

#[test]
fn a_state_stored_in_the_place_of_another_workgroup() {
    for variant in ALL {
        let (slot, all) = match variant {
            Variant::Pretranspose => ("u32(write_index)", "state_offset(u32(write_index), work.value_head)"),
            _ => ("write_slot", "state_offset(write_slot, work.value_head)"),
        };
        let edit = format!("state_offset({slot}, (work.value_head + 1u) % sizes.value_heads)");
        detected(variant, "b=1,h=1,hv=2,slot=3", 32, &[(all, &edit)], "GP0001", "state_pool");
        // In a split pool nobody reads it, and only the model tells.
        only_wrong(variant, "b=1,h=1,hv=2,slot=3,write=4", &[(all, &edit)], &["state_pool"]);
    }
}

#[test]
fn a_scratch_used_again_without_a_barrier() {
    for variant in ALL {
        let edits = [("place = INVOCATIONS - place;", "")];
        detected(variant, "b=1,h=1,hv=4", 16, &edits, "GP0002", "lane_sums");
        let edits = [("= sum;\n        workgroupBarrier();", "= sum;")];
        let found = symptoms(variant, "b=1,h=1,hv=4", 16, &edits).rules;
        assert!(found.contains(&("GP0002", "lane_sums".to_owned())), "{found:?}");
    }
}

#[test]
fn a_state_rounded_after_every_token() {
    for variant in BF16 {
        let (from, to) = match variant {
            Variant::WideVec => (
                "s0 = Eight(s0.low * alpha, s0.high * alpha);",
                "s0 = Eight(bf16x4(bf16x4_pack(s0.low)) * alpha, bf16x4(bf16x4_pack(s0.high)) * alpha);",
            ),
            _ => ("s0 = s0 * alpha;", "s0 = bf16x4(bf16x4_pack(s0)) * alpha;"),
        };
        let wrong = symptoms(variant, "b=1,h=1,hv=4,t=3", 32, &[(from, to)]).wrong;
        assert!(wrong.contains(&"state_pool".to_owned()), "{wrong:?}");
        // One token is rounded at its end in any case.
        only_wrong(variant, "b=1,h=1,hv=4", &[(from, to)], &[]);
    }
}
