//! Litmus tests: the named ones have their verdicts, the drawn ones are valid launches of every kind of operation, and
//! what breaks the rules of litmus tests is refused.

use std::collections::BTreeSet;

use gridproof_conformance::litmus::{
    Change, Kind, LARGEST, Litmus, Memory, Operation, Order, Scope, Strength, Syntax, litmus, random, shapes,
};
use gridproof_launch::Launch;
use gridproof_simulator::finding::Rule;
use gridproof_simulator::{Budget, Config, Outcome, prove};

const SEEDS: u64 = 100;

fn proved(launch: &Launch, kind: Kind) -> Outcome {
    let budget = Budget { instructions: 1 << 24, ..Budget::default() };
    let config = Config { subgroup_size: kind.subgroup_size(), threads: 1, budget, ..Config::default() };
    let outcome = prove(launch, &config);
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}\n{}", launch.modules[0].text().unwrap()));
    assert!(outcome.exhausted.is_none(), "{}", launch.modules[0].text().unwrap());
    outcome
}

/// The rules that a proof finds broken.
fn rules(outcome: &Outcome) -> BTreeSet<Rule> {
    outcome.findings.iter().map(|finding| finding.rule).collect()
}

/// The rule that races between units break.
fn race(kind: Kind) -> Rule {
    if kind == Kind::Workgroups { Rule::CrossWorkgroupRace } else { Rule::WorkgroupRace }
}

fn kinds(syntax: Syntax) -> Vec<Kind> {
    let sizes: &[u32] = if syntax == Syntax::Ptx { &[32] } else { &[4, 8, 16, 32] };
    let memories = [Memory::Storage, Memory::Workgroup];
    let inside = sizes.iter().flat_map(|&size| memories.map(|memory| Kind::Subgroups { size, memory }));
    std::iter::once(Kind::Workgroups).chain(inside).collect()
}

