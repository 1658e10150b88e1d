//! Launch files that are right: what each key becomes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gridproof_conformance::launch_file::{LaunchFile, Limits, read};
use gridproof_launch::{
    Argument, BufferId, ByteRange, Constant, Contents, DType, Fill, ModuleId, Source, Target, Value,
};

const LIMITS: Limits = Limits { memory: 1 << 20, seed: 7 };

const HEAD: &str = "module = \"k.wgsl\"\ngrid = [3]\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("k.wgsl", b"@compute @workgroup_size(1) fn main() {}");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, text: &str) -> LaunchFile {
        self.write("launch.toml", text.as_bytes());
        read(None, &self.path("launch.toml"), &LIMITS).unwrap_or_else(|error| panic!("{text}\n{error}"))
    }
}

fn contents(buffer: &str) -> Contents {
    let file = Folder::new().read(&format!("{HEAD}[buffers.x]\n{buffer}"));
    file.launch.buffers[0].contents.clone()
}

fn dense(buffer: &str) -> Vec<u8> {
    match contents(buffer) {
        Contents::Dense(bytes) => bytes.to_vec(),
        other => panic!("{buffer} gave {other:?}"),
    }
}

#[test]
fn a_whole_launch() {
    let file = Folder::new().read(
        r#"
        module = "k.wgsl"
        entry = "fused"
        grid = [8704, 2]
        slots = 32

        [buffers.residual]
        dtype = "f16"
        shape = [2, 4]
        init = { value = 1.0 }
        output = true
        may_race = [{ elements = [1, 3], reason = "the null row" }, { bytes = [0, 1], reason = "padding" }]

        [buffers.hidden]
        dtype = "u32"
        shape = [3]
        init = { values = [1, 0x10, 3] }
        binding = [1, 2]
        range = [4, 12]

        [constants]
        K = 5120
        EPSILON = 1e-6
        FAST = false

        [scalars]
        n = { dtype = "u32", value = 5, parameter = 3 }
        "#,
    );
    assert_eq!(file.slots, Some(32));
    let launch = &file.launch;
    let [dispatch] = launch.dispatches.as_slice() else { panic!("{:?}", launch.dispatches) };
    assert_eq!((dispatch.entry.as_str(), dispatch.grid, dispatch.workgroup), ("fused", [8704, 2, 1], None));
    let residual = &launch.buffers[0];
    assert_eq!((residual.name.as_str(), residual.length, residual.output), ("residual", 16, true));
    assert_eq!(residual.may_race[0].range, ByteRange::new(2, 6));
    assert_eq!(residual.may_race[1].reason, "padding");
    let buffer = |id, start, end| Value::Buffer { buffer: BufferId(id), range: ByteRange::new(start, end) };
    assert_eq!(
        dispatch.arguments,
        [
            Argument { target: Target::Name("residual".into()), value: buffer(0, 0, 16) },
            Argument { target: Target::Slot { group: 1, binding: 2 }, value: buffer(1, 4, 12) },
            Argument { target: Target::Parameter(3), value: Value::Scalar(vec![5, 0, 0, 0]) },
        ]
    );
    let constants = [("EPSILON", Constant::Float(1e-6)), ("FAST", Constant::Bool(false)), ("K", Constant::Int(5120))];
    assert_eq!(dispatch.constants, constants.map(|(name, value)| (name.to_owned(), value)).into());
}

