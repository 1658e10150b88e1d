//! Mistakes seen in other people's kernels, made here: each must turn something red.
//!
//! A mistake is a replacement in the WGSL text; those that have a variant of their own are in `verdicts`.

#[path = "../comparison/mistaken.rs"]
mod mistaken;

use std::collections::BTreeSet;

use gridproof_kernels::gdn_chunked::{Options, Variant};
use mistaken::{Symptoms, buffers, mistaken};

use super::SUBGROUPS;
use super::checked::{Case, rules};

type Edits<'a> = &'a [(&'a str, &'a str)];

#[track_caller]
fn symptoms(variant: Variant, text: &str, subgroup_size: u32, edits: Edits<'_>) -> Symptoms {
    let case = Case::new(variant, text, Options::default(), subgroup_size).expect("there is a launch");
    let outcome = mistaken(&case.launch, &case.config, edits);
    Symptoms { rules: rules(&outcome), wrong: buffers(&case.differences(&outcome)) }
}

/// No detector sees the mistake, but of the outputs these are not as the model says.
#[track_caller]
fn only_wrong(variant: Variant, text: &str, edits: Edits<'_>, wanted: &[&str]) {
    const OUTPUTS: [&str; 3] = ["conv_state", "state", "output"];
    let Symptoms { rules, wrong } = symptoms(variant, text, 32, edits);
    let (outputs, handed): (Vec<_>, Vec<_>) = wrong.into_iter().partition(|name| OUTPUTS.contains(&&**name));
    assert_eq!(Symptoms { rules, wrong: outputs }, Symptoms::only_wrong(wanted), "{text}: {edits:?}");
    assert!(!wanted.is_empty() || handed.is_empty(), "{text}: {handed:?}");
}

/// Nobody can tell.
#[track_caller]
fn invisible(variant: Variant, text: &str, edits: Edits<'_>) {
    only_wrong(variant, text, edits, &[]);
}

#[track_caller]
fn detected(variant: Variant, text: &str, subgroup_size: u32, edits: Edits<'_>, wanted: &[(&'static str, &str)]) {
    let found = symptoms(variant, text, subgroup_size, edits).rules;
    let wanted: BTreeSet<_> = wanted.iter().map(|(rule, place)| (*rule, (*place).to_owned())).collect();
    assert_eq!(found, wanted, "{text} in subgroups of {subgroup_size}: {edits:?}");
}

const CHUNKED: Variant = Variant::Chunked;
const SERIAL: Variant = Variant::Serial;
const COMPUTED: &[&str] = &["state", "output"];

/// Barriers A and B of the sums that leave their total in the scratch.
#[test]
fn no_barrier_around_the_total() {
    let sum = "    if (local == 0u) {\n        scratch[0] = sum_of_parts(lanes);\n    }\n";
    let (before, after) = (format!("    workgroupBarrier();\n{sum}"), format!("{sum}    workgroupBarrier();\n"));
    for edits in [[(&*before, sum)], [(&*after, sum)]] {
        for subgroup_size in SUBGROUPS {
            detected(SERIAL, "t=1,hv=1", subgroup_size, &edits, &[("GP0002", "scratch")]);
        }
    }
}

#[test]
fn no_barrier_behind_the_gates() {
    let edits = [(
        "let beta_dot = workgroup_sum(beta_part, local, lanes);\n        workgroupBarrier();",
        "let beta_dot = workgroup_sum(beta_part, local, lanes);",
    )];
    detected(SERIAL, "t=1,hv=1", 32, &edits, &[("GP0002", "scratch")]);
    // The next sum is that of the next token.
    let edits = [(
        "let alpha_dot = workgroup_sum(alpha_part, local, lanes);\n        workgroupBarrier();",
        "let alpha_dot = workgroup_sum(alpha_part, local, lanes);",
    )];
    detected(SERIAL, "t=2,hv=1", 32, &edits, &[("GP0002", "scratch")]);
    invisible(SERIAL, "t=1,hv=1", &edits);
}

#[test]
fn no_barrier_in_the_substitution() {
    let factors = [("        workgroupBarrier();\n\n        var own_w", "        var own_w")];
    detected(CHUNKED, "t=2,hv=1", 32, &factors, &[("GP0002", "w_factors"), ("GP0002", "u_factors")]);
    let products = [(
        "query_products[r] = sum_of_parts(lanes);\n            }\n            workgroupBarrier();",
        "query_products[r] = sum_of_parts(lanes);\n            }",
    )];
    detected(CHUNKED, "t=2,hv=1", 32, &products, &[("GP0002", "query_products"), ("GP0002", "scratch")]);
    // Of one token, invocation 0 alone uses what it has added.
    invisible(CHUNKED, "t=1,hv=1", &products);
    let sums = [("    }\n    workgroupBarrier();\n\n    for (var j", "    }\n\n    for (var j")];
    // The barriers of the first sum come before anybody reads a gamma.
    invisible(CHUNKED, "t=3,hv=1", &sums);
}

