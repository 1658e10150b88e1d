//! loom in a child process: racy launches, and children that do not come back.

use std::path::Path;
use std::time::{Duration, Instant};

use gridproof_conformance::explore::child::{ChildError, ChildLimits, explore};
use gridproof_launch::{Argument, Buffer, DType, Dispatch, Fill, Launch, Module, Source};
use gridproof_simulator::explore::loom::{Limit, LoomOptions, Verdict, run_model};
use gridproof_simulator::{Config, Policy, prove, run};

fn gridproof() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_gridproof"))
}

fn launch(body: &str, workgroups: u32) -> Launch {
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> flag: array<atomic<u32>>;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wg: vec3<u32>) {{ {body} }}"
    );
    let mut launch = Launch::default();
    let module = launch.add_module(Module::new("kernel.wgsl", Source::Wgsl(text.into())));
    let mut dispatch = Dispatch::new(module, "main", [workgroups, 1, 1]);
    for name in ["data", "flag"] {
        let id = launch.add_buffer(Buffer::filled(name, DType::U32, [16_u64], Fill::Byte(0)).unwrap());
        dispatch.arguments.push(Argument::buffer(name, id, &launch.buffers[id.0]));
    }
    launch.dispatches.push(dispatch);
    launch
}

const RACY: &str = "if atomicAdd(&flag[0], 1u) != wg.x { data[0] = wg.x; } else { data[wg.x + 1u] = 1u; }";
const LONG: &str = "for (var i = 0u; i < 9u; i++) { atomicAdd(&flag[0], 1u); } data[wg.x] = 1u;";

fn in_child(launch: &Launch, options: &LoomOptions, limits: &ChildLimits) -> Result<Verdict, ChildError> {
    explore(gridproof(), launch, &Config::default(), options, limits).map(|outcome| outcome.verdict)
}

fn usual(launch: &Launch) -> Verdict {
    in_child(launch, &LoomOptions::default(), &ChildLimits::default()).unwrap()
}

#[test]
fn a_child_gives_what_a_model_in_this_process_gives() {
    for body in [RACY, "atomicAdd(&flag[0], 1u); data[wg.x] = 2u;", "while atomicLoad(&flag[0]) == 0u { }"] {
        let launch = launch(body, 3);
        let here = run_model(&launch, &Config::default(), &LoomOptions::default()).unwrap();
        let there = explore(gridproof(), &launch, &Config::default(), &LoomOptions::default(), &ChildLimits::default());
        let there = there.unwrap();
        assert_eq!((there.verdict, there.iterations), (here.verdict, here.iterations), "{body}");
        assert_eq!((there.complete, there.granules, there.files), (here.complete, here.granules, here.files));
    }
}

#[test]
fn a_race_from_a_child_replays() {
    let launch = launch(RACY, 3);
    let Verdict::Race(race) = usual(&launch) else { panic!("it races") };
    assert_ne!(race.first.workgroup, race.second.workgroup);
    assert_eq!((race.second.buffer.as_str(), race.second.span.line), ("data", 4));
    let proof = prove(&launch, &Config::default()).unwrap();
    run(&launch, &Config::default(), &Policy::Replay(race.schedule), &proof.hazards).unwrap();
}

#[test]
fn what_cannot_be_explored_is_refused_in_words() {
    let refused = |launch: &Launch| match in_child(launch, &LoomOptions::default(), &ChildLimits::default()) {
        Err(ChildError::Refused(reason)) => reason,
        other => panic!("expected a refusal: {other:?}"),
    };
    assert_eq!(refused(&launch(LONG, 5)), "workgroups = 5: loom runs at most 4");
    assert!(refused(&launch("no such name;", 2)).starts_with("kernel.wgsl:4:"));
}

#[test]
fn a_child_that_takes_too_long_is_killed() {
    let started = Instant::now();
    let limits = ChildLimits { time: Some(Duration::from_millis(300)), ..ChildLimits::default() };
    let options = LoomOptions { max_duration: Duration::from_secs(600), ..LoomOptions::default() };
    let ended = in_child(&launch(LONG, 4), &options, &limits);
    assert!(matches!(ended, Err(ChildError::Time { .. })), "{ended:?}");
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn the_options_own_limit_ends_a_child_with_an_answer() {
    let options = LoomOptions { max_iterations: 9, ..LoomOptions::default() };
    let ended = in_child(&launch(LONG, 4), &options, &ChildLimits::default()).unwrap();
    assert_eq!(ended, Verdict::Limit(Limit::Iterations(9)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_takes_too_much_memory_is_killed() {
    let limits = ChildLimits { memory: 1 << 20, ..ChildLimits::default() };
    let ended = in_child(&launch(LONG, 4), &LoomOptions::default(), &limits);
    assert!(matches!(ended, Err(ChildError::Memory { .. })), "{ended:?}");
}

#[test]
fn a_child_without_an_answer_has_aborted() {
    let with = |executable: &str| {
        let executable = Path::new(executable);
        explore(executable, &launch(LONG, 2), &Config::default(), &LoomOptions::default(), &ChildLimits::default())
    };
    assert!(matches!(with("no such program"), Err(ChildError::Start { .. })));
    if cfg!(unix) {
        assert!(matches!(with("/bin/false"), Err(ChildError::Aborted { .. })));
    }
}
