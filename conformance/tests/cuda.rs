//! CUDA C++ in checks: what is compiled, what reports quote, and the examples.

mod with_nvrtc;

use std::fs;
use std::path::{Path, PathBuf};

use gridproof_conformance::check::{CheckError, CheckOptions, check_catalogue, check_file, replay};
use gridproof_conformance::cuda::{built, compiled};
use gridproof_conformance::family::{Family, Making, families};
use gridproof_gpu::nvrtc::Cubin;
use gridproof_kernels::{NUMERICS_CUDA, NUMERICS_CUDA_NAME};
use gridproof_launch::{
    Argument, Arithmetic, Buffer, BufferId, Constant, DType, Dispatch, Fill, Language, Launch, Module, MultiplyAdd,
    Source, Target, Tensor, Value,
};
use gridproof_reference::numerics::RECIPES;
use gridproof_report::json;
use gridproof_report::model::{CheckReport, Verdict};
use gridproof_simulator::{Config, prove};
use libtest_mimic::Failed;
use with_nvrtc::Test;

const TESTS: &[Test] = &[
    ("a_module_is_compiled_once_for_every_set_of_macros", once_for_every_set_of_macros),
    ("machine_code_is_made_of_the_ptx_that_is_simulated", machine_code),
    ("no_kernel_leaves_its_rounding_open", rounding),
    ("the_search_for_changed_pages_is_race_free", changed_pages),
    ("a_module_carries_the_texts_of_its_files", texts_of_files),
    ("a_module_that_does_not_compile_is_an_error_with_the_log", does_not_compile),
    ("headers_beside_the_kernel_are_found_and_quoted", headers_on_disk),
    ("a_wrong_entry_is_an_error", wrong_entry),
    ("numerics_have_the_bits_of_the_reference", numerics),
    ("examples_have_their_verdicts", examples),
    ("a_catalogue_kernel_is_checked_and_its_race_replayed", catalogue),
    ("narrow_subgroups_are_refused", narrow_subgroups),
];

fn main() {
    with_nvrtc::run(TESTS);
}

fn check(holds: bool, text: impl Into<String>) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(text.into().into()) }
}

const KERNEL: &str = "#include \"value.cuh\"\nextern \"C\" __global__ void k(int *x) { x[threadIdx.x] = value(); }\n";
const HEADER: &str = "static __device__ int value() { return VALUE * threadIdx.y; }\n";

/// Dispatches of one module, each with its own macros.
fn launch(values: &[i64]) -> Launch {
    let mut launch = Launch::default();
    launch.add_module(Module::new("unused.cu", Source::Cuda("#error unused".into())));
    let module = Module::new("k.cu", Source::Cuda(KERNEL.into())).with_file("value.cuh", HEADER);
    let module = launch.add_module(module);
    for value in values {
        let mut dispatch = Dispatch::new(module, "k", [1, 1, 1]);
        dispatch.workgroup = Some([32, 1, 1]);
        dispatch.constants.insert("VALUE".to_owned(), Constant::Int(*value));
        launch.dispatches.push(dispatch);
    }
    launch
}

fn once_for_every_set_of_macros() -> Result<(), Failed> {
    let launch = launch(&[7, 9, 7]);
    let compiled = compiled(&launch)?;
    let modules: Vec<usize> = compiled.dispatches.iter().map(|dispatch| dispatch.module.0).collect();
    check(modules == [0, 1, 0] && compiled.modules.len() == 2, format!("{modules:?}"))?;
    check(compiled.dispatches.iter().all(|dispatch| dispatch.constants.is_empty()), "PTX has no constants")?;
    check(compiled.modules[0].text() != compiled.modules[1].text(), "the macros make a difference")
}

