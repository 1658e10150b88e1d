//! The detectors' test suite, as data: every `.wgsl` and `.ptx` under `tests/{pass,fail,exhausted,unsupported}` is one test.
//!
//! A case is a tiny kernel whose launch stands in its own `//#` lines (see [`case`]) and whose expected listing (see
//! [`listing`]) stands beside it in `.stderr`; no such file means an empty listing. `BLESS=1` rewrites the listings.
//! [`check`] says what else every case must keep: subgroup sizes, threads, a second run, detectors switched off.
#![forbid(unsafe_code)]

mod case;
mod check;
mod listing;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

const VERDICTS: [&str; 4] = ["pass", "fail", "exhausted", "unsupported"];

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut trials = Vec::new();
    for verdict in VERDICTS {
        for path in kernels(&root.join(verdict)) {
            let name = path.strip_prefix(&root).unwrap_or(&path).with_extension("");
            let name = name.display().to_string().replace('\\', "/");
            trials.push(Trial::test(name, move || check::check(verdict, &path).map_err(Into::into)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Every `.wgsl` and `.ptx` below `folder`, in order.
fn kernels(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .flat_map(|path| match path.is_dir() {
            true => kernels(&path),
            false => Vec::from_iter(path.extension().is_some_and(|end| end == "wgsl" || end == "ptx").then_some(path)),
        })
        .collect();
    found.sort();
    found
}
