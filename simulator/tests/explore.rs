//! Exploring every schedule: nothing is lost by the reductions, waits that never end are found by state, and the
//! progress models tell apart what they should.

use std::collections::{BTreeMap, BTreeSet};

use gridproof_launch::{Argument, Buffer, Constant, DType, Dispatch, Fill, Launch, Module, Source};
use gridproof_simulator::explore::{Engine, Exploration, ExploreOptions, Progress, Stopped, Unseen, explore, follow};
use gridproof_simulator::finding::{Action, Detail, Rule};
use gridproof_simulator::{Budget, Config, depends_on_atomics};

const HEAD: &str = "
@group(0) @binding(0) var<storage, read_write> a: array<atomic<u32>>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read_write> plain: array<u32>;
";

fn launch(body: &str, workgroups: u32) -> Launch {
    let mut launch = Launch::default();
    let text = format!("{HEAD}{body}");
    let module = launch.add_module(Module::new("t.wgsl", Source::Wgsl(text.into())));
    let mut dispatch = Dispatch::new(module, "main", [workgroups, 1, 1]);
    for name in ["a", "out", "plain"] {
        let buffer = Buffer::filled(name, DType::U32, [64_u64], Fill::Byte(0)).unwrap();
        let buffer = if name == "out" { buffer.as_output() } else { buffer };
        let id = launch.add_buffer(buffer);
        dispatch.arguments.push(Argument::buffer(name, id, &launch.buffers[id.0]));
    }
    dispatch.constants = BTreeMap::<String, Constant>::new();
    launch.dispatches.push(dispatch);
    launch
}

fn config() -> Config {
    Config { subgroup_size: 4, threads: 1, ..Config::default() }
}

fn explored(launch: &Launch, options: &ExploreOptions) -> Exploration {
    explore(launch, &config(), options).unwrap()
}

fn under(progress: Progress, slots: u32) -> ExploreOptions {
    ExploreOptions { progress, slots, ..ExploreOptions::default() }
}

fn outputs(exploration: &Exploration) -> BTreeSet<Vec<u8>> {
    exploration.outputs.iter().map(|output| output.buffers[1].to_vec()[..64].to_vec()).collect()
}

fn rules(exploration: &Exploration) -> BTreeSet<(Rule, u32, Option<u32>)> {
    let key = |finding: &gridproof_simulator::Finding| {
        (finding.rule, finding.first.span.line, finding.second.as_ref().map(|site| site.span.line))
    };
    exploration.outcome.findings.iter().map(key).collect()
}

const ALONE: &str = "@compute @workgroup_size(1)\nfn main(@builtin(workgroup_id) wg: vec3<u32>) {\n";

