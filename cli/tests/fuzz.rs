//! Campaigns from the outside: found, killed, resumed, listed, replayed, made smaller.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn gridproof(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridproof"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    said(&gridproof(arguments).output().unwrap())
}

/// Names in a folder, without what is being written.
fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.')).collect()
}

#[test]
fn a_campaign_that_is_killed_has_lost_nothing_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = folder.path().join("campaign");
    let path = campaign.display().to_string();
    let begin =
        ["fuzz", "run", "--folder", &path, "--jobs", "2", "--no-cuda", "--switch-on", "gdn_decode:softplus_branchless"];
    let mut running = gridproof(&begin).spawn().unwrap();
    while names(&campaign.join("findings")).is_empty() || names(&campaign.join("corpus")).is_empty() {
        assert!(running.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    let (findings, corpus) = (names(&campaign.join("findings")), names(&campaign.join("corpus")));
    running.kill().unwrap();
    running.wait().unwrap();

    let (code, list, _) = run(&["fuzz", "list", &path]);
    assert_eq!(code, Some(1), "{list}");
    assert!(findings.iter().all(|name| list.contains(name.as_str())), "{list}");

    let (code, summary, errors) = run(&["fuzz", "resume", &path, "--time", "1s", "--jobs", "1", "--format", "json"]);
    assert_eq!(code, Some(1), "{summary}{errors}");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert!(summary["executions"].as_u64().unwrap() > 0, "{summary}");
    assert!(
        summary["accepted_share"].as_f64().unwrap() > 0.0 && summary["coverage"].as_u64().unwrap() > 0,
        "{summary}"
    );
    assert!(names(&campaign.join("findings")).is_superset(&findings));
    assert!(names(&campaign.join("corpus")).is_superset(&corpus));

    let finding = campaign.join("findings").join(findings.first().unwrap()).display().to_string();
    let (code, again, _) = run(&["fuzz", "replay", &finding]);
    assert_eq!(code, Some(1), "{again}");
    assert!(again.contains("the model says"), "{again}");
    let (code, smaller, _) = run(&["fuzz", "minimize", &finding, "--tries", "60"]);
    assert_eq!(code, Some(1), "{smaller}");
    assert!(smaller.contains("gridproof fuzz replay"), "{smaller}");
}

/// A campaign with these settings, and a finding that is none: an input of the parsers that holds.
fn campaign_with_a_finding(folder: &Path, settings: &str, property: &str) -> PathBuf {
    let finding = folder.join("findings").join(format!("{property}-0123"));
    for name in ["corpus", "clients"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    std::fs::create_dir_all(&finding).unwrap();
    let scope = "[scope]\nonly = [\"texts\"]\ncuda = false\n";
    std::fs::write(folder.join("campaign.toml"), format!("seed = 1\n{settings}\n{scope}")).unwrap();
    std::fs::write(finding.join("input"), [0; 40]).unwrap();
    let record =
        format!("property = \"{property}\"\nsubject = \"texts\"\nmessage = \"long ago\"\nafter_milliseconds = 0\n");
    std::fs::write(finding.join("finding.toml"), record + scope).unwrap();
    finding
}

#[test]
fn a_finding_is_tried_again_in_a_process_that_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let replay = |name: &str, settings: &str, property: &str| {
        let finding = campaign_with_a_finding(&folder.path().join(name), settings, property);
        run(&["fuzz", "replay", &finding.display().to_string()])
    };
    let (code, said, _) = replay("holds", "limit_milliseconds = 60000", "slow");
    assert_eq!((code, said.lines().last()), (Some(0), Some("holds now")), "{said}");
    // Nothing ends within no time.
    let (code, said, _) = replay("slow", "limit_milliseconds = 0", "slow");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("\nfails: it "), "{said}");
}

#[test]
fn one_signature_is_one_finding_and_clients_that_end_again_and_again_end_with_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a campaign");
    // Every input is slow, and nobody knows of it yet.
    std::fs::remove_dir_all(campaign_with_a_finding(&path, "limit_milliseconds = 0", "slow")).unwrap();
    let shown = path.display().to_string();
    let (code, summary, errors) = run(&["fuzz", "resume", &shown, "--jobs", "1", "--format", "json"]);
    assert_eq!(code, Some(3), "{summary}{errors}");
    assert!(errors.contains("clients end again and again"), "{errors}");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let findings = summary["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{summary}");
    assert_eq!(findings[0]["property"], "slow");
    assert!(summary["restarts"].as_u64().unwrap() > 0, "{summary}");
    // The folder's name has a space.
    let replay = findings[0]["replay"].as_str().unwrap();
    assert_eq!(replay, format!("gridproof fuzz replay '{}'", findings[0]["folder"].as_str().unwrap()));
}

