//! The program under limits, and what must hold of every run.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a run ended.
pub struct Run {
    pub code: i32,
    pub words: String,
}

/// Runs `gridproof` in a folder with 8 GiB of addresses, killed after a minute, and holds it to what every run must do.
pub fn run(folder: &Path, arguments: &[&str]) -> Run {
    let limits = "ulimit -v 8388608; exec timeout --signal=KILL 60 \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limits, env!("CARGO_BIN_EXE_gridproof")])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let about = || format!("{:.300} ended with {}: {:.1000}", arguments.join(" "), output.status, words);
    assert!(matches!(output.status.code(), Some(0..=4)), "{}", about());
    assert!(
        !words.contains("panicked at") && !words.contains("no message") && !words.contains("fault of gridproof"),
        "{}",
        about()
    );
    assert!(words.len() < 64 << 10, "{} bytes of messages from {:.300}", words.len(), arguments.join(" "));
    let code = output.status.code().unwrap();
    assert!(code != 2 || words.contains("error: "), "{}", about());
    Run { code, words }
}

/// Writes a file and runs; an error must name that file, or what does not fit to it.
pub fn with_file(folder: &Path, name: &str, bytes: &[u8], arguments: &[&str]) -> Run {
    fs::write(folder.join(name), bytes).unwrap();
    let run = run(folder, arguments);
    assert!(
        run.code != 2
            || run.words.contains(name)
            || run.words.contains("dispatch 0, entry")
            || run.words.contains("no entry point"),
        "{arguments:?}: `{name}` is not named: {:.1000}",
        run.words
    );
    run
}
