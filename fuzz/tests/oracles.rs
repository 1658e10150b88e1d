//! Oracles: they hold on what is right, and turn red on what is wrong.
//!
//! The same generators as in a campaign, fed by proptest: the parsers' texts among them, so that malformed text is tried
//! wherever tests run.

use std::cell::Cell;

use gridproof_conformance::litmus::{Kind, Syntax};
use gridproof_fuzz::input::kernel::{Kernel, Plant, Statement, Word};
use gridproof_fuzz::input::{Input, LitmusLaunch, Scope, SwitchedOn, decode};
use gridproof_fuzz::oracle::{Bench, Failure, Property, Trial};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

fn scope(only: &str) -> Scope {
    Scope { only: vec![only.to_owned()], ..Scope::default() }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

/// So many inputs of a generator, the same in every run, as campaigns draw others: nothing fails, and at least so many
/// are neither refused nor skipped.
fn hold(only: &str, inputs: u32, least: u32) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench { scratch: Some(folder.path().to_owned()), ..Bench::default() };
    let rng_seed = RngSeed::Fixed(1);
    let config = ProptestConfig { cases: inputs, failure_persistence: None, rng_seed, ..ProptestConfig::default() };
    let held = Cell::new(0);
    let tried = TestRunner::new(config).run(&bytes(), |bytes| {
        let input = decode(&bytes, &scope(only));
        match bench.try_input(&input) {
            Trial::Fails(failure) => return Err(TestCaseError::fail(format!("{failure:?}\n{input:?}"))),
            Trial::Holds => held.set(held.get() + 1),
            Trial::Rejected | Trial::Skipped(_) => {}
        }
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{only}: {error}"));
    assert!(held.get() >= least, "{only}: {} of {inputs} inputs hold, expected {least}", held.get());
}

#[test]
fn drawn_kernels_hold() {
    hold("kernels", 300, 290);
}

#[test]
fn litmus_tests_hold() {
    hold("litmus", 300, 280);
}

#[test]
fn parsers_hold() {
    hold("texts", 300, 20);
}

#[test]
fn resadd_norm_gemv_int4_holds() {
    hold("resadd_norm_gemv_int4", 40, 32);
}

#[test]
fn gdn_conv_fused_holds() {
    hold("gdn_conv_fused", 40, 25);
}

#[test]
fn gdn_decode_holds() {
    hold("gdn_decode", 40, 20);
}

#[test]
fn conv1d_qkv_split_holds() {
    hold("conv1d_qkv_split", 40, 22);
}

#[test]
fn gdn_chunked_holds() {
    hold("gdn_chunked", 40, 26);
}

#[test]
fn a_litmus_test_that_needs_loom_does_not_hold_without_it() {
    let litmus = |loom| Input::Litmus(LitmusLaunch { seed: 1, syntax: Syntax::Wgsl, kind: Kind::Workgroups, loom });
    assert_eq!(Bench::default().try_input(&litmus(false)), Trial::Holds);
    assert_eq!(Bench::default().try_input(&litmus(true)), Trial::Skipped("no program to run loom".into()));
}

/// The first failure of a campaign's worth of inputs.
fn first_failure(scope: &Scope, inputs: u64) -> Option<Failure> {
    (0..inputs).find_map(|seed| {
        let mut state = seed;
        let bytes: Vec<u8> = (0..256)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        match Bench::default().try_input(&decode(&bytes, scope)) {
            Trial::Fails(failure) => Some(failure),
            _ => None,
        }
    })
}

#[test]
fn defects_that_are_switched_on_are_found() {
    let cases = [
        ("resadd_norm_gemv_int4", "fused", "GP0001 on `residual`"),
        ("resadd_norm_gemv_int4", "fused_no_barrier", "GP000"),
        ("gdn_conv_fused", "inline", "GP0001 on `conv_state`"),
        ("gdn_decode", "wide_vec_no_pass_barrier", "GP0002 on"),
        ("gdn_decode", "softplus_branchless", "the model says"),
        ("conv1d_qkv_split", "fused_block_routed", "GP00"),
        ("gdn_chunked", "no_barrier_solve_diag", "GP0002 on `scratch`"),
    ];
    for (kernel, variant, said) in cases {
        let switched_on = SwitchedOn { kernel: kernel.to_owned(), variant: variant.to_owned() };
        let failure = first_failure(&Scope { switched_on: Some(switched_on), ..Scope::default() }, 200);
        let failure = failure.unwrap_or_else(|| panic!("{kernel}:{variant} was not found"));
        let property = if variant == "softplus_branchless" { Property::Model } else { Property::Verdict };
        assert_eq!(failure.property, property, "{kernel}:{variant}: {failure:?}");
        assert!(failure.message.contains(said), "{kernel}:{variant}: {failure:?}");
    }
}

fn kernel(body: Vec<Statement>, plant: Option<Plant>) -> Kernel {
    Kernel { groups: 2, size: 8, subgroup_size: 4, body, plant, input: [3; 16], schedule: (1, 2) }
}

#[test]
fn a_race_that_was_not_planted_is_a_failure() {
    // The kernel says that it has no plant, and the writers leave it out; the oracle is told of one, and misses it.
    let body = vec![Statement::Word(0, Word::Local)];
    let clean = Bench::default().try_input(&Input::Kernel(kernel(body.clone(), None)));
    assert_eq!(clean, Trial::Holds);
    let missing = Bench::default().try_input(&Input::Kernel(kernel(body, Some(Plant::Tile))));
    assert!(matches!(&missing, Trial::Fails(failure) if failure.property == Property::Verdict), "{missing:?}");
}
