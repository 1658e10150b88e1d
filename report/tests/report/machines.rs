//! JUnit, SARIF, and the table.

use gridproof_report::model::{CheckReport, Verdict, VerdictRow, Verdicts};
use gridproof_report::table::{Layout, render};
use gridproof_report::{junit, sarif};
use gridproof_simulator::finding::{Finding, Rule, Severity};
use serde_json::Value;

use crate::{made, sarif_schema};

fn rows() -> Verdicts {
    let row = |report, mismatch: Option<&str>| VerdictRow {
        report,
        expected: "racy, GP0001".to_owned(),
        as_expected: mismatch.is_none(),
        mismatch: mismatch.map(str::to_owned),
    };
    let warning = Finding { severity: Severity::Warning, benign: true, ..made::cross_workgroup_race() };
    let rows = vec![
        row(made::racy(), None),
        row(made::in_cuda(made::racy()), None),
        row(made::report(Verdict::RaceFree, Vec::new()), Some("the verdict is race-free")),
        row(made::report(Verdict::RaceFree, vec![warning]), None),
        row(made::unsupported(), Some("textureLoad is unsupported")),
        row(made::user_file(Verdict::Faulty, vec![made::misaligned(), made::workgroup_race()]), None),
    ];
    Verdicts { rows, skipped: vec![made::skipped(), made::skipped()] }
}

fn sarif_of(report: &CheckReport) -> Value {
    serde_json::from_str(&sarif::check(report).unwrap()).unwrap()
}

#[test]
fn junit_of_each_verdict() {
    insta::assert_snapshot!("junit_racy", junit::check(&made::racy()).unwrap());
    insta::assert_snapshot!("junit_verdicts", junit::verdicts(&rows()).unwrap());
    let counts = |report: &CheckReport| {
        let text = junit::check(report).unwrap();
        let count = |word: &str| text.contains(&format!("{word}=\"1\""));
        (count("failures"), count("errors"))
    };
    assert_eq!(counts(&made::report(Verdict::RaceFree, Vec::new())), (false, false));
    assert_eq!(counts(&made::racy()), (true, false));
    assert_eq!(counts(&made::unsupported()), (false, true));
    assert_eq!(counts(&made::incomplete()), (false, true));
}

#[test]
fn junit_of_other_cases() {
    let case = |name: &str, outcome| junit::Case {
        name: name.to_owned(),
        class: "conform".to_owned(),
        outcome,
        elapsed: std::time::Duration::from_millis(5),
    };
    let cases = [
        case("a", junit::Outcome::Passed),
        case("b", junit::Outcome::Failed("output[1] is 0x8000".to_owned())),
        case("c", junit::Outcome::Skipped("no adapter".to_owned())),
    ];
    insta::assert_snapshot!("junit_suite", junit::suite("conform", cases).unwrap());
}

#[test]
fn sarif_of_a_race() {
    let mut value = sarif_of(&made::racy());
    value["runs"][0]["tool"]["driver"]["rules"] = Value::Null;
    insta::assert_snapshot!("sarif_racy", format!("{value:#}"));
}

#[test]
fn sarif_has_what_the_format_requires() {
    let reports = [CheckReport { findings: made::each_rule(), ..made::racy() }, made::unsupported()];
    for report in &reports {
        let log = sarif_of(report);
        assert_eq!(log["version"], "2.1.0");
        assert_eq!(sarif_schema::faults(&log), Vec::<String>::new());
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), Rule::ALL.len());
        for result in run["results"].as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(result["message"]["text"].is_string());
            assert!(result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64() > Some(0));
        }
    }
    let ran = |report| sarif_of(report)["runs"][0]["invocations"][0]["executionSuccessful"].clone();
    assert_eq!((ran(&reports[0]), ran(&reports[1])), (Value::Bool(true), Value::Bool(false)));
}

#[test]
fn fingerprints_survive_moved_lines_and_tell_findings_apart() {
    let prints = |report: &CheckReport| -> Vec<String> {
        let log = sarif_of(report);
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let print = |result: &Value| result["partialFingerprints"]["gridproofFinding/v1"].as_str().unwrap().to_owned();
        results.iter().map(print).collect()
    };
    let report = CheckReport { findings: made::each_rule(), ..made::racy() };
    let mut moved = report.clone();
    moved.files[0].text = Some(format!("\n\n{}", made::KERNEL).into());
    for finding in &mut moved.findings {
        for site in std::iter::once(&mut finding.first).chain(&mut finding.second) {
            site.span.line += 2;
        }
    }
    assert_eq!(prints(&report), prints(&moved));
    let mut distinct = prints(&report);
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), report.findings.len());

    let mut swapped = report.clone();
    for finding in &mut swapped.findings {
        if let Some(second) = &mut finding.second {
            std::mem::swap(&mut finding.first, second);
        }
    }
    assert_eq!(prints(&report), prints(&swapped), "which access comes first does not matter");
    let mut edited = report.clone();
    edited.files[0].text = Some(made::KERNEL.replace("residual[", "residual [").into());
    assert_ne!(prints(&report), prints(&edited), "an edited line is another finding");

    let twice = CheckReport { findings: vec![made::misaligned(), made::misaligned()], ..made::racy() };
    let twice = prints(&twice);
    assert!(twice[0].ends_with(":1") && twice[1].ends_with(":2"), "{twice:?}");
}

#[test]
fn tables() {
    insta::assert_snapshot!("table_terminal", render(&rows(), Layout::Terminal { color: false }));
    insta::assert_snapshot!("table_pipe", render(&rows(), Layout::Pipe));
    insta::assert_snapshot!("table_empty", render(&Verdicts::default(), Layout::Terminal { color: false }));
    assert!(render(&rows(), Layout::Terminal { color: true }).contains("\u{1b}["));
}

#[test]
fn what_a_baseline_accepts_is_shown_and_passes() {
    let open = made::racy();
    let print = open.fingerprint(&open.findings[0]);
    let accepted = CheckReport { accepted: [(print, "known, see issue 12".to_owned())].into(), ..open.clone() };
    assert_eq!((open.open_errors(), accepted.open_errors()), (1, 0));
    let result = &sarif_of(&accepted)["runs"][0]["results"][0];
    assert_eq!(result["suppressions"][0]["justification"], "known, see issue 12");
    assert_eq!(sarif_schema::faults(&sarif_of(&accepted)), Vec::<String>::new());
    let text = junit::check(&accepted).unwrap();
    assert!(text.contains("failures=\"0\"") && text.contains("accepted: known, see issue 12"), "{text}");
    assert!(junit::check(&open).unwrap().contains("failures=\"1\""));
    // What was counted and not kept cannot be known to be accepted.
    let dropped = CheckReport { findings_dropped: 1, ..accepted };
    assert_eq!(dropped.open_errors(), 1);
    assert!(junit::check(&dropped).unwrap().contains("failures=\"1\""));
}
