//! Shell scripts that stand in for other programs in tests.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes an executable.
///
/// A process of its own writes it. A file that this process had open for writing would be inherited, until it is
/// replaced, by every process that other tests start meanwhile, and what is open for writing cannot be executed.
pub(crate) fn write(path: &Path, text: &str) {
    let mut shell = Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{text}\n").as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success());
}
