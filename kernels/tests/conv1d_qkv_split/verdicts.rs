//! Every variant is reported as the catalogue demands, and the correct ones as nothing.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::{Outputs, SafeUnder};
use gridproof_kernels::conv1d_qkv_split::{KERNEL, Options, Variant, expectation, parse_shape};
use gridproof_launch::Language;
use gridproof_simulator::ladder;

use super::checked::{Case, rules};
use super::{as_it_is, check};

type Rules = &'static [(&'static str, &'static str)];

/// What is found, in subgroups of every size.
#[track_caller]
fn found(variant: Variant, text: &str, wanted: Rules) {
    for subgroup_size in [8, 32, 128] {
        let found = rules(&check(variant, text, Options::default(), subgroup_size));
        let wanted: BTreeSet<_> = wanted.iter().map(|(rule, place)| (*rule, (*place).to_owned())).collect();
        assert_eq!(found, wanted, "{} {text}, subgroups of {subgroup_size}", variant.name());
    }
}

#[test]
fn every_shape_of_the_catalogue_is_as_demanded() {
    for entry in KERNEL.variants {
        let variant: Variant = entry.name.parse().expect("the name of a variant");
        for shape in entry.shapes {
            for subgroup_size in [32, 16] {
                check(variant, shape, Options::default(), subgroup_size);
            }
        }
        for shape in entry.long_shapes {
            let case = Case::new(variant, shape, Options::default(), 32);
            let error = case.err().unwrap_or_else(|| panic!("WGSL addresses {} {shape}", entry.name));
            assert!(error.contains("more than the 4294967295 that WGSL addresses"), "{error}");
        }
    }
}

#[test]
fn a_split_block_runs_on_into_the_rows_behind() {
    const OUTSIDE: Rules = &[("GP0004", "q")];
    let routed = |text: &str, wanted: Rules| found(Variant::FusedBlockRouted, text, wanted);
    // One token: nothing to meet.
    routed("q=128,k=128,v=256,lens=1", OUTSIDE);
    // One chunk: the columns behind the end are those of the next token, which other invocations store.
    routed("q=128,k=128,v=256,lens=2", &[("GP0002", "q"), ("GP0004", "q")]);
    routed("q=128,k=128,v=256,lens=9", &[("GP0001", "q"), ("GP0002", "q"), ("GP0004", "q")]);
    // Two chunks, of one token each: other workgroups.
    routed("q=128,k=128,v=256,lens=1+1", &[("GP0001", "q"), ("GP0004", "q")]);
    // A padded sequence takes what runs on, up to the end of the buffer.
    routed("q=128,k=128,v=256,lens=1+2,slot=1+-1", &[]);
    routed("q=128,k=128,v=256,lens=2+2,slot=1+-1", &[("GP0002", "q")]);
    routed("q=128,k=128,v=256,slot=-1", &[]);
    // The block of q that k begins in is far from the beginning of its next row: another workgroup's.
    routed("q=384,k=128,v=256,lens=2", &[("GP0001", "q"), ("GP0004", "q")]);
    // A token two rows further on, and none in between.
    routed("q=64,k=192,v=256,lens=1+1+1,slot=1+-1+2", &[("GP0001", "q"), ("GP0004", "q")]);
    routed("q=128,k=128,v=256,lens=1+1+1,slot=1+-1+2", OUTSIDE);
    // k begins inside a block and ends inside another.
    routed("q=256,k=258,v=256,lens=1", &[("GP0004", "k")]);
    routed("q=130,k=256,v=256,lens=2", &[("GP0002", "q"), ("GP0004", "k"), ("GP0004", "q")]);
    routed("q=130,k=390,v=256,lens=2", &[("GP0001", "k"), ("GP0002", "q"), ("GP0004", "k"), ("GP0004", "q")]);
}

#[test]
fn a_split_block_is_wrong_even_where_nothing_is_found() {
    let demanded = |text: &str| {
        let problem = parse_shape(text, Variant::FusedBlockRouted).expect("valid").problem(7).expect("valid");
        expectation(&problem, Variant::FusedBlockRouted, Language::Wgsl)
    };
    let padded = demanded("q=128,k=128,v=256,lens=1+2,slot=1+-1");
    assert_eq!((padded.findings.len(), padded.outputs), (0, Outputs::Wrong));
    check(Variant::FusedBlockRouted, "q=128,k=128,v=256,lens=1+2,slot=1+-1", Options::default(), 32);
    assert_eq!(demanded("q=128,k=128,v=256,slot=-1").outputs, Outputs::Right);
    assert_eq!(demanded("q=256,k=256,v=2").outputs, Outputs::Right);
    assert_eq!(demanded("q=256,k=256,v=2").safe_under, SafeUnder::AnyOrder);
    assert_eq!(demanded("").safe_under, SafeUnder::NotStated);
}

