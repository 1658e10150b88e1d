//! The dispatcher: which kernels run at which sizes, what they are given, and what is refused.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::{ExpectedFinding, SafeUnder, Verdict};
use gridproof_kernels::limits::Limit;
use gridproof_kernels::resadd_norm_gemv_int4::{
    self as resadd, BAD_CASES, CASES, GRID_LIMIT, KERNEL, Options, Reduction, Refusal, Variant, cases, expectation,
    parse_shape,
};
use gridproof_launch::{Arithmetic, Constant, Contents, DType, Fill, Language, Launch, Source, Target, Value};
use gridproof_reference::resadd_norm_gemv_int4::{Inputs, Problem, Shape, model};

fn shape(n: u32, k: u32) -> Shape {
    Shape::new(n, k).unwrap_or_else(|error| panic!("{error}"))
}

/// A problem whose every bit is 0: enough to look at its launch.
fn zeros(n: u32, k: u32) -> Problem {
    let shape = shape(n, k);
    let elements = shape.elements();
    let inputs = Inputs {
        hidden: vec![0; elements],
        residual: vec![0; elements],
        norm_weight: vec![0; elements],
        weight: vec![0; shape.rows() * shape.weight_row()],
        scale: vec![0; shape.rows() * shape.scale_row()],
    };
    Problem::new(shape, inputs).unwrap_or_else(|error| panic!("{error}"))
}

fn launch(n: u32, k: u32, variant: Variant, options: Options) -> Launch {
    resadd::launch(&zeros(n, k), variant, options).unwrap_or_else(|error| panic!("{error}"))
}

/// Entry points, grid widths and groups of the dispatches.
fn dispatches(n: u32, k: u32, variant: Variant) -> Vec<(String, u32, i64)> {
    let launch = launch(n, k, variant, Options::default());
    let describe = |dispatch: &gridproof_launch::Dispatch| {
        assert_eq!(dispatch.grid[1..], [1, 1]);
        let Some(&Constant::Int(groups)) = dispatch.constants.get("GROUPS") else { panic!("GROUPS is an integer") };
        (dispatch.entry.clone(), dispatch.grid[0], groups)
    };
    launch.dispatches.iter().map(describe).collect()
}

#[test]
fn each_variant_runs_its_kernels() {
    let fused = |n, groups| vec![("fused".to_owned(), n, groups)];
    let split = |n| vec![("prepass".to_owned(), 1, 1), ("gemv".to_owned(), n, 1)];
    for (n, k, groups) in [(1, 2048, 8), (128, 2048, 8), (129, 2048, 4), (512, 4608, 4), (512, 512, 2), (513, 2048, 1)]
    {
        assert_eq!(dispatches(n, k, Variant::Fused), fused(n, groups));
        assert_eq!(dispatches(n, k, Variant::FusedNoBarrier), fused(n, groups));
        assert_eq!(dispatches(n, k, Variant::Split), split(n));
        assert_eq!(dispatches(n, k, Variant::Split512), if n > 512 { split(n) } else { fused(n, groups) });
    }
}

