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

/// Invocations of a subgroup are one thread to loom: what it would call clean is left undecided, with the two lines.
#[test]
fn what_invocations_of_a_subgroup_do_to_each_other_is_left_undecided() {
    let undecided = |launch: &Launch| match explore(launch, &subgroups()).verdict {
        Verdict::Limit(Limit::InsideSubgroup(first, second)) => second.line - first.line,
        other => panic!("loom cannot know: {other:?}"),
    };
    let neighbour = |between: &str| kernel(&format!("tile[lid] = lid;\n{between}\ndata[lid] = tile[lid ^ 1u];"));
    assert_eq!(undecided(&neighbour("")), 2);
    assert_eq!(undecided(&neighbour("storageBarrier();")), 2);
    clean(&neighbour("workgroupBarrier();"), &subgroups());
    clean(&neighbour("subgroupBarrier();"), &subgroups());
    assert_eq!(undecided(&kernel("if lid < 2u { data[0] = lid; }")), 0);
    clean(&kernel("if lid == 3u { data[0] = lid; data[0] = 1u; }"), &subgroups());
    // What two subgroups do to each other is found all the same.
    race(&kernel("data[lid / 2u] = lid; tile[lid] = lid; flag[lid] = tile[63u - lid];"), &subgroups());
    race(
        &kernel("data[lid / 2u] = lid; storageBarrier(); tile[lid] = lid; flag[lid] = tile[63u - lid];"),
        &subgroups(),
    );
}

/// The other dispatches are still explored, and a race there is the answer.
#[test]
fn a_race_in_a_later_dispatch_says_more() {
    let mut launch = kernel("data[lid / 2u] = lid;");
    let racy = kernel("tile[lid] = lid; data[lid] = tile[63u - lid];");
    let module = launch.add_module(racy.modules[0].clone());
    launch.dispatches.push(gridproof_launch::Dispatch { module, ..racy.dispatches[0].clone() });
    assert_eq!(race(&launch, &subgroups()).first.dispatch, 1);
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