#[test]
fn auto_serves_what_block_routing_cannot() {
    for text in ["q=128,k=128,v=256", "q=256,k=256,v=258", "q=254,k=258,v=256", "q=256,k=130,v=256", "q=2,k=2,v=2"] {
        found(Variant::Auto, text, &[]);
    }
}

#[test]
fn a_missing_state_barrier_is_found_where_old_states_are_read() {
    const RACE: Rules = &[("GP0002", "conv_state")];
    let unordered = |text: &str, wanted: Rules| found(Variant::NoStateBarrier, text, wanted);
    for width in 2..=4 {
        for length in [1, 2, 3, 8, 9] {
            unordered(&format!("width={width},lens={length}"), RACE);
            unordered(&format!("width={width},lens={length},init=0"), &[]);
            // The fewest channels that WGSL takes.
            unordered(&format!("q=2,k=2,v=2,width={width},lens={length}"), RACE);
        }
        unordered(&format!("width={width},lens=0+9,init=1+0"), &[]);
        unordered(&format!("width={width},lens=0+9,init=0+1"), RACE);
    }
    unordered("slot=-1", &[]);
    unordered("slot=1+-1+2,init=0+1+0", &[]);
    unordered("slot=1+-1+2,init=0+1+1", RACE);
}

#[test]
fn a_missing_state_barrier_shows_where_subgroups_drift_and_not_in_step() {
    for text in ["lens=9", "q=256,k=256,v=256,width=2,lens=1"] {
        let case = Case::new(Variant::NoStateBarrier, text, Options::default(), 32).expect("there is a launch");
        let proof = case.check(as_it_is).expect("as demanded");
        let rungs = ladder::climb(&case.launch, &case.config, &proof, 1, 4).expect("it runs");
        assert_eq!([rungs[0].failing.is_some(), rungs[1].failing.is_some()], [true, false], "{text}");
        let demanded = expectation(&case.problem, case.variant, Language::Wgsl);
        assert_eq!(demanded.safe_under, SafeUnder::LockstepWaves { slots: 1 });
    }
    // Where subgroups have different things to do, nothing is demanded.
    for text in ["q=6,k=2,v=2,lens=9", "lens=2"] {
        let case = Case::new(Variant::NoStateBarrier, text, Options::default(), 32).expect("there is a launch");
        assert_eq!(expectation(&case.problem, case.variant, Language::Wgsl).safe_under, SafeUnder::NotStated);
    }
}

#[test]
fn sequences_that_meet_on_a_slot_race() {
    const RACE: Rules = &[("GP0001", "conv_state")];
    for variant in [Variant::Auto, Variant::Sequential, Variant::Fused] {
        for text in
            ["slot=3+4+3", "slot=3+4+3,init=0", "slot=3+4+3,init=1+1+0", "slot=0+0+0,lens=1+1+1", "width=2,slot=5+5+1"]
        {
            found(variant, &format!("check=0,{text}"), RACE);
            // q, k and v are those of the states before the launch.
            let case =
                Case::new(variant, &format!("check=0,{text}"), Options::default(), 32).expect("there is a launch");
            let outcome = case.check(as_it_is).expect("as demanded");
            let wrong = case.differences(&outcome);
            assert!(wrong.is_empty(), "{text}: {wrong:?}");
        }
        // Without tokens, nobody comes to the slot.
        found(variant, "check=0,slot=3+3,lens=0+9", &[]);
        found(variant, "check=0,slot=3+3+3,lens=0+9+0,init=0", &[]);
    }
    found(Variant::NoStateBarrier, "check=0,slot=3+4+3", &[("GP0001", "conv_state"), ("GP0002", "conv_state")]);
}

#[test]
fn slots_beyond_the_last_leave_the_buffer() {
    const OUTSIDE: Rules = &[("GP0004", "conv_state")];
    for variant in [Variant::Auto, Variant::Sequential, Variant::NoStateBarrier] {
        found(variant, "check=0,lens=9,slot=8", OUTSIDE);
        found(variant, "check=0,lens=9,slot=1000,init=0", OUTSIDE);
        found(variant, "check=0,lens=1+1,slot=8+8", OUTSIDE);
        found(variant, "check=0,lens=0+3,slot=8+1,init=0", &[]);
    }
    // Every negative index is padding, those that the caller's check refuses too.
    found(Variant::Fused, "check=0,slot=-2+-2147483648+1", &[]);
}
