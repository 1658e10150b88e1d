//! The CUDA compiler of this machine.
//!
//! Without one, every test that needs it is listed as ignored with the reason `skipped: ...` in front of its name;
//! with `GRIDPROOF_REQUIRE_NVRTC=1` every such test fails.

use std::path::Path;
use std::sync::Arc;

use gridproof_gpu::nvrtc::{Nvrtc, NvrtcError, Places, Program};
use libtest_mimic::{Arguments, Failed, Trial};

type Test = (&'static str, fn(&Nvrtc) -> Result<(), Failed>);

const TESTS: &[Test] = &[
    ("compile::line_information_names_the_files_as_given", files_have_their_names),
    ("compile::macros_and_headers_are_seen", macros_and_headers),
    ("compile::options_are_passed_on", options),
    ("compile::toolkit_headers_are_found", toolkit_headers),
    ("compile::an_error_has_the_log_with_its_line", errors),
    ("compile::a_zero_byte_is_an_error", zero_byte),
    ("compile::from_several_threads", threads),
];

fn main() {
    let arguments = Arguments::from_args();
    let required = std::env::var("GRIDPROOF_REQUIRE_NVRTC").is_ok_and(|value| value == "1");
    // Where `.ci/nvrtc` installs it.
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/nvrtc");
    let found = Nvrtc::find(&Places::from_environment().with_folder(installed))
        .map(Arc::new)
        .map_err(|error| error.to_string());
    let mut trials: Vec<Trial> = TESTS.iter().map(|test| trial(*test, &found, required)).collect();
    trials.push(Trial::test("find::a_missing_library_says_where_it_was_looked_for", missing));
    trials.push(Trial::test("find::a_file_that_is_no_library_says_so", no_library));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial((name, test): Test, found: &Result<Arc<Nvrtc>, String>, required: bool) -> Trial {
    match found.clone() {
        Ok(nvrtc) => Trial::test(name, move || test(&nvrtc)),
        Err(reason) => {
            let kind = format!("skipped: {reason}");
            Trial::test(name, move || Err(reason.into())).with_kind(kind).with_ignored_flag(!required)
        }
    }
}

fn check(holds: bool, text: &str) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(text.into()) }
}

fn with_header() -> Program {
    let kernel = "#include \"sub/cube.cuh\"\n\
                  extern \"C\" __global__ void k(float *x) { x[threadIdx.x] = cube(x[threadIdx.x]) + ADDED; }\n";
    let header = "__device__ __forceinline__ float cube(float x) {\n    return x * x * x;\n}\n";
    Program {
        headers: vec![("sub/cube.cuh".to_owned(), header.into())],
        macros: vec![("ADDED".to_owned(), "7".to_owned())],
        ..Program::new("folder/k.cu", kernel)
    }
}

fn files_have_their_names(nvrtc: &Nvrtc) -> Result<(), Failed> {
    let ptx = nvrtc.compile(&with_header())?.text;
    check(ptx.contains(".file\t1 \"folder/k.cu\"") && ptx.contains(".file\t2 \"sub/cube.cuh\""), &ptx)?;
    check(ptx.contains(".loc\t1 2") && ptx.contains("inlined_at"), &ptx)
}

fn macros_and_headers(nvrtc: &Nvrtc) -> Result<(), Failed> {
    let ptx = nvrtc.compile(&with_header())?;
    check(ptx.text.contains("0f40E00000") && ptx.text.contains(".visible .entry k("), &ptx.text)?;
    check(ptx.log.is_empty(), &ptx.log)
}

fn options(nvrtc: &Nvrtc) -> Result<(), Failed> {
    let program = Program { options: vec!["-G".to_owned()], ..with_header() };
    check(nvrtc.compile(&program)?.text.contains(", debug"), "-G gives a debug target")?;
    let program = Program { options: vec!["--no-such-option".to_owned()], ..with_header() };
    let refused = nvrtc.compile(&program).map_err(|error| error.to_string());
    check(refused.is_err_and(|words| words.contains("no-such-option")), "an unknown option is named")
}

fn toolkit_headers(nvrtc: &Nvrtc) -> Result<(), Failed> {
    let beside = nvrtc.library().parent().map(|folder| folder.join("../include/cuda_fp16.h"));
    if !beside.is_some_and(|header| header.is_file()) {
        // A library without its toolkit: nothing is promised.
        return Ok(());
    }
    let text = "#include <cuda_fp16.h>\nextern \"C\" __global__ void k(__half *x) { x[0] = __float2half(1.0f); }\n";
    nvrtc.compile(&Program::new("half.cu", text)).map(drop).map_err(Into::into)
}

fn errors(nvrtc: &Nvrtc) -> Result<(), Failed> {
    match nvrtc.compile(&Program::new("wrong.cu", "\n\n__global__ void k() { missing(); }\n")) {
        Err(NvrtcError::Compile { name, log }) => {
            check(name == "wrong.cu" && log.contains("wrong.cu(3)") && log.contains("missing"), &log)
        }
        other => Err(format!("{other:?}").into()),
    }
}

fn zero_byte(nvrtc: &Nvrtc) -> Result<(), Failed> {
    let refused = nvrtc.compile(&Program::new("zero.cu", "int x;\0"));
    check(matches!(&refused, Err(NvrtcError::Compile { log, .. }) if log.starts_with("byte 6 ")), "byte 6 is named")
}

fn threads(nvrtc: &Nvrtc) -> Result<(), Failed> {
    let compile = |added: i32| {
        let macros = vec![("ADDED".to_owned(), added.to_string())];
        nvrtc.compile(&Program { macros, ..with_header() }).map(|ptx| ptx.text)
    };
    let alone: Vec<_> = (1..5).map(compile).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..5).map(|added| scope.spawn(move || compile(added))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    check(alone == together && alone.iter().all(Result::is_ok), "threads change nothing")
}

fn missing() -> Result<(), Failed> {
    match Nvrtc::find(&Places::only("/nowhere/at/all")) {
        Err(error @ NvrtcError::NotAvailable { .. }) => {
            let words = error.to_string();
            check(words.starts_with("NVRTC is not available: its shared library is nowhere"), &words)?;
            check(words.ends_with("; tried /nowhere/at/all"), &words)
        }
        other => Err(format!("{other:?}").into()),
    }
}

fn no_library() -> Result<(), Failed> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    match Nvrtc::find(&Places::only(&file)) {
        Err(NvrtcError::NotAvailable { why, tried }) => check(tried.len() == 1 && !why.is_empty(), &why),
        other => Err(format!("{other:?}").into()),
    }
}
