//! What a launch consists of, and what is refused.

use std::collections::BTreeSet;

use gridproof_kernels::gdn_decode::{
    self as decode, CUDA_GRID_LIMIT, Options, Reduction, Refusal, Variant, WGSL_GRID_LIMIT, parse_shape,
};
use gridproof_kernels::limits::Limit;
use gridproof_launch::{Arithmetic, Buffer, Contents, DType, Fill, Language, Launch, Source, Target, Value};

fn launch(variant: Variant, text: &str, options: Options) -> Result<Launch, Refusal> {
    let request = parse_shape(text, variant).unwrap_or_else(|error| panic!("{text}: {error}"));
    let problem = request.problem(1).unwrap_or_else(|error| panic!("{text}: {error}"));
    decode::launch(&problem, variant, Options { tile_v: request.tile_v, ..options })
}

fn made(variant: Variant, text: &str) -> Launch {
    launch(variant, text, Options::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn cuda() -> Options {
    Options { language: Language::Cuda, ..Options::default() }
}

#[test]
fn the_grid_has_a_workgroup_for_every_request_head_and_tile() {
    for (variant, text, entry, grid) in [
        (Variant::WideVec, "b=3,h=1,hv=2,tile=32", "wide_vec", 24),
        (Variant::WideVec, "b=3,h=1,hv=2,tile=128", "wide_vec", 6),
        (Variant::Ilp4, "b=3,h=1,hv=2", "ilp4", 48),
        (Variant::Pretranspose, "b=3,h=1,hv=2", "pretranspose", 48),
        (Variant::Auto, "b=3,h=1,hv=2,state=f32", "pretranspose", 48),
        (Variant::SoftplusBranchless, "b=3,h=1,hv=2", "wide_vec", 24),
    ] {
        let launch = made(variant, text);
        assert_eq!(launch.validate(), Ok(()));
        assert_eq!(launch.dispatches.len(), 1);
        assert_eq!((launch.dispatches[0].entry.as_str(), launch.dispatches[0].grid), (entry, [grid, 1, 1]));
    }
}

#[test]
fn options_and_variants_are_constants_of_one_source() {
    let base = made(Variant::WideVec, "cache=1");
    let differing = |other: &Launch| -> Vec<String> {
        assert_eq!(base.modules, other.modules);
        let (ours, theirs) = (&base.dispatches[0].constants, &other.dispatches[0].constants);
        assert_eq!(ours.len(), theirs.len());
        ours.iter().filter(|(name, value)| theirs.get(*name) != Some(value)).map(|(name, _)| name.clone()).collect()
    };
    for variant in Variant::ALL.into_iter().filter(|variant| variant.switch().is_some()) {
        let text = "cache=1,gates=normal,t=1,h=2";
        assert_eq!(differing(&made(variant, text)), [variant.switch().unwrap_or_default()]);
    }
    let with = |options| launch(Variant::WideVec, "cache=1", options).expect("there is a launch");
    let separate = Options { arithmetic: Arithmetic::SEPARATE, ..Options::default() };
    assert_eq!(differing(&with(separate)), ["GP_FUSED"]);
    let workgroup = Options { reduction: Reduction::Workgroup, ..Options::default() };
    assert_eq!(differing(&with(workgroup)), ["WORKGROUP_TREE"]);
    // What differs in size is no constant: one pipeline serves all.
    for text in
        ["cache=0", "cache=1,update=0", "cache=1,stride=73728", "cache=1,steps=5", "cache=1,tile=64", "cache=1,h=1"]
    {
        let other = made(Variant::WideVec, text);
        assert!(differing(&other).is_empty());
        let sizes = |launch: &Launch| launch.dispatches[0].arguments.last().map(|argument| argument.value.clone());
        assert_ne!(sizes(&other), sizes(&base), "{text}");
    }
}

#[test]
fn sizes_are_constants_in_cuda() {
    let base = launch(Variant::WideVec, "cache=1", cuda()).expect("there is a launch");
    for (text, constant) in [
        ("cache=0", "CACHE"),
        ("cache=1,update=0", "UPDATE"),
        ("cache=1,stride=73728", "SLOT_STRIDE"),
        ("cache=1,steps=5", "STEPS"),
        ("cache=1,tile=64", "TILE_V"),
        ("cache=1,h=1", "H"),
    ] {
        let other = launch(Variant::WideVec, text, cuda()).expect("there is a launch");
        let (ours, theirs) = (&base.dispatches[0].constants, &other.dispatches[0].constants);
        let differing: Vec<&str> = ours
            .iter()
            .filter(|(name, value)| theirs.get(*name) != Some(value))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(differing, [constant]);
    }
}

#[test]
fn the_cuda_launch_differs_only_in_how_it_is_told() {
    for variant in Variant::ALL {
        let text = "t=3,cache=1,slot=5+2";
        let (wgsl, cuda) = (made(variant, text), launch(variant, text, cuda()).expect("there is a launch"));
        assert_eq!((cuda.validate(), &cuda.buffers), (Ok(()), &wgsl.buffers));
        assert!(matches!(cuda.modules[0].source, Source::Cuda(_)));
        let (wgsl, cuda) = (&wgsl.dispatches[0], &cuda.dispatches[0]);
        assert_eq!((&cuda.entry, cuda.grid, cuda.workgroup), (&wgsl.entry, wgsl.grid, Some([128, 1, 1])));
        let values = |dispatch: &gridproof_launch::Dispatch| -> Vec<Value> {
            dispatch.arguments.iter().map(|argument| argument.value.clone()).collect()
        };
        let (ours, theirs) = (values(wgsl), values(cuda));
        assert_eq!(ours[..12], theirs);
        assert!(matches!(&ours[12..], [Value::Scalar(sizes)] if sizes.len() == 32));
        let targets = cuda.arguments.iter().map(|argument| argument.target.clone());
        assert!(targets.eq((0..12).map(Target::Parameter)));
        let shared = wgsl.constants.iter().filter(|(name, _)| *name != "WORKGROUP_TREE");
        assert!(shared.into_iter().all(|(name, value)| cuda.constants.get(name) == Some(value)));
    }
}

#[test]
fn cuda_parameters_have_the_names_of_their_buffers() {
    for variant in [Variant::WideVec, Variant::Ilp4, Variant::Pretranspose] {
        let launch = launch(variant, "", cuda()).expect("there is a launch");
        let text = launch.modules[0].text().expect("CUDA is text");
        let from = text.find(&format!("    {}(", variant.name())).expect("the entry exists");
        let parameters = text[from..].split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("a list").0;
        let names = parameters.split(',').map(|one| one.rsplit([' ', '*']).next().unwrap_or_default());
        let buffers = launch.buffers.iter().map(|buffer| buffer.name.as_str());
        assert!(names.eq(buffers), "{parameters}");
    }
}

fn facts(launch: &Launch) -> Vec<(&str, DType, Vec<u64>, bool)> {
    launch.buffers.iter().map(|b| (b.name.as_str(), b.dtype, b.shape.clone(), b.output)).collect()
}

#[test]
fn buffers_have_the_documented_types_and_only_outputs_are_marked() {
    let bf16 = DType::Bf16;
    let launch = made(Variant::WideVec, "b=3,t=2,h=2,hv=4,cache=1,steps=5");
    assert_eq!(
        facts(&launch),
        [
            ("q", bf16, vec![3, 2, 2, 128], false),
            ("k", bf16, vec![3, 2, 2, 128], false),
            ("v", bf16, vec![3, 2, 4, 128], false),
            ("a", bf16, vec![3, 2, 4], false),
            ("b", bf16, vec![3, 2, 4], false),
            ("a_log", DType::F32, vec![4], false),
            ("dt_bias", DType::F32, vec![4], false),
            ("read_indices", DType::I32, vec![3], false),
            ("write_indices", DType::I32, vec![3], false),
            ("state_pool", bf16, vec![8, 4, 128, 128], true),
            ("output", bf16, vec![3, 2, 4, 128], true),
            ("intermediate_states", bf16, vec![3, 5, 4, 128, 128], true),
        ]
    );
    let launch = made(Variant::Pretranspose, "b=1,h=1,hv=1,stride=20480,update=0");
    let facts = facts(&launch);
    // An odd number of gates is filled up to whole words.
    assert_eq!(facts[3..5], [("a", bf16, vec![2], false), ("b", bf16, vec![2], false)]);
    assert_eq!(facts[9], ("state_pool", DType::F32, vec![8, 20_480], true));
    assert_eq!(facts[11], ("intermediate_states", DType::F32, vec![4], false));
    assert_eq!(launch.buffers[11].length, 16);
}

fn pool(launch: &Launch) -> &Buffer {
    launch.buffers.iter().find(|buffer| buffer.name == "state_pool").expect("there is a pool")
}

#[test]
fn long_pools_are_patches_and_short_ones_bytes() {
    // 64 MiB: 512 slots of 128 KiB.
    let short = made(Variant::WideVec, "pool=512,slot=3+510");
    let Contents::Dense(bytes) = &pool(&short).contents else { panic!("64 MiB are spelt out") };
    assert_eq!(bytes.len(), 64 << 20);
    let slot = 128 << 10;
    assert!(bytes[..3 * slot].iter().chain(&bytes[4 * slot..510 * slot]).all(|byte| *byte == 0x3c));
    let long = made(Variant::WideVec, "pool=513,slot=3+510");
    let Contents::Virtual { fill, patches } = &pool(&long).contents else { panic!("more is not") };
    assert_eq!(*fill, Fill::Byte(0x3c));
    let slots: Vec<(u64, usize)> = patches.iter().map(|(offset, bytes)| (*offset, bytes.len())).collect();
    assert_eq!(slots, [(3 * slot as u64, slot), (510 * slot as u64, slot)]);
    assert_eq!(patches.values().next().map(|bytes| &bytes[..]), Some(&bytes[3 * slot..4 * slot]));
    let uninitialised = |name: &str| {
        let buffer = long.buffers.iter().find(|buffer| buffer.name == name).expect("there is such a buffer");
        matches!(&buffer.contents, Contents::Virtual { fill: Fill::Uninitialised, patches } if patches.is_empty())
    };
    assert!(uninitialised("output") && uninitialised("intermediate_states"));
}

#[test]
fn slot_0_may_race_only_where_a_request_has_no_slot() {
    for (variant, text, declared) in [
        (Variant::WideVec, "slot=-1", true),
        (Variant::WideVec, "slot=3+4,write=5+-1,stride=73728", true),
        (Variant::WideVec, "slot=3+4", false),
        (Variant::Pretranspose, "slot=-1", false),
    ] {
        let launch = made(variant, text);
        let ranges: Vec<_> = pool(&launch).may_race.iter().map(|race| (race.range.start, race.range.end)).collect();
        assert_eq!(ranges, if declared { vec![(0, 4 * 128 * 128 * 2)] } else { vec![] }, "{text}");
        assert!(launch.buffers.iter().all(|buffer| buffer.name == "state_pool" || buffer.may_race.is_empty()));
    }
}

#[test]
fn the_grid_limit_is_a_refusal() {
    let at = |b: u32, options: Options| {
        let text = format!("b={b},h=1,hv=1,tile=128,slot=-1,update=0,pool=1");
        launch(Variant::WideVec, &text, options)
    };
    assert!(at(65_535, Options::default()).is_ok_and(|launch| launch.validate().is_ok()));
    let refused = at(65_536, Options::default()).map(drop);
    let message = "b = 65536, hv = 1, tile = 128: 65536 workgroups, but a WGSL grid has at most 65535 in x";
    assert_eq!(refused.map_err(|error| error.to_string()), Err(message.to_owned()));
    assert!(at(65_536, cuda()).is_ok());
    assert_eq!((WGSL_GRID_LIMIT, CUDA_GRID_LIMIT), (65_535, 2_147_483_647));
}

#[test]
fn what_wgsl_cannot_address_is_refused_with_its_sizes() {
    let longest = "b=1,h=1,hv=1,state=f32,pool=65535,slot=65534";
    assert!(launch(Variant::Auto, longest, Options::default()).is_ok());
    let pool = "b=1,h=1,hv=1,state=f32,pool=65536,slot=65535";
    let message = "buffer `state_pool` of 65536 * 1 * 128 * 128 f32 elements takes 4294967296 bytes, more than the \
                   4294967295 that WGSL addresses";
    let refused = launch(Variant::Auto, pool, Options::default()).map(drop).map_err(|error| error.to_string());
    assert_eq!(refused, Err(message.to_owned()));
    assert!(launch(Variant::Auto, pool, cuda()).is_ok());
    let padded = "b=1,h=1,hv=32,state=f32,pool=8192,stride=540672,slot=8191";
    let refused = launch(Variant::Auto, padded, Options::default()).map(drop).map_err(|error| error.to_string());
    assert!(refused.is_err_and(|error| error.contains("8192 * 540672 f32 elements takes 17716740096 bytes")));
    let cached = "b=2,h=1,hv=64,steps=1024,cache=1";
    let refused = launch(Variant::Auto, cached, Options::default()).map(drop).map_err(|error| error.to_string());
    assert!(refused.is_err_and(|error| error.starts_with("buffer `intermediate_states` of 2 * 1024 * 64")));
}

#[test]
fn what_the_cuda_source_does_not_have_is_refused() {
    let tree = Options { reduction: Reduction::Workgroup, ..cuda() };
    assert_eq!(launch(Variant::Auto, "", tree), Err(Refusal::Limit(Limit::CudaReduction)));
    let stride = "pool=3,b=1,stride=2147483648";
    assert_eq!(launch(Variant::Offset32, stride, cuda()), Err(Refusal::Stride { stride: 1 << 31 }));
    assert!(launch(Variant::Auto, stride, cuda()).is_ok());
    let steps = |steps: u32| format!("b=2,h=1,hv=2,pool=3,cache=1,t=5,slot=1+2,steps={steps}");
    let refused = Err(Refusal::IntermediateStride { stride: 1 << 32 });
    assert_eq!(launch(Variant::IntermediateOffset32, &steps(131_072), cuda()), refused);
    assert!(launch(Variant::IntermediateOffset32, &steps(131_071), cuda()).is_ok());
    assert!(launch(Variant::Auto, &steps(131_072), cuda()).is_ok());
}

#[test]
fn launches_of_one_problem_are_the_same() {
    let entries: BTreeSet<String> = (0..3).map(|_| format!("{:?}", made(Variant::WideVec, "t=2").dispatches)).collect();
    assert_eq!(entries.len(), 1);
}