#[test]
fn a_scratch_that_others_own() {
    // The total in the place of group 1.
    let edits = [("        scratch[0] = sum_of_parts(lanes);", "        scratch[1] = sum_of_parts(lanes);")];
    only_wrong(SERIAL, "t=1,hv=1", &edits, COMPUTED);
}

#[test]
fn sums_in_another_order() {
    let serial = [(
        "group_sum(0u, parts) + group_sum(1u, parts) + group_sum(2u, parts) + group_sum(3u, parts)",
        "(group_sum(0u, parts) + group_sum(1u, parts)) + (group_sum(2u, parts) + group_sum(3u, parts))",
    )];
    only_wrong(CHUNKED, "t=5,hv=2,decay=strong", &serial, COMPUTED);
    let descending = [(
        "var distance = 1u; distance < lanes; distance <<= 1u",
        "var distance = lanes / 2u; distance > 0u; distance >>= 1u",
    )];
    only_wrong(CHUNKED, "t=5,hv=2,decay=strong", &descending, COMPUTED);
    let squares = [("workgroup_sum(query * query, local, lanes)", "workgroup_sum(query * key, local, lanes)")];
    only_wrong(CHUNKED, "t=1,hv=1", &squares, &["output"]);
}

#[test]
fn a_wide_subgroup_taken_for_one_group() {
    let edits = [("min(subgroup, GROUP)", "subgroup")];
    for subgroup_size in [4, 16, 32] {
        let Symptoms { rules, wrong } = symptoms(CHUNKED, "t=1,hv=1", subgroup_size, &edits);
        assert!(rules.is_empty() && wrong.is_empty(), "{subgroup_size}: {rules:?}, {wrong:?}");
    }
    for subgroup_size in [64, 128] {
        assert!(!symptoms(CHUNKED, "t=1,hv=1", subgroup_size, &edits).wrong.is_empty(), "{subgroup_size}");
    }
}

#[test]
fn heads_that_take_turns_where_neighbours_share_one() {
    let turns = [("value_head / (sizes.value_heads / sizes.heads)", "value_head % sizes.heads")];
    only_wrong(CHUNKED, "t=2,h=2,hv=4", &turns, COMPUTED);
    invisible(CHUNKED, "t=2,h=2,hv=2", &turns);
    invisible(CHUNKED, "t=2,h=1,hv=2", &turns);
}

#[test]
fn taps_of_another_token_or_sequence() {
    // Only tokens of the chunk: the three in front of it are taken from the state before the sequence.
    let chunk = [
        ("let position = chunk.position + token;", "let position = token;"),
        ("let start = chunk.first - chunk.position;", "let start = chunk.first;"),
    ];
    only_wrong(CHUNKED, "t=18,hv=1,c=16", &chunk, COMPUTED);
    invisible(CHUNKED, "t=16,hv=1,c=16", &chunk);
    // The first sequence's rows for all.
    let rows = [(
        "conv_state[(sequence * 3u + position) * channels() + channel]",
        "conv_state[position * channels() + channel]",
    )];
    only_wrong(SERIAL, "t=3,seqs=2,hv=1", &rows, COMPUTED);
    detected(SERIAL, "t=2,seqs=2,hv=1", 32, &rows, &[("GP0001", "conv_state")]);
    invisible(SERIAL, "t=2,hv=1", &rows);
    let newest_first = [("conv_weight[channel];", "conv_weight[channel].wzyx;")];
    only_wrong(SERIAL, "t=1,hv=1", &newest_first, COMPUTED);
}

#[test]
fn a_state_of_the_convolution_without_the_rows_before() {
    // The last three tokens, whether there are as many or not.
    let edits = [(
        "let oldest = input(workgroup.x, start, length, channel);",
        "let oldest = input(workgroup.x, start, max(length, 3u), channel);",
    )];
    only_wrong(SERIAL, "t=2,hv=1", &edits, &["conv_state"]);
    invisible(SERIAL, "t=3,hv=1", &edits);
    // Read when the next row has taken its place.
    let middle = "    let middle = input(workgroup.x, start, length + 1u, channel);\n";
    let stores = ["    conv_state[at + channels()] = middle;\n", "    conv_state[at + 2u * channels()] = newest;\n"]
        .map(str::to_owned);
    let late = [(middle, ""), (&*stores.concat(), &*format!("{}{middle}{}", stores[1], stores[0]))];
    only_wrong(SERIAL, "t=1,hv=1", &late, &["conv_state"]);
    invisible(SERIAL, "t=2,hv=1", &late);
}

