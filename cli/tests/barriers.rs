//! The barriers that `gdn_chunked` lacks in four of its variants: both engines name the same two lines, whatever the size of
//! a subgroup, as far as each of them sees.

mod engines;

use std::collections::BTreeSet;
use std::path::Path;

use engines::{Lines, VARIANTS, by_loom, by_search, config, launch, lines, same_lines};
use gridproof_conformance::check::{CheckOptions, EngineChoice, ExploreChoice, check_catalogue, explore_catalogue};
use gridproof_launch::Language;
use gridproof_report::model::{Assumption, CheckReport, Verdict as Reported};
use gridproof_simulator::explore::loom::{Limit, Verdict};
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
/// found, in the same lines, but no schedule shows an effect, and loom, whose threads are subgroups, can only say that it
/// does not see what happens at these lines.
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
        let answer = by_loom(&launch, 128, dispatch).unwrap();
        let Verdict::Limit(Limit::InsideSubgroup(first, second)) = answer else { panic!("{variant}: {answer:?}") };
        let unseen = BTreeSet::from([first.line, second.line]);
        assert!(found.iter().all(|lines| lines.iter().map(|(line, _)| *line).collect::<BTreeSet<_>>() == unseen));
    }
}

fn explored(variant: &str, shape: &str, subgroup_size: u32, choice: ExploreChoice) -> CheckReport {
    let options = options(subgroup_size);
    let executable = Path::new(env!("CARGO_BIN_EXE_gridproof"));
    explore_catalogue("gdn_chunked", Some(variant), shape, &options, &choice, executable).unwrap()
}

fn options(subgroup_size: u32) -> CheckOptions {
    CheckOptions { config: config(subgroup_size), data_seed: 7, ..CheckOptions::default() }
}

/// loom's silence about one subgroup is no proof, and no disagreement with an engine that finds the race.
#[test]
fn the_second_engine_says_what_it_does_not_see() {
    let (variant, shape, ..) = VARIANTS[0];
    let by = |engine| explored(variant, shape, 128, ExploreChoice { engine, ..ExploreChoice::default() });
    let notes = |report: &CheckReport| -> String {
        report.explorations.iter().flat_map(|one| one.note.clone()).collect::<Vec<_>>().join("; ")
    };
    let alone = by(EngineChoice::Loom);
    assert_eq!(alone.verdict, Reported::Incomplete);
    let said = notes(&alone);
    assert!(said.contains("loom tells subgroups apart, not the invocations of one"), "{said}");
    let both = by(EngineChoice::Both);
    assert_eq!(both.verdict, Reported::Racy);
    let said = notes(&both);
    assert!(said.contains("does not see races inside a subgroup") && !said.contains("DISAGREE"), "{said}");
}

/// Few executions do not happen to leave what the race-free reading leaves. It is right all the same, as no atomic steers
/// the launch, and lock-step waves leave it: both commands say so.
#[test]
fn an_exploration_that_was_cut_short_has_the_reference_of_the_proof() {
    let (variant, shape) = ("no_barrier_solve_kk", "t=2,hv=1");
    let cut_short = explored(variant, shape, 16, ExploreChoice { executions: 5, ..ExploreChoice::default() });
    let checked = check_catalogue("gdn_chunked", Some(variant), shape, &options(16)).unwrap();
    assert!(cut_short.explorations.iter().all(|one| one.stopped.is_some()));
    assert_eq!(checked.safe_under.map(|safe| safe.assumption), Some(Assumption::LockstepWaves));
    assert_eq!(cut_short.safe_under.map(|safe| safe.assumption), Some(Assumption::LockstepWaves));
    let lockstep = cut_short.rungs.iter().find(|rung| rung.assumption == Assumption::LockstepWaves).unwrap();
    assert!(lockstep.outputs_equal);
    let note = cut_short.explorations[0].note.clone().unwrap_or_default();
    assert!(note.contains("outputs of the race-free reading"), "{note}");
}
