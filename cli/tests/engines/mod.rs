//! The variants of `gdn_chunked` that lack a barrier, and what each engine says of them.

use std::collections::BTreeSet;
use std::path::Path;

use gridproof_conformance::explore::child::{ChildError, ChildLimits, explore as in_child};
use gridproof_conformance::family::{Making, family};
use gridproof_launch::{Language, Launch};
use gridproof_simulator::Config;
use gridproof_simulator::explore::loom::{LoomOptions, Units, Verdict};
use gridproof_simulator::explore::{Exploration, ExploreOptions, explore};
use gridproof_simulator::finding::{AccessSite, Rule};

/// A variant, the smallest shape at which its barrier is missed, the dispatch where it is, and whether outputs show it.
pub type Lacking = (&'static str, &'static str, usize, bool);

pub const VARIANTS: [Lacking; 4] = [
    ("no_barrier_materialize_q", "t=1,hv=1", 0, true),
    ("no_barrier_materialize_k", "t=1,hv=1", 0, true),
    ("no_barrier_solve_kk", "t=2,hv=1", 2, true),
    ("no_barrier_solve_diag", "t=1,hv=1", 2, false),
];

pub fn config(subgroup_size: u32) -> Config {
    Config { subgroup_size, threads: 1, ..Config::default() }
}

/// With data whose state shows what two tokens have to do with each other.
pub fn launch(variant: &str, shape: &str, subgroup_size: u32, language: Language) -> Launch {
    let making = Making { data_seed: 7, arithmetic: Config::default().arithmetic, subgroup_size, language };
    family("gdn_chunked").expect("it is in the catalogue").instance(variant, shape, &making).unwrap().launch
}

/// Lines of two accesses, each with the line of the kernel that it was called from.
pub type Lines = BTreeSet<(u32, u32)>;

pub fn lines(first: &AccessSite, second: &AccessSite) -> Lines {
    let place = |site: &AccessSite| (site.span.line, site.call_stack.last().unwrap_or(&site.span).line);
    assert_eq!((first.buffer.as_str(), second.buffer.as_str()), ("scratch", "scratch"));
    Lines::from([first, second].map(place))
}

/// All pairs of lines that race, in every schedule of the launch.
pub fn by_search(launch: &Launch, subgroup_size: u32, executions: u64) -> (Exploration, BTreeSet<Lines>) {
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
pub fn by_loom(launch: &Launch, subgroup_size: u32, dispatch: usize) -> Result<Verdict, ChildError> {
    let units = Units::Subgroups { workgroup: 0 };
    let options = LoomOptions { units, dispatch: Some(dispatch), ..LoomOptions::default() };
    let executable = Path::new(env!("CARGO_BIN_EXE_gridproof"));
    in_child(executable, launch, &config(subgroup_size), &options, &ChildLimits::default())
        .map(|outcome| outcome.verdict)
}

/// Both engines come to their end with the same two lines; outputs differ between schedules where they should.
pub fn same_lines(lacking: Lacking, launch: &Launch, subgroup_size: u32, units: u64) {
    let (variant, _, dispatch, visible) = lacking;
    let (exploration, races) = by_search(launch, subgroup_size, 1000);
    assert!(exploration.is_complete() && exploration.units == units, "{variant}, {subgroup_size}");
    assert_eq!(exploration.outputs.len() > 1, visible, "{variant}, {subgroup_size}");
    let Verdict::Race(race) = by_loom(launch, subgroup_size, dispatch).unwrap() else {
        panic!("{variant}, {subgroup_size}: loom finds no race");
    };
    assert_eq!(races, BTreeSet::from([lines(&race.first, &race.second)]), "{variant}, {subgroup_size}");
}