#[cfg(target_os = "linux")]
#[test]
fn clients_may_take_so_much_memory_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campaign");
    // Not enough for a thread.
    let settings = "limit_milliseconds = 60000\nmemory_mebibytes = 1";
    std::fs::remove_dir_all(campaign_with_a_finding(&path, settings, "model")).unwrap();
    let (code, said, errors) = run(&["fuzz", "resume", &path.display().to_string(), "--time", "5s", "--jobs", "1"]);
    assert_eq!(code, Some(3), "{said}{errors}");
    assert!(errors.contains("clients end again and again"), "{errors}");
}

#[test]
fn a_finding_that_cannot_be_read_is_told_of_and_others_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = folder.path().join("campaign");
    let finding = campaign_with_a_finding(&campaign, "limit_milliseconds = 60000", "model");
    let part = finding.with_file_name("model-4567");
    std::fs::create_dir(&part).unwrap();
    std::fs::write(part.join("input"), [0; 40]).unwrap();
    let path = campaign.display().to_string();
    for arguments in [&["fuzz", "list", &path][..], &["fuzz", "resume", &path, "--time", "1s", "--jobs", "1"]] {
        let (code, said, errors) = run(arguments);
        assert_eq!(code, Some(1), "{said}{errors}");
        assert!(said.contains("1 findings") && said.contains("model-4567") && said.contains("long ago"), "{said}");
    }
}

#[test]
fn runs_that_share_a_folder_share_no_client() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = folder.path().join("campaign");
    let path = campaign.display().to_string();
    let begin = ["fuzz", "run", "--folder", &path, "--jobs", "1", "--no-cuda", "--only", "texts"];
    let clients = || names(&campaign.join("clients")).into_iter().filter(|name| name.ends_with(".files")).count();
    let mut first = gridproof(&begin).spawn().unwrap();
    while clients() == 0 {
        assert!(first.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    let mut second = gridproof(&[&begin[..], &["--time", "2s"]].concat()).spawn().unwrap();
    let mut most = 0;
    while second.try_wait().unwrap().is_none() {
        most = most.max(clients());
        std::thread::yield_now();
    }
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(most, 2);
    assert_eq!(second.wait().unwrap().code(), Some(0));
}

#[test]
fn what_was_wrong_once_holds_in_the_program_which_has_loom() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/regressions");
    for name in names(&folder) {
        let finding = folder.join(&name);
        let record = std::fs::read_to_string(finding.join("finding.toml")).unwrap();
        let (code, said, errors) = run(&["fuzz", "replay", &finding.display().to_string()]);
        // CUDA C++ needs a compiler that need not be there.
        let no_compiler = code == Some(3) && record.contains("cuda = true");
        assert!(code == Some(0) && said.contains("holds now") || no_compiler, "{name}: {said}{errors}");
    }
}

#[test]
fn what_is_right_gives_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campaign").display().to_string();
    let (code, summary, progress) =
        run(&["fuzz", "run", "--folder", &path, "--jobs", "1", "--time", "3s", "--only", "texts", "--only", "litmus"]);
    assert_eq!(code, Some(0), "{summary}{progress}");
    assert!(summary.contains("0 findings") && summary.contains("% accepted"), "{summary}");
    assert!(progress.contains("coverage") && progress.contains("inputs"), "{progress}");
}

#[test]
fn bad_input_is_refused_with_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = folder.path().join("campaign");
    let path = campaign.display().to_string();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&["fuzz", "run", "--folder", &path, "--only", "gdn"], "gdn_chunked"),
        (&["fuzz", "run", "--folder", &path, "--switch-on", "gdn_decode:auto"], "gdn_decode:offset32"),
        (&["fuzz", "run", "--folder", &path, "--switch-on", "gdn_decode"], "KERNEL:VARIANT"),
        (&["fuzz", "resume", &path], "campaign.toml"),
        (&["fuzz", "run", "--folder", &file.display().to_string(), "--time", "1s"], "file"),
    ];
    for (arguments, expected) in cases {
        let (code, _, errors) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
    assert!(!campaign.exists());
}