#[test]
fn several_dispatches_share_buffers_constants_and_scalars() {
    let folder = Folder::new();
    folder.write("second.comp", b"#version 450");
    let file = folder.read(
        r#"
        module = "k.wgsl"
        constants = { K = 1, L = 2 }
        scalars = { n = { dtype = "f32", value = 1 } }

        [[dispatch]]
        entry = "prepass"
        grid = [1]
        bind = { source = "x" }

        [[dispatch]]
        module = "second.comp"
        grid = [2, 3, 4]
        constants = { L = 3 }
        bind = { a = { buffer = "x", range = [0, 4] }, b = { buffer = "x", range = [4, 8], binding = [0, 1] } }
        scalars = { n = { dtype = "f32", value = 2 } }

        [buffers.x]
        dtype = "f32"
        shape = [2]
        output = true
        "#,
    );
    let [first, second] = file.launch.dispatches.as_slice() else { panic!("{:?}", file.launch.dispatches) };
    assert_eq!((first.module, second.module), (ModuleId(0), ModuleId(1)));
    assert!(matches!(file.launch.modules[1].source, Source::Glsl(_)));
    assert_eq!((first.entry.as_str(), second.entry.as_str()), ("prepass", "main"));
    assert_eq!(second.grid, [2, 3, 4]);
    let constant = |dispatch: &gridproof_launch::Dispatch, name: &str| dispatch.constants[name];
    assert_eq!((constant(first, "L"), constant(second, "L")), (Constant::Int(2), Constant::Int(3)));
    assert_eq!(constant(second, "K"), Constant::Int(1));
    let targets: Vec<String> = second.arguments.iter().map(|argument| argument.target.to_string()).collect();
    assert_eq!(targets, ["`a`", "@group(0) @binding(1)", "`n`"]);
    assert_eq!(second.arguments[2].value, Value::Scalar(2_f32.to_le_bytes().to_vec()));
    assert_eq!(first.arguments.len(), 2);
}

#[test]
fn initialisers_give_these_bytes() {
    assert_eq!(dense("dtype = \"u8\"\nshape = [4]\ninit = \"iota\""), [0, 1, 2, 3]);
    let iota = "dtype = \"i8\"\nshape = [5]\ninit = { iota = { start = 1, step = -2, modulo = 3 } }";
    assert_eq!(dense(iota), [1, 255, 253, 1, 255]);
    let halves = "dtype = \"f16\"\nshape = [2]\ninit = { iota = { start = 0.5, step = 0.5 } }";
    assert_eq!(dense(halves), [0, 0x38, 0, 0x3c]);
    assert_eq!(dense("dtype = \"u4\"\nshape = [3]\ninit = { values = [1, 2, 15] }"), [0x21, 0x0f]);
    assert_eq!(dense("dtype = \"f32\"\nshape = []\ninit = { value = 1 }"), 1_f32.to_le_bytes());
    assert_eq!(dense("dtype = \"bf16\"\nshape = [1]\ninit = { value = -inf }"), [0x80, 0xff]);
    let int = dense("dtype = \"u64\"\nshape = [1]\ninit = { values = [9223372036854775807] }");
    assert_eq!(int, i64::MAX.to_le_bytes());
}

#[test]
fn uniform_bytes_cost_nothing_and_the_rest_is_dense() {
    let none = BTreeMap::new();
    let filled = |fill| Contents::Virtual { fill, patches: none.clone() };
    let pool = "dtype = \"bf16\"\nshape = [8192, 64, 128, 128]\n";
    assert_eq!(contents(&format!("{pool}init = \"zeros\"\nvirtual = true")), filled(Fill::Byte(0)));
    assert_eq!(contents(&format!("{pool}init = \"uninitialised\"")), filled(Fill::Uninitialised));
    assert_eq!(contents("dtype = \"i32\"\nshape = [4]\ninit = { value = -1 }"), filled(Fill::Byte(255)));
    assert_eq!(contents("dtype = \"u4\"\nshape = [4]\ninit = { value = 8 }"), filled(Fill::Byte(0x88)));
    assert_eq!(dense("dtype = \"u8\"\nshape = [2]\ninit = \"zeros\"\nvirtual = false"), [0, 0]);
    assert_eq!(contents("dtype = \"u8\"\nshape = [2]\noutput = true"), filled(Fill::Byte(0)));
}

#[test]
fn patches_lie_in_virtual_buffers() {
    let text = "dtype = \"u16\"\nshape = [1000000000000]\ninit = \"zeros\"\n\
                patch = [{ elements = [999999999998, 1000000000000], init = \"iota\" },\n\
                         { elements = [2, 4], init = { value = 258 } }]";
    let Contents::Virtual { fill: Fill::Byte(0), patches } = contents(text) else { panic!() };
    let patches: Vec<(u64, Vec<u8>)> = patches.into_iter().map(|(start, bytes)| (start, bytes.to_vec())).collect();
    assert_eq!(patches, [(4, vec![2, 1, 2, 1]), (1_999_999_999_996, vec![0, 0, 1, 0])]);
}