/// Small kernels whose outputs depend on the order in several ways.
const ORDERS: [(&str, &str, u32); 13] = [
    ("tickets", "out[wg.x] = atomicAdd(&a[0], 1u);", 3),
    ("two counters", "out[wg.x] = atomicAdd(&a[0], 1u) * 8u + atomicAdd(&a[1], 1u);", 3),
    ("store buffering", "atomicStore(&a[wg.x], 1u); out[wg.x] = atomicLoad(&a[1u - wg.x]);", 2),
    (
        "one writes, two read twice",
        "if wg.x == 0u { atomicStore(&a[0], 1u); atomicStore(&a[1], 1u); } \
        else { out[wg.x] = atomicLoad(&a[wg.x - 1u]) * 2u + atomicLoad(&a[2u - wg.x]); }",
        3,
    ),
    ("swap", "out[wg.x] = atomicExchange(&a[0], wg.x + 1u); out[wg.x + 8u] = atomicLoad(&a[0]);", 3),
    ("who comes last", "if atomicAdd(&a[0], 1u) == 2u { out[0] = wg.x; }", 3),
    ("independent", "atomicStore(&a[wg.x], 1u); out[wg.x] = atomicLoad(&a[wg.x]);", 3),
    ("commuting sums", "atomicAdd(&a[0], wg.x); atomicAdd(&a[1], wg.x); atomicMax(&a[2], wg.x);", 3),
    (
        "compare and exchange",
        "let r = atomicCompareExchangeWeak(&a[0], wg.x, wg.x + 1u); \
        out[wg.x] = select(0u, 1u, r.exchanged) + 2u * r.old_value;",
        3,
    ),
    (
        "branch on what was read",
        "if atomicLoad(&a[0]) == 0u { atomicStore(&a[1], wg.x + 1u); } \
        else { atomicStore(&a[0], 0u); } atomicAdd(&a[0], 1u); out[wg.x] = atomicLoad(&a[1]);",
        2,
    ),
    (
        "waits for a flag",
        "if wg.x == 0u { atomicStore(&a[1], 7u); atomicStore(&a[0], 1u); } \
        else { loop { if atomicLoad(&a[0]) == 1u { break; } } out[wg.x] = atomicLoad(&a[1]); }",
        3,
    ),
    (
        "the first waits for the last",
        "if wg.x == 1u { plain[0] = 1u; atomicStore(&a[0], 1u); } \
        else { loop { if atomicLoad(&a[0]) == 1u { break; } } out[wg.x] = plain[0]; }",
        2,
    ),
    (
        "spin lock",
        "loop { if atomicExchange(&a[0], 1u) == 0u { break; } } let v = atomicLoad(&a[1]); \
        atomicStore(&a[1], v * 2u + wg.x + 1u); out[wg.x] = v; atomicStore(&a[0], 0u);",
        2,
    ),
];

#[test]
fn the_reduction_loses_no_output_and_no_finding() {
    for (name, body, workgroups) in ORDERS {
        let launch = launch(&format!("{ALONE}{body}\n}}"), workgroups);
        for (progress, slots) in
            [(Progress::Lobe, 8), (Progress::Lobe, 2), (Progress::Obe, 2), (Progress::Lobe, 1), (Progress::Obe, 1)]
        {
            let options = under(progress, slots);
            let all = explored(
                &launch,
                &ExploreOptions { reduction: false, symmetry: false, executions: 1 << 22, ..options },
            );
            let reduced = explored(&launch, &options);
            let plain = explored(&launch, &ExploreOptions { symmetry: false, ..options });
            assert!(all.is_complete() && reduced.is_complete(), "{name} {progress:?} {slots}");
            println!(
                "{name} {} {slots}: {} of {} executions, {} redundant",
                progress.name(),
                reduced.executions,
                all.executions,
                reduced.redundant
            );
            assert_eq!(outputs(&all), outputs(&reduced), "{name} {progress:?} {slots}");
            assert_eq!(outputs(&all), outputs(&plain), "{name} {progress:?} {slots}");
            assert_eq!(rules(&all), rules(&reduced), "{name} {progress:?} {slots}");
            assert!(reduced.executions <= all.executions);
        }
    }
}

/// Everyone waits until all have come.
const GRID_BARRIER: &str = "atomicAdd(&a[0], 1u); loop { if atomicLoad(&a[0]) == 3u { break; } } out[wg.x] = 1u;";
/// Each waits for the one of lower index.
const CHAIN: &str = "if wg.x > 0u { loop { if atomicLoad(&a[wg.x - 1u]) == 1u { break; } } } \
    out[wg.x] = 1u; atomicStore(&a[wg.x], 1u);";
/// Each waits for the one of higher index.
const REVERSE_CHAIN: &str = "if wg.x < 2u { loop { if atomicLoad(&a[wg.x + 1u]) == 1u { break; } } } \
    out[wg.x] = 1u; atomicStore(&a[wg.x], 1u);";
/// As the chain, by tickets instead of indices.
const TICKET_CHAIN: &str = "let t = atomicAdd(&a[32], 1u); if t > 0u { loop { if atomicLoad(&a[t - 1u]) == 1u { break; } } } \
    out[t] = 1u; atomicStore(&a[t], 1u);";
