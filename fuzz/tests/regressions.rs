//! What was wrong once, or is a good example of its kind: every folder of `regressions/` is an input that must hold.
//!
//! A folder is a finding as a campaign leaves it, mended since. `gridproof fuzz replay FOLDER` tries one alone, and
//! `cli/tests/fuzz.rs` does so with all of them: what asks loom needs the program, and is not tried here.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gridproof_fuzz::campaign::{read_finding, try_within};
use gridproof_fuzz::input::{Input, decode};
use gridproof_fuzz::oracle::{Bench, Trial};

fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let entries = std::fs::read_dir(folder).expect("regressions/ is there");
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Processor time of one input: what was slow once is to be in time.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn what_was_wrong_once_holds() {
    let scratch = tempfile::tempdir().unwrap();
    let bench = Bench { scratch: Some(scratch.path().to_owned()), ..Bench::default() };
    let mut held = 0;
    let mut wrong = String::new();
    for folder in folders() {
        let (bytes, record) = read_finding(&folder).unwrap_or_else(|error| panic!("{error}"));
        let input = decode(&bytes, &record.scope);
        match try_within(&bench, &input, LIMIT, &AtomicBool::new(false)) {
            Trial::Holds => held += 1,
            // CUDA C++ needs a compiler that need not be there.
            Trial::Skipped(_) if record.scope.cuda => {}
            Trial::Skipped(_) if matches!(&input, Input::Litmus(litmus) if litmus.loom) => {}
            other => wrong += &format!("{}: {other:?}\n", folder.display()),
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(held >= 8, "{held} inputs hold");
}
