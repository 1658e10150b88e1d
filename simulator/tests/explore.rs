//! Exploring every schedule: nothing is lost by the reductions, waits that never end are found by state, and the
//! progress models tell apart what they should.

use std::collections::{BTreeMap, BTreeSet};

use gridproof_launch::{Argument, Buffer, Constant, DType, Dispatch, Fill, Launch, Module, Source};
use gridproof_simulator::explore::{Exploration, ExploreOptions, Progress, explore};
use gridproof_simulator::finding::Rule;
use gridproof_simulator::Config;

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
const ORDERS: [(&str, &str, u32); 12] = [
    ("tickets", "out[wg.x] = atomicAdd(&a[0], 1u);", 3),
    ("two counters", "out[wg.x] = atomicAdd(&a[0], 1u) * 8u + atomicAdd(&a[1], 1u);", 3),
    ("store buffering", "atomicStore(&a[wg.x], 1u); out[wg.x] = atomicLoad(&a[1u - wg.x]);", 2),
    ("one writes, two read twice", "if wg.x == 0u { atomicStore(&a[0], 1u); atomicStore(&a[1], 1u); } \
        else { out[wg.x] = atomicLoad(&a[wg.x - 1u]) * 2u + atomicLoad(&a[2u - wg.x]); }", 3),
    ("swap", "out[wg.x] = atomicExchange(&a[0], wg.x + 1u); out[wg.x + 8u] = atomicLoad(&a[0]);", 3),
    ("who comes last", "if atomicAdd(&a[0], 1u) == 2u { out[0] = wg.x; }", 3),
    ("independent", "atomicStore(&a[wg.x], 1u); out[wg.x] = atomicLoad(&a[wg.x]);", 3),
    ("commuting sums", "atomicAdd(&a[0], wg.x); atomicAdd(&a[1], wg.x); atomicMax(&a[2], wg.x);", 3),
    ("compare and exchange", "let r = atomicCompareExchangeWeak(&a[0], wg.x, wg.x + 1u); \
        out[wg.x] = select(0u, 1u, r.exchanged) + 2u * r.old_value;", 3),
    ("branch on what was read", "if atomicLoad(&a[0]) == 0u { atomicStore(&a[1], wg.x + 1u); } \
        else { atomicStore(&a[0], 0u); } atomicAdd(&a[0], 1u); out[wg.x] = atomicLoad(&a[1]);", 2),
    ("waits for a flag", "if wg.x == 0u { atomicStore(&a[1], 7u); atomicStore(&a[0], 1u); } \
        else { loop { if atomicLoad(&a[0]) == 1u { break; } } out[wg.x] = atomicLoad(&a[1]); }", 3),
    ("spin lock", "loop { if atomicExchange(&a[0], 1u) == 0u { break; } } let v = atomicLoad(&a[1]); \
        atomicStore(&a[1], v * 2u + wg.x + 1u); out[wg.x] = v; atomicStore(&a[0], 0u);", 2),
];

#[test]
fn the_reduction_loses_no_output_and_no_finding() {
    for (name, body, workgroups) in ORDERS {
        let launch = launch(&format!("{ALONE}{body}\n}}"), workgroups);
        for (progress, slots) in [(Progress::Lobe, 8), (Progress::Lobe, 2), (Progress::Obe, 2), (Progress::Lobe, 1)] {
            let options = under(progress, slots);
            let all = explored(&launch, &ExploreOptions { reduction: false, symmetry: false, executions: 1 << 22, ..options });
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
