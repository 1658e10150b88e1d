//! The barriers that `gdn_chunked` lacks in four of its variants: both engines name the same two lines, whatever the size of
//! a subgroup, as far as each of them sees.

mod engines;

use std::collections::BTreeSet;

use engines::{Lines, VARIANTS, by_loom, by_search, config, launch, lines, same_lines};
use gridproof_launch::Language;
use gridproof_simulator::explore::loom::Verdict;
use gridproof_simulator::finding::Rule;
use gridproof_simulator::prove;

#[test]
fn both_engines_name_the_same_two_lines() {
    for lacking in VARIANTS {
        for (subgroup_size, units) in [(32, 4), (64, 2)] {
            let (variant, shape, ..) = lacking;
            same_lines(lacking, &launch(variant, shape, subgroup_size, Language::Wgsl), subgroup_size, units);
        }
    }
}

/// Where nothing is missing, neither finds anything: at two tokens, in the dispatches that sum over a workgroup.
#[test]
fn both_engines_find_nothing_where_no_barrier_is_missing() {
    for subgroup_size in [32, 64] {
        let launch = launch("chunked", "t=2,hv=1", subgroup_size, Language::Wgsl);
        let (exploration, races) = by_search(&launch, subgroup_size, 1000);
        assert!(exploration.is_complete() && races.is_empty(), "{subgroup_size}: {races:?}");
        for dispatch in [0, 2] {
            assert_eq!(by_loom(&launch, subgroup_size, dispatch).unwrap(), Verdict::Clean, "{subgroup_size}");
        }
    }
}

/// More subgroups than loom has threads for. Our own finds the same lines in the first of 2^7 or 2^15 executions.
#[test]
fn narrow_subgroups_race_in_the_same_lines_without_loom() {
    for (variant, shape, dispatch, _) in VARIANTS {
        for (subgroup_size, subgroups) in [(8, 16), (16, 8)] {
            let launch = launch(variant, shape, subgroup_size, Language::Wgsl);
            let (exploration, races) = by_search(&launch, subgroup_size, 20);
            assert!(!exploration.is_complete() && races.len() == 1, "{variant}, {subgroup_size}: {races:?}");
            let refused = by_loom(&launch, subgroup_size, dispatch).map_err(|error| error.to_string());
            let reason = refused.expect_err("it has too many subgroups");
            assert!(reason.contains(&format!("subgroups = {subgroups}: loom runs at most 4")), "{reason}");
        }
    }
}

/// The whole workgroup is one subgroup: nothing orders its invocations, though here they advance together. So the race is
/// found, in the same lines, but no schedule shows an effect, and loom, whose threads are subgroups, knows nothing of it.
#[test]
fn a_workgroup_of_one_subgroup_races_but_no_schedule_shows_it() {
    for (variant, shape, dispatch, _) in VARIANTS {
        let launch = launch(variant, shape, 128, Language::Wgsl);
        let proof = prove(&launch, &config(128)).unwrap();
        let found: BTreeSet<Lines> = proof
            .findings
            .iter()
            .map(|finding| {
                let second = finding.second.as_ref().expect("a race has two sides");
                assert_eq!((finding.rule, finding.first.subgroup, second.subgroup), (Rule::WorkgroupRace, 0, 0));
                assert_ne!(finding.first.local, second.local, "{variant}");
                lines(&finding.first, second)
            })
            .collect();
        let (exploration, races) = by_search(&launch, 128, 1000);
        assert_eq!((found.len(), &found), (1, &races), "{variant}");
        assert!(exploration.is_complete() && exploration.outputs.len() <= 1, "{variant}");
        assert_eq!(by_loom(&launch, 128, dispatch).unwrap(), Verdict::Clean, "{variant}");
    }
}