/// One takes a lock and never gives it back.
const LOST_LOCK: &str = "loop { if atomicExchange(&a[0], 1u) == 0u { break; } } out[wg.x] = 1u; \
    if wg.x != 1u { atomicStore(&a[0], 0u); }";

#[test]
fn progress_models_tell_waits_apart() {
    let free = "out[wg.x] = atomicAdd(&a[0], 1u);";
    // Kernel, and for each of fair, obe on 2, lobe on 2, lobe on 3, hsa, hsa+obe on 2: whether everyone ends.
    let cases = [
        ("free", free, [true, true, true, true, true, true]),
        ("grid barrier", GRID_BARRIER, [true, false, false, true, false, false]),
        ("chain", CHAIN, [true, false, true, true, true, true]),
        ("reverse chain", REVERSE_CHAIN, [true, false, false, true, false, false]),
        ("ticket chain", TICKET_CHAIN, [true, true, true, true, false, true]),
        ("lost lock", LOST_LOCK, [false, false, false, false, false, false]),
    ];
    let models = [
        (Progress::Fair, 1),
        (Progress::Obe, 2),
        (Progress::Lobe, 2),
        (Progress::Lobe, 3),
        (Progress::Hsa, 1),
        (Progress::HsaObe, 2),
    ];
    for (name, body, ends) in cases {
        let launch = launch(&format!("{ALONE}{body}\n}}"), 3);
        for ((progress, slots), ends) in models.into_iter().zip(ends) {
            let exploration = explored(&launch, &under(progress, slots));
            let waits: Vec<_> =
                exploration.outcome.findings.iter().filter(|finding| finding.rule == Rule::NoProgress).collect();
            assert_eq!(waits.is_empty(), ends, "{name} under {} on {slots}: {waits:#?}", progress.name());
            assert!(exploration.is_complete(), "{name} {}", progress.name());
            for wait in waits {
                assert!(wait.first.span.line > 0 && wait.first.action == Action::AtomicRead || name == "lost lock");
                let schedule = wait.schedule.as_ref().unwrap();
                let again = follow(&launch, &config(), &under(progress, slots), schedule).unwrap();
                assert!(
                    progress == Progress::Hsa || again.findings.iter().any(|finding| finding.rule == Rule::NoProgress),
                    "{name} {} {schedule}",
                    progress.name()
                );
            }
        }
    }
}

#[test]
fn a_wait_names_who_would_end_it() {
    let launch = launch(&format!("{ALONE}{CHAIN}\n}}"), 3);
    let exploration = explored(&launch, &under(Progress::Obe, 1));
    let wait = exploration.outcome.findings.iter().find(|finding| finding.rule == Rule::NoProgress).unwrap();
    let second = wait.second.as_ref().unwrap();
    assert_eq!(wait.first.workgroup[0], second.workgroup[0] + 1);
    assert_eq!((wait.first.action, second.action), (Action::AtomicRead, Action::AtomicWrite));
    assert_eq!(wait.first.element, second.element);
    let Detail::NoProgress { progress, slots, other_has_started, .. } = wait.detail else { panic!("{wait:?}") };
    assert_eq!((progress, slots, other_has_started), (Progress::Obe, 1, false));
}

#[test]
fn a_loop_without_scheduling_points_is_found_by_its_state() {
    let forever = "var i = 0u; loop { i = (i + 1u) % 8191u; if i == 9000u { break; } } out[wg.x] = i; \
        atomicAdd(&a[0], 1u);";
    let launch = launch(&format!("{ALONE}{forever}\n}}"), 2);
    let exploration = explored(&launch, &under(Progress::Fair, 1));
    let wait = exploration.outcome.findings.iter().find(|finding| finding.rule == Rule::NoProgress).unwrap();
    assert_eq!(wait.second, None);
    assert!(exploration.outcome.exhausted.is_none());
    assert!(exploration.outcome.stats.instructions < 10_000_000);
}

