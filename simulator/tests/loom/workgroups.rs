//! Workgroups as units: conflicts, classes, replay.

use gridproof_simulator::explore::loom::{LoomOptions, Verdict};
use gridproof_simulator::finding::Action;
use gridproof_simulator::{Policy, prove, run};

use crate::launches::{clean, config, explore, options, ptx, race, wgsl};

#[test]
fn plain_conflicts_race_and_own_elements_do_not() {
    let racy = race(&wgsl(["u32", "u32"], 1, "data[0] = wg.x;", 2), &options());
    assert_eq!((racy.first.action, racy.second.action), (Action::Write, Action::Write));
    assert_ne!(racy.first.workgroup, racy.second.workgroup);
    assert_eq!((racy.first.buffer.as_str(), racy.bytes.start, racy.bytes.end), ("data", 0, 4));
    assert_eq!((racy.first.value, racy.second.value), (Some(0), Some(1)));
    assert_eq!(racy.second.span.line, 8);
    clean(&wgsl(["u32", "u32"], 4, "data[wg.x * 4u + lid] = flag[lid];", 4), &options());
    race(&wgsl(["u32", "u32"], 4, "data[wg.x * 3u + lid] = flag[lid];", 4), &options());
}

#[test]
fn a_counter_is_clean_and_every_order_of_it_is_explored() {
    let counter = |workgroups| wgsl(["u32", "atomic<u32>"], 1, "data[wg.x] = atomicAdd(&flag[0], 1u);", workgroups);
    for (workgroups, orders) in [(1, 1), (2, 2), (3, 6), (4, 24)] {
        let outcome = clean(&counter(workgroups), &options());
        assert!(outcome.iterations >= orders, "{workgroups} workgroups: {} executions", outcome.iterations);
    }
}

/// What an atomic gave decides where a plain access goes: only one of the orders races.
#[test]
fn a_race_that_only_one_order_has_is_found() {
    let body = "let turn = atomicAdd(&flag[0], 1u);
    if wg.x == 0u && turn == 1u { data[0] = 1u; }
    if wg.x == 1u && turn == 0u { data[0] = 2u; }";
    race(&wgsl(["u32", "atomic<u32>"], 1, body, 2), &options());
    let kept = "let turn = atomicAdd(&flag[0], 1u);
    if wg.x == 0u && turn == 1u { data[0] = 1u; }
    if wg.x == 1u && turn == 1u { data[0] = 2u; }";
    clean(&wgsl(["u32", "atomic<u32>"], 1, kept, 2), &options());
}

const CLASSES: [(&str, bool, bool); 4] = [
    ("ld.global.u32 %r2, [%rd1];", false, false),
    ("st.global.u32 [%rd1], 7;", false, true),
    ("ld.relaxed.gpu.global.u32 %r2, [%rd1];", true, false),
    ("atom.relaxed.gpu.global.add.u32 %r2, [%rd1], 1;", true, true),
];

#[test]
fn every_pair_of_classes_races_as_defined() {
    for (first, first_atomic, first_writes) in CLASSES {
        for (second, second_atomic, second_writes) in CLASSES {
            let conflict = (first_writes || second_writes) && !(first_atomic && second_atomic);
            let verdict = explore(&ptx(&[first, second]), &options()).verdict;
            assert_eq!(matches!(verdict, Verdict::Race(_)), conflict, "{first} {second}: {verdict:?}");
            assert!(conflict || verdict == Verdict::Clean, "{first} {second}: {verdict:?}");
        }
    }
}

#[test]
fn an_atomic_store_is_atomic_and_one_at_workgroup_scope_is_not() {
    clean(&ptx(&["st.relaxed.gpu.global.u32 [%rd1], 7;", "ld.relaxed.gpu.global.u32 %r2, [%rd1];"]), &options());
    race(&ptx(&["st.relaxed.cta.global.u32 [%rd1], 7;", "ld.relaxed.gpu.global.u32 %r2, [%rd1];"]), &options());
    race(&ptx(&["atom.cta.global.add.u32 %r2, [%rd1], 1;"; 2]), &options());
}

/// The schedule of a race runs, and takes the turns that loom took.
#[test]
fn the_schedule_of_a_race_replays() {
    let body = "let turn = atomicAdd(&flag[0], 1u);
    if wg.x == 0u && turn == 2u { data[0] = 1u; }
    if wg.x == 2u && turn == 0u { data[0] = 2u; }";
    let launch = wgsl(["u32", "atomic<u32>"], 1, body, 3);
    let racy = race(&launch, &options());
    let proof = prove(&launch, &config()).unwrap();
    let outcome = run(&launch, &config(), &Policy::Replay(racy.schedule.clone()), &proof.hazards).unwrap();
    let word = |buffer: usize| u32::from_le_bytes(outcome.buffers[buffer].to_vec()[..4].try_into().unwrap());
    assert_eq!(word(1), 3, "{}", racy.schedule);
    assert!(word(0) == 1 || word(0) == 2, "{}: neither of the racing writes was made", racy.schedule);
}

#[test]
fn a_byte_declared_to_race_is_not_reported() {
    let mut launch = wgsl(["u32", "u32"], 1, "data[0] = wg.x; data[1u + wg.x] = data[0];", 2);
    race(&launch, &options());
    let range = gridproof_launch::ByteRange::new(0, 4);
    launch.buffers[0].may_race = vec![gridproof_launch::MayRace { range, reason: "a null slot".to_owned() }];
    let outcome = clean(&launch, &options());
    assert!(outcome.iterations > 1, "the orders of what may race are explored");
}

#[test]
fn the_same_model_gives_the_same_answer() {
    let launch = wgsl(["u32", "atomic<u32>"], 1, "if atomicAdd(&flag[0], 1u) > 0u { data[0] = wg.x; }", 3);
    let once = || {
        let outcome = explore(&launch, &options());
        (outcome.verdict, outcome.iterations, outcome.restarts, outcome.granules)
    };
    assert_eq!(once(), once());
}

#[test]
fn a_preemption_bound_leaves_executions_out() {
    let launch = wgsl(["u32", "atomic<u32>"], 1, "for (var i = 0u; i < 3u; i++) { atomicAdd(&flag[0], 1u); }", 3);
    let all = clean(&launch, &options()).iterations;
    let bounded = clean(&launch, &LoomOptions { preemption_bound: Some(1), ..options() }).iterations;
    assert!(bounded < all, "{bounded} of {all}");
}

/// Each dispatch starts from what the one before left, and only conflicts inside a dispatch are races.
#[test]
fn dispatches_are_explored_one_after_the_other() {
    let mut launch = wgsl(["u32", "u32"], 1, "data[wg.x] = data[1u - wg.x] * 0u + wg.x;", 2);
    race(&launch, &options());
    let mut own = wgsl(["u32", "u32"], 1, "data[wg.x] += 1u; flag[1u - wg.x] = data[wg.x];", 2);
    own.dispatches.push(own.dispatches[0].clone());
    let outcome = clean(&own, &options());
    assert_eq!(outcome.iterations, 2);
    launch.dispatches.push(launch.dispatches[0].clone());
    let racy = race(&launch, &LoomOptions { dispatch: Some(1), ..options() });
    assert_eq!((racy.first.dispatch, racy.schedule.dispatches.len()), (1, 2));
}
