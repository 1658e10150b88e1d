//! The matrix from outside: shares that are merged, runs that are killed, cells that are all skipped, and the action.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn gridproof(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridproof"));
    for system in
        ["CI_NODE_INDEX", "BUILDKITE_PARALLEL_JOB", "CIRCLE_NODE_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"]
    {
        command.env_remove(system);
    }
    command.args(arguments).current_dir(folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    gridproof(folder, arguments).output().unwrap()
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

/// Name and result of every cell.
fn cells(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["cells"].as_array().unwrap().iter().map(|cell| (text(&cell["name"]), text(&cell["result"]))).collect()
}

const FEW: [&str; 5] = ["conform", "--leg", "sim-wgsl", "--filter", "gdn_decode/offset32"];

#[test]
fn merged_shares_are_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(run(folder, &[&FEW[..], &["--output", "json=whole.json"]].concat()).status.code(), Some(0));
    for index in ["0", "1", "2"] {
        let output = format!("json=share-{index}.json");
        let arguments = [&FEW[..], &["--partition", "auto/3", "--output", &output]].concat();
        let result = gridproof(folder, &arguments).env("JOB_COMPLETION_INDEX", index).output().unwrap();
        let said = String::from_utf8(result.stderr).unwrap();
        assert!(result.status.success() && said.contains(&format!("from JOB_COMPLETION_INDEX={index}")), "{said}");
    }
    let merge = ["conform", "--merge", "share-2.json", "share-0.json", "share-1.json", "--output", "json=merged.json"];
    assert_eq!(run(folder, &merge).status.code(), Some(0));
    let whole = cells(&json(folder, "whole.json"));
    assert!(whole.len() > 3);
    assert_eq!(cells(&json(folder, "merged.json")), whole);

    let lacking = run(folder, &["conform", "--merge", "share-2.json", "share-0.json"]);
    assert_eq!(lacking.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&lacking.stderr).contains("slice:2/3 is missing"));
    let twice = run(folder, &["conform", "--merge", "share-0.json", "share-0.json"]);
    assert_eq!(twice.status.code(), Some(2));
}

#[test]
fn a_run_that_was_killed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let arguments = ["conform", "--leg", "golden", "--leg", "oracle", "--filter", "gdn_decode/", "--resume", "journal"];
    let mut child = gridproof(folder, &arguments).stdout(Stdio::piped()).spawn().unwrap();
    // Killed as soon as a few cells are written down; if it was faster than that, it has ended.
    let lines = || fs::read_to_string(folder.join("journal")).map_or(0, |text| text.lines().count());
    while lines() < 4 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let before = fs::read_to_string(folder.join("journal")).unwrap();
    let kept = before.matches('\n').count() - 1;
    assert!(kept >= 3, "{before}");
    // As if it had been killed in the middle of a line.
    fs::write(folder.join("journal"), format!("{before}{{\"environment\":\"")).unwrap();
    let again = run(folder, &[&arguments[..], &["--output", "json=again.json"]].concat());
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    let report = json(folder, "again.json");
    let resumed = usize::try_from(report["resumed"].as_u64().unwrap()).unwrap();
    assert!(resumed == kept || resumed == kept + 1, "{resumed} of {kept}");
    let all = cells(&report).len();
    assert!(resumed <= all);
    let third = run(folder, &[&arguments[..], &["--output", "json=third.json"]].concat());
    assert_eq!(third.status.code(), Some(0));
    let report = json(folder, "third.json");
    assert_eq!(report["resumed"].as_u64(), u64::try_from(all).ok());
}

#[test]
fn a_run_that_compared_nothing_is_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    // A device that is nowhere.
    let arguments =
        ["conform", "--leg", "cuda:", "--filter", "gdn_decode/offset32/t=2,cache=1/fused", "--output", "json=a.json"];
    let mut command = gridproof(folder.path(), &arguments);
    let result = command.env("CUDA_VISIBLE_DEVICES", "").env("GRIDPROOF_NVRTC", "/nowhere").output().unwrap();
    assert_eq!(json(folder.path(), "a.json")["agreed"], 0);
    assert_eq!(result.status.code(), Some(4), "{}", String::from_utf8_lossy(&result.stdout));
}

#[test]
fn every_form_of_the_matrix_goes_to_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let outputs = ["json=m.json", "junit=m.xml", "sarif=m.sarif", "html=m.html"];
    let mut arguments = FEW.to_vec();
    outputs.iter().for_each(|output| arguments.extend(["--output", output]));
    assert_eq!(run(folder.path(), &arguments).status.code(), Some(0));
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(text("m.xml").contains("failures=\"0\""));
    assert!(text("m.html").contains("Conformance matrix"));
    assert_eq!(json(folder.path(), "m.sarif")["version"], "2.1.0");
}

