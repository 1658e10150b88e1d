//! What a launch consists of, and what is refused.

use gridproof_kernels::gdn_conv_fused::{
    self as fused, CUDA_GRID_LIMIT, Options, Reduction, Refusal, Variant, WGSL_GRID_LIMIT, parse_shape,
};
use gridproof_launch::{Arithmetic, Buffer, Contents, DType, Dispatch, Fill, Language, Launch, Source, Target, Value};

fn launch(variant: Variant, text: &str, options: Options) -> Result<Launch, Refusal> {
    let request = parse_shape(text, variant).unwrap_or_else(|error| panic!("{text}: {error}"));
    let problem = request.problem(1).unwrap_or_else(|error| panic!("{text}: {error}"));
    fused::launch(&problem, variant, options)
}

fn made(variant: Variant, text: &str) -> Launch {
    launch(variant, text, Options::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn cuda() -> Options {
    Options { language: Language::Cuda, ..Options::default() }
}

#[test]
fn a_workgroup_for_every_request_and_head_and_one_for_512_channels_to_shift() {
    for (variant, text, grids) in [
        (Variant::Split, "n=3,h=1,hv=2,slot=0", &[("decode", 6), ("shift", 3)][..]),
        (Variant::Split, "n=2,h=2,hv=4", &[("decode", 8), ("shift", 4)]),
        // 384 and 1,152 channels: one workgroup, and three.
        (Variant::Split, "n=2,h=1,hv=1", &[("decode", 2), ("shift", 2)]),
        (Variant::Split, "n=2,h=1,hv=7", &[("decode", 14), ("shift", 6)]),
        (Variant::Inline, "n=2,h=2,hv=4", &[("decode", 8)]),
        (Variant::InlineAll, "n=2,h=2,hv=4", &[("decode", 8)]),
        (Variant::SurplusThreads, "n=2,h=2,hv=4,slot=1", &[("decode", 8)]),
        (Variant::Split32, "n=2,h=4,hv=16", &[("decode", 32)]),
        (Variant::Split32, "n=3,h=1,hv=11", &[("decode", 33), ("shift", 12)]),
    ] {
        let launch = made(variant, text);
        assert_eq!(launch.validate(), Ok(()));
        let entries: Vec<_> = launch.dispatches.iter().map(|one| (one.entry.as_str(), one.grid)).collect();
        let grids: Vec<_> = grids.iter().map(|(entry, x)| (*entry, [*x, 1, 1])).collect();
        assert_eq!(entries, grids, "{} {text}", variant.name());
    }
}

fn differing(one: &Dispatch, other: &Dispatch) -> Vec<String> {
    assert!(one.constants.keys().eq(other.constants.keys()));
    let same = |name: &str, value| other.constants.get(name) == Some(value);
    one.constants.iter().filter(|(name, value)| !same(name, value)).map(|(name, _)| name.clone()).collect()
}

#[test]
fn options_and_variants_are_constants_of_one_source() {
    for language in [Language::Wgsl, Language::Cuda] {
        let options = Options { language, ..Options::default() };
        let text = "n=1,h=2,hv=4,slot=1";
        let base = launch(Variant::Split, text, options).expect("there is a launch");
        let with = |variant, options| {
            let other = launch(variant, text, options).expect("there is a launch");
            assert_eq!(base.modules, other.modules);
            differing(&base.dispatches[0], &other.dispatches[0])
        };
        assert_eq!(with(Variant::Inline, options), ["INLINE"]);
        assert_eq!(with(Variant::InlineAll, options), ["INLINE_ALL"]);
        assert_eq!(with(Variant::Split32, options), ["INLINE"]);
        assert_eq!(with(Variant::SurplusThreads, options), ["SURPLUS_THREADS"]);
        let separate = Options { arithmetic: Arithmetic::SEPARATE, ..options };
        assert_eq!(with(Variant::Split, separate), ["GP_FUSED"]);
        // Both dispatches are of one pipeline's constants.
        assert_eq!(base.dispatches[0].constants, base.dispatches[1].constants);
    }
    let tree = launch(Variant::Split, "", Options { reduction: Reduction::Workgroup, ..Options::default() });
    let tree = tree.expect("there is a launch");
    assert_eq!(differing(&made(Variant::Split, "").dispatches[0], &tree.dispatches[0]), ["WORKGROUP_TREE"]);
}

#[test]
fn sizes_are_a_uniform_block_in_wgsl_and_constants_in_cuda() {
    for (text, wanted, constants) in [
        ("h=2,hv=6", [2, 6, 1280, 0], &["HV"][..]),
        ("h=1,hv=4", [1, 4, 768, 0], &["H"]),
        ("h=2,hv=4,layout=interleaved", [2, 4, 1024, 1], &["INTERLEAVED"]),
        ("n=3,pool=9,slot=4", [2, 4, 1024, 0], &[]),
    ] {
        for dispatch in 0..2 {
            let other = &made(Variant::Split, text).dispatches[dispatch];
            assert!(differing(&made(Variant::Split, "").dispatches[dispatch], other).is_empty());
            let block: Vec<u8> = wanted.into_iter().flat_map(u32::to_le_bytes).collect();
            let argument = other.arguments.last().expect("there are arguments");
            assert_eq!(argument.target, Target::Name("sizes".to_owned()));
            assert_eq!(argument.value, Value::Scalar(block), "{text}");
            let launches = ["", text].map(|text| launch(Variant::Split, text, cuda()).expect("there is a launch"));
            assert_eq!(differing(&launches[0].dispatches[dispatch], &launches[1].dispatches[dispatch]), constants);
        }
    }
}

#[test]
fn the_cuda_launch_differs_only_in_how_it_is_told() {
    for variant in Variant::ALL {
        let text = "n=1,h=2,hv=4,slot=2";
        let (wgsl, cuda) = (made(variant, text), launch(variant, text, cuda()).expect("there is a launch"));
        assert_eq!((cuda.validate(), &cuda.buffers), (Ok(()), &wgsl.buffers));
        assert!(matches!(cuda.modules[0].source, Source::Cuda(_)));
        assert_eq!(wgsl.dispatches.len(), cuda.dispatches.len());
        for (wgsl, cuda) in wgsl.dispatches.iter().zip(&cuda.dispatches) {
            assert_eq!((&cuda.entry, cuda.grid, cuda.workgroup), (&wgsl.entry, wgsl.grid, Some([256, 1, 1])));
            let count = cuda.arguments.len();
            let values = |dispatch: &Dispatch| -> Vec<Value> {
                dispatch.arguments.iter().take(count).map(|argument| argument.value.clone()).collect()
            };
            assert_eq!((values(wgsl), wgsl.arguments.len()), (values(cuda), count + 1));
            let targets = cuda.arguments.iter().map(|argument| argument.target.clone());
            assert!(targets.eq((0..).map(Target::Parameter).take(count)));
            let shared = wgsl.constants.iter().filter(|(name, _)| *name != "WORKGROUP_TREE");
            assert!(shared.into_iter().all(|(name, value)| cuda.constants.get(name) == Some(value)));
        }
    }
}

#[test]
fn cuda_parameters_have_the_names_of_their_buffers() {
    let launch = launch(Variant::Split, "", cuda()).expect("there is a launch");
    let text = launch.modules[0].text().expect("CUDA is text");
    let all: Vec<&str> = launch.buffers.iter().map(|buffer| buffer.name.as_str()).collect();
    for (entry, buffers) in [("decode", &all[..]), ("shift", &["qkvz", "conv_state", "state_indices"])] {
        let from = text.find(&format!("    {entry}(const")).expect("the entry exists");
        let parameters = text[from..].split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("a list").0;
        let names = parameters.split(',').map(|one| one.rsplit([' ', '*']).next().unwrap_or_default());
        assert!(names.eq(buffers.iter().copied()), "{parameters}");
    }
}

fn facts(launch: &Launch) -> Vec<(&str, DType, Vec<u64>, bool)> {
    launch.buffers.iter().map(|b| (b.name.as_str(), b.dtype, b.shape.clone(), b.output)).collect()
}

#[test]
fn buffers_have_the_documented_types_and_only_outputs_are_marked() {
    let f16 = DType::F16;
    let launch = made(Variant::Split, "n=3,h=2,hv=6,pool=5,slot=2");
    assert_eq!(
        facts(&launch),
        [
            ("qkvz", f16, vec![3, 2048], false),
            ("ba", f16, vec![3, 12], false),
            ("conv_state", f16, vec![5, 3, 1280], true),
            ("conv_weight", f16, vec![1280, 4], false),
            ("conv_bias", f16, vec![1280], false),
            ("ssm_state", f16, vec![5, 6, 128, 128], true),
            ("a_log", f16, vec![6], false),
            ("dt_bias", f16, vec![6], false),
            ("state_indices", DType::I32, vec![3], false),
            ("output", f16, vec![3, 6, 128], true),
            ("z_out", f16, vec![3, 6, 128], true),
        ]
    );
    for name in ["output", "z_out"] {
        let contents = &named(&launch, name).contents;
        let Contents::Virtual { fill: Fill::Uninitialised, patches } = contents else { panic!("{name}: {contents:?}") };
        assert!(patches.is_empty());
    }
    // An odd number of heads is filled up to whole words.
    let odd = made(Variant::Split, "h=1,hv=3");
    assert_eq!(facts(&odd)[6..8], [("a_log", f16, vec![4], false), ("dt_bias", f16, vec![4], false)]);
}

fn named<'a>(launch: &'a Launch, name: &str) -> &'a Buffer {
    launch.buffers.iter().find(|buffer| buffer.name == name).expect("there is such a buffer")
}