/// What a device runs comes from the very text that the simulator runs.
fn machine_code() -> Result<(), Failed> {
    for family in families() {
        let variant = &family.kernel().variants[0];
        let launch = catalogue_launch(*family, variant.name, variant.shapes[0], Arithmetic::FUSED)?;
        let (simulated, run) = (compiled(&launch)?, built(&launch, "sm_90")?);
        check(simulated.modules == run.launch.modules, format!("{} in two architectures", variant.name))?;
        let elf = |cubin: &Option<Cubin>| cubin.as_ref().is_some_and(|cubin| cubin.bytes().starts_with(b"\x7fELF"));
        check(run.machine_code.iter().all(elf), format!("{} has no machine code", variant.name))?;
    }
    Ok(())
}

/// No kernel leaves a rounding to whoever makes machine code of its PTX: `mul.f32` and `add.f32` without `.rn` may be
/// contracted.
fn rounding() -> Result<(), Failed> {
    let mut modules = 0;
    for family in families() {
        for variant in family.kernel().variants {
            for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
                let launch = catalogue_launch(*family, variant.name, variant.shapes[0], arithmetic)?;
                for text in compiled(&launch)?.modules.iter().filter_map(Module::text) {
                    let loose = text.lines().find(|line| loose(line)).unwrap_or_default();
                    check(loose.is_empty(), format!("{}: {loose}", variant.name))?;
                    modules += 1;
                }
            }
        }
    }
    check(modules > 20 && loose("\tadd.f32 \t%f1, %f2, %f3;") && loose("@%p1 mul.ftz.f32 %f1, %f2, %f3;"), "too few")
}

fn catalogue_launch(family: &dyn Family, variant: &str, shape: &str, arithmetic: Arithmetic) -> Result<Launch, Failed> {
    let making = Making { data_seed: 0, arithmetic, subgroup_size: 32, language: Language::Cuda };
    Ok(family.instance(variant, shape, &making)?.launch)
}

/// Whether a line of PTX is float arithmetic that does not say how it rounds.
fn loose(line: &str) -> bool {
    let opcode = line.split_whitespace().find(|word| !word.starts_with('@')).unwrap_or_default();
    let mut words = opcode.split('.');
    let operation = words.next().unwrap_or_default();
    let words: Vec<&str> = words.collect();
    let float = words.iter().any(|word| ["f16", "f16x2", "bf16", "bf16x2", "f32", "f64"].contains(word));
    ["add", "sub", "mul", "mad"].contains(&operation) && float && !words.contains(&"rn")
}

/// The kernel that looks for changed pages on a device: its marks, and the simulator's verdict on it.
fn changed_pages() -> Result<(), Failed> {
    const PAGE: usize = 64 << 10;
    let mut data = vec![7_u8; 2 * PAGE + 12];
    data[PAGE - 1] = 8;
    data[2 * PAGE + 8] = 6;
    let words = u64::try_from(data.len() / 4)?;
    let mut launch = Launch::default();
    let text = include_str!("../../gpu/src/cuda/pages.ptx");
    let module = launch.add_module(Module::new("pages.ptx", Source::Ptx(text.into())));
    let shape = [u64::try_from(data.len())?];
    let data = launch.add_buffer(Buffer::from_tensor(Tensor::dense("data", DType::U8, shape, data)?));
    let marks = Buffer::from_tensor(Tensor::dense("marks", DType::U32, [3], vec![0; 12])?);
    let marks = launch.add_buffer(marks.as_output());
    let mut dispatch = Dispatch::new(module, "changed_pages", [3, 1, 1]);
    dispatch.workgroup = Some([256, 1, 1]);
    let whole = |id: BufferId| Value::Buffer { buffer: id, range: launch.buffers[id.0].range() };
    let values = [whole(data), Value::Scalar(words.to_le_bytes().to_vec()), Value::Scalar(vec![7; 4]), whole(marks)];
    let arguments = values.into_iter().zip(0..);
    dispatch.arguments = arguments.map(|(value, at)| Argument { target: Target::Parameter(at), value }).collect();
    launch.dispatches.push(dispatch);
    let proof = prove(&launch, &Config::default())?;
    check(proof.findings.is_empty() && proof.exhausted.is_none(), format!("{:?}", proof.findings))?;
    let expected: Vec<u8> = [1_u32, 0, 1].into_iter().flat_map(u32::to_le_bytes).collect();
    check(proof.buffers[marks.0].to_vec() == expected, format!("{:?}", proof.buffers[marks.0].to_vec()))
}

