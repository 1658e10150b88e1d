//! Running a launch under schedules: which outputs each policy gives, that a schedule is all there is to a run, and
//! what the ladder concludes.

use std::collections::BTreeMap;

use gridproof_launch::{Argument, Buffer, Constant, DType, Dispatch, Fill, Launch, Module, Source};
use gridproof_simulator::{Config, Hazards, Outcome, Policy, Schedule, SimulateError, ladder, prove, run};

/// Each workgroup reads the whole row and writes one element of it back.
const WRITE_BACK: &str = "
@group(0) @binding(0) var<storage, read_write> row: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wg: vec3<u32>) {
    var sum = wg.x + 1u;
    for (var i = 0u; i < 40u; i++) { sum += row[i] + 1u; }
    out[wg.x] = sum;
    row[wg.x] = sum;
}";

/// Several subgroups and barriers; workgroups race on `row`, nothing races inside.
const SUBGROUPS: &str = "
@group(0) @binding(0) var<storage, read_write> row: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 16>;
@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    tile[lid] = row[(lid + 1u) % 16u] + wg.x + 1u;
    workgroupBarrier();
    storageBarrier();
    row[lid] = tile[15u - lid];
    storageBarrier();
    out[wg.x * 16u + lid] = row[(lid + 3u) % 16u] * 3u + tile[lid];
}";

/// Races inside a workgroup too.
const RACY_INSIDE: &str = "
@group(0) @binding(0) var<storage, read_write> row: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    for (var i = 0u; i < 3u; i++) { row[(lid + 5u) % 16u] += row[lid] + lid + wg.x; }
    out[wg.x * 16u + lid] = row[lid];
}";

/// No race: own elements, workgroup memory with barriers.
const CLEAN: &str = "
@group(0) @binding(0) var<storage, read_write> row: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 16>;
@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    tile[lid] = lid * 7u + wg.x;
    workgroupBarrier();
    out[wg.x * 16u + lid] = tile[15u - lid];
}";

/// Atomics that commute.
const HISTOGRAM: &str = "
@group(0) @binding(0) var<storage, read_write> row: array<atomic<u32>>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    atomicAdd(&row[(lid * 5u + wg.x) % 8u], lid);
    out[wg.x * 16u + lid] = lid;
}";

fn launch(text: &str, workgroups: u32) -> Launch {
    let mut launch = Launch::default();
    let module = launch.add_module(Module::new("t.wgsl", Source::Wgsl(text.into())));
    let mut dispatch = Dispatch::new(module, "main", [workgroups, 1, 1]);
    for (name, length) in [("row", 40_u64), ("out", 1024)] {
        let buffer = Buffer::filled(name, DType::U32, [length], Fill::Byte(0)).unwrap().as_output();
        let id = launch.add_buffer(buffer);
        dispatch.arguments.push(Argument::buffer(name, id, &launch.buffers[id.0]));
    }
    dispatch.constants = BTreeMap::<String, Constant>::new();
    launch.dispatches.push(dispatch);
    launch
}

fn config() -> Config {
    Config { subgroup_size: 4, threads: 2, ..Config::default() }
}

fn bytes(outcome: &Outcome) -> Vec<Vec<u8>> {
    outcome.buffers.iter().map(gridproof_simulator::Image::to_vec).collect()
}

fn proof(launch: &Launch) -> Outcome {
    prove(launch, &config()).unwrap()
}

fn ran(launch: &Launch, policy: &Policy, hazards: &Hazards) -> Outcome {
    run(launch, &config(), policy, hazards).unwrap()
}

/// Whether the write-back kernel's sums are those of the race-free reading under a policy.
fn is_right(workgroups: u32, policy: &Policy) -> bool {
    let launch = launch(WRITE_BACK, workgroups);
    let proof = proof(&launch);
    let outcome = ran(&launch, policy, &proof.hazards);
    bytes(&outcome) == bytes(&proof)
}

fn policies() -> Vec<Policy> {
    let waves = [1, 2, 3, 64].map(|slots| Policy::Waves { slots });
    let bounded = [(1, 0), (2, 1), (3, 2), (64, 3), (64, 4)].map(|(slots, seed)| Policy::Bounded { slots, seed });
    std::iter::once(Policy::Serial).chain(waves).chain(bounded).collect()
}

#[test]
fn waves_are_right_up_to_their_slots_and_wrong_one_beyond() {
    for slots in [1, 2, 3, 8, 32] {
        let policy = Policy::Waves { slots };
        assert!(is_right(slots, &policy), "{slots} workgroups on {slots} slots");
        assert!(is_right(1, &policy), "one workgroup on {slots} slots");
        assert!(!is_right(slots + 1, &policy), "{} workgroups on {slots} slots", slots + 1);
    }
}

