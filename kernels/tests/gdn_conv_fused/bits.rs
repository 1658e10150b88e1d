//! The WGSL source has the model's bits, and touches nothing else.

use gridproof_kernels::gdn_conv_fused::{Blocks, Options, Reduction, Variant, parse_shape};

use super::check;
use super::checked::{PROFILES, cases};

/// Every case under one of four subgroup sizes, the narrowest of which takes the other reduction.
#[test]
fn every_case_has_the_bits_of_the_model() {
    let cases = cases();
    assert!(cases.len() > 40, "{}", cases.len());
    for (number, text) in cases.iter().enumerate() {
        let (subgroup_size, arithmetic) = ([32, 8, 64, 4, 16][number % 5], PROFILES[number / 2 % 4]);
        check(Variant::Split, text, Options { arithmetic, ..Options::default() }, subgroup_size);
    }
}

#[test]
fn both_reductions_have_the_bits_of_the_model_in_every_profile_and_subgroup_size() {
    for (which, text) in (0..).zip(["n=2,h=1,hv=2,slot=3+1", "n=1,h=2,hv=2,layout=interleaved"]) {
        for (number, arithmetic) in (0..).zip(PROFILES) {
            for subgroup_size in [4, 8, 16, 32, 64, 128] {
                let tree = subgroup_size < 8 || (subgroup_size / 8 + number + which) % 2 == 0;
                let reduction = if tree { Reduction::Workgroup } else { Reduction::Subgroup };
                check(Variant::Split, text, Options { arithmetic, reduction, ..Options::default() }, subgroup_size);
            }
        }
    }
}

/// In the race-free reading of a racy launch, each workgroup finds the rows as they were.
#[test]
fn an_inline_shift_has_the_bits_of_the_model_where_nobody_is_in_the_way() {
    for (number, text) in cases().iter().enumerate().filter(|(number, _)| number % 2 == 0) {
        let arithmetic = PROFILES[number / 2 % 4];
        check(Variant::Inline, text, Options { arithmetic, ..Options::default() }, [32, 8][number / 2 % 2]);
    }
}

/// One and several rounds, with and without `double_v`: the cases have all of them.
#[test]
fn the_cases_have_blocks_of_every_kind() {
    let blocks = |text: &String| {
        let request = parse_shape(text, Variant::Split).unwrap_or_else(|error| panic!("{text}: {error}"));
        let blocks = Blocks::of(request.shape);
        (blocks.double_v, blocks.rounds())
    };
    let mut kinds: Vec<_> = cases().iter().map(blocks).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, [(false, 1), (true, 1), (true, 2), (true, 3), (true, 4)]);
}
