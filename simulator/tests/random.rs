//! Random kernels and random access patterns against what must hold of them.
//!
//! * A kernel in which each invocation writes its own element and reads what nobody writes is clean, and gives the
//!   same under every policy.
//! * Accesses to places from a table race just where a search through all pairs says so.

use std::collections::BTreeSet;

use gridproof_launch::{Argument, Buffer, BufferId, ByteRange, DType, Dispatch, Fill, Launch, Module, Source, Tensor};
use gridproof_simulator::finding::Rule;
use gridproof_simulator::{Config, Image, Outcome, Policy, prove, run};
use proptest::prelude::*;

fn launch(text: &str, workgroups: u32, inputs: &[(&str, &[u32])], outputs: &[(&str, u64)]) -> Launch {
    let mut launch = Launch::default();
    let module = launch.add_module(Module::new("t.wgsl", Source::Wgsl(text.into())));
    for (name, words) in inputs {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let length = u64::try_from(words.len()).unwrap();
        launch.add_buffer(Buffer::from_tensor(Tensor::dense(*name, DType::U32, [length], bytes).unwrap()));
    }
    for (name, length) in outputs {
        launch.add_buffer(Buffer::filled(*name, DType::U32, [*length], Fill::Byte(0)).unwrap().as_output());
    }
    let mut dispatch = Dispatch::new(module, "main", [workgroups, 1, 1]);
    let buffers = launch.buffers.iter().enumerate();
    dispatch.arguments = buffers.map(|(id, buffer)| Argument::buffer(&buffer.name, BufferId(id), buffer)).collect();
    launch.dispatches.push(dispatch);
    launch
}

fn config(subgroup_size: u32) -> Config {
    Config { subgroup_size, threads: 2, ..Config::default() }
}

