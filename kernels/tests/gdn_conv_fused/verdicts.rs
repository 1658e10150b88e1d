//! Every variant is reported as the catalogue demands, and the correct ones as nothing.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::{Outputs, SafeUnder, Verdict};
use gridproof_kernels::gdn_conv_fused::{KERNEL, Options, Variant, expectation};
use gridproof_simulator::Outcome;
use gridproof_simulator::finding::Severity;

use super::checked::{Case, HEADS, of_catalogue, rules};
use super::{as_it_is, check};

type Rules<'a> = &'a [(&'static str, &'a str)];

const RACE: (&str, &str) = ("GP0001", "conv_state");

/// Proves the launch, which must be as demanded, and be reported as exactly these rules and places.
#[track_caller]
fn found_with(variant: Variant, text: &str, subgroup_size: u32, wanted: Rules<'_>) -> Outcome {
    let outcome = check(variant, text, Options::default(), subgroup_size);
    let wanted: BTreeSet<_> = wanted.iter().map(|(rule, place)| (*rule, (*place).to_owned())).collect();
    assert_eq!(rules(&outcome), wanted, "{} {text}, subgroups of {subgroup_size}", variant.name());
    outcome
}

#[track_caller]
fn found(variant: Variant, text: &str, wanted: Rules<'_>) -> Outcome {
    found_with(variant, text, 32, wanted)
}

#[test]
fn every_shape_of_the_catalogue_is_as_demanded() {
    for entry in KERNEL.variants {
        let variant = entry.name.parse().unwrap_or_else(|error| panic!("{error}"));
        for (number, text) in entry.shapes.iter().enumerate() {
            check(variant, &of_catalogue(text), Options::default(), [32, 8][number % 2]);
        }
    }
}

/// Findings alone, for all variants at all heads: what the model says is in `bits`.
#[test]
fn every_variant_is_as_demanded_at_all_heads() {
    for (number, &(h, hv)) in HEADS.iter().enumerate() {
        for (which, variant) in Variant::ALL.into_iter().enumerate().skip(1) {
            let layout = ["sequential", "interleaved"][(number + which) % 2];
            let (n, slot) = if hv <= 4 { (2, "2+1") } else { (1, "2") };
            let text = format!("n={n},h={h},hv={hv},layout={layout},slot={slot}");
            let case = Case::new(variant, &text, Options::default(), [32, 8, 64][number % 3]);
            let found = case.and_then(|case| case.check_findings(as_it_is));
            assert!(found.is_ok(), "{} {text}: {:?}", variant.name(), found.err());
        }
    }
}

#[test]
fn the_copies_of_z_are_benign_and_shown() {
    let outcome = found(Variant::Split, "n=1,h=1,hv=2", &[]);
    assert!(!outcome.findings.is_empty());
    for finding in &outcome.findings {
        let shown = (finding.rule.code(), finding.first.buffer.as_str(), finding.benign, finding.severity);
        assert_eq!(shown, ("GP0001", "z_out", true, Severity::Warning));
    }
    assert!(found(Variant::Split, "n=2,h=1,hv=1", &[]).findings.is_empty(), "nobody else copies it");
}

#[test]
fn a_shift_inline_races_from_the_second_value_head_on() {
    for (text, wanted) in [
        ("n=1,h=1,hv=1", &[][..]),
        ("n=3,h=1,hv=1", &[]),
        ("n=1,h=1,hv=2", &[RACE]),
        ("n=1,h=2,hv=2,layout=interleaved", &[RACE]),
        ("n=2,h=1,hv=2,slot=-1", &[]),
        ("n=2,h=1,hv=2,slot=-1+0", &[RACE]),
        ("n=1,h=4,hv=12", &[RACE]),
    ] {
        found(Variant::Inline, text, wanted);
        found_with(Variant::Split32, text, 8, wanted);
        found(Variant::Split, text, &[]);
    }
}

#[test]
fn split32_is_race_free_from_33_workgroups_on() {
    for (text, wanted) in [
        ("n=31,h=1,hv=1", &[][..]),
        ("n=1,h=1,hv=31", &[RACE]),
        ("n=32,h=1,hv=1", &[]),
        ("n=16,h=1,hv=2", &[RACE]),
        ("n=8,h=2,hv=4", &[RACE]),
        ("n=1,h=8,hv=32", &[RACE]),
        ("n=33,h=1,hv=1", &[]),
        ("n=11,h=1,hv=3", &[]),
        ("n=1,h=1,hv=33", &[]),
        ("n=16,h=1,hv=4", &[]),
        ("n=1,h=16,hv=64", &[]),
    ] {
        found(Variant::Split32, &format!("{text},pool=40"), wanted);
    }
}

