//! Subgroups of one workgroup as units: barriers.

use gridproof_launch::Launch;
use gridproof_simulator::explore::loom::{Limit, LoomOptions, Units, Verdict};
use gridproof_simulator::ir::Space;
use gridproof_simulator::{Policy, prove, run};

use crate::launches::{clean, config, explore, options, race, stuck, subgroups, wgsl};

fn kernel(body: &str) -> Launch {
    wgsl(["u32", "u32"], 64, body, 1)
}

#[test]
fn a_barrier_orders_and_its_absence_does_not() {
    clean(&kernel("tile[lid] = lid; workgroupBarrier(); data[lid] = tile[63u - lid];"), &subgroups());
    let racy = race(&kernel("tile[lid] = lid; data[lid] = tile[63u - lid];"), &subgroups());
    assert_eq!((racy.first.space, racy.first.buffer.as_str()), (Space::Workgroup, "tile"));
    assert_ne!(racy.first.subgroup, racy.second.subgroup);
    let twice = "tile[lid] = lid; workgroupBarrier(); let x = tile[63u - lid]; tile[lid] = x;";
    race(&kernel(twice), &subgroups());
    let mended = "tile[lid] = lid; workgroupBarrier(); let x = tile[63u - lid]; workgroupBarrier(); tile[lid] = x;";
    clean(&kernel(mended), &subgroups());
}

#[test]
fn a_barrier_orders_only_the_memory_it_covers() {
    let through = |barrier: &str| kernel(&format!("data[lid] = lid; {barrier}(); flag[lid] = data[63u - lid];"));
    clean(&through("storageBarrier"), &subgroups());
    race(&through("workgroupBarrier"), &subgroups());
    let tile = |barrier: &str| kernel(&format!("tile[lid] = lid; {barrier}(); flag[lid] = tile[63u - lid];"));
    race(&tile("storageBarrier"), &subgroups());
    let both = "data[lid] = lid; tile[lid] = lid; storageBarrier(); workgroupBarrier();
    flag[lid] = data[63u - lid] + tile[63u - lid];";
    clean(&kernel(both), &subgroups());
}

#[test]
fn four_subgroups_reduce() {
    let body = "tile[lid % 64u] = lid; workgroupBarrier();
    if lid < 32u { tile[lid] += tile[lid + 32u]; } workgroupBarrier();
    if lid < 16u { tile[lid] += tile[lid + 16u]; } workgroupBarrier();
    data[lid] = tile[0];";
    let config = gridproof_simulator::Config { subgroup_size: 16, ..config() };
    let explore =
        |launch: &Launch| gridproof_simulator::explore::loom::run_model(launch, &config, &subgroups()).unwrap();
    let outcome = explore(&kernel(body));
    assert_eq!(outcome.verdict, Verdict::Clean);
    let broken = body.replacen("workgroupBarrier();", "", 1);
    assert!(matches!(explore(&kernel(&broken)).verdict, Verdict::Race(_)));
}

#[test]
fn atomics_in_workgroup_memory_are_explored() {
    let body = "if lid == 0u { while atomicLoad(&shared_flag) == 0u { } }
    if lid == 40u { atomicStore(&shared_flag, 1u); }";
    clean(&kernel(body), &subgroups());
    let never = "if lid == 0u { while atomicLoad(&shared_flag) == 0u { } }";
    let stuck = stuck(&kernel(never), &subgroups());
    assert_eq!(stuck.waiting.len(), 1);
    assert_eq!((stuck.waiting[0].workgroup, stuck.waiting[0].subgroup), (0, Some(0)));
}

#[test]
fn barriers_that_diverge_are_left_to_others() {
    let body = "if lid < 32u { workgroupBarrier(); tile[0] = 1u; } else { workgroupBarrier(); }";
    assert_eq!(explore(&kernel(body), &subgroups()).verdict, Verdict::Limit(Limit::Divergence));
}

#[test]
fn another_workgroup_can_be_looked_at() {
    let body = "if wg.x == 1u { tile[lid] = lid; data[lid] = tile[63u - lid]; }";
    let launch = wgsl(["u32", "u32"], 64, body, 2);
    clean(&launch, &subgroups());
    let other = LoomOptions { units: Units::Subgroups { workgroup: 1 }, ..options() };
    let racy = race(&launch, &other);
    assert_eq!(racy.first.workgroup, [1, 0, 0]);
    let proof = prove(&launch, &config()).unwrap();
    run(&launch, &config(), &Policy::Replay(racy.schedule), &proof.hazards).unwrap();
}

/// Also where a barrier was passed and a subgroup has ended, the schedule counts turns as a run does.
#[test]
fn a_schedule_through_barriers_replays() {
    let ends = "workgroupBarrier(); if lid >= 64u { return; } data[lid % 32u] = lid;";
    let goes_on = "if lid < 64u { tile[lid] = lid; } workgroupBarrier(); if lid < 60u { data[lid] = tile[lid + 3u]; }
    storageBarrier(); if lid == 0u { data[1] = 5u; } if lid == 40u { data[1] = 6u; }";
    for body in [ends, goes_on] {
        let launch = wgsl(["u32", "u32"], 96, body, 1);
        let proof = prove(&launch, &config()).unwrap();
        let racy = race(&launch, &subgroups());
        let outcome = run(&launch, &config(), &Policy::Replay(racy.schedule.clone()), &proof.hazards).unwrap();
        let taken = |schedule: &gridproof_simulator::Schedule| schedule.dispatches[0].clone();
        let (asked, ran) = (taken(&racy.schedule), taken(&outcome.schedule));
        let last = asked.len() - 1;
        assert_eq!(asked[..last], ran[..last], "{} {}", racy.schedule, outcome.schedule);
    }
}
