//! Results that are not text on a terminal: files, pipes that close, replays.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn gridproof(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridproof"));
    command.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples"));
    command
}

fn run(arguments: &[&str]) -> Output {
    gridproof(arguments).output().unwrap()
}

const RACY: [&str; 4] = ["check", "residual_writeback.wgsl", "--launch", "residual_writeback.toml"];

#[test]
fn every_form_goes_to_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let outputs = ["human", "json", "junit", "sarif", "trace"].map(|form| format!("{form}={}", path(form)));
    let mut arguments = RACY.to_vec();
    for output in &outputs {
        arguments.extend(["--output", output]);
    }
    let result = run(&arguments);
    assert_eq!(result.status.code(), Some(1), "{}", String::from_utf8_lossy(&result.stderr));
    let text = |form: &str| fs::read_to_string(path(form)).unwrap();
    assert!(text("human").contains("GP0001"));
    assert!(text("junit").contains("failures=\"1\""));
    let json: serde_json::Value = serde_json::from_str(&text("json")).unwrap();
    assert_eq!((&json["version"], &json["verdict"]), (&1.into(), &"racy".into()));
    let sarif: serde_json::Value = serde_json::from_str(&text("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "GP0001");
    let trace: serde_json::Value = serde_json::from_str(&text("trace")).unwrap();
    assert_eq!(trace["otherData"]["rule"], "GP0001");
}

#[test]
fn pages_go_to_a_file_or_to_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let (page, pages) = (folder.path().join("page.html"), format!("{}/", made.display()));
    let outputs =
        [format!("html={}", page.display()), format!("html={pages}"), format!("html={}", folder.path().display())];
    let mut arguments = RACY.to_vec();
    outputs.iter().for_each(|output| arguments.extend(["--output", output]));
    let result = run(&arguments);
    assert_eq!(result.status.code(), Some(1), "{}", String::from_utf8_lossy(&result.stderr));
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    assert!(text(&page).contains("GP0001") && !text(&page).contains("index.html"));
    assert!(text(&made.join("index.html")).contains("href=\"finding-1.html\""));
    assert!(text(&made.join("finding-1.html")).contains("href=\"index.html\""));
    assert_eq!(text(&made.join("index.html")), text(&folder.path().join("index.html")));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let inside = format!("html={}/pages/", file.display());
    let result = run(&[&RACY[..], &["--output", &inside]].concat());
    let error = String::from_utf8_lossy(&result.stderr).into_owned();
    assert_eq!(result.status.code(), Some(2), "{error}");
    assert!(error.contains("file/pages/: "), "{error}");
}

#[test]
fn the_json_bytes_are_the_same_each_time_and_for_any_number_of_threads() {
    let json = |threads: &str| {
        let result = run(&[&RACY[..], &["--format", "json", "--threads", threads]].concat());
        let mut value: serde_json::Value = serde_json::from_slice(&result.stdout).unwrap();
        value["stats"]["seconds"] = 0.into();
        value.to_string()
    };
    assert_eq!(json("1"), json("1"));
    assert_eq!(json("1"), json("2"));
}

#[test]
fn a_report_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json").display().to_string();
    assert_eq!(run(&[&RACY[..], &["--output", &format!("json={report}")]].concat()).status.code(), Some(1));
    let replayed = run(&["replay", &report]);
    let text = String::from_utf8_lossy(&replayed.stdout);
    assert_eq!(replayed.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&replayed.stderr));
    assert!(text.starts_with("reproduced\n"), "{text}");

    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    let schedule = json["findings"][0]["schedule"].as_str().unwrap();
    let exactly = run(&[&RACY[..], &["--schedule", schedule]].concat());
    assert_eq!(exactly.status.code(), Some(1));

    let missing = run(&["replay", &report, "--finding", "99"]);
    assert_eq!(missing.status.code(), Some(4));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = gridproof(&["explain", "GP0001"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let result = child.wait_with_output().unwrap();
    assert_eq!((result.status.code(), &*result.stderr), (Some(0), &b""[..]));

    let mut child = gridproof(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let result = child.wait_with_output().unwrap();
    assert_eq!((result.status.code(), &*result.stderr), (Some(0), &b""[..]));
}

#[test]
fn a_catalogue_kernel_is_checked_and_its_race_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json").display().to_string();
    let output = format!("json={report}");
    let shape = ["check", "resadd_norm_gemv_int4:fused", "--shape", "n=3,k=512", "--no-threshold", "--output", &output];
    assert_eq!(run(&shape).status.code(), Some(1));
    assert_eq!(run(&["replay", &report]).status.code(), Some(1));
    let clean = ["check", "resadd_norm_gemv_int4:split", "--shape", "n=3,k=512"];
    assert_eq!(run(&clean).status.code(), Some(0));
}