#[test]
fn plain_conflicts_are_found_whoever_comes_first() {
    let bodies = [
        ("unordered", "if wg.x == 0u { plain[0] = 1u; } else { out[0] = plain[0]; } atomicAdd(&a[0], 1u);", true),
        (
            "relaxed flag",
            "if wg.x == 0u { plain[0] = 1u; atomicStore(&a[0], 1u); } \
            else if atomicLoad(&a[0]) == 1u { out[0] = plain[0]; }",
            true,
        ),
        ("other words", "plain[wg.x] = 1u; out[wg.x] = plain[wg.x]; atomicAdd(&a[0], 1u);", false),
        ("only if nobody was first", "if atomicAdd(&a[0], 1u) == 5u { plain[0] = wg.x; } out[wg.x] = 1u;", false),
        ("only if second", "if atomicAdd(&a[0], 1u) == 1u { plain[0] = wg.x; } else { plain[wg.x] = 1u; }", true),
    ];
    for (name, body, races) in bodies {
        let launch = launch(&format!("{ALONE}{body}\n}}"), 2);
        let exploration = explored(&launch, &under(Progress::Lobe, 2));
        let found = exploration.outcome.findings.iter().any(|finding| finding.rule == Rule::CrossWorkgroupRace);
        assert_eq!(found, races, "{name}: {:?}", rules(&exploration));
        assert!(exploration.is_complete(), "{name}");
    }
}

#[test]
fn drawn_schedules_repeat_and_say_what_they_promise() {
    let launch = launch(&format!("{ALONE}{}\n}}", ORDERS[1].1), 3);
    let draw = |seed| {
        let engine = Engine::Random { seed, depth: 2 };
        explored(&launch, &ExploreOptions { engine, executions: 200, ..under(Progress::Lobe, 8) })
    };
    let (one, again, other) = (draw(1), draw(1), draw(2));
    let schedules = |exploration: &Exploration| -> Vec<(String, u64)> {
        exploration.outputs.iter().map(|output| (output.schedule.to_string(), output.executions)).collect()
    };
    assert_eq!(schedules(&one), schedules(&again));
    assert_ne!(schedules(&one), schedules(&other));
    assert_eq!((one.executions, one.stopped), (200, Some(Stopped::Drawn)));
    let bound = one.bound.unwrap();
    assert_eq!((bound.units, bound.turns, bound.depth, bound.executions), (3, 6, 2, 200));
    let expected = (1.0 - 1.0 / (3.0 * 6.0_f64)).powi(200);
    assert!((bound.chance - expected).abs() < 1e-12);
}

#[test]
fn outputs_that_depend_on_the_schedule_are_told_with_both_writers() {
    let launch = launch(&format!("{ALONE}{}\n}}", ORDERS[0].1), 2);
    let exploration = explored(&launch, &under(Progress::Lobe, 8));
    assert_eq!(exploration.outputs.len(), 2);
    let found = exploration.outcome.findings.iter().find(|finding| finding.rule == Rule::ScheduleDependent).unwrap();
    assert_eq!(found.first.buffer, "out");
    assert_eq!(found.second.as_ref().map(|site| site.buffer.as_str()), Some("out"));
    assert_ne!(found.first.value, found.second.as_ref().and_then(|site| site.value));
    let other = follow(&launch, &config(), &under(Progress::Lobe, 8), found.schedule.as_ref().unwrap()).unwrap();
    assert_eq!(other.buffers[1].to_vec(), exploration.outputs[1].buffers[1].to_vec());
}

/// Two subgroups of four; `next` is theirs.
const SUBGROUPS: &str = "var<workgroup> next: atomic<u32>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) i: u32) {
";

#[test]
fn an_atomic_in_workgroup_memory_steers_as_one_in_storage_does() {
    let leaders = "if i % 4u == 0u {
        let at = atomicAdd(&next, 1u);
        if at == 1u && i == 0u { plain[64u + i] = 1u; } else { out[at] = i; }
    }";
    let launch = launch(&format!("{SUBGROUPS}{leaders}\n}}"), 1);
    assert!(depends_on_atomics(&launch, &config()).unwrap());
    let exploration = explored(&launch, &ExploreOptions::default());
    assert_eq!((exploration.executions, exploration.stopped), (2, None), "either subgroup comes first");
    let rules: Vec<Rule> = exploration.outcome.findings.iter().map(|finding| finding.rule).collect();
    assert!(rules.contains(&Rule::OutOfBounds), "{rules:?}");
    assert!(exploration.unseen.is_empty(), "one invocation of each subgroup");
}

