//! Launches of a few lines, and what the engine says of them.

use std::time::Duration;

use gridproof_launch::{Argument, Buffer, DType, Dispatch, Fill, Launch, Module, Source};
use gridproof_simulator::Config;
use gridproof_simulator::explore::loom::{LoomOptions, LoomOutcome, LoomRace, NoProgress, Units, Verdict, run_model};

/// Two buffers of words, which every kernel here has.
pub const BUFFERS: [&str; 2] = ["data", "flag"];

fn launch(source: Source, entry: &str, workgroups: u32, workgroup: Option<[u32; 3]>) -> Launch {
    let mut launch = Launch::default();
    let module = launch.add_module(Module::new("kernel", source));
    let mut dispatch = Dispatch::new(module, entry, [workgroups, 1, 1]);
    dispatch.workgroup = workgroup;
    for name in BUFFERS {
        let buffer = Buffer::filled(name, DType::U32, [64_u64], Fill::Byte(0)).unwrap();
        let id = launch.add_buffer(buffer);
        dispatch.arguments.push(Argument::buffer(name, id, &launch.buffers[id.0]));
    }
    launch.dispatches.push(dispatch);
    launch
}

/// A WGSL kernel with `data` and `flag` of the given element types.
pub fn wgsl(types: [&str; 2], size: u32, body: &str, workgroups: u32) -> Launch {
    let [data, flag] = types;
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> data: array<{data}>;
@group(0) @binding(1) var<storage, read_write> flag: array<{flag}>;
var<workgroup> tile: array<u32, 64>;
var<workgroup> shared_flag: atomic<u32>;
@compute @workgroup_size({size})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {{
    if lid == 4096u {{ tile[0] = 0u; atomicStore(&shared_flag, 0u); }}
    {body}
}}"
    );
    launch(Source::Wgsl(text.into()), "main", workgroups, None)
}

/// A PTX kernel of one invocation per workgroup; workgroup `i` runs part `i`. `%rd1` is `data`, `%rd2` is `flag`.
pub fn ptx(parts: &[&str]) -> Launch {
    let mut body = String::new();
    for (index, part) in parts.iter().enumerate() {
        body += &format!("setp.ne.u32 %p1, %r1, {index};\n@%p1 bra AFTER{index};\n{part}\nret;\nAFTER{index}:\n");
    }
    let text = format!(
        ".version 8.5
.target sm_90
.address_size 64
.visible .entry k(.param .u64 data, .param .u64 flag)
{{
.reg .pred %p<8>;
.reg .b32 %r<16>;
.reg .b64 %rd<8>;
ld.param.u64 %rd1, [data];
ld.param.u64 %rd2, [flag];
mov.u32 %r1, %ctaid.x;
{body}
ret;
}}
"
    );
    launch(Source::Ptx(text.into()), "k", u32::try_from(parts.len()).unwrap(), Some([1, 1, 1]))
}

pub fn config() -> Config {
    Config::default()
}

pub fn options() -> LoomOptions {
    LoomOptions { max_duration: Duration::from_secs(60), ..LoomOptions::default() }
}

pub fn subgroups() -> LoomOptions {
    LoomOptions { units: Units::Subgroups { workgroup: 0 }, ..options() }
}

pub fn explore(launch: &Launch, options: &LoomOptions) -> LoomOutcome {
    run_model(launch, &config(), options).unwrap()
}

/// The launch is found clean in every execution.
pub fn clean(launch: &Launch, options: &LoomOptions) -> LoomOutcome {
    let outcome = explore(launch, options);
    assert_eq!(outcome.verdict, Verdict::Clean);
    assert!(outcome.complete);
    outcome
}

/// The launch races.
pub fn race(launch: &Launch, options: &LoomOptions) -> LoomRace {
    match explore(launch, options).verdict {
        Verdict::Race(race) => *race,
        other => panic!("expected a race: {other:?}"),
    }
}

/// The launch does not get on.
pub fn stuck(launch: &Launch, options: &LoomOptions) -> NoProgress {
    match explore(launch, options).verdict {
        Verdict::NoProgress(stuck) => stuck,
        other => panic!("expected no progress: {other:?}"),
    }
}