#[test]
fn long_pools_are_patches_and_short_ones_bytes() {
    // 64 MiB: 512 slots of 4 heads.
    let short = made(Variant::Split, "pool=512,slot=3+510");
    let Contents::Dense(bytes) = &named(&short, "ssm_state").contents else { panic!("64 MiB are spelt out") };
    assert_eq!(bytes.len(), 64 << 20);
    let slot = 128 << 10;
    assert!(bytes[..3 * slot].iter().chain(&bytes[4 * slot..510 * slot]).all(|byte| *byte == 0x2c));
    let long = made(Variant::Split, "pool=513,slot=3+510");
    let Contents::Virtual { fill, patches } = &named(&long, "ssm_state").contents else { panic!("more is not") };
    assert_eq!(*fill, Fill::Byte(0x2c));
    let slots: Vec<(u64, usize)> = patches.iter().map(|(offset, bytes)| (*offset, bytes.len())).collect();
    assert_eq!(slots, [(3 * slot as u64, slot), (510 * slot as u64, slot)]);
    assert_eq!(patches.values().next().map(|bytes| &bytes[..]), Some(&bytes[3 * slot..4 * slot]));
    let Contents::Dense(rows) = &named(&long, "conv_state").contents else { panic!("3 MiB are spelt out") };
    assert!(rows[..3 * 6144].iter().all(|byte| *byte == 0x2c));
    assert!(rows[3 * 6144..4 * 6144].iter().any(|byte| *byte != 0x2c));
}