/// Subgroup 0 takes a ticket; subgroups 1 and 2 meet at a barrier of their own, and then 1 takes a ticket.
const TICKETS: &str = ".version 8.7
.target sm_90
.address_size 64
.visible .entry main(.param .u64 counter, .param .u64 out)
{
    .reg .pred %p<8>;
    .reg .b32 %r<8>;
    .reg .b64 %rd<2>;
    ld.param.u64 %rd0, [counter];
    ld.param.u64 %rd1, [out];
    mov.u32 %r0, %tid.x;
    setp.ge.u32 %p0, %r0, 32;
    @%p0 bra others;
    setp.ne.u32 %p1, %r0, 0;
    @%p1 bra done;
    atom.relaxed.gpu.global.add.u32 %r1, [%rd0], 1;
    setp.eq.u32 %p2, %r1, 0;
    @%p2 bra done;
    st.global.u32 [%rd1+4000], %r1;
    bra done;
others:
    BARRIER
    setp.ne.u32 %p3, %r0, 32;
    @%p3 bra done;
    atom.relaxed.gpu.global.add.u32 %r2, [%rd0], 1;
done:
    ret;
}
";

#[test]
fn a_barrier_of_some_subgroups_leaves_the_others_where_they_stand() {
    for barrier in ["", "bar.sync 1, 64;", "barrier.sync 1, 64;"] {
        let mut launch = Launch::default();
        let text = TICKETS.replace("BARRIER", barrier);
        let module = launch.add_module(Module::new("t.ptx", Source::Ptx(text.into())));
        let mut dispatch = Dispatch::new(module, "main", [1, 1, 1]);
        dispatch.workgroup = Some([96, 1, 1]);
        for name in ["counter", "out"] {
            let id = launch.add_buffer(Buffer::filled(name, DType::U32, [4_u64], Fill::Byte(0)).unwrap().as_output());
            dispatch.arguments.push(Argument::buffer(name, id, &launch.buffers[id.0]));
        }
        launch.dispatches.push(dispatch);
        let config = Config { subgroup_size: 32, ..config() };
        let exploration = explore(&launch, &config, &ExploreOptions::default()).unwrap();
        assert!(exploration.is_complete(), "`{barrier}`");
        let rules: Vec<Rule> = exploration.outcome.findings.iter().map(|finding| finding.rule).collect();
        assert!(rules.contains(&Rule::OutOfBounds), "`{barrier}`: {rules:?}, {} executions", exploration.executions);
    }
}

#[test]
fn the_order_of_invocations_at_a_common_atomic_is_not_explored_and_that_is_said() {
    let all = "let at = atomicAdd(&next, 1u); if at == 0u { out[0] = i; }";
    let exploration = explored(&launch(&format!("{SUBGROUPS}{all}\n}}"), 1), &ExploreOptions::default());
    assert_eq!(exploration.unseen, BTreeSet::from([Unseen::LaneOrder]));
    let parted = "if i == 0u { atomicStore(&a[0], 1u); } else if i == 1u {
        if atomicLoad(&a[0]) == 0u { out[0] = 1u; }
    }";
    let exploration = explored(&launch(&format!("{SUBGROUPS}{parted}\n}}"), 1), &ExploreOptions::default());
    assert_eq!(exploration.unseen, BTreeSet::from([Unseen::LaneOrder]));
    let own = "let at = atomicAdd(&a[i], 1u); if at == 0u { out[i] = i; }";
    let exploration = explored(&launch(&format!("{SUBGROUPS}{own}\n}}"), 1), &ExploreOptions::default());
    assert!(exploration.unseen.is_empty());
}

