//! Properties over drawn sizes, lengths and indices.

use std::collections::BTreeMap;

use gridproof_kernels::conv1d_qkv_split::{Options, Variant, block_routable};
use gridproof_reference::conv1d_qkv_split::{ElementType, Inputs, Problem, Shape, Sizes};
use gridproof_simulator::{Image, prove};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::as_it_is;
use super::checked::{Case, PROFILES, rules};

const SLOTS: u64 = 6;

/// Channels around the edges of blocks, and others.
fn channels() -> impl Strategy<Value = u32> {
    let edges = [2, 126, 128, 130, 254, 256, 258, 384, 510, 512, 514];
    prop_oneof![2 => prop::sample::select(edges.to_vec()), 1 => (1..150_u32).prop_map(|half| 2 * half)]
}

/// Tokens around the edges of chunks and of states.
fn lengths(most: usize) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![3 => 0..5_u32, 2 => 7..10_u32, 1 => 14..27_u32], 1..=most)
}

fn sizes() -> impl Strategy<Value = Sizes> {
    let rest = (2..=4_u32, any::<bool>(), any::<bool>(), prop::sample::select(vec![0_u64, 2, 6, 8]));
    (channels(), channels(), channels(), lengths(4), rest).prop_map(
        |(q, k, v, lengths, (width, f16, bias, padding))| {
            let element = if f16 { ElementType::F16 } else { ElementType::Bf16 };
            let stride = Some(u64::from(q + k + v) + padding);
            Sizes { q, k, v, width, lengths, slots: SLOTS, stride, element, bias }
        },
    )
}

/// Subgroup size, arithmetic and seed.
fn how() -> impl Strategy<Value = (u32, usize, u64)> {
    (prop::sample::select(vec![8, 16, 32, 64, 128]), 0..4_usize, any::<u64>())
}

/// Different slots and flags, one for each sequence, some padded.
fn owners() -> impl Strategy<Value = (Vec<i32>, Vec<i32>)> {
    let slots = Just((0..6).collect::<Vec<i32>>()).prop_shuffle();
    let padded = prop::collection::vec(prop::bool::weighted(0.15), 6);
    let slots = (slots, padded).prop_map(|(slots, padded)| {
        slots.iter().zip(padded).map(|(slot, padded)| if padded { -1 } else { *slot }).collect()
    });
    (slots, prop::collection::vec(0..2_i32, 6))
}

fn case(problem: Problem, variant: Variant, (subgroup_size, profile, _): (u32, usize, u64)) -> Case {
    let options = Options { arithmetic: PROFILES[profile], ..Options::default() };
    Case::of(problem, variant, options, subgroup_size).unwrap_or_else(|error| panic!("{error}"))
}

/// What a launch leaves in its outputs, by name.
fn left(case: &Case) -> BTreeMap<String, Vec<u8>> {
    let outcome = prove(&case.launch, &case.config).expect("it runs");
    assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
    let buffers = case.launch.buffers.iter().zip(&outcome.buffers).filter(|(buffer, _)| buffer.output);
    buffers.map(|(buffer, image)| (buffer.name.clone(), Image::to_vec(image))).collect()
}

/// A part of the tokens of every sequence: those below `cut` where `first`, else the others.
fn part(whole: &Problem, cuts: &[u32], first: bool) -> (Shape, Inputs) {
    let (shape, inputs) = (whole.shape(), whole.inputs());
    let stride = shape.stride() as usize;
    let mut lengths = Vec::new();
    let mut x = Vec::new();
    for (sequence, &cut) in (0..).zip(cuts) {
        let (rows, cut) = (shape.rows(sequence), cut.min(shape.length(sequence)));
        let kept = if first { rows.start..rows.start + cut } else { rows.start + cut..rows.end };
        lengths.push(kept.end - kept.start);
        x.extend_from_slice(&inputs.x[kept.start as usize * stride..kept.end as usize * stride]);
    }
    let shape = Shape::new(Sizes { lengths, ..shape.sizes().clone() }).expect("the sizes are valid");
    let query_start_loc = shape.query_start_loc();
    (shape, Inputs { x, query_start_loc, ..inputs.clone() })
}

