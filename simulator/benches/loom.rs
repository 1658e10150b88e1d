//! How many executions a second the loom engine makes, and how many it takes to the end.

use std::time::Duration;

use gridproof_launch::{Argument, Buffer, DType, Dispatch, Fill, Launch, Module, Source};
use gridproof_simulator::explore::loom::{LoomOptions, Units, run_model};
use gridproof_simulator::{Config, explore::loom::Verdict};

const COUNTER: &str = "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> flag: array<atomic<u32>>;
@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    if lid == 0u { for (var i = 0u; i < STEPS; i++) { data[wg.x] += atomicAdd(&flag[0], 1u); } }
}";

const LOCK: &str = "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> flag: array<atomic<u32>>;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wg: vec3<u32>) {
    for (var i = 0u; i < STEPS; i++) {
        while atomicExchange(&flag[0], 1u) == 1u { }
        atomicAdd(&flag[1], 1u);
        atomicStore(&flag[0], 0u);
    }
    data[wg.x] = 1u;
}";

const BARRIERS: &str = "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> flag: array<atomic<u32>>;
var<workgroup> tile: array<u32, 128>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) lid: u32) {
    tile[lid] = lid;
    for (var i = 0u; i < STEPS; i++) {
        workgroupBarrier();
        let other = tile[127u - lid];
        workgroupBarrier();
        tile[lid] = other;
    }
    atomicAdd(&flag[lid % 2u], tile[lid]);
    data[lid] = 1u;
}";

fn launch(text: &str, steps: u32, workgroups: u32) -> Launch {
    let mut launch = Launch::default();
    let text = text.replace("STEPS", &format!("{steps}u"));
    let module = launch.add_module(Module::new("kernel.wgsl", Source::Wgsl(text.into())));
    let mut dispatch = Dispatch::new(module, "main", [workgroups, 1, 1]);
    for name in ["data", "flag"] {
        let Ok(buffer) = Buffer::filled(name, DType::U32, [128_u64], Fill::Byte(0)) else { continue };
        let id = launch.add_buffer(buffer);
        dispatch.arguments.push(Argument::buffer(name, id, &launch.buffers[id.0]));
    }
    launch.dispatches.push(dispatch);
    launch
}

fn main() {
    let inside = Units::Subgroups { workgroup: 0 };
    let cases = [
        ("counter, 2 workgroups, 5 steps", COUNTER, 5, 2, Units::Workgroups),
        ("counter, 3 workgroups, 3 steps", COUNTER, 3, 3, Units::Workgroups),
        ("counter, 4 workgroups, 2 steps", COUNTER, 2, 4, Units::Workgroups),
        ("lock, 2 workgroups, 2 steps", LOCK, 2, 2, Units::Workgroups),
        ("lock, 3 workgroups, 1 step", LOCK, 1, 3, Units::Workgroups),
        ("barriers, 4 subgroups, 3 steps", BARRIERS, 3, 1, inside),
    ];
    for (name, text, steps, workgroups, units) in cases {
        let options = LoomOptions { units, max_duration: Duration::from_secs(10), ..LoomOptions::default() };
        match run_model(&launch(text, steps, workgroups), &Config::default(), &options) {
            Ok(outcome) => {
                let seconds = outcome.elapsed.as_secs_f64();
                let clean = if outcome.verdict == Verdict::Clean { "complete" } else { "not complete" };
                #[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
                let rate = outcome.iterations as f64 / seconds;
                println!("{name}: {} executions, {clean}, {seconds:.2} s, {rate:.0} a second", outcome.iterations);
            }
            Err(error) => println!("{name}: {error}"),
        }
    }
}
