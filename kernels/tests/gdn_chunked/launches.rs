//! What a launch consists of, and what is refused.

use gridproof_kernels::gdn_chunked::{
    self as chunked, CUDA_GRID_LIMIT, GRID_Y_LIMIT, Options, Refusal, Variant, WGSL_GRID_LIMIT, parse_shape, steps,
};
use gridproof_launch::{
    Arithmetic, Constant, Contents, DType, Dispatch, Fill, Language, Launch, Source, Target, Value,
};
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn launch(variant: Variant, text: &str, options: Options) -> Result<Launch, Refusal> {
    let request = parse_shape(text, variant).unwrap_or_else(|error| panic!("{text}: {error}"));
    chunked::launch(&request.problem(1), variant, options)
}

fn made(variant: Variant, text: &str, language: Language) -> Launch {
    let options = Options { language, ..Options::default() };
    launch(variant, text, options).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const LANGUAGES: [Language; 2] = [Language::Wgsl, Language::Cuda];

#[test]
fn a_launch_has_the_dispatcher_s_steps() {
    for language in LANGUAGES {
        for variant in Variant::ALL {
            let text = "t=33+2,h=1,hv=2,c=16";
            let launch = made(variant, text, language);
            assert_eq!(launch.validate(), Ok(()));
            let request = parse_shape(text, variant).expect("valid");
            let steps = steps(&request.shape, variant.path());
            assert_eq!(launch.dispatches.len(), steps.len());
            for (dispatch, step) in launch.dispatches.iter().zip(steps) {
                assert_eq!((&*dispatch.entry, dispatch.grid.map(u64::from)), (step.entry, step.grid));
                let used = buffers_of(&launch, dispatch);
                assert_eq!(used, step.buffers, "{}", step.entry);
            }
        }
    }
}

/// The names of the buffers that a dispatch is given.
fn buffers_of<'a>(launch: &'a Launch, dispatch: &Dispatch) -> Vec<&'a str> {
    let buffer = |value: &Value| match value {
        Value::Buffer { buffer, .. } => Some(launch.buffers[buffer.0].name.as_str()),
        Value::Scalar(_) => None,
    };
    dispatch.arguments.iter().filter_map(|argument| buffer(&argument.value)).collect()
}

