//! JSON: against its schema, and back.

use gridproof_report::json::{ReadError, check, read_finding, read_replay, verdicts};
use gridproof_report::model::{CheckReport, Place, Subject, Verdict, VerdictRow, Verdicts};
use gridproof_simulator::finding::{BoundsLimit, Finding};
use serde_json::{Value, json};

use crate::{made, schema};

fn every_report() -> Vec<CheckReport> {
    let mut findings = made::each_rule();
    findings.push(made::wrong_barrier());
    findings.push(made::out_of_bounds(BoundsLimit::Array { index: -1, elements: 64 }));
    findings.push(made::out_of_bounds(BoundsLimit::Unmapped { address: 0xdead_beef_0000 }));
    findings.push(made::out_of_bounds(BoundsLimit::ReadOnly));
    vec![
        CheckReport { findings, ..made::racy() },
        made::report(Verdict::RaceFree, Vec::new()),
        made::user_file(Verdict::Faulty, vec![made::misaligned()]),
        made::unsupported(),
        made::incomplete(),
        made::approximate(),
        made::in_cuda(made::racy()),
    ]
}

fn row(report: CheckReport, as_expected: bool) -> VerdictRow {
    let mismatch = (!as_expected).then(|| "found GP0002, which is not expected".to_owned());
    VerdictRow { report, expected: "racy, GP0001".to_owned(), as_expected, mismatch }
}

#[test]
fn every_report_fits_the_schema() {
    let check_schema = schema::file("check-v1.json");
    for report in every_report() {
        let value: Value = serde_json::from_str(&check(&report)).unwrap();
        assert_eq!(schema::faults(&value, &check_schema, &check_schema, "report"), Vec::<String>::new());
    }
    let rows: Vec<_> = every_report().into_iter().map(|report| row(report, false)).collect();
    let table = Verdicts { rows, skipped: vec![made::skipped()] };
    let (value, table) = (serde_json::from_str(&verdicts(&table)).unwrap(), schema::file("verdicts-v1.json"));
    assert_eq!(schema::faults(&value, &table, &table, "table"), Vec::<String>::new());
}

#[test]
fn every_key_is_in_the_schema() {
    let root = schema::file("check-v1.json");
    let known = |pointer: &str, value: &Value| {
        let properties = root.pointer(pointer).unwrap()["properties"].as_object().unwrap();
        let unknown: Vec<_> = value.as_object().unwrap().keys().filter(|key| !properties.contains_key(*key)).collect();
        assert!(unknown.is_empty(), "{pointer}: {unknown:?}");
    };
    for report in every_report() {
        let value: Value = serde_json::from_str(&check(&report)).unwrap();
        known("", &value);
        for finding in value["findings"].as_array().unwrap() {
            known("/$defs/finding", finding);
            known("/$defs/access", &finding["first"]);
        }
    }
}

#[test]
fn the_schema_notices_what_is_wrong() {
    let root = schema::file("check-v1.json");
    for (pointer, wrong) in [
        ("/verdict", json!("fine")),
        ("/version", json!(2)),
        ("/findings/0/first/workgroup", json!("0")),
        ("/findings/0/detail", json!({ "kind": "unordered" })),
        ("/stats/seconds", json!(-1.0)),
        ("/safe_under", json!({})),
    ] {
        let mut value: Value = serde_json::from_str(&check(&made::racy())).unwrap();
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert_eq!(schema::faults(&value, &root, &root, "report").len(), 1, "{pointer}");
    }
}

#[test]
fn the_bytes_are_the_expected_ones() {
    insta::assert_snapshot!("json_racy", check(&made::racy()));
    insta::assert_snapshot!("json_file", check(&made::user_file(Verdict::RaceFree, Vec::new())));
}

#[test]
fn what_a_replay_gave() {
    insta::assert_snapshot!("json_replay", gridproof_report::json::replay(&made::replay()));
}

#[test]
fn a_replay_is_read_back() {
    let replay = read_replay(&check(&made::racy())).unwrap();
    let report = made::racy();
    assert_eq!(replay.subject, report.subject);
    assert_eq!((replay.arithmetic, replay.settings), (report.arithmetic, report.settings));
    assert_eq!(replay.schedule, report.findings[0].schedule);
    let expected = replay.expected.unwrap();
    assert!(expected.matches(&report.findings[0], &report.files));
    assert_eq!(expected.differing_bytes, Some(1020));
    assert_eq!(expected.first, Place { file: "resadd.wgsl".to_owned(), line: 18, column: 5 });
    assert!(!expected.matches(&made::workgroup_race(), &report.files));
}

