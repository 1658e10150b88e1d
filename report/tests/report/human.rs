//! The report for a person.

use gridproof_report::human::{Amount, Options, render};
use gridproof_report::model::{Assumption, CheckReport, ReplayReport, SafeUnder, Verdict};
use gridproof_report::verdict::chosen_outputs;
use gridproof_simulator::finding::{BoundsLimit, Finding, Severity};
use gridproof_simulator::ir::SourceFile;

use crate::made;

fn check(name: &str, report: &CheckReport) {
    insta::assert_snapshot!(format!("human_{name}"), render(report, &Options::default()));
}

fn check_finding(name: &str, finding: Finding) {
    check(name, &made::report(Verdict::Faulty, vec![finding]));
}

#[test]
fn each_rule() {
    for finding in made::each_rule() {
        check_finding(finding.rule.code(), finding);
    }
}

#[test]
fn other_details_of_a_rule() {
    check_finding("wrong_barrier", made::wrong_barrier());
    check_finding("unwritten", made::mismatch(None));
    check_finding("array", made::out_of_bounds(BoundsLimit::Array { index: -1, elements: 64 }));
    check_finding("unmapped", made::out_of_bounds(BoundsLimit::Unmapped { address: 0xdead_beef_0000 }));
    check_finding("read_only", made::out_of_bounds(BoundsLimit::ReadOnly));
}

#[test]
fn each_status_of_a_race() {
    let warning = Finding { severity: Severity::Warning, output_visible: None, ..made::cross_workgroup_race() };
    check_finding("benign", Finding { benign: true, ..warning.clone() });
    check_finding("declared", Finding { declared: Some("slot 0 is the null slot".to_owned()), ..warning.clone() });
    check_finding("invisible", Finding { output_visible: Some(false), ..warning });
}

#[test]
fn each_verdict() {
    check("race_free", &made::report(Verdict::RaceFree, Vec::new()));
    check("racy", &made::racy());
    check("faulty_file", &made::user_file(Verdict::Faulty, vec![made::misaligned()]));
    check("unsupported", &made::unsupported());
    check("incomplete", &made::incomplete());
    let undecided = CheckReport { decides_every_schedule: false, ..made::report(Verdict::Incomplete, Vec::new()) };
    check("undecided", &undecided);
    check("approximate", &made::approximate());
}

#[test]
fn wrong_under_every_assumption() {
    let mut report = made::racy();
    report.safe_under = Some(SafeUnder { assumption: Assumption::None, slots: None });
    report.rungs[1].outputs_equal = false;
    report.rungs[1].differing_bytes = 4;
    check("safe_under_none", &report);
}

#[test]
fn slots_beyond_the_number_of_workgroups_are_not_asked_for() {
    let mut report = made::racy();
    report.stats.workgroups = 256;
    let text = render(&report, &Options::default());
    assert!(text.contains("safe only in lock-step waves of >= 256 slots"), "{text}");
    report.stats.workgroups = 8704;
    assert!(render(&report, &Options::default()).contains("safe only in lock-step waves of >= 512 slots"));
    report.safe_under = Some(SafeUnder { assumption: Assumption::LockstepWaves, slots: Some(1) });
    assert!(
        render(&report, &Options::default()).contains("safe only if the subgroups of a workgroup advance together")
    );
}

#[test]
fn two_accesses_of_one_instruction_share_a_label() {
    let mut finding = made::cross_workgroup_race();
    let second = finding.second.as_mut().unwrap();
    (second.action, second.span) = (finding.first.action, finding.first.span);
    second.call_stack.clear();
    check_finding("same_line", finding);
}

#[test]
fn a_module_without_text_is_named_by_its_place() {
    let mut report = made::report(Verdict::Racy, vec![made::workgroup_race()]);
    report.files = vec![SourceFile { name: "k.spv".to_owned(), text: None }];
    check("no_text", &report);
}

#[test]
fn amounts_differ() {
    let report = CheckReport { findings: made::each_rule(), ..made::racy() };
    let brief = render(&report, &Options { amount: Amount::Brief, ..Options::default() });
    insta::assert_snapshot!("human_brief", brief);
    let full = render(&made::approximate(), &Options { amount: Amount::Full, ..Options::default() });
    insta::assert_snapshot!("human_full", full);
}

#[test]
fn a_replay_says_whether_it_reproduced() {
    let report = made::replay();
    insta::assert_snapshot!("human_replay", gridproof_report::human::replay(&report, &Options::default()));
    let gone = ReplayReport { reproduced: false, findings: Vec::new(), differing_bytes: 0, ..report };
    insta::assert_snapshot!("human_replay_not", gridproof_report::human::replay(&gone, &Options::default()));
}

#[test]
fn lines_keep_to_the_width() {
    for width in [0, 60, 80, 120, 9999] {
        for mut report in [made::racy(), made::unsupported(), made::incomplete(), made::approximate()] {
            report.findings = made::each_rule();
            let text = render(&report, &Options { width, ..Options::default() });
            let prose = text
                .lines()
                .filter(|line| !["gridproof check", " | ", "error["].iter().any(|part| line.contains(part)));
            let longest = prose.max_by_key(|line| line.chars().count()).unwrap();
            assert!(longest.chars().count() <= width.clamp(60, 160), "{width}: {longest}");
        }
    }
}

#[test]
fn colour_is_only_colour() {
    let colored = render(&made::racy(), &Options { color: true, ..Options::default() });
    assert!(colored.contains("\u{1b}["));
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some((before, escape)) = rest.split_once("\u{1b}[") {
        plain += before;
        rest = escape.split_once('m').unwrap().1;
    }
    plain += rest;
    let expected = render(&made::racy(), &Options::default());
    let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(&plain), trimmed(&expected));
}

#[test]
fn hostile_names_and_spans_are_harmless() {
    let mut finding = made::cross_workgroup_race();
    finding.first.buffer = "x\u{1b}[2J\nfake".to_owned();
    finding.first.span =
        gridproof_simulator::ir::Span { start: u32::MAX, end: 3, line: 7777, column: 1, ..Default::default() };
    finding.second.as_mut().unwrap().span.file = 99;
    finding.first.byte_offset = i128::MIN;
    finding.declared = Some("because\u{1b}]0;title\u{7}".to_owned());
    let text = render(&made::report(Verdict::Racy, vec![finding]), &Options::default());
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
}

#[test]
fn outputs_that_a_scheduler_chooses_are_named() {
    let outputs = vec!["sums".to_owned(), "tickets".to_owned()];
    let chosen = CheckReport { chosen_outputs: outputs, ..made::report(Verdict::RaceFree, Vec::new()) };
    let words = "`sums`, `tickets` can hold what atomics left in one order or another";
    assert!(chosen_outputs(&chosen).unwrap().starts_with(words));
    assert!(chosen_outputs(&made::report(Verdict::RaceFree, Vec::new())).is_none());
    let text = render(&chosen, &Options::default());
    assert!(text.contains("outputs     `sums`, `tickets` can hold"), "{text}");
}