#[test]
fn who_executes_together_is_not_explored_and_nothing_is_claimed() {
    let kernel = |used: &str| {
        format!(
            ".version 8.7\n.target sm_90\n.address_size 64\n.visible .entry main(.param .u64 out)\n{{\n\
            .reg .pred %p;\n.reg .b32 %r<4>;\n.reg .b64 %rd<2>;\nld.param.u64 %rd0, [out];\n\
            activemask.b32 %r0;\n{used}\nret;\n}}\n"
        )
    };
    let explore = |used: &str| {
        let mut launch = Launch::default();
        let module = launch.add_module(Module::new("t.ptx", Source::Ptx(kernel(used).into())));
        let out = launch.add_buffer(Buffer::filled("out", DType::U32, [64_u64], Fill::Byte(0)).unwrap().as_output());
        let mut dispatch = Dispatch::new(module, "main", [1, 1, 1]);
        dispatch.workgroup = Some([1, 1, 1]);
        dispatch.arguments.push(Argument::buffer("out", out, &launch.buffers[out.0]));
        launch.dispatches.push(dispatch);
        let exploration = gridproof_simulator::explore::explore(
            &launch,
            &Config { subgroup_size: 32, ..config() },
            &ExploreOptions::default(),
        );
        let exploration = exploration.unwrap();
        (exploration.stopped, exploration.unseen.contains(&Unseen::Company))
    };
    let steers = "setp.eq.u32 %p, %r0, 1;\n@%p st.global.u32 [%rd0], %r0;";
    assert_eq!(explore(steers), (Some(Stopped::Undecided), true));
    assert_eq!(explore("st.global.u32 [%rd0], %r0;"), (None, false), "data only");
}

#[test]
fn budgets_end_an_exploration() {
    let launch = launch(&format!("{ALONE}{}\n}}", ORDERS[1].1), 6);
    let few = explored(&launch, &ExploreOptions { executions: 10, ..ExploreOptions::default() });
    assert_eq!((few.executions + few.redundant, few.stopped), (10, Some(Stopped::Executions)));
    let short = explored(&launch, &ExploreOptions { turns: 5, executions: 10, ..ExploreOptions::default() });
    assert_eq!(short.stopped, Some(Stopped::Turns));
    let budget = Budget { time: std::time::Duration::ZERO, ..Budget::default() };
    let late = explore(&launch, &Config { budget, ..config() }, &ExploreOptions::default()).unwrap();
    assert_eq!(late.stopped, Some(Stopped::Budget));
    assert!(explore(&launch, &config(), &ExploreOptions { slots: 0, ..ExploreOptions::default() }).is_err());
    assert!(explore(&launch, &config(), &ExploreOptions { executions: 0, ..ExploreOptions::default() }).is_err());
}

#[test]
fn more_units_than_a_search_can_hold_are_run_once() {
    let launch = launch(&format!("{ALONE}if atomicAdd(&a[0], 1u) == 4999u {{ out[0] = 1u; }}\n}}"), 5000);
    let exploration = explored(&launch, &under(Progress::Lobe, 512));
    assert_eq!((exploration.executions, exploration.stopped), (1, Some(Stopped::Executions)));
    assert!(exploration.outcome.findings.is_empty());
    assert!(exploration.outcome.stats.peak_memory < 100 << 20);
}

#[test]
fn everything_twice_gives_the_same() {
    for (_, body, workgroups) in ORDERS {
        let launch = launch(&format!("{ALONE}{body}\n}}"), workgroups);
        for progress in Progress::ALL {
            for engine in [Engine::Exhaustive, Engine::Random { seed: 3, depth: 3 }] {
                let options = ExploreOptions { engine, executions: 60, ..under(progress, 2) };
                let text = |mut exploration: Exploration| {
                    exploration.elapsed = std::time::Duration::ZERO;
                    exploration.outcome.stats.elapsed = std::time::Duration::ZERO;
                    format!("{exploration:?}")
                };
                assert_eq!(text(explored(&launch, &options)), text(explored(&launch, &options)));
            }
        }
    }
}