#[test]
fn swapped_accesses_are_the_same_finding() {
    let report = made::racy();
    let expected = read_replay(&check(&report)).unwrap().expected.unwrap();
    let found = &report.findings[0];
    let swapped = Finding { first: found.second.clone().unwrap(), second: Some(found.first.clone()), ..found.clone() };
    assert!(expected.matches(&swapped, &report.files));
}

#[test]
fn a_user_file_and_a_single_finding_are_read_back() {
    let report = made::user_file(Verdict::Racy, vec![made::misaligned(), made::workgroup_race()]);
    let text = check(&report);
    let replay = read_replay(&text).unwrap();
    assert!(matches!(&replay.subject, Subject::File { entry, .. } if entry == "main"));
    assert_eq!(replay.schedule, report.findings[1].schedule, "the first with a schedule is taken");
    assert_eq!(read_finding(&text, 1).unwrap().schedule, None);
    assert_eq!(read_finding(&text, 3), Err(ReadError::NoFinding { findings: 2, wanted: 3 }));
    assert_eq!(read_finding(&text, 0), Err(ReadError::NoFinding { findings: 2, wanted: 0 }));

    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["finding"] = value["findings"][1].take();
    value.as_object_mut().unwrap().remove("findings");
    assert_eq!(read_replay(&value.to_string()).unwrap(), replay);
}

#[test]
fn errors_name_the_place() {
    for (pointer, wrong, message) in [
        ("/version", json!(2), "`version` is `2`: only version 1 can be read"),
        ("/kernel", json!(null), "`kernel` is missing"),
        ("/kernel", json!(7), "`kernel` is a number, expected a string"),
        ("/shape", json!({ "n": [] }), "`shape.n` is an array, expected a number or a string"),
        ("/slots", json!(0), "`slots` is `0`: at least one slot is needed"),
        ("/slots", json!(5_000_000_000_u64), "`slots` is `5000000000`: must be below 4,294,967,296"),
        (
            "/arithmetic",
            json!("fast"),
            "`arithmetic` is `fast`: expected fused or separate, and `,flush` for flushed denormals",
        ),
        ("/findings", json!([]), "the report has 0 findings, so there is no finding 1 to replay"),
        ("/findings", json!({}), "`findings` is an object, expected an array"),
        ("/findings/0", json!("x"), "`findings[0]` is a string, expected an object"),
        ("/findings/0/rule", json!("GP1"), "`findings[0].rule` is `GP1`: no rule has this code"),
        (
            "/findings/0/schedule",
            json!("gp1;slots=2;0*0"),
            "`findings[0].schedule` is `gp1;slots=2;0*0`: character 16: a run of turns has at least one",
        ),
        (
            "/findings/0/first/span/line",
            json!(-1),
            "`findings[0].first.span.line` is a number, expected a whole number of at most 64 bits",
        ),
        ("/findings/0/second/span", json!(null), "`findings[0].second.span` is missing"),
    ] {
        let mut value: Value = serde_json::from_str(&check(&made::racy())).unwrap();
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert_eq!(read_replay(&value.to_string()).unwrap_err().to_string(), message);
    }
}

#[test]
fn hostile_text_is_an_error() {
    let deep = "[".repeat(100_000);
    let wide = format!("{{\"version\": 1, \"findings\": [{}]}}", vec!["{}"; 1000].join(","));
    for text in
        ["", "null", "[]", "7", "{}", "\u{0}", "{\"version\": 1}", "{\"version\":1,\"finding\":[]}", &deep, &wide]
    {
        assert!(read_replay(text).is_err(), "{}", text.chars().take(40).collect::<String>());
    }
    let whole = check(&made::racy());
    for end in (0..whole.len() - 2).step_by(37) {
        assert!(read_replay(&whole[..end]).is_err());
    }
    assert_eq!(
        read_replay("{\n  \"version\": nope}").unwrap_err().to_string(),
        "line 2, column 15: not JSON: expected ident"
    );
}

#[test]
fn every_single_key_may_be_replaced_by_anything() {
    let whole: Value = serde_json::from_str(&check(&made::racy())).unwrap();
    let mut pointers = Vec::new();
    collect(&whole, String::new(), &mut pointers);
    for pointer in pointers {
        for wrong in [json!(null), json!([]), json!({}), json!(-1), json!(1e300), json!("\u{202e}"), json!(u64::MAX)] {
            let mut value = whole.clone();
            *value.pointer_mut(&pointer).unwrap() = wrong;
            let _ = read_replay(&value.to_string());
        }
    }
}

fn collect(value: &Value, path: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| collect(value, format!("{path}/{key}"), pointers)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| collect(value, format!("{path}/{index}"), pointers));
        }
        _ => {}
    }
    pointers.push(path);
}
