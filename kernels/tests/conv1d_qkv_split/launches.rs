//! What a launch consists of, and what is refused.

use gridproof_kernels::conv1d_qkv_split::{self as split, GRID_Y_LIMIT, Options, Refusal, Variant, parse_shape};
use gridproof_kernels::limits::{CUDA_GRID_LIMIT, WGSL_GRID_LIMIT};
use gridproof_launch::{Arithmetic, Contents, DType, Dispatch, Fill, Language, Launch, Source, Target, Value};
use gridproof_reference::conv1d_qkv_split::{ElementType, Inputs, Problem, Shape, Sizes};

fn launch(variant: Variant, text: &str, options: Options) -> Result<Launch, Refusal> {
    let request = parse_shape(text, variant).unwrap_or_else(|error| panic!("{text}: {error}"));
    let problem = request.problem(1).unwrap_or_else(|error| panic!("{text}: {error}"));
    split::launch(&problem, variant, options)
}

fn made(variant: Variant, text: &str) -> Launch {
    launch(variant, text, Options::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn cuda() -> Options {
    Options { language: Language::Cuda, ..Options::default() }
}

fn refused(variant: Variant, text: &str, options: Options) -> Result<(), String> {
    launch(variant, text, options).map(drop).map_err(|error| error.to_string())
}

#[test]
fn the_grid_has_a_workgroup_for_every_chunk_and_block() {
    for (variant, text, entries, grid) in [
        (Variant::Fused, "", &["fused"][..], [5, 2, 1]),
        (Variant::NoStateBarrier, "lens=0+1", &["fused"], [1, 2, 1]),
        (Variant::Auto, "q=256,k=256,v=2,lens=9+8", &["fused"], [3, 3, 1]),
        // Padded sequences have chunks too.
        (Variant::Sequential, "q=2,k=2,v=252,slot=-1", &["conv", "split"], [5, 1, 1]),
    ] {
        let launch = made(variant, text);
        assert_eq!(launch.validate(), Ok(()));
        assert_eq!(launch.dispatches.iter().map(|one| one.entry.as_str()).collect::<Vec<_>>(), entries, "{text}");
        assert!(launch.dispatches.iter().all(|one| one.grid == grid && one.workgroup.is_none()), "{text}");
    }
}

fn differing(ours: &Dispatch, theirs: &Dispatch) -> Vec<String> {
    assert_eq!(ours.constants.len(), theirs.constants.len());
    let other = |(name, value): &(&String, _)| theirs.constants.get(*name) != Some(*value);
    ours.constants.iter().filter(other).map(|(name, _)| name.clone()).collect()
}

#[test]
fn options_and_variants_are_constants_of_one_source() {
    let base = made(Variant::Fused, "");
    let check = |other: &Launch, constants: &[&str]| {
        assert_eq!(base.modules, other.modules);
        assert_eq!(differing(&base.dispatches[0], &other.dispatches[0]), constants);
    };
    check(&made(Variant::FusedBlockRouted, ""), &["BLOCK_ROUTED"]);
    check(&made(Variant::NoStateBarrier, ""), &["MISSING_STATE_BARRIER"]);
    check(&made(Variant::Auto, "q=256,k=256"), &["BLOCK_ROUTED"]);
    check(&made(Variant::Fused, "dtype=f16"), &["F16"]);
    let separate = Options { arithmetic: Arithmetic::SEPARATE, ..Options::default() };
    check(&launch(Variant::Fused, "", separate).expect("there is a launch"), &["GP_FUSED"]);
    // What differs in size is no constant: one pipeline serves all.
    for text in ["q=130", "k=130", "v=130", "width=3", "stride=520", "bias=0"] {
        let other = made(Variant::Fused, text);
        check(&other, &[]);
        let sizes = |launch: &Launch| launch.dispatches[0].arguments.last().map(|argument| argument.value.clone());
        assert_ne!(sizes(&other), sizes(&base), "{text}");
    }
    for dispatch in made(Variant::Sequential, "").dispatches {
        assert!(differing(&base.dispatches[0], &dispatch).is_empty());
    }
}

#[test]
fn sizes_are_constants_in_cuda() {
    let base = launch(Variant::Fused, "", cuda()).expect("there is a launch");
    for (text, constants) in [
        ("q=130,stride=514", &["Q_DIM", "STRIDE"][..]),
        ("k=130,stride=514", &["K_DIM", "STRIDE"]),
        ("v=258", &["STRIDE", "V_DIM"]),
        ("width=3", &["WIDTH"]),
        ("stride=520", &["STRIDE"]),
        ("bias=0", &["BIAS"]),
        ("dtype=f16", &["F16"]),
        ("lens=1,slots=90", &[]),
    ] {
        let other = launch(Variant::Fused, text, cuda()).expect("there is a launch");
        assert_eq!(differing(&base.dispatches[0], &other.dispatches[0]), constants);
    }
}

#[test]
fn the_cuda_launch_differs_only_in_how_it_is_told() {
    for variant in Variant::ALL {
        let text = "lens=0+3+12,slot=5+-1+2,dtype=f16";
        let (wgsl, cuda) = (made(variant, text), launch(variant, text, cuda()).expect("there is a launch"));
        assert_eq!((cuda.validate(), &cuda.buffers), (Ok(()), &wgsl.buffers));
        assert!(matches!(cuda.modules[0].source, Source::Cuda(_)));
        assert_eq!(wgsl.dispatches.len(), cuda.dispatches.len());
        for (wgsl, cuda) in wgsl.dispatches.iter().zip(&cuda.dispatches) {
            assert_eq!((&cuda.entry, cuda.grid, cuda.workgroup), (&wgsl.entry, wgsl.grid, Some([64, 1, 1])));
            let values = |dispatch: &Dispatch| -> Vec<Value> {
                dispatch.arguments.iter().map(|argument| argument.value.clone()).collect()
            };
            let (ours, theirs) = (values(wgsl), values(cuda));
            let (sizes, buffers) = ours.split_last().expect("there are arguments");
            assert_eq!(buffers, theirs);
            assert!(matches!(sizes, Value::Scalar(sizes) if sizes.len() == 24));
            let targets = cuda.arguments.iter().map(|argument| argument.target.clone());
            assert!(targets.eq((0..).take(theirs.len()).map(Target::Parameter)));
            assert!(wgsl.constants.iter().all(|(name, value)| cuda.constants.get(name) == Some(value)));
        }
    }
}

#[test]
fn cuda_parameters_have_the_names_of_their_buffers() {
    for variant in [Variant::Fused, Variant::Sequential] {
        let launch = launch(variant, "", cuda()).expect("there is a launch");
        let text = launch.modules[0].text().expect("CUDA is text");
        for dispatch in &launch.dispatches {
            let from = text.find(&format!("    {}(", dispatch.entry)).expect("the entry exists");
            let parameters = text[from..].split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("a list").0;
            let names = parameters.split(',').map(|one| one.rsplit([' ', '*']).next().unwrap_or_default());
            let name = |value: &Value| match value {
                Value::Buffer { buffer, .. } => launch.buffers[buffer.0].name.as_str(),
                Value::Scalar(_) => "a scalar",
            };
            let given = dispatch.arguments.iter().map(|argument| name(&argument.value));
            assert!(names.eq(given), "{parameters}");
        }
    }
}

fn facts(launch: &Launch) -> Vec<(&str, DType, Vec<u64>, bool)> {
    launch.buffers.iter().map(|b| (b.name.as_str(), b.dtype, b.shape.clone(), b.output)).collect()
}

#[test]
fn buffers_have_the_documented_types_and_only_outputs_are_marked() {
    let (bf16, i32) = (DType::Bf16, DType::I32);
    let launch = made(Variant::Sequential, "q=2,k=4,v=6,lens=9+0+3,width=3,stride=14,slots=5");
    assert_eq!(
        facts(&launch),
        [
            ("x", bf16, vec![12, 14], false),
            ("weight", bf16, vec![12, 3], false),
            ("bias", bf16, vec![12], false),
            ("conv_state", bf16, vec![5, 2, 12], true),
            ("query_start_loc", i32, vec![4], false),
            ("cache_indices", i32, vec![3], false),
            ("has_initial_state", i32, vec![3], false),
            ("chunk_sequence", i32, vec![3], false),
            ("chunk_token", i32, vec![3], false),
            ("q", bf16, vec![12, 2], true),
            ("k", bf16, vec![12, 4], true),
            ("v", bf16, vec![12, 6], true),
            ("staging", bf16, vec![12, 12], false),
        ]
    );
    let launch = made(Variant::Fused, "bias=0,dtype=f16");
    let facts = facts(&launch);
    assert_eq!(facts.len(), 12);
    assert_eq!(facts[2], ("bias", DType::F16, vec![2], false));
    let uninitialised = launch.buffers.iter().filter(|buffer| {
        matches!(&buffer.contents, Contents::Virtual { fill: Fill::Uninitialised, patches } if patches.is_empty())
    });
    assert!(uninitialised.map(|buffer| buffer.name.as_str()).eq(["q", "k", "v"]));
}

#[test]
fn long_states_are_patches_and_short_ones_bytes() {
    // 8 MiB slots of 8 bytes, and one more.
    let short = launch(Variant::Fused, "q=2,k=1,v=1,width=2,slots=8388608,lens=1,slot=3,stride=4", cuda());
    let Contents::Dense(bytes) = &short.expect("there is a launch").buffers[3].contents.clone() else {
        panic!("64 MiB are spelt out")
    };
    assert!(bytes[..24].iter().chain(&bytes[32..]).all(|byte| *byte == 0x3c));
    let long = launch(Variant::Fused, "q=2,k=1,v=1,width=2,slots=8388609,lens=1,slot=3,stride=4", cuda());
    let Contents::Virtual { fill, patches } = &long.expect("there is a launch").buffers[3].contents.clone() else {
        panic!("more is not")
    };
    assert_eq!(*fill, Fill::Byte(0x3c));
    assert!(patches.iter().map(|(offset, bytes)| (*offset, &bytes[..])).eq([(24, &bytes[24..32])]));
}

#[test]
fn no_tokens_are_nothing_to_launch() {
    for variant in Variant::ALL {
        for options in [Options::default(), cuda()] {
            let message = "there is nothing to launch: the 2 sequences have 0 tokens together".to_owned();
            assert_eq!(refused(variant, "lens=0+0,init=1", options), Err(message));
            assert_eq!(launch(variant, "lens=0", options), Err(Refusal::NothingToLaunch { sequences: 1 }));
        }
    }
}

#[test]
fn odd_sizes_are_refused_in_wgsl_only() {
    for (text, size, elements) in [
        ("q=127", "q", 127),
        ("k=1", "k", 1),
        ("v=255,k=127", "k", 127),
        ("q=1,k=1,v=1", "q", 1),
        ("q=2,k=2,v=1,stride=8", "v", 1),
        ("q=2,k=2,v=3,stride=7", "v", 3),
    ] {
        let message = format!(
            "{size} = {elements} is odd: the WGSL source reads and writes whole 32-bit words, two elements each"
        );
        for variant in Variant::ALL {
            assert_eq!(refused(variant, text, Options::default()), Err(message.clone()), "{text}");
            assert_eq!(refused(variant, text, cuda()), Ok(()), "{text}");
        }
    }
}

/// A problem of zeros: no data are made for it.
fn zeros(q: u32, width: u32, lengths: Vec<u32>, slots: u64) -> Problem {
    let (sequences, element) = (lengths.len(), ElementType::Bf16);
    let sizes = Sizes { q, k: 2, v: 2, width, lengths, slots, stride: None, element, bias: false };
    let shape = Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"));
    let inputs = Inputs {
        x: vec![0; shape.x_elements()],
        weight: vec![0; shape.weight_elements()],
        bias: Vec::new(),
        query_start_loc: shape.query_start_loc(),
        cache_indices: vec![-1; sequences],
        has_initial_state: vec![0; sequences],
        states: Default::default(),
    };
    Problem::unchecked(shape, inputs).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn grids_end_at_their_limits() {
    let made = |problem: &Problem, options| {
        split::launch(problem, Variant::Fused, options).map(|made| made.dispatches[0].grid)
    };
    let tokens = |count: u32| zeros(2, 2, vec![count], 1);
    assert_eq!(made(&tokens(524_280), Options::default()), Ok([65_535, 1, 1]));
    let refused = made(&tokens(524_281), Options::default()).map_err(|error| error.to_string());
    let message = "tokens = 524281, in chunks of 8 of one sequence: 65536 workgroups, but a WGSL grid has at most 65535 \
                   in x";
    assert_eq!(refused, Err(message.to_owned()));
    assert_eq!(made(&tokens(524_281), cuda()), Ok([65_536, 1, 1]));
    assert_eq!((WGSL_GRID_LIMIT, CUDA_GRID_LIMIT, GRID_Y_LIMIT), (65_535, 2_147_483_647, 65_535));
    let channels = |q: u32| zeros(q, 2, vec![1], 1);
    let widest = 65_535 * 256 - 4;
    assert_eq!(made(&channels(widest), Options::default()), Ok([1, 65_535, 1]));
    for (options, name) in [(Options::default(), "WGSL"), (cuda(), "CUDA C++")] {
        let refused = made(&channels(widest + 2), options).map_err(|error| error.to_string());
        let message =
            format!("q = {}, k = 2, v = 2: 65536 workgroups, but a {name} grid has at most 65535 in y", widest + 2);
        assert_eq!(refused, Err(message));
    }
}

#[test]
fn what_wgsl_cannot_address_is_refused_with_its_sizes() {
    // 1536 elements a slot.
    let longest = "slots=1398101,lens=1,slot=1398100";
    assert_eq!(refused(Variant::Fused, longest, Options::default()), Ok(()));
    let long = "slots=1398102,lens=1,slot=3";
    let message = "buffer `conv_state` of 1398102 * 3 * 512 bf16 elements takes 4294969344 bytes, more than the \
                   4294967295 that WGSL addresses";
    assert_eq!(refused(Variant::Fused, long, Options::default()), Err(message.to_owned()));
    assert_eq!(refused(Variant::Fused, long, cuda()), Ok(()));
}

#[test]
fn slots_that_nobody_checked_do_not_wrap_offsets_in_wgsl() {
    assert_eq!(refused(Variant::Fused, "check=0,lens=1+1,slot=1+1398100", Options::default()), Ok(()));
    let far = "check=0,lens=1+1,slot=1+1398101";
    let message = "cache_indices[1] = 1398101: the state of that slot ends at byte 4294969344, beyond the 4294967295 \
                   that WGSL addresses";
    assert_eq!(refused(Variant::Fused, far, Options::default()), Err(message.to_owned()));
    assert_eq!(refused(Variant::Fused, far, cuda()), Ok(()));
    // Nobody goes to the slot of a sequence without tokens.
    assert_eq!(refused(Variant::Fused, "check=0,lens=1+0,slot=1+2147483647", Options::default()), Ok(()));
}

#[test]
fn launches_of_one_problem_are_the_same() {
    assert_eq!(made(Variant::Sequential, ""), made(Variant::Sequential, ""));
}
