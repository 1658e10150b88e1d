//! Every variant is reported as the catalogue demands, and the correct ones as nothing.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::{Outputs, SafeUnder, Verdict};
use gridproof_kernels::gdn_decode::{KERNEL, Options, Variant, expectation, parse_shape};
use gridproof_launch::Language;
use gridproof_simulator::ladder;

use super::checked::{Case, rules};
use super::{as_it_is, check};

type Rules = &'static [(&'static str, &'static str)];

/// What is found in both reductions.
#[track_caller]
fn found(variant: Variant, text: &str, wanted: Rules) {
    for subgroup_size in [32, 16] {
        found_with(variant, text, subgroup_size, wanted);
    }
}

#[track_caller]
fn found_with(variant: Variant, text: &str, subgroup_size: u32, wanted: Rules) {
    let found = rules(&check(variant, text, Options::default(), subgroup_size));
    let wanted: BTreeSet<_> = wanted.iter().map(|(rule, place)| (*rule, (*place).to_owned())).collect();
    assert_eq!(found, wanted, "{} {text}, subgroups of {subgroup_size}", variant.name());
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
fn intermediate_states_by_slot_leave_their_buffer_from_slot_b_on() {
    const OUTSIDE: Rules = &[("GP0004", "intermediate_states")];
    let by_slot = |text: &str, wanted: Rules| found(Variant::IntermediateBySlot, text, wanted);
    for state in ["bf16", "f32"] {
        by_slot(&format!("state={state},h=1,hv=2,slot=1+2"), OUTSIDE);
        by_slot(&format!("state={state},h=1,hv=2,slot=7+1,t=2"), OUTSIDE);
        // Unused steps do not keep a slot's rows inside.
        by_slot(&format!("state={state},h=1,hv=2,slot=1+2,steps=4"), OUTSIDE);
        by_slot(&format!("state={state},h=1,hv=2,slot=1+2,cache=0"), &[]);
    }
    // Inside, but in the rows of somebody else: only the model tells.
    by_slot("state=f32,h=1,hv=2,slot=1+0", &[]);
    by_slot("state=f32,h=1,hv=2,slot=0+1", &[]);
    by_slot("h=1,hv=2,b=3,slot=2+1+2,write=3+4+5", &[("GP0001", "intermediate_states")]);
    // 32 bits are not enough: 37,450 * 7 states of 2^14 elements are 2^32 and six states, which is inside again.
    const WRAPPED: Rules = &[("GP0005", "intermediate_states")];
    const BOTH: Rules = &[OUTSIDE[0], WRAPPED[0]];
    by_slot("b=1,h=1,hv=1,pool=40000,slot=37449,steps=7", OUTSIDE);
    by_slot("b=1,h=1,hv=1,pool=40000,slot=37450,steps=7", WRAPPED);
    by_slot("b=1,h=1,hv=1,pool=70000,slot=65537,steps=7", BOTH);
}

#[test]
fn offsets_in_32_bits_hold_for_whatever_wgsl_addresses() {
    for (variant, shape) in [
        (Variant::Offset32, "h=1,hv=2,slot=6,t=2"),
        (Variant::Offset32, "h=1,hv=2,slot=6,stride=40960"),
        (Variant::Offset32, "state=f32,h=1,hv=2,slot=6,stride=40960"),
        // The last slots of the longest pools.
        (Variant::Offset32, "b=1,h=1,hv=1,pool=131071,slot=131070"),
        (Variant::Offset32, "b=1,h=1,hv=1,state=f32,pool=65535,slot=65534"),
        (Variant::Offset32, "b=1,h=1,hv=1,state=f32,pool=1985,stride=540672,slot=1984"),
        (Variant::IntermediateOffset32, "h=1,hv=2,t=2,steps=5"),
        (Variant::IntermediateOffset32, "b=2,h=1,hv=1,steps=65535"),
    ] {
        found(variant, shape, &[]);
        found(Variant::Auto, shape, &[]);
    }
}

#[test]
fn a_missing_pass_barrier_is_found_at_every_number_of_tokens() {
    const ALL: Rules = &[("GP0002", "alphas"), ("GP0002", "betas"), ("GP0002", "k_normed"), ("GP0002", "q_normed")];
    for tokens in 1..=8 {
        let text = format!("b=1,h=1,hv=1,t={tokens}");
        for subgroup_size in [32, 64] {
            found_with(Variant::WideVecNoPassBarrier, &text, subgroup_size, ALL);
        }
        // The barriers of the sums order the passes, and the tokens behind the first.
        let healed = if tokens > 4 { &[] } else { ALL };
        for subgroup_size in [8, 16] {
            found_with(Variant::WideVecNoPassBarrier, &text, subgroup_size, healed);
        }
    }
}

#[test]
fn a_missing_pass_barrier_shows_where_subgroups_drift_and_not_in_step() {
    let case = Case::new(Variant::WideVecNoPassBarrier, "b=1,h=1,hv=1,t=4", Options::default(), 32);
    let case = case.expect("there is a launch");
    let proof = case.check(as_it_is).expect("as demanded");
    let rungs = ladder::climb(&case.launch, &case.config, &proof, 1, 4).expect("it runs");
    assert_eq!([rungs[0].failing.is_some(), rungs[1].failing.is_some()], [true, false]);
    let demanded = expectation(&case.problem, case.variant, case.options);
    assert_eq!(demanded.safe_under, SafeUnder::LockstepWaves { slots: 1 });
}

#[test]
fn branchless_gates_give_nan_above_88_7_only() {
    for state in ["bf16", "f32"] {
        let text = format!("state={state},h=1,hv=4,t=2,gates=extreme");
        found(Variant::SoftplusBranchless, &text, &[]);
        let case = Case::new(Variant::SoftplusBranchless, &text, Options::default(), 32).expect("there is a launch");
        assert_eq!(expectation(&case.problem, case.variant, case.options).outputs, Outputs::Wrong);
        // -100 and 19.99 in one token, 20.01 and 88 in the other: the same bits as with a branch.
        let calm = format!("state={state},b=1,h=1,hv=1,t=3,gates=extreme");
        check(Variant::SoftplusBranchless, &calm, Options::default(), 32);
        let case = Case::new(Variant::SoftplusBranchless, &calm, Options::default(), 32).expect("there is a launch");
        assert_eq!(expectation(&case.problem, case.variant, case.options).outputs, Outputs::Right);
    }
}

#[test]
fn requests_that_meet_on_a_slot_race() {
    const RACE: Rules = &[("GP0001", "state_pool")];
    for variant in [Variant::WideVec, Variant::Ilp4, Variant::Pretranspose] {
        for slots in ["slot=3+3", "slot=3+4,write=4+5", "slot=3+4,write=5+3", "slot=3+4,write=6+6"] {
            found(variant, &format!("h=1,hv=1,check=0,{slots}"), RACE);
            found(variant, &format!("h=1,hv=1,check=0,{slots},update=0"), &[]);
        }
        found(variant, "h=1,hv=2,check=0,slot=3+8", &[("GP0004", "state_pool")]);
        found(variant, "h=1,hv=2,check=0,slot=3+4,write=5+8", &[("GP0004", "state_pool")]);
    }
    // Slot 0 by its number is not declared to race; it is where somebody has no slot.
    found(Variant::WideVec, "h=1,hv=1,check=0,slot=0+0", RACE);
    found(Variant::WideVec, "h=1,hv=1,slot=-1", &[]);
    found(Variant::Pretranspose, "h=1,hv=1,check=0,slot=0+0", RACE);
}

#[test]
fn the_null_slot_is_declared_and_shown() {
    let outcome = check(Variant::WideVec, "h=1,hv=1,slot=-1", Options::default(), 32);
    assert!(!outcome.findings.is_empty());
    assert!(outcome.findings.iter().all(|finding| finding.declared.is_some()));
    let outcome = check(Variant::WideVec, "h=1,hv=1,b=1,slot=-1", Options::default(), 32);
    assert!(outcome.findings.is_empty(), "nobody to race with");
}

#[test]
fn expectations_follow_the_documented_thresholds() {
    let faults = |variant: Variant, language, text: &str| -> Vec<&str> {
        let request = parse_shape(text, variant).unwrap_or_else(|error| panic!("{text}: {error}"));
        let problem = request.problem(1).unwrap_or_else(|error| panic!("{text}: {error}"));
        let demanded = expectation(&problem, variant, Options { language, ..Options::default() });
        let clean = demanded.findings.is_empty();
        assert_eq!(demanded.verdict, if clean { Verdict::RaceFree } else { Verdict::Faulty });
        assert_eq!(demanded.outputs, if clean { Outputs::Right } else { Outputs::NotStated });
        demanded.findings.iter().map(|finding| finding.rule).collect()
    };
    const IN_FRONT: &[&str] = &["GP0004", "GP0005"];
    for (text, wanted) in [
        ("b=1,h=1,hv=32,pool=16384,slot=4095", &[][..]),
        ("b=1,h=1,hv=32,pool=16384,slot=4096", IN_FRONT),
        ("b=1,h=1,hv=32,pool=16384,slot=8191", IN_FRONT),
        // From 2^32 elements on, the low 32 bits are a place in the pool again.
        ("b=1,h=1,hv=32,pool=16384,slot=8192", &["GP0005"]),
        ("b=1,h=1,hv=64,pool=4096,slot=2047", &[]),
        ("b=1,h=1,hv=64,pool=4096,slot=2048", IN_FRONT),
        ("b=1,h=1,hv=32,pool=8192,slot=1,write=4096", IN_FRONT),
        ("b=1,h=1,hv=32,pool=8192,slot=1,write=4096,update=0", &[]),
        ("state=f32,b=1,h=1,hv=1,pool=8192,stride=540672,slot=3971", &[]),
        ("state=f32,b=1,h=1,hv=1,pool=8192,stride=540672,slot=3972", IN_FRONT),
    ] {
        assert_eq!(faults(Variant::Offset32, Language::Cuda, text), wanted, "{text}");
        assert!(faults(Variant::Offset32, Language::Wgsl, text).is_empty());
        assert!(faults(Variant::Auto, Language::Cuda, text).is_empty());
    }
    for (text, wanted) in [
        ("h=1,hv=64,steps=2047", &[][..]),
        ("h=1,hv=64,steps=2048", IN_FRONT),
        ("h=1,hv=64,steps=2048,cache=0", &[]),
        ("state=f32,h=1,hv=64,steps=2048,slot=1+-1", &[]),
        ("state=f32,h=1,hv=64,steps=2048,slot=-1+1", IN_FRONT),
    ] {
        assert_eq!(faults(Variant::IntermediateOffset32, Language::Cuda, text), wanted, "{text}");
        assert!(faults(Variant::IntermediateOffset32, Language::Wgsl, text).is_empty());
    }
}