#[test]
fn options_and_variants_are_constants_of_one_source() {
    let with = |variant, options| launch(129, 2048, variant, options);
    let base = with(Variant::Fused, Options::default());
    let differing = |other: &Launch| -> Vec<String> {
        assert_eq!(base.modules, other.modules);
        let (ours, theirs) = (&base.dispatches[0].constants, &other.dispatches[0].constants);
        ours.iter().filter(|(name, value)| theirs.get(*name) != Some(value)).map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(differing(&with(Variant::FusedNoBarrier, Options::default())), ["MISSING_BARRIER"]);
    let separate = Options { arithmetic: Arithmetic::SEPARATE, ..Options::default() };
    assert_eq!(differing(&with(Variant::Fused, separate)), ["GP_FUSED"]);
    let workgroup = Options { reduction: Reduction::Workgroup, ..Options::default() };
    assert_eq!(differing(&with(Variant::Fused, workgroup)), ["WORKGROUP_TREE"]);
}

const CUDA: Options =
    Options { arithmetic: Arithmetic::FUSED, reduction: Reduction::Subgroup, language: Language::Cuda };

#[test]
fn the_cuda_launch_differs_only_in_how_it_is_told() {
    for (variant, n) in [(Variant::Fused, 129), (Variant::Split, 3), (Variant::FusedNoBarrier, 1)] {
        let (wgsl, cuda) = (launch(n, 2048, variant, Options::default()), launch(n, 2048, variant, CUDA));
        assert_eq!((cuda.validate(), &cuda.buffers), (Ok(()), &wgsl.buffers));
        assert!(matches!(cuda.modules[0].source, Source::Cuda(_)));
        for (wgsl, cuda) in wgsl.dispatches.iter().zip(&cuda.dispatches) {
            assert_eq!((&cuda.entry, cuda.grid), (&wgsl.entry, wgsl.grid));
            let Some(&Constant::Int(groups)) = cuda.constants.get("GROUPS") else { panic!("GROUPS is an integer") };
            let invocations = if cuda.entry == "prepass" { 256 } else { 32 * groups };
            assert_eq!(cuda.workgroup.map(|size| size.map(i64::from)), Some([invocations, 1, 1]));
            let values = |dispatch: &gridproof_launch::Dispatch| -> Vec<Value> {
                dispatch.arguments.iter().map(|argument| argument.value.clone()).collect()
            };
            assert_eq!(values(cuda), values(wgsl));
            let targets = cuda.arguments.iter().map(|argument| argument.target.clone());
            assert!(targets.eq((0..).map(Target::Parameter).take(cuda.arguments.len())));
            let mut constants = wgsl.constants.clone();
            constants.remove("WORKGROUP_TREE");
            assert_eq!(cuda.constants, constants);
        }
    }
}

#[test]
fn cuda_parameters_have_the_names_of_their_buffers() {
    let launch = launch(3, 512, Variant::Split, CUDA);
    let fused = self::launch(3, 512, Variant::Fused, CUDA);
    for dispatch in launch.dispatches.iter().chain(&fused.dispatches) {
        let text = launch.modules[0].text().expect("CUDA is text");
        let from = text.find(&format!("    {}(", dispatch.entry)).expect("the entry exists");
        let parameters = text[from..].split_once(')').expect("the list ends").0;
        let names = parameters.split(',').map(|one| one.rsplit([' ', '*', '_']).next().unwrap_or_default());
        let names: Vec<&str> = names.collect();
        let bound = dispatch.arguments.iter().map(|argument| match argument.value {
            Value::Buffer { buffer, .. } => launch.buffers[buffer.0].name.as_str(),
            Value::Scalar(_) => panic!("all arguments are buffers"),
        });
        assert!(bound.zip(&names).all(|(buffer, name)| buffer.ends_with(name)), "{}: {names:?}", dispatch.entry);
        assert_eq!(dispatch.arguments.len(), names.len());
    }
}

#[test]
fn the_cuda_source_has_no_reduction_through_workgroup_memory() {
    let refused = resadd::launch(&zeros(3, 512), Variant::Split, Options { reduction: Reduction::Workgroup, ..CUDA });
    assert_eq!(refused, Err(Refusal::Limit(Limit::CudaReduction)));
}

#[test]
fn buffers_have_the_documented_types_and_only_outputs_are_marked() {
    let launch = launch(3, 1024, Variant::Split, Options::default());
    let facts = launch.buffers.iter().map(|b| (b.name.as_str(), b.dtype, b.shape.clone(), b.length, b.output));
    assert_eq!(
        facts.collect::<Vec<_>>(),
        [
            ("hidden", DType::F16, vec![1024], 2048, false),
            ("residual", DType::F16, vec![1024], 2048, true),
            ("norm_weight", DType::F16, vec![1024], 2048, false),
            ("weight", DType::U4, vec![3, 1024], 1536, false),
            ("scale", DType::F16, vec![3, 8], 48, false),
            ("output", DType::U32, vec![3], 12, true),
            ("normed_out", DType::F16, vec![1024], 2048, true),
        ]
    );
    let uninitialised = launch.buffers.iter().filter(|buffer| {
        matches!(&buffer.contents, Contents::Virtual { fill: Fill::Uninitialised, patches } if patches.is_empty())
    });
    assert_eq!(uninitialised.map(|buffer| buffer.name.as_str()).collect::<Vec<_>>(), ["output", "normed_out"]);
}

#[test]
fn the_model_fills_exactly_the_output_buffers() {
    let problem = zeros(5, 512);
    for variant in Variant::ALL {
        let launch = resadd::launch(&problem, variant, Options::default()).unwrap_or_else(|error| panic!("{error}"));
        let outputs = model::run(&problem, variant.path(problem.shape()), Arithmetic::FUSED);
        let marked = launch.buffers.iter().filter(|buffer| buffer.output);
        let marked: Vec<_> = marked.map(|buffer| (buffer.name.as_str(), buffer.length)).collect();
        assert_eq!(outputs.named().map(|(name, bytes)| (name, bytes.len() as u64)).to_vec(), marked);
    }
}

#[test]
fn the_grid_limit_is_a_refusal() {
    let at_limit = resadd::launch(&zeros(GRID_LIMIT, 512), Variant::Split, Options::default());
    assert!(at_limit.is_ok_and(|launch| launch.validate().is_ok()));
    let refused = resadd::launch(&zeros(GRID_LIMIT + 1, 512), Variant::Split, Options::default());
    assert_eq!(refused, Err(Refusal::GridTooWide { n: 65_536 }));
    let message = "n = 65536: one workgroup per row, but a grid has at most 65535 workgroups in x";
    assert_eq!(refused.map_err(|error| error.to_string()), Err(message.to_owned()));
}

fn check_expectation(n: u32, k: u32, variant: Variant, reduction: Reduction, findings: &[(&str, &str)]) {
    let expected = expectation(shape(n, k), variant, Options { reduction, ..Options::default() });
    let findings: Vec<_> = findings.iter().map(|&(rule, place)| (rule, place)).collect();
    let actual: Vec<_> = expected.findings.iter().map(|&ExpectedFinding { rule, place }| (rule, place)).collect();
    assert_eq!(actual, findings, "{} at n = {n}, k = {k}", variant.name());
    let racy = (Verdict::Racy, SafeUnder::LockstepWaves { slots: n });
    let clean = (Verdict::RaceFree, SafeUnder::AnyOrder);
    assert_eq!((expected.verdict, expected.safe_under), if findings.is_empty() { clean } else { racy });
}

#[test]
fn expectations_follow_the_table() {
    const GLOBAL: (&str, &str) = ("GP0001", "residual");
    const LOCAL: (&str, &str) = ("GP0002", "partial");
    for reduction in [Reduction::Subgroup, Reduction::Workgroup] {
        check_expectation(1, 2048, Variant::Fused, reduction, &[]);
        check_expectation(2, 2048, Variant::Fused, reduction, &[GLOBAL]);
        check_expectation(512, 2048, Variant::Split512, reduction, &[GLOBAL]);
        check_expectation(513, 2048, Variant::Split512, reduction, &[]);
        check_expectation(2, 2048, Variant::Split, reduction, &[]);
        check_expectation(513, 2048, Variant::FusedNoBarrier, reduction, &[GLOBAL]);
    }
    check_expectation(1, 512, Variant::FusedNoBarrier, Reduction::Subgroup, &[LOCAL]);
    check_expectation(2, 2048, Variant::FusedNoBarrier, Reduction::Subgroup, &[GLOBAL, LOCAL]);
    check_expectation(1, 512, Variant::FusedNoBarrier, Reduction::Workgroup, &[]);
    check_expectation(2, 2048, Variant::FusedNoBarrier, Reduction::Workgroup, &[GLOBAL]);
}

#[test]
fn every_case_is_valid_once_and_every_bad_one_is_refused() {
    assert_eq!(cases().count(), CASES.len());
    assert_eq!(CASES.into_iter().collect::<BTreeSet<_>>().len(), CASES.len());
    assert!(CASES.len() >= 40);
    assert!(BAD_CASES.into_iter().all(|(n, k)| Shape::new(n, k).is_err()));
}

#[test]
fn shape_texts_become_shapes_or_say_why_not() {
    let parse = |text: &str| parse_shape(text, Variant::Fused).map_err(|error| error.to_string());
    assert_eq!(parse("n=8704,k=5120"), Ok(shape(8704, 5120)));
    assert_eq!(parse("n=3"), Ok(shape(3, 2048)));
    assert_eq!(parse_shape("", Variant::Split512).ok(), Some(shape(640, 2048)));
    assert_eq!(parse("m=3"), Err("unknown shape key `m`, expected one of n, k".to_owned()));
    assert_eq!(parse("n=-3"), Err("shape key `n`: `-3` is not a whole number from 0 to 4294967295".to_owned()));
    assert_eq!(parse("n=0"), Err("n = 0: at least 1 output row is required".to_owned()));
}

#[test]
fn the_catalogue_names_every_variant() {
    assert_eq!(KERNEL.variants.iter().map(|entry| entry.name).collect::<Vec<_>>(), Variant::ALL.map(Variant::name));
    for variant in Variant::ALL {
        assert_eq!(variant.name().parse(), Ok(variant));
        for text in KERNEL.variant(variant.name()).map_or(&[][..], |entry| entry.shapes) {
            assert!(parse_shape(text, variant).is_ok(), "{text}");
        }
    }
    assert!("fusedd".parse::<Variant>().is_err());
}
