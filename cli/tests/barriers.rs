//! The barriers that `gdn_chunked` lacks in four of its variants: both engines name the same two lines, whatever the size of
//! a subgroup, as far as each of them sees.

use std::collections::BTreeSet;
use std::path::Path;

use gridproof_conformance::explore::child::{ChildError, ChildLimits, explore as in_child};
use gridproof_conformance::family::{Making, family};
use gridproof_launch::{Language, Launch};
use gridproof_simulator::explore::loom::{LoomOptions, Units, Verdict};
use gridproof_simulator::explore::{Exploration, ExploreOptions, explore};
use gridproof_simulator::finding::{AccessSite, Rule};
use gridproof_simulator::{Config, prove};

/// A variant, the smallest shape at which its barrier is missed, the dispatch where it is, and whether outputs show it.
type Lacking = (&'static str, &'static str, usize, bool);

const VARIANTS: [Lacking; 4] = [
    ("no_barrier_materialize_q", "t=1,hv=1", 0, true),
    ("no_barrier_materialize_k", "t=1,hv=1", 0, true),
    ("no_barrier_solve_kk", "t=2,hv=1", 2, true),
    ("no_barrier_solve_diag", "t=1,hv=1", 2, false),
];

fn config(subgroup_size: u32) -> Config {
    Config { subgroup_size, threads: 1, ..Config::default() }
}

/// With data whose state shows what two tokens have to do with each other.
fn launch(variant: &str, shape: &str, subgroup_size: u32) -> Launch {
    let making =
        Making { data_seed: 7, arithmetic: Config::default().arithmetic, subgroup_size, language: Language::Wgsl };
    family("gdn_chunked").expect("it is in the catalogue").instance(variant, shape, &making).unwrap().launch
}

/// Lines of two accesses, each with the line of the kernel that it was called from.
type Lines = BTreeSet<(u32, u32)>;

fn lines(first: &AccessSite, second: &AccessSite) -> Lines {
    let place = |site: &AccessSite| (site.span.line, site.call_stack.last().unwrap_or(&site.span).line);
    assert_eq!((first.buffer.as_str(), second.buffer.as_str()), ("scratch", "scratch"));
    Lines::from([first, second].map(place))
}

/// All pairs of lines that race, in every schedule of the launch.
fn by_search(launch: &Launch, subgroup_size: u32, executions: u64) -> (Exploration, BTreeSet<Lines>) {
    let options = ExploreOptions { slots: 4, executions, ..ExploreOptions::default() };
    let exploration = explore(launch, &config(subgroup_size), &options).unwrap();
    let races = exploration.outcome.findings.iter().map(|finding| {
        assert_eq!(finding.rule, Rule::WorkgroupRace);
        lines(&finding.first, finding.second.as_ref().expect("a race has two sides"))
    });
    let races = races.collect();
    (exploration, races)
}

/// What loom says of the subgroups of the first workgroup.
fn by_loom(launch: &Launch, subgroup_size: u32, dispatch: usize) -> Result<Verdict, ChildError> {
    let units = Units::Subgroups { workgroup: 0 };
    let options = LoomOptions { units, dispatch: Some(dispatch), ..LoomOptions::default() };
    let executable = Path::new(env!("CARGO_BIN_EXE_gridproof"));
    in_child(executable, launch, &config(subgroup_size), &options, &ChildLimits::default())
        .map(|outcome| outcome.verdict)
}

#[test]
fn both_engines_name_the_same_two_lines() {
    for (variant, shape, dispatch, visible) in VARIANTS {
        for (subgroup_size, units) in [(32, 4), (64, 2)] {
            let launch = launch(variant, shape, subgroup_size);
            let (exploration, races) = by_search(&launch, subgroup_size, 1000);
            assert!(exploration.is_complete() && exploration.units == units, "{variant}, {subgroup_size}");
            assert_eq!(exploration.outputs.len() > 1, visible, "{variant}, {subgroup_size}");
            let Verdict::Race(race) = by_loom(&launch, subgroup_size, dispatch).unwrap() else {
                panic!("{variant}, {subgroup_size}: loom finds no race");
            };
            assert_eq!(races, BTreeSet::from([lines(&race.first, &race.second)]), "{variant}, {subgroup_size}");
        }
    }
}

/// Where nothing is missing, neither finds anything: at two tokens, in the dispatches that sum over a workgroup.
#[test]
fn both_engines_find_nothing_where_no_barrier_is_missing() {
    for subgroup_size in [32, 64] {
        let launch = launch("chunked", "t=2,hv=1", subgroup_size);
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
            let launch = launch(variant, shape, subgroup_size);
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
        let launch = launch(variant, shape, 128);
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