fn bytes(outcome: &Outcome) -> Vec<Vec<u8>> {
    outcome.buffers.iter().map(Image::to_vec).collect()
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_owned()),
        Just("lid".to_owned()),
        Just("gid.x".to_owned()),
        any::<u32>().prop_map(|value| format!("{value}u")),
        (0..20_u32).prop_map(|value| format!("{value}u")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "&", "|", "^"]);
        prop_oneof![
            4 => (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            1 => (inner.clone(), 0..32_u32).prop_map(|(a, by)| format!("({a} >> {by}u)")),
            1 => inner.clone().prop_map(|a| format!("input[{a} % 16u]")),
            1 => inner.clone().prop_map(|a| format!("bitcast<u32>(f32({a} & 65535u) * 0.25 + 1.0)")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("select({a}, {b}, {c} % 3u == 1u)")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let assign = prop_oneof![
        4 => expression().prop_map(|e| format!("x = {e};")),
        1 => expression().prop_map(|e| format!("out[gid.x] = x; x = out[gid.x] + {e};")),
        1 => expression().prop_map(|e| format!("tile[lid] = {e}; x += tile[lid];")),
    ];
    assign.prop_recursive(3, 12, 3, |inner| {
        let block = prop::collection::vec(inner, 1..3).prop_map(|lines| lines.join(" "));
        prop_oneof![
            (expression(), block.clone(), block.clone())
                .prop_map(|(e, a, b)| format!("if ({e} & 3u) > 1u {{ {a} }} else {{ {b} }}")),
            (expression(), block.clone()).prop_map(|(e, a)| format!("for (var n = 0u; n < ({e} & 3u); n++) {{ {a} }}")),
            (expression(), block)
                .prop_map(|(e, a)| format!("switch ({e} & 1u) {{ case 0u: {{ {a} }} default: {{ }} }}")),
        ]
    })
}

fn kernel() -> impl Strategy<Value = String> {
    prop::collection::vec(statement(), 1..5).prop_map(|lines| {
        format!(
            "@group(0) @binding(0) var<storage> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 6>;
@compute @workgroup_size(6)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(global_invocation_id) gid: vec3<u32>) {{
    var x = lid;
    {}
    out[gid.x] = x;
}}",
            lines.join("\n    ")
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn kernels_that_cannot_race_are_clean(text in kernel(), input in prop::array::uniform16(any::<u32>()), seed: u64) {
        let launch = launch(&text, 5, &[("input", &input)], &[("out", 30)]);
        let proof = prove(&launch, &config(4)).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert!(proof.findings.is_empty(), "{:?}\n{text}", proof.findings);
        prop_assert!(proof.exhausted.is_none() && proof.decides_every_schedule);
        for policy in [Policy::Serial, Policy::Waves { slots: 3 }, Policy::Bounded { slots: 2, seed }] {
            let outcome = run(&launch, &config(4), &policy, &proof.hazards).unwrap();
            prop_assert_eq!(bytes(&outcome), bytes(&proof), "{:?}\n{}", policy, &text);
        }
        let wide = prove(&launch, &config(32)).unwrap();
        prop_assert_eq!(bytes(&wide), bytes(&proof), "subgroups of 32\n{}", &text);
    }
}

/// What one invocation does in one step.
#[derive(Clone, Copy, Debug)]
struct Step {
    write: bool,
    tile: bool,
    place: u32,
}

const STEPS: usize = 4;
const WORKGROUP: usize = 6;
const GROUPS: usize = 3;
const PLACES: u32 = 24;

const TABLE: &str = "
@group(0) @binding(0) var<storage> table: array<u32>;
@group(0) @binding(1) var<storage> barriers: array<u32>;
@group(0) @binding(2) var<storage, read_write> data: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
var<workgroup> tile: array<u32, 24>;
@compute @workgroup_size(6)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(global_invocation_id) gid: vec3<u32>) {
    var x = 0u;
    for (var s = 0u; s < 4u; s++) {
        let code = table[gid.x * 4u + s];
        let place = code >> 2u;
        switch (code & 3u) {
            case 0u: { x += data[place]; }
            case 1u: { data[place] = gid.x * 4u + s; }
            case 2u: { x += tile[place]; }
            default: { tile[place] = gid.x * 4u + s; }
        }
        if (barriers[s] & 1u) != 0u { storageBarrier(); }
        if (barriers[s] & 2u) != 0u { workgroupBarrier(); }
    }
    out[gid.x] = x;
}";

fn step() -> impl Strategy<Value = Step> {
    let write = prop::bool::weighted(0.3);
    (write, any::<bool>(), 0..PLACES).prop_map(|(write, tile, place)| Step { write, tile, place })
}

/// One access: workgroup, invocation in the whole grid, interval of its memory.
struct Access {
    workgroup: usize,
    invocation: usize,
    interval: usize,
    step: Step,
}

fn accesses(steps: &[Step], barriers: &[u32]) -> Vec<Access> {
    let all = steps.iter().enumerate().map(|(position, &step)| {
        let (invocation, at) = (position / STEPS, position % STEPS);
        let bit = if step.tile { 2 } else { 1 };
        let interval = barriers[..at].iter().filter(|&&barrier| barrier & bit != 0).count();
        Access { workgroup: invocation / WORKGROUP, invocation, interval, step }
    });
    all.collect()
}

/// Places of the buffer that race across workgroups, and of the buffer and the tile that race inside one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Races {
    across: bool,
    inside: bool,
    data: BTreeSet<u32>,
    tile: BTreeSet<u32>,
}

fn oracle(accesses: &[Access]) -> Races {
    let mut races = Races::default();
    for (position, one) in accesses.iter().enumerate() {
        for other in &accesses[..position] {
            let same_place = one.step.tile == other.step.tile && one.step.place == other.step.place;
            let conflict = same_place && (one.step.write || other.step.write) && one.invocation != other.invocation;
            let inside = conflict && one.workgroup == other.workgroup && one.interval == other.interval;
            let across = conflict && one.workgroup != other.workgroup && !one.step.tile;
            races.inside |= inside;
            races.across |= across;
            if inside || across {
                let places = if one.step.tile { &mut races.tile } else { &mut races.data };
                places.insert(one.step.place);
            }
        }
    }
    races
}

fn found(outcome: &Outcome) -> Races {
    let has = |rule| outcome.findings.iter().any(|finding| finding.rule == rule);
    let words = |ranges: &[ByteRange]| {
        ranges
            .iter()
            .flat_map(|range| range.start / 4..range.end / 4)
            .map(|word| u32::try_from(word).unwrap())
            .collect()
    };
    let data = outcome.hazards.storage[0].get(&BufferId(2)).map_or_else(BTreeSet::new, |ranges| words(ranges));
    Races {
        across: has(Rule::CrossWorkgroupRace),
        inside: has(Rule::WorkgroupRace),
        data,
        tile: words(&outcome.hazards.workgroup[0]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn races_are_just_the_unordered_pairs(
        steps in prop::collection::vec(step(), STEPS * WORKGROUP * GROUPS),
        barriers in prop::array::uniform4(0..4_u32),
        spread in 1..4_u32,
        subgroup_size in prop::sample::select(vec![4_u32, 8, 32]),
    ) {
        let thinned: Vec<Step> = steps.iter().map(|step| Step { write: step.write && step.place % spread == 0, ..*step }).collect();
        let table: Vec<u32> = thinned.iter().map(|s| s.place << 2 | u32::from(s.tile) << 1 | u32::from(s.write)).collect();
        let groups = u32::try_from(GROUPS).unwrap();
        let launch = launch(TABLE, groups, &[("table", &table), ("barriers", &barriers)], &[("data", 24), ("out", 18)]);
        let outcome = prove(&launch, &config(subgroup_size)).unwrap();
        prop_assert_eq!(found(&outcome), oracle(&accesses(&thinned, &barriers)));
    }

    #[test]
    fn sparse_accesses_are_often_clean(
        places in prop::collection::vec(0..2000_u32, STEPS * WORKGROUP * GROUPS),
        barriers in prop::array::uniform4(0..4_u32),
    ) {
        let steps: Vec<Step> = places.iter().map(|&place| Step { write: place % 3 == 0, tile: false, place }).collect();
        let table: Vec<u32> = steps.iter().map(|s| s.place << 2 | u32::from(s.write)).collect();
        let groups = u32::try_from(GROUPS).unwrap();
        let launch = launch(TABLE, groups, &[("table", &table), ("barriers", &barriers)], &[("data", 2000), ("out", 18)]);
        let outcome = prove(&launch, &config(8)).unwrap();
        prop_assert_eq!(found(&outcome), oracle(&accesses(&steps, &barriers)));
    }
}
