//! Generators: any bytes give an input, always the same, and all kinds of them are drawn.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use gridproof_fuzz::input::kernel::{Plant, ptx, wgsl};
use gridproof_fuzz::input::{Input, LONGEST, Scope, SwitchedOn, decode, generator_names};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn scope(only: &[&str]) -> Scope {
    Scope { only: only.iter().map(|name| (*name).to_owned()).collect(), ..Scope::default() }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

/// So many cases, the same in every run: campaigns draw others.
fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(seeded(2000))]

    #[test]
    fn any_bytes_give_an_input_and_always_the_same(bytes in bytes()) {
        prop_assert_eq!(decode(&bytes, &Scope::default()), decode(&bytes, &Scope::default()));
        let drawn = Input::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        prop_assert_eq!(drawn, decode(&bytes, &Scope::default()));
    }

    #[test]
    fn bytes_that_are_not_there_are_zeros(bytes in bytes()) {
        let longer: Vec<u8> = bytes.iter().copied().chain([0; 64]).collect();
        let kernels = scope(&["kernels"]);
        prop_assert_eq!(decode(&bytes, &kernels), decode(&longer, &kernels));
    }

    #[test]
    fn a_campaign_with_a_defect_draws_that_kernel_as_the_dispatcher_would(bytes in bytes()) {
        let switched_on = SwitchedOn { kernel: "gdn_decode".to_owned(), variant: "offset32".to_owned() };
        let scope = Scope { switched_on: Some(switched_on), ..Scope::default() };
        let Input::Catalogue(launch) = decode(&bytes, &scope) else { panic!("no launch of the catalogue") };
        prop_assert_eq!((launch.kernel, &*launch.variant, &*launch.believed), ("gdn_decode", "offset32", "auto"));
    }
}

/// Inputs of one generator, from a plain counter.
fn many(only: &str, count: u64) -> Vec<Input> {
    let scope = scope(&[only]);
    let one = |seed: u64| {
        let mut state = seed;
        let bytes: Vec<u8> = (0..512)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        decode(&bytes, &scope)
    };
    (0..count).map(one).collect()
}

#[test]
fn every_generator_is_drawn_from_and_says_its_name() {
    for name in generator_names() {
        assert!(many(name, 20).iter().all(|input| input.generator() == name), "{name}");
    }
    let mut drawn = BTreeSet::new();
    for first in 0..64_u32 {
        drawn.insert(decode(&first.to_le_bytes(), &Scope::default()).generator().to_owned());
    }
    assert_eq!(drawn.len(), generator_names().len(), "{drawn:?}");
}

#[test]
fn every_variant_and_the_edges_of_pools_are_drawn() {
    let mut variants = BTreeSet::new();
    let (mut negative, mut doubled, mut far) = (0, 0, 0);
    for input in many("gdn_decode", 600) {
        let Input::Catalogue(launch) = input else { panic!("{input:?}") };
        variants.insert(launch.variant.clone());
        let value = |key: &str| launch.shape.split(',').find_map(|pair| pair.strip_prefix(&format!("{key}="))).unwrap();
        let slots: Vec<i64> = value("slot").split('+').map(|slot| slot.parse().unwrap()).collect();
        negative += u32::from(slots.iter().any(|slot| *slot < 0));
        doubled += u32::from(slots.iter().collect::<BTreeSet<_>>().len() < slots.len());
        let state = 16_384 * value("hv").parse::<i64>().unwrap();
        let stride = value("stride").parse().unwrap_or(state);
        far += u32::from(slots.iter().any(|slot| (slot * stride).abs_diff(1 << 29) <= stride.unsigned_abs()));
    }
    assert_eq!(variants.len(), 9, "{variants:?}");
    assert!(negative > 10 && doubled > 10 && far > 10, "{negative} {doubled} {far}");
}

#[test]
fn lines_of_planted_races_are_accesses_to_what_races() {
    let mut planted = 0;
    for input in many("kernels", 300) {
        let Input::Kernel(kernel) = input else { panic!("{input:?}") };
        for (text, word) in [(wgsl::text(&kernel), ["tile[", "meeting["]), (ptx::text(&kernel), [".shared", ".global"])]
        {
            assert_eq!(text.race.is_some(), kernel.plant.is_some());
            let Some(lines) = text.race else { continue };
            planted += 1;
            let expected = word[usize::from(kernel.plant == Some(Plant::Workgroups))];
            let all: Vec<&str> = text.text.lines().collect();
            assert!(lines.iter().all(|&line| all[line as usize - 1].contains(expected)), "{lines:?}\n{}", text.text);
        }
    }
    assert!(planted > 100, "{planted}");
}

#[test]
fn what_is_behind_the_longest_input_is_not_looked_at() {
    let mut bytes = vec![7; LONGEST];
    let before = decode(&bytes, &scope(&["texts"]));
    bytes.extend([1, 2, 3]);
    assert_eq!(decode(&bytes, &scope(&["texts"])), before);
}

#[test]
fn wrong_names_are_refused_with_the_right_ones() {
    let error = scope(&["gdn"]).validate().unwrap_err().to_string();
    assert!(error.contains("`gdn`") && error.contains("gdn_decode") && error.contains("texts"), "{error}");
    let switched_on = SwitchedOn { kernel: "gdn_decode".to_owned(), variant: "wide_vec".to_owned() };
    let error = Scope { switched_on: Some(switched_on), ..Scope::default() }.validate().unwrap_err().to_string();
    assert!(error.contains("gdn_decode:wide_vec") && error.contains("gdn_decode:offset32"), "{error}");
}