/// Both lines of a race, the schedule that shows it, and the fingerprints.
#[test]
fn a_race_of_a_cell_is_in_sarif_with_its_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["conform", "--leg", "sim-wgsl:32", "--filter", "resadd_norm_gemv_int4/fused/n=2,k=512/fused"];
    let arguments = [&arguments[..], &["--output", "sarif=m.sarif"]].concat();
    assert_eq!(run(folder.path(), &arguments).status.code(), Some(0));
    let log = json(folder.path(), "m.sarif");
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        assert_eq!(result["ruleId"], "GP0001");
        let line = |location: &Value| location["physicalLocation"]["region"]["startLine"].as_u64().unwrap();
        assert_ne!(line(&result["locations"][0]), line(&result["relatedLocations"][0]));
        let steps = result["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap();
        let step = |step: &Value| step["location"]["message"]["text"].as_str().unwrap().to_owned();
        assert!(steps.len() >= 2 && step(&steps[0]).contains("workgroup"), "{steps:?}");
        assert!(result["partialFingerprints"]["gridproofFinding/v1"].is_string());
    }
}

#[test]
fn the_action_uses_each_of_its_inputs_and_runs() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../action.yml")).unwrap();
    let action: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    assert_eq!(action["runs"]["using"].as_str(), Some("composite"));
    let step = action["runs"]["steps"].as_sequence().unwrap().last().unwrap();
    let (environment, script) = (step["env"].as_mapping().unwrap(), step["run"].as_str().unwrap());
    let inputs: Vec<&str> = action["inputs"].as_mapping().unwrap().keys().map(|key| key.as_str().unwrap()).collect();
    for input in &inputs {
        let variable = format!("INPUT_{}", input.to_uppercase().replace('-', "_"));
        let value = environment.get(variable.as_str()).and_then(|value| value.as_str());
        assert_eq!(value, Some(format!("${{{{ inputs.{input} }}}}").as_str()), "{input}");
        assert!(script.contains(&format!("${variable}")), "{input} is not used");
    }
    assert_eq!(environment.len(), inputs.len(), "a variable that is no input");
    for (name, output) in action["outputs"].as_mapping().unwrap() {
        let name = name.as_str().unwrap();
        assert_eq!(output["value"].as_str(), Some(format!("${{{{ steps.run.outputs.{name} }}}}").as_str()));
        assert!(script.contains(&format!("{name}=$")), "{name} is never set");
    }
    if cfg!(unix) {
        the_step_runs(script, &inputs);
    }
}

/// The step as GitHub's runner runs it: with `bash -e`, and a file for outputs.
fn the_step_runs(script: &str, inputs: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let run = |given: &[(&str, &str)]| {
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", script]).current_dir(folder.path());
        for input in inputs {
            let variable = format!("INPUT_{}", input.to_uppercase().replace('-', "_"));
            let value = given.iter().find(|(name, _)| name == input).map_or("", |(_, value)| value);
            command.env(variable, value);
        }
        let file = folder.path().join("output");
        fs::write(&file, "").unwrap();
        command.env("GITHUB_OUTPUT", &file).env("GRIDPROOF", env!("CARGO_BIN_EXE_gridproof"));
        let status = command.output().unwrap().status.code();
        (status, fs::read_to_string(file).unwrap())
    };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let racy =
        format!("check '{0}/residual_writeback.wgsl' --launch '{0}/residual_writeback.toml'", examples.display());
    let args = ("args", racy.as_str());
    let (code, outputs) = run(&[args, ("sarif", "a b.sarif"), ("fail-on-findings", "true")]);
    assert_eq!((code, outputs.as_str()), (Some(1), "exit-code=1\nsarif=a b.sarif\n"));
    assert_eq!(run(&[args, ("fail-on-findings", "false")]), (Some(0), "exit-code=1\n".to_owned()));
    let all = [
        ("args", "conform --leg golden --filter gdn_mtp"),
        ("partition", "slice:1/2"),
        ("resume", "journal"),
        ("junit", "a.xml"),
        ("json", "a.json"),
        ("html", "a.html"),
        ("fail-on-findings", "true"),
    ];
    assert_eq!(run(&all), (Some(0), "exit-code=0\n".to_owned()));
    for file in ["journal", "a.xml", "a.json", "a.html"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    assert_eq!(run(&[("args", "conform --leg metal"), ("fail-on-findings", "false")]).0, Some(4));
}
