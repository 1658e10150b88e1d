//! JUnit XML, for CI dashboards: one test case per check.
//!
//! A check passes when nothing that counts as an error was found; a row of the main job passes when its verdict
//! is the demanded one. What has no verdict (unsupported, incomplete) is an error, never a pass or a skip.

use gridproof_simulator::finding::Severity;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::model::{CheckReport, Verdict, VerdictRow};
use crate::words::{place, severity, words};
use crate::{RenderError, verdict};

/// One check.
///
/// # Errors
/// When the format's library fails; no report is known to cause it.
pub fn check(report: &CheckReport) -> Result<String, RenderError> {
    print([case(report, check_status(report))])
}

/// All rows of the main job.
///
/// # Errors
/// As [`check`].
pub fn verdicts(rows: &[VerdictRow]) -> Result<String, RenderError> {
    print(rows.iter().map(|row| case(&row.report, row_status(row))))
}

fn print(cases: impl IntoIterator<Item = TestCase>) -> Result<String, RenderError> {
    let mut suite = TestSuite::new("check");
    suite.add_test_cases(cases);
    let mut report = Report::new("gridproof");
    report.add_test_suite(suite);
    report.to_string().map_err(|error| RenderError { format: "JUnit", message: error.to_string() })
}

fn case(report: &CheckReport, status: TestCaseStatus) -> TestCase {
    let passed = matches!(status, TestCaseStatus::Success { .. });
    let mut case = TestCase::new(verdict::subject(&report.subject), status);
    case.set_classname("gridproof.check").set_time(report.elapsed);
    if passed {
        case.set_system_out(text(report));
    }
    case
}

fn check_status(report: &CheckReport) -> TestCaseStatus {
    let kind = match report.verdict {
        Verdict::RaceFree => return TestCaseStatus::success(),
        Verdict::Racy | Verdict::Faulty => NonSuccessKind::Failure,
        Verdict::Unsupported | Verdict::Incomplete => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    let rule = report.findings.iter().find(|finding| finding.severity == Severity::Error);
    status.set_type(rule.map_or(report.verdict.word(), |finding| finding.rule.code()));
    status.set_message(verdict::verdict(report)).set_description(text(report));
    status
}

fn row_status(row: &VerdictRow) -> TestCaseStatus {
    if row.as_expected {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let mismatch = row.mismatch.as_deref().unwrap_or("another verdict");
    status.set_type("unexpected-verdict").set_message(format!("expected {}: {mismatch}", row.expected));
    status.set_description(text(&row.report));
    status
}

fn text(report: &CheckReport) -> String {
    let mut lines = vec![verdict::verdict(report)];
    lines.extend(verdict::safe_under(report));
    lines.extend(report.unsupported.as_ref().map(ToString::to_string));
    lines.extend(verdict::exhausted(report));
    for finding in &report.findings {
        let words = words(finding, &report.files, None);
        let (at, level) = (place(finding.first.span, &report.files), severity(finding.severity));
        lines.push(format!("{at}: {level}[{}]: {}", finding.rule.code(), words.title));
        lines.extend(words.notes.into_iter().map(|note| format!("    {note}")));
        lines.push(format!("    help: {}", words.help));
    }
    lines.push(report.command.clone());
    lines.join("\n")
}