#[test]
fn factors_that_are_left_out() {
    let beta = [("w_factors[local] = own_beta * key_products[local]", "w_factors[local] = key_products[local]")];
    // The second head hardly decays: what the state knows shows.
    only_wrong(CHUNKED, "t=2,hv=2,decay=strong", &beta, COMPUTED);
    invisible(CHUNKED, "t=1,hv=2,decay=strong", &beta);
    let decay = [(
        "u_factors[local] = own_beta * decay * key_products[local]",
        "u_factors[local] = own_beta * key_products[local]",
    )];
    only_wrong(CHUNKED, "t=2,hv=1", &decay, COMPUTED);
    let gamma = [(
        "sum += log_alpha[first_gate + j * sizes.value_heads];",
        "sum = log_alpha[first_gate + j * sizes.value_heads];",
    )];
    only_wrong(CHUNKED, "t=2,hv=1", &gamma, COMPUTED);
    let scale = [("core[at] = SCALE * sum;", "core[at] = sum;")];
    only_wrong(CHUNKED, "t=1,hv=1", &scale, &["output"]);
    let gate = [(" * gp_silu(z[at])", "")];
    only_wrong(SERIAL, "t=1,hv=1", &gate, &["output"]);
    let mean = [("gp_multiply_add(squares, INVERSE_HEAD, EPSILON)", "squares + EPSILON")];
    only_wrong(SERIAL, "t=1,hv=1", &mean, &["output"]);
}

/// e^gamma_j * e^-gamma_r overflows where e^(gamma_j - gamma_r) does not.
#[test]
fn a_decay_between_tokens_as_a_quotient() {
    let edits = [("gp_exp(gammas[j] - gammas[local])", "gp_exp(gammas[j]) * gp_exp(-gammas[local])")];
    only_wrong(CHUNKED, "t=16,hv=3,c=16,decay=strong", &edits, COMPUTED);
}

#[test]
fn chunks_that_are_counted_wrongly() {
    // As many tokens as a chunk may have, whether they are there or not.
    let full = [(
        "return Chunk(sequence, first, position, min(end - first, sizes.chunk));",
        "return Chunk(sequence, first, position, sizes.chunk);",
    )];
    let found = symptoms(CHUNKED, "t=5,hv=1,c=16", 32, &full).rules;
    assert!(found.contains(&("GP0004", "hidden".to_owned())), "{found:?}");
    let found = symptoms(CHUNKED, "t=5+40,hv=1,c=16", 32, &full).rules;
    assert!(found.contains(&("GP0001", "q_hat".to_owned())), "the next sequence's tokens: {found:?}");
    // Always the first chunk: nobody has read the token behind it.
    let first = [(" + sizes.index * sizes.chunk", "")];
    detected(CHUNKED, "t=17,hv=1,c=16", 32, &first, &[("GP0006", "core")]);
    invisible(CHUNKED, "t=16,hv=1,c=16", &first);
    // Sequences that have ended.
    let ended = [(
        "    if (first >= end) {\n        return;\n    }\n    load_row(lane);\n    for",
        "    load_row(lane);\n    for",
    )];
    invisible(CHUNKED, "t=17+17,hv=1,c=16", &ended);
    let found = symptoms(CHUNKED, "t=17+1,hv=1,c=16", 32, &ended);
    assert!(!found.rules.is_empty(), "{:?}", found.wrong);
}

#[test]
fn a_state_of_another_head_or_row() {
    let head = [("let head = lane.sequence * sizes.value_heads + lane.value_head;", "let head = lane.value_head;")];
    detected(SERIAL, "t=1,seqs=2,hv=1", 32, &head, &[("GP0001", "state")]);
    invisible(SERIAL, "t=1,hv=2", &head);
    let rows = [("workgroup.z * ROWS + local / LANES", "local / LANES")];
    let found = symptoms(SERIAL, "t=1,hv=1", 32, &rows).rules;
    assert!(found.contains(&("GP0006", "core".to_owned())), "rows that nobody stores: {found:?}");
}