#[test]
fn the_grid_limits_are_refusals() {
    let message = |variant, text: &str| launch(variant, text, Options::default()).map_err(|error| error.to_string());
    let at = |n: u32, hv: u32| format!("n={n},h=1,hv={hv},slot=-1,pool=1");
    assert!(message(Variant::Split, &at(65_535, 1)).is_ok_and(|launch| launch.validate().is_ok()));
    let refused = "n = 65536, h = 1, hv = 1: 65536 workgroups, but a WGSL grid has at most 65535 in x";
    assert_eq!(message(Variant::Split, &at(65_536, 1)).map(drop), Err(refused.to_owned()));
    assert!(launch(Variant::Split, &at(65_536, 1), cuda()).is_ok());
    assert_eq!((WGSL_GRID_LIMIT, CUDA_GRID_LIMIT), (65_535, 2_147_483_647));
}

#[test]
fn what_wgsl_cannot_address_is_refused_with_its_sizes() {
    let message = |text: &str| launch(Variant::Split, text, Options::default()).map(drop).map_err(|e| e.to_string());
    // 64 heads: 2 MiB a slot.
    assert_eq!(message("n=1,h=16,hv=64,pool=2047,slot=2046"), Ok(()));
    let long = "n=1,h=16,hv=64,pool=2048,slot=2047";
    let refused = "buffer `ssm_state` of 2048 * 64 * 128 * 128 f16 elements takes 4294967296 bytes, more than the \
                   4294967295 that WGSL addresses";
    assert_eq!(message(long), Err(refused.to_owned()));
    assert!(launch(Variant::Split, long, cuda()).is_ok());
    assert_eq!(message("n=1,h=16,hv=64,slot=2046,check=0,pool=4"), Ok(()));
    let far = "n=2,h=16,hv=64,slot=0+2047,check=0,pool=4";
    let refused = "state_indices[1] = 2047: the states of that slot end at byte 4294967296, beyond the 4294967295 that \
                   WGSL addresses";
    assert_eq!(message(far), Err(refused.to_owned()));
    assert!(launch(Variant::Split, far, cuda()).is_ok());
    assert!(
        message("n=1,slot=2147483647,check=0,pool=4").is_err_and(|error| error.contains("= 2147483647: the states"))
    );
}

#[test]
fn what_the_cuda_source_does_not_have_is_refused() {
    let tree = Options { reduction: Reduction::Workgroup, ..cuda() };
    let message = "reduction through workgroup memory: the CUDA source adds up in subgroups of 32 invocations only";
    let refused = launch(Variant::Split, "", tree).map(drop).map_err(|error| error.to_string());
    assert_eq!(refused, Err(message.to_owned()));
}

#[test]
fn heads_that_the_rounds_do_not_take_are_refused_in_every_variant() {
    for variant in Variant::ALL {
        let refused = launch(variant, "n=1,h=1,hv=125,slot=0", Options::default()).map(drop);
        assert_eq!(refused, Err(Refusal::Rounds { h: 1, hv: 125, blocks: 129 }));
        assert!(launch(variant, "n=1,h=1,hv=124,slot=0", Options::default()).is_ok());
    }
}