#[test]
fn padding_between_strides_is_uninitialised() {
    let text = "dtype = \"u8\"\nshape = [2, 3]\nstrides = [5, 1]\ninit = \"iota\"";
    let Contents::Virtual { fill: Fill::Uninitialised, patches } = contents(text) else { panic!() };
    let patches: Vec<(u64, Vec<u8>)> = patches.into_iter().map(|(start, bytes)| (start, bytes.to_vec())).collect();
    assert_eq!(patches, [(0, vec![0, 1, 2]), (5, vec![3, 4, 5])]);
    assert_eq!(dense("dtype = \"u8\"\nshape = [2, 3]\nstrides = [1, 2]\ninit = \"iota\""), [0, 3, 1, 4, 2, 5]);
}

#[test]
fn random_numbers_depend_on_seed_and_buffer_and_nothing_else() {
    let normal = |seed: &str| dense(&format!("dtype = \"f32\"\nshape = [64]\ninit = {{ random = {{ {seed} }} }}"));
    assert_eq!(normal("seed = 1"), normal("seed = 1, scale = 1.0"));
    assert_ne!(normal("seed = 1"), normal("seed = 2"));
    assert_eq!(normal(""), normal("seed = 7"), "without a seed the caller's is used");
    let twice = Folder::new().read(&format!(
        "{HEAD}[buffers.a]\ndtype = \"u32\"\nshape = [4]\ninit = \"random\"\n\
         [buffers.b]\ndtype = \"u32\"\nshape = [4]\ninit = \"random\""
    ));
    assert_ne!(twice.launch.buffers[0].contents, twice.launch.buffers[1].contents);
    let dice = dense("dtype = \"u8\"\nshape = [600]\ninit = { random = { low = 1, high = 6 } }");
    assert_eq!((dice.iter().min(), dice.iter().max()), (Some(&1), Some(&6)));
    let unit = dense("dtype = \"f32\"\nshape = [600]\ninit = { random = { low = -1, high = 2 } }");
    let unit: Vec<f32> = unit.chunks_exact(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect();
    assert!(unit.iter().all(|x| (-1.0..=2.0).contains(x)) && unit.iter().any(|x| *x > 1.5));
}

#[test]
fn uniform_blocks_are_laid_out_by_alignment_or_offset() {
    let scalars = |text: &str| {
        let file = Folder::new().read(&format!("{HEAD}[scalars]\nn = {text}"));
        match &file.launch.dispatches[0].arguments[0].value {
            Value::Scalar(bytes) => bytes.clone(),
            Value::Buffer { .. } => panic!("{text}"),
        }
    };
    assert_eq!(scalars("{ dtype = \"u16\", value = [1, 2] }"), [1, 0, 2, 0]);
    let block = "{ fields = [{ dtype = \"u8\", value = 1 }, { dtype = \"u32\", value = 2 }, \
                 { dtype = \"u8\", value = 3, offset = 9 }] }";
    assert_eq!(scalars(block), [1, 0, 0, 0, 2, 0, 0, 0, 0, 3]);
}

fn tensor_file(folder: &Folder, name: &str) {
    let header = r#"{"__metadata__":{"by":"hand"},"h":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},"q":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}}"#;
    let length = u64::try_from(header.len()).unwrap();
    folder.write(name, &[&length.to_le_bytes()[..], header.as_bytes(), &[1, 2, 3, 4, 5, 6, 7]].concat());
}

#[test]
fn tensors_give_bytes_and_where_asked_type_and_shape() {
    let folder = Folder::new();
    fs::create_dir(folder.path("data")).unwrap();
    tensor_file(&folder, "data/x.safetensors");
    let file = folder.read(&format!(
        "{HEAD}[buffers.a]\ninit = {{ file = \"data/x.safetensors\", tensor = \"h\" }}\n\
         [buffers.b]\ndtype = \"u4\"\ninit = {{ file = \"data/x.safetensors\", tensor = \"q\" }}\n\
         [buffers.c]\ndtype = \"u4\"\nshape = [6]\ninit = {{ file = \"data/x.safetensors\", tensor = \"q\" }}"
    ));
    let [a, b, c] = file.launch.buffers.as_slice() else { panic!("{:?}", file.launch.buffers) };
    assert_eq!(
        (a.dtype, a.shape.as_slice(), &a.contents),
        (DType::F16, &[2, 1][..], &Contents::Dense([1, 2, 3, 4].into()))
    );
    assert_eq!((b.dtype, b.shape.as_slice(), &b.contents), (DType::U4, &[6][..], &Contents::Dense([5, 6, 7].into())));
    assert_eq!(b.contents, c.contents);
}

#[test]
fn kernels_are_read_by_the_end_of_their_name() {
    let folder = Folder::new();
    let words: Vec<u8> = [0x0723_0203_u32, 0x0001_0000, 0, 1, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    folder.write("k.spv", &words);
    folder.write("k.glsl", b"#version 450");
    folder.write("k.ptx", b".version 8.0");
    folder.write("k.cu", b"__global__ void k() {}");
    for (name, workgroup, language) in [
        ("k.spv", "", "SPIR-V"),
        ("k.glsl", "", "GLSL"),
        ("k.ptx", "workgroup = [64]\ndynamic_workgroup_bytes = 1024", "PTX"),
        ("k.cu", "workgroup = [64]", "CUDA C++"),
    ] {
        let file = folder.read(&format!("module = \"{name}\"\ngrid = [1]\n{workgroup}"));
        assert_eq!(file.launch.modules[0].source.language(), language);
        assert_eq!(file.launch.dispatches[0].workgroup.is_some(), !workgroup.is_empty());
    }
}

#[test]
fn a_list_of_parameters_binds_by_position() {
    let folder = Folder::new();
    folder.write("k.ptx", b".version 8.0");
    let file = folder.read(
        r#"
        module = "k.ptx"
        grid = [1]
        workgroup = [32]
        parameters = ["n", "x", { buffer = "x", range = [4, 8] }, { dtype = "f32", value = 1.5 },
                      { fields = [{ dtype = "u8", value = 1 }, { dtype = "u16", value = 2 }] }]

        [buffers.x]
        dtype = "u32"
        shape = [4]
        init = "zeros"
        range = [0, 12]

        [scalars]
        n = { dtype = "i32", value = -2 }
        unlisted = { dtype = "i32", value = 9 }
        "#,
    );
    let buffer = |start, end| Value::Buffer { buffer: BufferId(0), range: ByteRange::new(start, end) };
    let scalar = |bytes: &[u8]| Value::Scalar(bytes.to_vec());
    let values = [
        scalar(&[0xfe, 0xff, 0xff, 0xff]),
        buffer(0, 12),
        buffer(4, 8),
        scalar(&1.5_f32.to_le_bytes()),
        scalar(&[1, 0, 2, 0]),
    ];
    let expected: Vec<Argument> =
        (0..).zip(values).map(|(position, value)| Argument { target: Target::Parameter(position), value }).collect();
    assert_eq!(file.launch.dispatches[0].arguments, expected);
}

#[test]
fn a_kernel_given_by_the_caller_serves_dispatches_that_name_none() {
    let folder = Folder::new();
    folder.write("launch.toml", b"grid = [1]");
    let file = read(Some(&folder.path("k.wgsl")), &folder.path("launch.toml"), &LIMITS).unwrap();
    assert_eq!(Path::new(&file.launch.modules[0].name), folder.path("k.wgsl"));
}

/// The examples of the format's documentation are read by the reader they document.
#[test]
fn every_example_of_the_documentation_is_right() {
    let document = include_str!("../LAUNCH.md");
    let folder = Folder::new();
    for name in ["kernel.wgsl", "prepass.wgsl", "kernel.comp"] {
        folder.write(name, b"");
    }
    folder.write("kernel.ptx", b"");
    folder.write("kernel.cu", b"");
    tensor_file(&folder, "inputs.safetensors");
    let examples: Vec<&str> = document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 12, "{}", examples.len());
    for example in examples {
        let whole = example.contains("module =") || example.contains("[[dispatch]]");
        let text = if whole { example.to_owned() } else { format!("module = \"kernel.wgsl\"\ngrid = [1]\n{example}") };
        folder.read(&text);
    }
}
