//! PTX modules that are refused: every `.ptx` in this folder is one test, through the whole front end.
//!
//! The expected message stands beside each in `.stderr`, as `line:column: message`, or `line:column: unsupported:
//! construct` where the text may be right. `BLESS=1` rewrites the messages. A module is launched as entry `k`, with one
//! workgroup of 32 invocations and no arguments.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gridproof_launch::{Dispatch, Launch, Module, Source};
use gridproof_simulator::{Config, SimulateError, prove};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ptx_malformed");
    let trials = modules(&folder).into_iter().map(|path| {
        let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Trial::test(name, move || check(&path).map_err(Into::into))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn modules(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "ptx")).collect();
    found.sort();
    found
}

fn check(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let message = refusal(&text)? + "\n";
    let beside = path.with_extension("stderr");
    let expected = std::fs::read_to_string(&beside).unwrap_or_default();
    if expected == message {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_none() {
        return Err(format!("expected:\n{expected}\ngot:\n{message}"));
    }
    std::fs::write(&beside, message).map_err(|error| error.to_string())
}

/// Why the front end refuses a text. That it does not, or for another reason than its text, is the test's failure.
fn refusal(text: &str) -> Result<String, String> {
    let mut launch = Launch::default();
    let module = launch.add_module(Module::new("k.ptx", Source::Ptx(text.into())));
    let mut dispatch = Dispatch::new(module, "k", [1, 1, 1]);
    dispatch.workgroup = Some([32, 1, 1]);
    launch.dispatches.push(dispatch);
    match prove(&launch, &Config { threads: 1, ..Config::default() }) {
        Err(SimulateError::Module { line, column, message, .. }) => Ok(format!("{line}:{column}: {message}")),
        Err(SimulateError::Unsupported(found)) => {
            Ok(format!("{}:{}: unsupported: {}", found.line, found.column, found.construct))
        }
        Err(other) => Err(format!("refused for another reason than its text: {other}")),
        Ok(_) => Err("not refused".to_owned()),
    }
}
