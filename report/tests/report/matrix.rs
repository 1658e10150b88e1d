//! The matrix in every form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gridproof_report::human::Amount;
use gridproof_report::matrix::{self, MatrixReport};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{cells, junit_format, sarif_schema, schema};

#[test]
fn the_human_form() {
    insta::assert_snapshot!("matrix_human", matrix::human(&cells::accepted(), Amount::Normal));
    insta::assert_snapshot!("matrix_human_full", matrix::human(&cells::small(), Amount::Full));
}

#[test]
fn json_keeps_to_its_schema_and_can_be_read_back() {
    let all = schema::file("conform-v1.json");
    let [half, share] = cells::halves();
    for report in [cells::small(), cells::accepted(), half, share, cells::large(), MatrixReport::default()] {
        let text = matrix::json(&report);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(schema::faults(&value, &all, &all, "$"), Vec::<String>::new());
        let read = matrix::read(&text).unwrap();
        assert_eq!(read, MatrixReport { accepted: read.accepted.clone(), ..report });
    }
    insta::assert_snapshot!("matrix_json", matrix::json(&cells::accepted()));
}

#[test]
fn a_schema_that_is_broken_is_noticed() {
    let all = schema::file("conform-v1.json");
    let mut value: Value = serde_json::from_str(&matrix::json(&cells::small())).unwrap();
    value["cells"][0]["result"] = "passed".into();
    value["findings"][0]["places"][0].as_object_mut().unwrap().remove("line");
    assert_eq!(schema::faults(&value, &all, &all, "$").len(), 2);
}

#[test]
fn json_of_others_is_refused() {
    let text = matrix::json(&cells::small());
    let said = |text: &str| matrix::read(text).unwrap_err().to_string();
    assert!(said("{}").contains("not a report of `gridproof conform --format json`"));
    assert!(said(&text.replacen("\"version\": 1", "\"version\": 2", 1)).contains("format 2"));
    let print = &cells::small().cells[5].findings[0].fingerprint;
    let lost = text.replacen(&format!("\"fingerprint\": \"{print}\""), "\"fingerprint\": \"0\"", 1);
    assert!(said(&lost).contains(&format!("no finding has the fingerprint `{print}`")));
    assert!(said(&text.replacen("\"result\": \"agreed\"", "\"result\": \"passed\"", 1)).contains("alpha/plain"));
}

#[test]
fn a_missing_share_is_in_every_form() {
    let [half, _] = cells::halves();
    assert!(matrix::human(&half, Amount::Normal).contains("MISSING    slice:2/3"));
    assert!(matrix::page(&half).contains("<p class=\"verdict bad\" id=\"missing\">Missing: slice:2/3</p>"));
    let junit = matrix::junit(&half).unwrap();
    assert!(junit.contains("<testcase name=\"slice:2/3\" classname=\"gridproof.conform.shares\""));
    let counts = junit_format::counts(&junit).unwrap();
    assert_eq!((counts.tests, counts.failures), (10, 4));
    let sarif: Value = serde_json::from_str(&matrix::sarif(&half).unwrap()).unwrap();
    let run = &sarif["runs"][0]["invocations"][0];
    assert_eq!(run["executionSuccessful"], false);
    assert!(run["toolExecutionNotifications"].to_string().contains("slice:2/3 is missing"));
}

#[test]
fn what_is_accepted_of_a_cell_is_one_kind_of_failure() {
    let print = |reason: &str| {
        let result = matrix::CellResult::Disagreed(reason.to_owned());
        cells::cell("alpha", "plain", "n=1/fused", "cuda:0", result).fingerprint()
    };
    let values = print("output[3] is -1.5e0 (0xbfc00000), the model says 2 (0x40000000); 12 bytes differ");
    assert_eq!(values, print("output[4] is 0.25 (0x3e800000), the model says -7 (0xc0e00000); 3 bytes differ"));
    assert_ne!(values, print("output[3] is NaN (0x7fc00000), the model says 2 (0x40000000); 12 bytes differ"));
    assert_ne!(values, print("a CUDA device is required: no driver"));
    assert_ne!(values, print("other[3] is -1.5e0 (0xbfc00000), the model says 2 (0x40000000); 12 bytes differ"));
}

#[test]
fn more_legs_than_a_page_has_room_for_are_refused() {
    let result = || matrix::CellResult::Agreed;
    let cells = (0..300).map(|leg| cells::cell("alpha", "plain", "n=1/fused", &format!("leg{leg}"), result()));
    let text = matrix::json(&MatrixReport { cells: cells.collect(), ..MatrixReport::default() });
    assert!(matrix::read(&text).unwrap_err().to_string().contains("300 legs"));
}

#[test]
fn junit_keeps_to_what_its_readers_take() {
    let report = cells::accepted();
    let text = matrix::junit(&report).unwrap();
    insta::assert_snapshot!("matrix_junit", text);
    let counts = junit_format::counts(&text).unwrap();
    assert_eq!(counts, junit_format::Counts { tests: 9, failures: 2, errors: 0, skipped: 2 });
}

#[test]
fn sarif_keeps_to_its_official_schema() {
    for report in [cells::small(), cells::accepted(), cells::large()] {
        let log: Value = serde_json::from_str(&matrix::sarif(&report).unwrap()).unwrap();
        assert_eq!(sarif_schema::faults(&log), Vec::<String>::new());
    }
    let mut log: Value = serde_json::from_str(&matrix::sarif(&cells::accepted()).unwrap()).unwrap();
    log["runs"][0]["tool"]["driver"]["rules"] = Value::Null;
    insta::assert_snapshot!("matrix_sarif", format!("{log:#}"));
}

#[test]
fn a_disagreement_is_another_one_when_other_faults_are_found() {
    let report = cells::small();
    let with = |findings| {
        let mut cell = report.cells[7].clone();
        cell.findings = findings;
        cell.fingerprint()
    };
    let [race, misaligned] = [&report.cells[5].findings[0], &report.cells[7].findings[0]];
    assert_eq!(with(vec![misaligned.clone()]), with(vec![race.clone(), misaligned.clone()]), "the race is demanded");
    assert_ne!(with(vec![misaligned.clone()]), with(vec![]));
    assert_ne!(report.cells[1].fingerprint(), report.cells[8].fingerprint());
}

#[test]
fn the_page_says_everything_and_trusts_no_text() {
    let page = matrix::page(&cells::accepted());
    let body = page.split_once("<main>").unwrap().1;
    insta::assert_snapshot!("matrix_page", body.split_once("</main>").unwrap().0);
    assert!(!body.contains("<b>driver") && !body.contains("a <script>"));
}

#[test]
fn the_policy_names_the_hashes_of_style_and_script() {
    let page = matrix::page(&cells::small());
    let within = |start: &str, end: &str| page.split_once(start).unwrap().1.split_once(end).unwrap().0.to_owned();
    let policy = within("Content-Security-Policy\" content=\"", "\"");
    for (kind, part) in [("style", within("<style>", "</style>")), ("script", within("<script>", "</script>"))] {
        let hash = format!("{kind}-src 'sha256-{}'", STANDARD.encode(Sha256::digest(part)));
        assert!(policy.contains(&hash), "page.{kind} has changed, its hash must follow: expected {hash} in {policy}");
    }
}
