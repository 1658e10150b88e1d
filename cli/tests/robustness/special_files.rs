//! Paths that are no files to read: folders, pipes that nobody writes, devices that never end, what is missing.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::corpus::{LAUNCH, TENSOR_LAUNCH, WGSL};
use super::program::run;

/// Every reader that is given a path, with that path.
fn readers(path: &str) -> Vec<Vec<&str>> {
    let check = ["check", "kernel.wgsl", "-q", "--launch", "kernel.toml"];
    vec![
        vec!["check", "kernel.wgsl", "--launch", path],
        [&check[..], &["--baseline", path]].concat(),
        [&check[..], &["--write-baseline", path]].concat(),
        vec!["replay", path],
        vec!["conform", "--merge", path],
        vec!["conform", "--leg", "sim-wgsl", "--filter", "nothing", "--resume", path],
        vec!["check", "kernel.wgsl", "--launch", "tensor.toml"],
        vec!["check", "kernel.wgsl", "--launch", "module.toml"],
    ]
}

fn refused(folder: &Path, path: &str, why: &str) {
    fs::write(folder.join("tensor.toml"), TENSOR_LAUNCH.replace("t.safetensors", path)).unwrap();
    fs::write(folder.join("module.toml"), LAUNCH.replace("kernel.wgsl", path)).unwrap();
    for arguments in readers(path) {
        let run = run(folder, &arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.words);
        assert!(run.words.contains(path), "{arguments:?}: {}", run.words);
        // The ending of a module is looked at first.
        assert!(run.words.contains(why) || run.words.contains("its name must end"), "{arguments:?}: {}", run.words);
    }
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("kernel.wgsl"), WGSL).unwrap();
    fs::write(folder.join("kernel.toml"), LAUNCH).unwrap();
    for name in ["folder", "folder.wgsl"] {
        fs::create_dir(folder.join(name)).unwrap();
        refused(folder, name, "is a folder");
    }
    for name in ["pipe", "pipe.wgsl"] {
        assert!(Command::new("mkfifo").arg(folder.join(name)).status().unwrap().success());
        refused(folder, name, "a pipe or a device");
    }
    refused(folder, "/dev/zero", "a pipe or a device");
}

#[test]
fn modules_that_are_no_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("kernel.toml"), LAUNCH).unwrap();
    fs::create_dir(folder.join("folder.wgsl")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.join("pipe.wgsl")).status().unwrap().success());
    for module in ["folder.wgsl", "pipe.wgsl", "missing.wgsl"] {
        let run = run(folder, &["check", module, "--launch", "kernel.toml"]);
        assert!(run.code == 2 && run.words.contains(module), "{module}: {}", run.words);
    }
}

#[test]
fn files_past_their_limit_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("kernel.wgsl"), WGSL).unwrap();
    fs::write(folder.join("kernel.toml"), LAUNCH).unwrap();
    fs::write(folder.join("huge.toml"), LAUNCH.replace("kernel.wgsl", "huge.wgsl")).unwrap();
    // Holes: such a file takes no room on the disk.
    for name in ["huge", "huge.wgsl"] {
        fs::File::create(folder.join(name)).unwrap().set_len(1 << 40).unwrap();
    }
    refused_as_long(folder, &["check", "huge.wgsl", "--launch", "huge.toml"]);
    for arguments in readers("huge").into_iter().take(6) {
        refused_as_long(folder, &arguments);
    }
}

fn refused_as_long(folder: &Path, arguments: &[&str]) {
    let run = run(folder, arguments);
    assert!(run.code == 2 && run.words.contains("limit"), "{arguments:?}: {} {}", run.code, run.words);
}
