//! What is refused, and what ends an exploration early.

use std::time::{Duration, Instant};

use gridproof_simulator::SimulateError;
use gridproof_simulator::explore::loom::{Limit, LoomOptions, Units, Verdict, run_model};

use crate::launches::{config, explore, options, ptx, subgroups, wgsl};

fn refused(launch: &gridproof_launch::Launch, options: &LoomOptions) -> String {
    match run_model(launch, &config(), options) {
        Err(error @ SimulateError::Config { .. }) => error.to_string(),
        other => panic!("expected a refusal: {other:?}"),
    }
}

#[test]
fn more_units_than_loom_has_threads_are_refused() {
    let launch = wgsl(["u32", "u32"], 256, "data[0] = 1u;", 5);
    assert_eq!(refused(&launch, &options()), "workgroups = 5: loom runs at most 4");
    assert_eq!(refused(&launch, &subgroups()), "subgroups = 8: loom runs at most 4");
}

#[test]
fn options_out_of_their_range_are_refused() {
    let launch = wgsl(["u32", "u32"], 1, "data[0] = 1u;", 2);
    let refuse = |options: LoomOptions| refused(&launch, &options);
    assert!(refuse(LoomOptions { slots: 0, ..options() }).starts_with("slots = 0"));
    assert!(refuse(LoomOptions { preemption_bound: Some(256), ..options() }).starts_with("preemption_bound = 256"));
    assert!(refuse(LoomOptions { max_branches: 0, ..options() }).starts_with("max_branches = 0"));
    assert!(refuse(LoomOptions { dispatch: Some(1), ..options() }).starts_with("dispatch = 1"));
    let units = Units::Subgroups { workgroup: 2 };
    assert!(refuse(LoomOptions { units, dispatch: Some(0), ..options() }).starts_with("workgroup = 2"));
}

fn large() -> gridproof_launch::Launch {
    wgsl(["u32", "atomic<u32>"], 1, "for (var i = 0u; i < 9u; i++) { atomicAdd(&flag[0], 1u); }", 4)
}

#[test]
fn limits_end_an_exploration() {
    let limited = |options: LoomOptions| {
        let outcome = explore(&large(), &options);
        assert!(!outcome.complete);
        (outcome.verdict, outcome.iterations)
    };
    let iterations = limited(LoomOptions { max_iterations: 50, ..options() });
    assert_eq!(iterations, (Verdict::Limit(Limit::Iterations(50)), 50));
    let branches = limited(LoomOptions { max_branches: 20, ..options() });
    assert_eq!(branches.0, Verdict::Limit(Limit::Branches(20)));
    let started = Instant::now();
    let time = limited(LoomOptions { max_duration: Duration::from_millis(200), ..options() });
    assert_eq!(time.0, Verdict::Limit(Limit::Duration));
    assert!(time.1 > 0 && started.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_loop_that_touches_nothing_shared_runs_out_of_instructions() {
    let body = "var i = 0u; while i < 4u { i = (i + 1u) % 3u; } data[wg.x] = i;";
    let launch = wgsl(["u32", "u32"], 1, body, 2);
    let verdict = explore(&launch, &options()).verdict;
    assert!(matches!(verdict, Verdict::Limit(Limit::Instructions(_))), "{verdict:?}");
}

/// Subgroup 0 goes on, the other two meet: their order against what it does is not this engine's to see.
#[test]
fn a_barrier_of_some_subgroups_is_not_judged() {
    let kernel = |barrier: &str| {
        let mut launch = ptx(&[&format!(
            "mov.u32 %r2, %tid.x;\nsetp.lt.u32 %p2, %r2, 32;\n{barrier}\natom.relaxed.gpu.global.add.u32 %r3, [%rd2], 1;"
        )]);
        launch.dispatches[0].workgroup = Some([96, 1, 1]);
        explore(&launch, &subgroups()).verdict
    };
    assert_eq!(kernel("@!%p2 bar.sync 1, 64;"), Verdict::Limit(Limit::Arrival));
    assert_eq!(kernel("bar.sync 1, 96;"), Verdict::Clean);
    assert_eq!(kernel("bar.sync 0;"), Verdict::Clean);
}