/// The rows of the first launch and of the second, in the order of the tokens.
fn joined(whole: &Shape, parts: [(&Shape, &[u8]); 2], row: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for sequence in 0..whole.sequences() {
        for (shape, bytes) in parts {
            let rows = shape.rows(sequence);
            all.extend_from_slice(bytes.get(rows.start as usize * row..rows.end as usize * row).unwrap_or_default());
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    /// Both sides of the edge: with nobody padded, block routing serves just the sizes that it is said to serve.
    #[test]
    fn block_routing_is_right_just_where_the_dispatcher_says(sizes in sizes(), q in 1..3_u32, k in 1..3_u32, how in how(), near in any::<bool>()) {
        // Half of the cases have multiples of 256, which are rare among the others.
        let sizes = if near { Sizes { q: 256 * q, k: 256 * k, ..sizes } } else { sizes };
        let sizes = Sizes { lengths: sizes.lengths.iter().map(|length| length + 1).collect(), stride: None, ..sizes };
        let routable = block_routable(sizes.q, sizes.k, sizes.v);
        let slots: Vec<i32> = (0..).take(sizes.lengths.len()).collect();
        let shape = Shape::new(sizes).expect("the sizes are valid");
        let problem = Problem::from_seed(shape, &slots, &vec![1; slots.len()], how.2).expect("valid");
        let case = case(problem, Variant::FusedBlockRouted, how);
        let outcome = prove(&case.launch, &case.config).expect("it runs");
        let right = outcome.findings.is_empty() && case.differences(&outcome).is_empty();
        prop_assert_eq!(right, routable);
        // With a token in every sequence, what runs on behind the last row leaves its tensor.
        let found = rules(&outcome);
        prop_assert!(found.is_empty() || found.iter().any(|(rule, _)| *rule == "GP0004"), "{:?}", found);
    }

    /// Any sizes and indices at all: the expectation says what is found, with the caller's check and without.
    #[test]
    fn whatever_is_asked_the_expectation_is_right(
        sizes in sizes(),
        which in 0..5_usize,
        slots in prop::collection::vec(-2..8_i32, 4),
        owned in owners(),
        check in any::<bool>(),
        how in how(),
    ) {
        let sequences = sizes.lengths.len();
        let (slots, flags) = (if check { &owned.0 } else { &slots }, &owned.1);
        prop_assume!(sizes.lengths.iter().any(|length| *length > 0));
        let shape = Shape::new(sizes).expect("the sizes are valid");
        let problem = Problem::from_seed_unchecked(shape, &slots[..sequences], &flags[..sequences], how.2).expect("as many as sequences");
        let variant = Variant::ALL[which];
        let case = case(problem, variant, how);
        let checked = case.check(as_it_is);
        prop_assert!(checked.is_ok(), "{} {:?}: {:?}", variant.name(), case.problem.shape(), checked.err());
        if check && which < 3 {
            prop_assert!(checked.is_ok_and(|outcome| outcome.findings.is_empty()));
        }
    }

    /// Cutting every sequence in two, the state carries over what a single launch has in its registers.
    #[test]
    fn two_launches_with_the_state_between_them_are_one(
        sizes in sizes(),
        cuts in prop::collection::vec(0..12_u32, 4),
        (slots, flags) in owners(),
        sequential in any::<bool>(),
        how in how(),
    ) {
        let sequences = sizes.lengths.len();
        let (slots, flags, cuts) = (&slots[..sequences], &flags[..sequences], &cuts[..sequences]);
        let shape = Shape::new(sizes).expect("the sizes are valid");
        let whole = Problem::from_seed(shape, slots, flags, how.2).expect("valid");
        let (first_shape, first_inputs) = part(&whole, cuts, true);
        let (second_shape, mut second_inputs) = part(&whole, cuts, false);
        prop_assume!(first_shape.tokens() > 0 && second_shape.tokens() > 0);

        let variant = if sequential { Variant::Sequential } else { Variant::Auto };
        let first = left(&case(Problem::new(first_shape.clone(), first_inputs).expect("valid"), variant, how));
        let slot_bytes = whole.shape().state_bytes() as usize;
        for (slot, bytes) in &mut second_inputs.states {
            bytes.copy_from_slice(&first["conv_state"][*slot as usize * slot_bytes..][..slot_bytes]);
        }
        for (sequence, flag) in (0..).zip(&mut second_inputs.has_initial_state) {
            *flag |= i32::from(first_shape.length(sequence) > 0);
        }
        let second = left(&case(Problem::new(second_shape.clone(), second_inputs).expect("valid"), variant, how));
        let whole = case(whole, variant, how);
        let at_once = left(&whole);
        prop_assert_eq!(&at_once["conv_state"], &second["conv_state"]);
        let sizes = whole.problem.shape().sizes();
        for (name, channels) in [("q", sizes.q), ("k", sizes.k), ("v", sizes.v)] {
            let parts = [(&first_shape, &first[name][..]), (&second_shape, &second[name][..])];
            prop_assert!(at_once[name] == joined(whole.problem.shape(), parts, channels as usize * 2), "{}", name);
        }
    }
}