#[test]
fn one_after_the_other_is_wrong_from_two_workgroups_on() {
    assert!(is_right(1, &Policy::Serial));
    for workgroups in [2, 3, 17] {
        assert!(!is_right(workgroups, &Policy::Serial), "{workgroups} workgroups");
    }
}

#[test]
fn a_seed_gives_one_schedule() {
    for text in [WRITE_BACK, SUBGROUPS, RACY_INSIDE] {
        let launch = launch(text, 6);
        let hazards = proof(&launch).hazards;
        let of = |seed| {
            let outcome = ran(&launch, &Policy::Bounded { slots: 3, seed }, &hazards);
            (outcome.schedule.to_string(), bytes(&outcome))
        };
        let all: Vec<_> = (0..8).map(of).collect();
        assert_eq!(all, (0..8).map(of).collect::<Vec<_>>());
        assert!(all.iter().any(|other| other.0 != all[0].0), "every seed gives the same schedule");
        assert!(all.iter().any(|other| other.1 != all[0].1), "every seed gives the same bytes");
    }
}

#[test]
fn replaying_a_schedule_gives_the_same_bytes() {
    for text in [WRITE_BACK, SUBGROUPS, RACY_INSIDE, CLEAN, HISTOGRAM] {
        let launch = launch(text, 7);
        let hazards = proof(&launch).hazards;
        for policy in policies() {
            let first = ran(&launch, &policy, &hazards);
            let schedule: Schedule = first.schedule.to_string().parse().unwrap();
            assert_eq!(schedule, first.schedule);
            let again = ran(&launch, &Policy::Replay(schedule), &hazards);
            assert_eq!(bytes(&again), bytes(&first), "{policy:?}: {}", first.schedule);
            assert_eq!(again.schedule, first.schedule, "{policy:?}");
        }
    }
}

#[test]
fn a_schedule_that_does_not_fit_is_refused() {
    let launch = launch(WRITE_BACK, 2);
    let hazards = proof(&launch).hazards;
    for (text, fits) in [
        ("gp1;slots=2;0*,1*", true),
        ("gp1;slots=1;0*", true),
        ("gp1;slots=2;", true),
        ("gp1;slots=2;7", false),
        ("gp1;slots=1;1", false),
        ("gp1;slots=2;0*100000", false),
        ("gp1;slots=2;0.3", false),
        ("gp1;slots=2;0*,0", false),
        ("gp1;slots=2;0*,1*,0", false),
        ("gp1;slots=2;0*,1*/0*", false),
    ] {
        let policy = Policy::Replay(text.parse().unwrap());
        let result = run(&launch, &config(), &policy, &hazards);
        match result {
            Ok(_) => assert!(fits, "{text} was accepted"),
            Err(SimulateError::Schedule { .. }) => assert!(!fits, "{text} was refused"),
            Err(other) => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn no_slots_are_refused() {
    let launch = launch(CLEAN, 2);
    let result = run(&launch, &config(), &Policy::Waves { slots: 0 }, &Hazards::default());
    assert!(matches!(result, Err(SimulateError::Config { name: "slots", .. })));
}

#[test]
fn race_free_launches_give_the_same_under_every_policy() {
    for text in [CLEAN, HISTOGRAM] {
        let launch = launch(text, 9);
        let proof = proof(&launch);
        assert!(proof.findings.is_empty() && proof.decides_every_schedule);
        for policy in policies() {
            assert_eq!(bytes(&ran(&launch, &policy, &proof.hazards)), bytes(&proof), "{policy:?}");
        }
    }
}

#[test]
fn the_ladder_finds_what_must_be_assumed() {
    let slots = 4;
    for (workgroups, in_order, lockstep) in [(1, true, true), (2, false, true), (4, false, true), (5, false, false)] {
        let launch = launch(WRITE_BACK, workgroups);
        let rungs = ladder::climb(&launch, &config(), &proof(&launch), slots, 10).unwrap();
        let held: Vec<_> = rungs.iter().map(|rung| (rung.policy.clone(), rung.failing.is_none())).collect();
        let expected = [(Policy::Bounded { slots, seed: 0 }, in_order), (Policy::Waves { slots }, lockstep)];
        assert_eq!(held, expected, "{workgroups} workgroups");
        for rung in rungs.iter().filter(|rung| rung.failing.is_some()) {
            assert!(rung.differing_bytes > 0 && rung.failing_policy.is_some());
        }
        let all = if in_order { 10 } else { 1 };
        assert_eq!((rungs[0].schedules, rungs[1].schedules), (all, 1), "{workgroups} workgroups");
    }
}
