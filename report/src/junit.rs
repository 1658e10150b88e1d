//! JUnit XML, for CI dashboards: one test case per check.
//!
//! A check passes when nothing that counts as an error was found; a row of the main job passes when its verdict
//! is the demanded one; what could not be done on this machine is a skip. What has no verdict (unsupported, incomplete) is an error, never a pass or a skip.

use std::time::Duration;

use gridproof_simulator::finding::Severity;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::model::{CheckReport, SkippedRow, Verdict, VerdictRow, Verdicts};
use crate::words::{place, severity, words};
use crate::{RenderError, verdict};

/// One check.
///
/// # Errors
/// When the format's library fails; no report is known to cause it.
pub fn check(report: &CheckReport) -> Result<String, RenderError> {
    print("check", [case(report, check_status(report))])
}

/// All rows of the main job.
///
/// # Errors
/// As [`check`].
pub fn verdicts(verdicts: &Verdicts) -> Result<String, RenderError> {
    let checked = verdicts.rows.iter().map(|row| case(&row.report, row_status(row)));
    print("check", checked.chain(verdicts.skipped.iter().map(skipped)))
}

/// One case that is not a check: a cell of the conformance matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The group it belongs to.
    pub class: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// What came of a [`Case`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed, and why.
    Failed(String),
    /// It could not run, and why.
    Skipped(String),
}

/// Cases that are not checks.
///
/// # Errors
/// As [`check`].
pub fn suite(name: &str, cases: impl IntoIterator<Item = Case>) -> Result<String, RenderError> {
    let cases = cases.into_iter().map(|Case { name, class, outcome, elapsed }| {
        let mut status = match outcome {
            Outcome::Passed => TestCaseStatus::success(),
            Outcome::Failed(_) => TestCaseStatus::non_success(NonSuccessKind::Failure),
            Outcome::Skipped(_) => TestCaseStatus::skipped(),
        };
        if let Outcome::Failed(reason) | Outcome::Skipped(reason) = outcome {
            status.set_message(reason);
        }
        let mut case = TestCase::new(name, status);
        case.set_classname(class).set_time(elapsed);
        case
    });
    print(name, cases)
}

fn print(name: &str, cases: impl IntoIterator<Item = TestCase>) -> Result<String, RenderError> {
    let mut suite = TestSuite::new(name);
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

fn skipped(row: &SkippedRow) -> TestCase {
    let mut status = TestCaseStatus::skipped();
    status.set_message(row.reason.as_str());
    let mut case = TestCase::new(verdict::subject(&row.subject), status);
    case.set_classname("gridproof.check");
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