fn words(numbers: &[u32]) -> Value {
    Value::Scalar(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

#[test]
fn sizes_and_the_chunk_are_a_uniform_block_in_wgsl() {
    let launch = made(Variant::Chunked, "t=33,h=2,hv=6,c=16,d=256", Language::Wgsl);
    let mut indices = Vec::new();
    for dispatch in &launch.dispatches {
        let argument = dispatch.arguments.last().expect("there are arguments");
        assert_eq!(argument.target, Target::Name("sizes".to_owned()));
        let found = (0..3).find(|index| argument.value == words(&[2, 6, 256, 16, *index]));
        indices.push((dispatch.entry.as_str(), found.expect("the sizes")));
        assert!(dispatch.constants.values().all(|value| matches!(value, Constant::Bool(_))));
    }
    let of = |entry| indices.iter().filter(move |(name, _)| *name == entry).map(|(_, index)| *index);
    assert!(of("residual_output").eq(0..3) && of("state_update").eq(0..3));
    assert!(["materialize", "conv_state_update", "solve", "norm_silu"].map(of).into_iter().all(|all| all.eq([0])));
}

#[test]
fn sizes_are_constants_in_cuda_and_the_chunk_is_the_last_parameter() {
    let launch = made(Variant::Chunked, "t=33,h=2,hv=6,c=16,d=256", Language::Cuda);
    for dispatch in &launch.dispatches {
        for (name, value) in [("H", 2), ("HV", 6), ("HIDDEN", 256), ("CHUNK", 16)] {
            assert_eq!(dispatch.constants.get(name), Some(&Constant::Int(value)));
        }
        assert_eq!(dispatch.workgroup, Some([128, 1, 1]));
        let targets = dispatch.arguments.iter().map(|argument| argument.target.clone());
        assert!(targets.eq((0..).map(Target::Parameter).take(dispatch.arguments.len())));
    }
    let with_index = launch.dispatches.iter().filter_map(|dispatch| match &dispatch.arguments.last()?.value {
        value @ Value::Scalar(_) => Some((dispatch.entry.as_str(), value.clone())),
        Value::Buffer { .. } => None,
    });
    let wanted = (0..3).flat_map(|index| ["residual_output", "state_update"].map(|entry| (entry, words(&[index]))));
    assert!(with_index.eq(wanted));
}

#[test]
fn options_and_variants_are_constants_of_one_source() {
    let differing = |one: &Launch, other: &Launch| -> Vec<String> {
        assert_eq!(one.modules, other.modules);
        let (one, other) = (&one.dispatches[0].constants, &other.dispatches[0].constants);
        assert!(one.keys().eq(other.keys()));
        one.iter().filter(|(name, value)| other.get(*name) != Some(*value)).map(|(name, _)| name.clone()).collect()
    };
    for language in LANGUAGES {
        let base = made(Variant::Chunked, "", language);
        for (variant, constants) in Variant::ALL.into_iter().zip([
            &[][..],
            &[],
            &["MISSING_BARRIER_MATERIALIZE_Q"],
            &["MISSING_BARRIER_MATERIALIZE_K"],
            &["MISSING_BARRIER_SOLVE_KK"],
            &["MISSING_BARRIER_SOLVE_DIAG"],
        ]) {
            let other = made(variant, "t=33", language);
            assert_eq!(differing(&base, &other), constants, "{}", variant.name());
            assert!(other.dispatches.iter().all(|dispatch| dispatch.constants == other.dispatches[0].constants));
        }
        let separate = Options { arithmetic: Arithmetic::SEPARATE, language };
        assert_eq!(differing(&base, &launch(Variant::Chunked, "", separate).expect("valid")), ["GP_FUSED"]);
    }
}

#[test]
fn the_languages_differ_only_in_how_they_are_told() {
    for variant in Variant::ALL {
        let [wgsl, cuda] = LANGUAGES.map(|language| made(variant, "t=33,c=16", language));
        assert!(matches!((&wgsl.modules[0].source, &cuda.modules[0].source), (Source::Wgsl(_), Source::Cuda(_))));
        assert_eq!(wgsl.buffers, cuda.buffers);
        let facts = |launch: &Launch| -> Vec<(String, [u32; 3])> {
            launch.dispatches.iter().map(|dispatch| (dispatch.entry.clone(), dispatch.grid)).collect()
        };
        assert_eq!(facts(&wgsl), facts(&cuda));
    }
}

#[test]
fn cuda_parameters_have_the_names_of_their_buffers() {
    for variant in [Variant::Chunked, Variant::Serial] {
        let launch = made(variant, "t=1", Language::Cuda);
        let text = launch.modules[0].text().expect("CUDA is text");
        for dispatch in &launch.dispatches {
            let from = text.find(&format!("    {}(const", dispatch.entry)).expect("the entry exists");
            let parameters = text[from..].split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("a list").0;
            let names = parameters.split(',').map(|one| one.rsplit([' ', '*']).next().unwrap_or_default());
            let mut wanted = buffers_of(&launch, dispatch);
            if dispatch.arguments.len() > wanted.len() {
                wanted.push("index");
            }
            assert!(names.eq(wanted), "{}: {parameters}", dispatch.entry);
        }
    }
}

/// An entry point binds what it is given, no more, and little workgroup memory.
#[test]
fn wgsl_entry_points_use_what_they_are_given() {
    let launches = [Variant::Chunked, Variant::Serial].map(|variant| made(variant, "t=1", Language::Wgsl));
    let text = launches[0].modules[0].text().expect("WGSL is text");
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|error| panic!("{}", error.emit_to_string(text)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP);
    validator.subgroup_stages(naga::valid::ShaderStages::COMPUTE);
    validator.subgroup_operations(naga::valid::SubgroupOperationSet::all());
    let info = validator.validate(&module).unwrap_or_else(|error| panic!("{}", error.emit_to_string(text)));
    let mut entries = 0;
    for (position, point) in module.entry_points.iter().enumerate() {
        let usage = info.get_entry_point(position);
        let used = || module.global_variables.iter().filter(|(handle, _)| !usage[*handle].is_empty());
        let bound = used().filter(|(_, variable)| variable.binding.is_some());
        let bound: Vec<&str> = bound.filter_map(|(_, variable)| variable.name.as_deref()).collect();
        for launch in &launches {
            for dispatch in launch.dispatches.iter().filter(|dispatch| dispatch.entry == point.name) {
                entries += 1;
                let mut given = buffers_of(launch, dispatch);
                given.push("sizes");
                assert_eq!(bound, given, "{}", point.name);
            }
        }
        let shared = used().filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx())).sum();
        assert!(bytes < 16 << 10, "{}: {bytes} bytes of workgroup memory", point.name);
    }
    assert_eq!((module.entry_points.len(), entries), (7, 10), "every entry point is launched");
}