#[test]
fn named_tests_have_their_verdicts() {
    let mut wrong = String::new();
    let mut seen = [0; 2];
    for shape in shapes() {
        for &syntax in shape.syntaxes {
            let launch = shape.litmus.launch(syntax).unwrap();
            let found = rules(&proved(&launch, shape.litmus.kind));
            let expected = BTreeSet::from_iter(shape.racy.then(|| race(shape.litmus.kind)));
            // One run without clocks for release and acquire takes what they order for a race.
            if found != expected {
                wrong += &format!("{} in {syntax}: {found:?}\n", shape.litmus.name);
            }
            seen[usize::from(shape.racy)] += 1;
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(seen[0] >= 40 && seen[1] >= 60, "{seen:?}");
}

#[test]
fn names_are_unique() {
    let all = shapes();
    let names: BTreeSet<&str> = all.iter().map(|shape| shape.litmus.name.as_str()).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn drawn_tests_are_valid_and_small() {
    for syntax in Syntax::ALL {
        for kind in kinds(syntax) {
            let mut verdicts = BTreeSet::new();
            for seed in 0..SEEDS {
                let drawn = random(seed, syntax, kind);
                assert!(drawn.accesses() <= LARGEST && (2..=4).contains(&drawn.units.len()), "{drawn:?}");
                let found = rules(&proved(&drawn.launch(syntax).unwrap(), kind));
                assert!(found.is_subset(&BTreeSet::from([race(kind)])), "{drawn:?}: {found:?}");
                verdicts.insert(found.is_empty());
            }
            assert_eq!(verdicts.len(), 2, "{syntax} {kind:?}: all have the same verdict");
        }
    }
}

#[test]
fn a_seed_gives_one_test() {
    for syntax in Syntax::ALL {
        for kind in kinds(syntax) {
            let all = || -> Vec<Launch> { (0..SEEDS).map(|seed| litmus(seed, syntax, kind).unwrap()).collect() };
            let texts: BTreeSet<String> = all().iter().map(|one| one.modules[0].text().unwrap().to_owned()).collect();
            assert_eq!(all(), all());
            assert!(texts.len() > 90, "{syntax} {kind:?}: {} of {SEEDS} are different", texts.len());
        }
    }
}

/// What an operation is, without its numbers.
fn word_for(operation: &Operation) -> String {
    match operation {
        Operation::Load { strength, .. } => format!("load {}", strong(*strength)),
        Operation::Store { strength, .. } => format!("store {}", strong(*strength)),
        Operation::Change { strength, change, .. } => {
            let how = match change {
                Change::Add(_) => "add",
                Change::Exchange(_) => "exchange",
                Change::CompareExchange { .. } => "compare-exchange",
            };
            format!("{how} {}", strong(Some(*strength)))
        }
        Operation::Fence(strength) => format!("fence {}", strong(Some(*strength))),
        Operation::If { .. } => "if".to_owned(),
        Operation::Barrier { storage, workgroup } => format!("barrier {storage} {workgroup}"),
        Operation::Await { .. } | Operation::Lock { .. } => "waits".to_owned(),
    }
}

fn strong(strength: Option<Strength>) -> String {
    strength.map_or_else(|| "plain".to_owned(), |strength| format!("{:?} {:?}", strength.order, strength.scope))
}

fn reached(syntax: Syntax, kind: Kind) -> BTreeSet<String> {
    let drawn: Vec<Litmus> = (0..4 * SEEDS).map(|seed| random(seed, syntax, kind)).collect();
    drawn.iter().flat_map(Litmus::operations).map(word_for).collect()
}

#[test]
fn drawing_reaches_every_operation() {
    let barriers = ["barrier true true", "barrier true false", "barrier false true"];
    for kind in kinds(Syntax::Wgsl) {
        let scope = if kind.memory() == Memory::Storage { "Device" } else { "Workgroup" };
        let atomic = ["load", "store", "add", "exchange", "compare-exchange"];
        let mut expected: BTreeSet<String> = atomic.iter().map(|how| format!("{how} Relaxed {scope}")).collect();
        expected.extend(["load plain", "store plain", "if"].map(str::to_owned));
        expected.extend(barriers.iter().filter(|_| kind != Kind::Workgroups).map(|&barrier| barrier.to_owned()));
        assert_eq!(reached(Syntax::Wgsl, kind), expected, "{kind:?}");
    }
    for kind in kinds(Syntax::Ptx) {
        let mut expected: BTreeSet<String> = ["load plain", "store plain", "if"].map(str::to_owned).into();
        for scope in ["Workgroup", "Device"] {
            let of = |how: &str, orders: &[&str]| -> Vec<String> {
                orders.iter().map(|order| format!("{how} {order} {scope}")).collect()
            };
            expected.extend(of("load", &["Relaxed", "Acquire"]));
            expected.extend(of("store", &["Relaxed", "Release"]));
            for how in ["add", "exchange", "compare-exchange"] {
                expected.extend(of(how, &["Relaxed", "Acquire", "Release", "AcquireRelease"]));
            }
            expected.extend(of("fence", &["AcquireRelease", "SequentiallyConsistent"]));
        }
        expected.extend(barriers.iter().filter(|_| kind != Kind::Workgroups).map(|&barrier| barrier.to_owned()));
        assert_eq!(reached(Syntax::Ptx, kind), expected, "{kind:?}");
    }
}

#[test]
fn what_breaks_the_rules_is_refused() {
    let load = |into| Operation::Load { word: 0, strength: None, into };
    let acquire = Strength { order: Order::Acquire, scope: Scope::Device };
    let relaxed = |scope| Some(Strength { order: Order::Relaxed, scope });
    let barrier = Operation::Barrier { storage: true, workgroup: true };
    let inside = |size| Kind::Subgroups { size, memory: Memory::Storage };
    let apart = Kind::Workgroups;
    let under = |operation| vec![Operation::If { register: 0, equals: 0, then: vec![operation] }];
    let cases = [
        (apart, vec![], "units = 0: must be from 1 to 4"),
        (apart, vec![vec![load(0)]; 5], "units = 5: must be from 1 to 4"),
        (apart, vec![vec![load(0); 7]; 2], "accesses to shared words = 14: must be at most 12"),
        (apart, vec![vec![Operation::Load { word: 4, strength: None, into: 0 }]], "words = 5: must be at most 4"),
        (inside(3), vec![vec![load(0)]], "subgroup size = 3: must be a power of two from 4 to 128"),
        (inside(4), vec![vec![barrier.clone()], vec![]], "unit = 1: must have the barriers of unit 0"),
        (apart, vec![vec![barrier.clone()]], "barriers of a workgroup of one invocation = 1: must be 0"),
        (inside(4), vec![under(barrier)], "barriers and conditions under a condition = 1: must be 0"),
        (apart, vec![under(under(load(0)).remove(0))], "barriers and conditions under a condition = 1: must be 0"),
        (apart, vec![vec![load(4)]], "register = 4: must be from 0 to 3"),
        (apart, vec![vec![Operation::Fence(acquire)]], "WGSL has no fences"),
        (
            apart,
            vec![vec![Operation::Load { word: 0, strength: Some(acquire), into: 0 }]],
            "WGSL has no atomics that are not relaxed",
        ),
        (
            apart,
            vec![vec![Operation::Load { word: 0, strength: relaxed(Scope::Workgroup), into: 0 }]],
            "WGSL has no atomics of another scope than their memory's",
        ),
        (
            apart,
            vec![vec![load(0), Operation::Load { word: 0, strength: relaxed(Scope::Device), into: 0 }]],
            "WGSL has no plain accesses to atomic words",
        ),
    ];
    for (kind, units, expected) in cases {
        let litmus = Litmus { name: "t".to_owned(), kind, units };
        let said = litmus.launch(Syntax::Wgsl).map(drop).unwrap_err().to_string();
        assert_eq!(said, format!("litmus test `t`: {expected}"));
    }
}