fn texts_of_files() -> Result<(), Failed> {
    let launch = launch(&[3]);
    let compiled = compiled(&launch)?;
    let module = &compiled.modules[0];
    check(matches!(module.source, Source::Ptx(_)) && module.name == "k.cu (PTX)", &module.name)?;
    let files: Vec<(&str, &str)> = module.files.iter().map(|(name, text)| (name.as_str(), &**text)).collect();
    check(files == [("k.cu", KERNEL), ("value.cuh", HEADER)], format!("{files:?}"))
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        for (name, text) in files {
            fs::write(folder.path().join(name), text)?;
        }
        Ok(Self(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn check(&self) -> Result<CheckReport, CheckError> {
        check_file(&self.path("k.cu"), &self.path("k.toml"), &CheckOptions::default())
    }
}

const LAUNCH: &str = "entry = \"k\"\ngrid = [1]\nworkgroup = [33]\nparameters = [\"x\"]\nconstants = { VALUE = 1 }\n\
                      [buffers.x]\ndtype = \"i32\"\nshape = [32]\noutput = true\n";

fn does_not_compile() -> Result<(), Failed> {
    let folder = Folder::new(&[("k.cu", KERNEL), ("k.toml", LAUNCH)])?;
    let Err(error) = folder.check() else { return Err("the header is missing".into()) };
    let words = error.to_string();
    check(words.contains("does not compile") && words.contains("k.cu(1)") && words.contains("value.cuh"), &words)?;
    check(error.exit_code() == 2, "bad input")
}

fn headers_on_disk() -> Result<(), Failed> {
    let header = "static __device__ __forceinline__ void store(int *x) {\n    x[threadIdx.x] = VALUE;\n}\n";
    let kernel = "#include \"store.cuh\"\nextern \"C\" __global__ void k(int *x) {\n    store(x);\n}\n";
    let folder = Folder::new(&[("k.cu", kernel), ("store.cuh", header), ("k.toml", LAUNCH)])?;
    let report = folder.check()?;
    check(report.verdict == Verdict::Faulty && report.findings.len() == 1, format!("{:?}", report.findings))?;
    let span = report.findings[0].first.span;
    let file = report.files.iter().find(|file| file.text.as_deref() == Some(header));
    check(file.is_some_and(|file| file.name.ends_with("store.cuh")) && span.line == 2, format!("{span:?}"))
}

fn wrong_entry() -> Result<(), Failed> {
    let kernel = "extern \"C\" __global__ void other(int *x) { x[0] = 0; }\n";
    let folder = Folder::new(&[("k.cu", kernel), ("k.toml", LAUNCH)])?;
    let words = folder.check().map(|report| report.verdict.word()).map_err(|error| error.to_string());
    check(words.as_ref().is_err_and(|words| words.contains("`k`")), format!("{words:?}"))
}

/// Every power of two, its neighbours, and some numbers in between: arguments of every function.
fn arguments() -> Vec<u32> {
    let powers = (0..=0xff).map(|exponent| exponent << 23);
    let near = powers.flat_map(|bits| (-2..=2).map(move |step: i32| u32::wrapping_add_signed(bits, step)));
    let between = (0..=u32::MAX).step_by(4_000_037);
    let positive: Vec<u32> = near.chain(between).collect();
    positive.iter().flat_map(|bits| [*bits, bits ^ 0x8000_0000]).collect()
}

/// The probe kernel, applied to `arguments`.
fn probe(function: i64, arithmetic: Arithmetic, arguments: &[u32]) -> Result<Vec<u32>, Failed> {
    let text = include_str!("../../kernels/cuda/numerics_probe.cu");
    let count = u32::try_from(arguments.len())?;
    let bytes: Vec<u8> = arguments.iter().flat_map(|word| word.to_le_bytes()).collect();
    let shape = [u64::from(count)];
    let mut launch = Launch::default();
    let module = Module::new("numerics_probe.cu", Source::Cuda(text.into()));
    let module = launch.add_module(module.with_file(NUMERICS_CUDA_NAME, NUMERICS_CUDA));
    launch.add_buffer(Buffer::from_tensor(Tensor::dense("arguments", DType::U32, shape, bytes)?));
    launch.add_buffer(Buffer::filled("results", DType::U32, shape, Fill::Uninitialised)?.as_output());
    let mut dispatch = Dispatch::new(module, "probe", [count.div_ceil(64), 1, 1]);
    dispatch.workgroup = Some([64, 1, 1]);
    let whole = |id: usize| Value::Buffer { buffer: BufferId(id), range: launch.buffers[id].range() };
    let values = [whole(0), whole(1), Value::Scalar(count.to_le_bytes().to_vec())];
    dispatch.arguments =
        (0..).zip(values).map(|(position, value)| Argument { target: Target::Parameter(position), value }).collect();
    let fused = Constant::Bool(arithmetic.multiply_add == MultiplyAdd::Fused);
    dispatch.constants.extend([("FUNCTION".to_owned(), Constant::Int(function)), ("GP_FUSED".to_owned(), fused)]);
    launch.dispatches.push(dispatch);
    let launch = compiled(&launch)?;
    let proof = prove(&launch, &Config { arithmetic, threads: 1, ..Config::default() })?;
    Ok(proof.buffers[1].to_vec().as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

fn numerics() -> Result<(), Failed> {
    let arguments = arguments();
    for (function, recipe) in (0..).zip(RECIPES) {
        for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
            let mut expected = arguments.clone();
            (recipe.apply)(arithmetic, &mut expected);
            let results = probe(function, arithmetic, &arguments)?;
            let mut wrong =
                arguments.iter().zip(results.iter().zip(&expected)).filter(|(_, (is, should))| is != should);
            if let Some((argument, (is, should))) = wrong.next() {
                let place = format!("{}({argument:#010x}), {arithmetic}", recipe.name);
                return Err(format!("{place}: {is:#010x} instead of {should:#010x}, {} more", wrong.count()).into());
            }
            check(results.len() == arguments.len(), "every argument has a result")?;
        }
    }
    Ok(())
}

fn examples() -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let cases = [("reduction_no_barrier", "GP0002", 2), ("residual_writeback", "GP0001", 1)];
    for (name, rule, count) in cases {
        let (module, launch) = (folder.join(format!("{name}.cu")), folder.join(format!("{name}_cuda.toml")));
        let report = check_file(&module, &launch, &CheckOptions::default())?;
        let rules: Vec<&str> = report.findings.iter().map(|finding| finding.rule.code()).collect();
        check(report.verdict == Verdict::Racy && rules == vec![rule; count], format!("{name}: {rules:?}"))?;
    }
    Ok(())
}

fn catalogue() -> Result<(), Failed> {
    let options = CheckOptions { language: Language::Cuda, ..CheckOptions::default() };
    let report = check_catalogue("resadd_norm_gemv_int4", Some("fused"), "n=3,k=512", &options)?;
    check(report.command.ends_with("--shape n=3,k=512 --language cuda"), &report.command)?;
    let read = json::read_replay(&json::check(&report))?;
    let replayed = replay(&read, &CheckOptions::default())?;
    check(replayed.reproduced && replayed.differing_bytes > 0, "the race is there again")
}

fn narrow_subgroups() -> Result<(), Failed> {
    let mut options = CheckOptions { language: Language::Cuda, ..CheckOptions::default() };
    options.config.subgroup_size = 8;
    let said = check_catalogue("resadd_norm_gemv_int4", Some("split"), "n=3,k=512", &options).map(drop);
    let words = said.map_err(|error| error.to_string());
    check(words.as_ref().is_err_and(|words| words.contains("subgroups of 32 invocations only")), format!("{words:?}"))
}