#[test]
fn two_requests_on_one_slot_are_named() {
    const BOTH: Rules<'_> = &[RACE, ("GP0001", "ssm_state")];
    for variant in Variant::ALL.into_iter().filter(|variant| *variant != Variant::SurplusThreads) {
        for heads in ["h=1,hv=1", "h=4,hv=8"] {
            if variant == Variant::InlineAll && heads == "h=1,hv=1" {
                continue;
            }
            found(variant, &format!("n=2,{heads},slot=2+2,check=0"), BOTH);
        }
    }
    found(Variant::Split, "n=3,h=1,hv=2,slot=2+-1+2,check=0", BOTH);
    // Who is named are the two requests: workgroups 0 and 1 of each dispatch.
    let outcome = found(Variant::Split, "n=2,h=1,hv=1,slot=2+2,check=0", BOTH);
    for finding in &outcome.findings {
        let second = finding.second.as_ref().expect("a race has two sides");
        let mut workgroups = [finding.first.workgroup[0], second.workgroup[0]];
        workgroups.sort_unstable();
        // The shift has one workgroup a request, too.
        assert_eq!(workgroups, [0, 1], "{finding:?}");
    }
    found(Variant::Split, "n=2,h=1,hv=1,slot=-1+-1,check=0", &[]);
}

#[test]
fn a_slot_behind_the_pools_is_out_of_bounds_in_both() {
    const BOTH: Rules<'_> = &[("GP0004", "conv_state"), ("GP0004", "ssm_state")];
    for slot in ["4", "0+4", "4+-1", "9+10"] {
        let n = slot.split('+').count();
        found(Variant::Split, &format!("n={n},h=1,hv=2,check=0,slot={slot}"), BOTH);
    }
    found(Variant::Inline, "n=2,h=1,hv=2,check=0,slot=0+4", &[RACE, BOTH[0], BOTH[1]]);
    found(Variant::Inline, "n=1,h=1,hv=2,check=0,slot=4", BOTH);
    found(Variant::InlineAll, "n=1,h=4,hv=8,check=0,slot=4", BOTH);
}

/// Rows of 2,048 elements lie right for dim = 2,048, and leave the pool behind its last slots for less.
#[test]
fn a_hard_coded_row_stride() {
    const BEYOND: (&str, &str) = ("GP0004", "conv_state");
    const INSIDE: (&str, &str) = ("GP0002", "conv_state");
    for (text, wanted) in [
        ("n=1,h=4,hv=8", &[RACE][..]),
        ("n=2,h=4,hv=8,slot=3+2", &[RACE]),
        ("n=1,h=2,hv=12,slot=3", &[RACE]),
        ("n=1,h=1,hv=14,slot=3", &[RACE]),
        ("n=1,h=4,hv=8,slot=-1", &[]),
        // dim = 1,024: 5,120 elements from the beginning of a slot of 3,072 are used.
        ("n=1,h=2,hv=4,slot=2", &[RACE]),
        ("n=1,h=2,hv=4,slot=3", &[RACE, BEYOND]),
        ("n=2,h=2,hv=4,slot=3+0", &[RACE, BEYOND]),
        // dim = 1,920.
        ("n=1,h=1,hv=13,slot=2", &[RACE]),
        ("n=1,h=1,hv=13,slot=3", &[RACE, BEYOND]),
        // dim = 384: a request reaches three slots behind its own.
        ("n=1,h=1,hv=1,pool=5,slot=1", &[]),
        ("n=1,h=1,hv=1,pool=5,slot=2", &[BEYOND]),
        ("n=2,h=1,hv=1,pool=9,slot=1+2", &[RACE]),
        ("n=2,h=1,hv=1,pool=9,slot=1+3", &[RACE]),
        ("n=2,h=1,hv=1,pool=9,slot=4+1", &[RACE]),
        ("n=2,h=1,hv=1,pool=9,slot=1+5", &[]),
        ("n=2,h=1,hv=1,pool=9,slot=5+6", &[RACE, BEYOND]),
        // dim = 2,176 and 6,144: rows overlap.
        ("n=1,h=1,hv=15,slot=3", &[RACE, INSIDE]),
        ("n=1,h=16,hv=16,slot=3", &[RACE, INSIDE]),
    ] {
        let outcome = found(Variant::InlineAll, text, wanted);
        assert!(outcome.decides_every_schedule, "{text}");
    }
}