#[test]
fn buffers_have_the_documented_types_and_only_outputs_are_marked() {
    let launch = made(Variant::Chunked, "t=33+5,h=2,hv=6,c=16,d=256", Language::Wgsl);
    let (dim, vectors, gates) = (1280, vec![38, 6, 128], vec![38, 6]);
    let wanted: [(&str, Vec<u64>, bool); 26] = [
        ("hidden", vec![38, 256], false),
        ("qkv", vec![38, dim], false),
        ("z", vectors.clone(), false),
        ("conv_weight", vec![dim, 4], false),
        ("w_beta", vec![6, 256], false),
        ("w_alpha", vec![6, 256], false),
        ("a_log", vec![6], false),
        ("dt_bias", vec![6], false),
        ("norm_weight", vec![128], false),
        ("sequence_start", vec![3], false),
        ("chunk_sequence", vec![4], false),
        ("chunk_index", vec![4], false),
        ("conv_state", vec![2, 3, dim], true),
        ("state", vec![2, 6, 128, 128], true),
        ("q_hat", vectors.clone(), false),
        ("k_hat", vectors.clone(), false),
        ("v_act", vectors.clone(), false),
        ("beta", gates.clone(), false),
        ("log_alpha", gates.clone(), false),
        ("gamma", gates, false),
        ("w", vectors.clone(), false),
        ("u", vectors.clone(), false),
        ("attention", vec![38, 6, 16], false),
        ("residual", vectors.clone(), false),
        ("core", vectors.clone(), false),
        ("output", vectors, true),
    ];
    let serial = made(Variant::Serial, "t=33+5,h=2,hv=6,c=16,d=256", Language::Wgsl);
    let left_out = ["gamma", "w", "u", "attention", "residual"];
    for (launch, left_out) in [(&launch, &[][..]), (&serial, &left_out[..])] {
        let wanted: Vec<_> = wanted.iter().filter(|(name, ..)| !left_out.contains(name)).cloned().collect();
        let found = launch.buffers.iter().map(|buffer| (buffer.name.as_str(), buffer.shape.clone(), buffer.output));
        assert!(found.eq(wanted));
        for (position, buffer) in launch.buffers.iter().enumerate() {
            let dtype = if (9..12).contains(&position) { DType::I32 } else { DType::F32 };
            assert_eq!(buffer.dtype, dtype, "{}", buffer.name);
            let fresh = matches!(&buffer.contents, Contents::Virtual { fill: Fill::Uninitialised, .. });
            assert_eq!(fresh, position >= 14, "{}", buffer.name);
        }
    }
    let numbers = |name: &str| {
        let contents = launch.buffers.iter().find(|buffer| buffer.name == name).map(|buffer| &buffer.contents);
        let Some(Contents::Dense(bytes)) = contents else { panic!("{name} is an input") };
        bytes.as_chunks().0.iter().map(|number| i32::from_le_bytes(*number)).collect::<Vec<_>>()
    };
    assert_eq!(numbers("sequence_start"), [0, 33, 38]);
    assert_eq!([numbers("chunk_sequence"), numbers("chunk_index")], [[0, 0, 0, 1], [0, 1, 2, 0]]);
}

#[test]
fn more_tokens_than_a_wgsl_grid_has_are_refused() {
    let refused = launch(Variant::Serial, "t=65536,hv=1", Options::default()).map(drop).map_err(|e| e.to_string());
    let message = "`norm_silu` of 65536 tokens in 1 sequences, h = 1, hv = 1: 65536 workgroups, but a WGSL grid has at \
                   most 65535 in x";
    assert_eq!(refused, Err(message.to_owned()));
    assert_eq!((WGSL_GRID_LIMIT, CUDA_GRID_LIMIT, GRID_Y_LIMIT), (65_535, 2_147_483_647, 65_535));
}
