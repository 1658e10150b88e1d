//! The official schema of SARIF 2.1.0, which the sources of the crate `serde-sarif` have.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| jsonschema::validator_for(&schema()).unwrap());

/// The schema, where cargo keeps the crate.
fn schema() -> Value {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc).arg("-vV").output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Only what this host needs is sure to be downloaded.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", host, "--manifest-path"])
        .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
    let text = std::fs::read_to_string(manifest.with_file_name("src").join("schema.json")).unwrap();
    // The pattern of language codes has a bracket too many, which JSON Schema's regular expressions do not allow.
    let text = text.replace(r"[a-zA-Z]{2}]?$", r"[a-zA-Z]{2}?$");
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert!(schema["title"].as_str().unwrap().contains("SARIF"), "{}", schema["title"]);
    schema
}

/// Where a log breaks the schema; empty when it does not.
pub fn faults(log: &Value) -> Vec<String> {
    VALIDATOR.iter_errors(log).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn what_breaks_the_schema_is_noticed() {
    let good = json!({ "version": "2.1.0", "runs": [{ "tool": { "driver": { "name": "x" } }, "results": [] }] });
    assert_eq!(faults(&good), Vec::<String>::new());
    let mut broken = good.clone();
    broken["runs"][0]["results"] = json!([{ "message": { "text": "x" }, "level": "fatal" }]);
    assert_eq!(faults(&broken).len(), 1);
    broken["runs"][0]["tool"]["driver"] = json!({});
    assert!(faults(&broken).len() > 1);
}