#[test]
fn surplus_teams_leave_z_the_inputs_and_the_rows() {
    const Z: [(&str, &str); 2] = [("GP0004", "qkvz"), ("GP0004", "z_out")];
    const ROWS: (&str, &str) = ("GP0002", "conv_state");
    const BEYOND: (&str, &str) = ("GP0004", "conv_state");
    const OTHERS_Z: (&str, &str) = ("GP0001", "z_out");
    for (text, wanted) in [
        ("n=1,h=2,hv=4,slot=3", &[Z[0], Z[1], ROWS, BEYOND, RACE][..]),
        ("n=1,h=2,hv=4,slot=2", &[Z[0], Z[1], ROWS, RACE]),
        ("n=1,h=2,hv=4,slot=-1", &[Z[0], Z[1]]),
        ("n=2,h=2,hv=4,slot=0", &[Z[0], Z[1], ROWS, OTHERS_Z, RACE]),
        ("n=2,h=2,hv=4,slot=0,layout=interleaved", &[Z[0], Z[1], ROWS, RACE]),
        ("n=2,h=2,hv=4,slot=-1,layout=interleaved", &[Z[0], Z[1]]),
        // One head: only the rows of others are raced for. 2,816 elements are used, of 1,152 in a slot.
        ("n=1,h=1,hv=1,slot=0", &[Z[0], Z[1], ROWS]),
        ("n=2,h=1,hv=1,slot=0+1", &[Z[0], Z[1], ROWS, OTHERS_Z, RACE]),
        ("n=2,h=1,hv=1,slot=2+0,pool=6", &[Z[0], Z[1], ROWS, OTHERS_Z, RACE]),
        ("n=2,h=1,hv=1,slot=0+3,pool=6", &[Z[0], Z[1], ROWS, OTHERS_Z]),
        ("n=1,h=1,hv=1,slot=1,pool=4", &[Z[0], Z[1], ROWS]),
        ("n=1,h=1,hv=1,slot=2,pool=4", &[Z[0], Z[1], ROWS, BEYOND]),
        // Value heads in blocks of 128, and several rounds.
        ("n=1,h=4,hv=12,slot=3", &[Z[0], Z[1], ROWS, BEYOND, RACE]),
        ("n=1,h=8,hv=16,slot=3", &[Z[0], Z[1], ROWS, BEYOND, RACE]),
        // A block for every team, in one round and in two: no surplus.
        ("n=1,h=4,hv=8,slot=3", &[RACE]),
        ("n=1,h=4,hv=16,slot=3", &[RACE]),
        ("n=1,h=8,hv=32,slot=3", &[RACE]),
    ] {
        found(Variant::SurplusThreads, text, wanted);
    }
}

/// What is demanded follows from the problem; where there is no race, no assumption is.
#[test]
fn labels_and_outputs_are_demanded_as_documented() {
    let demanded = |variant, text: &str| {
        let case = Case::new(variant, text, Options::default(), 32).unwrap_or_else(|error| panic!("{text}: {error}"));
        let expectation = expectation(&case.problem, variant);
        (expectation.verdict, expectation.safe_under, expectation.outputs)
    };
    let waves = |slots| SafeUnder::LockstepWaves { slots };
    for (variant, text, wanted) in [
        (Variant::Split, "n=2,h=1,hv=4", (Verdict::RaceFree, SafeUnder::AnyOrder, Outputs::Right)),
        (Variant::Split, "slot=1+1,check=0", (Verdict::Racy, SafeUnder::NotStated, Outputs::Right)),
        (Variant::Inline, "n=2,h=1,hv=4", (Verdict::Racy, waves(8), Outputs::Right)),
        (Variant::Inline, "n=3,h=1,hv=4,slot=2+1+-1", (Verdict::Racy, waves(8), Outputs::Right)),
        (Variant::Inline, "n=3,h=1,hv=4,slot=-1+-1+3", (Verdict::Racy, waves(12), Outputs::Right)),
        (Variant::Inline, "n=2,h=1,hv=4,slot=2+2,check=0", (Verdict::Racy, SafeUnder::NotStated, Outputs::Right)),
        (Variant::Split32, "n=2,h=1,hv=16", (Verdict::Racy, waves(32), Outputs::Right)),
        (Variant::Split32, "n=3,h=1,hv=11", (Verdict::RaceFree, SafeUnder::AnyOrder, Outputs::Right)),
        (Variant::InlineAll, "n=1,h=4,hv=8", (Verdict::Racy, SafeUnder::NotStated, Outputs::Right)),
        (Variant::InlineAll, "n=1,h=2,hv=4", (Verdict::Racy, SafeUnder::NotStated, Outputs::Wrong)),
        (Variant::InlineAll, "n=1,h=1,hv=1,pool=9", (Verdict::RaceFree, SafeUnder::AnyOrder, Outputs::Wrong)),
        (Variant::InlineAll, "n=2,h=1,hv=1,pool=9", (Verdict::Racy, SafeUnder::NotStated, Outputs::Wrong)),
        (Variant::SurplusThreads, "n=1", (Verdict::Racy, SafeUnder::NotStated, Outputs::NotStated)),
        (Variant::SurplusThreads, "n=1,slot=-1", (Verdict::Faulty, SafeUnder::NotStated, Outputs::NotStated)),
    ] {
        assert_eq!(demanded(variant, text), wanted, "{} {text}", variant.name());
    }
}
