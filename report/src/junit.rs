//! JUnit XML, for CI dashboards: one test case per check.
//!
//! A check passes when nothing that counts as an error was found; a row of the main job passes when its verdict
//! is the demanded one; what could not be done on this machine is a skip. What has no verdict (unsupported, incomplete) is an error, never a pass or a skip.

use std::time::Duration;

use gridproof_simulator::finding::{Finding, Severity};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::model::{CheckReport, SkippedRow, Verdict, VerdictRow, Verdicts};
use crate::text::plain;
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
    /// It failed, and why; but somebody has accepted that, so it counts as passed.
    Accepted(String),
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
        let (mut status, said, accepted) = match outcome {
            Outcome::Passed => (TestCaseStatus::success(), None, None),
            Outcome::Accepted(reason) => (TestCaseStatus::success(), None, Some(reason)),
            Outcome::Failed(reason) => (TestCaseStatus::non_success(NonSuccessKind::Failure), Some(reason), None),
            Outcome::Skipped(reason) => (TestCaseStatus::skipped(), Some(reason), None),
        };
        if let Some(said) = said {
            status.set_message(said);
        }
        let mut case = TestCase::new(name, status);
        case.set_classname(class).set_time(elapsed);
        if let Some(accepted) = accepted {
            case.set_system_out(accepted);
        }
        case
    });
    print(name, cases)
}

fn print(name: &str, cases: impl IntoIterator<Item = TestCase>) -> Result<String, RenderError> {
    let mut suite = TestSuite::new(name);
    suite.add_test_cases(cases);
    let mut report = Report::new("gridproof");
    report.add_test_suite(suite);
    let text = report.to_string().map_err(|error| RenderError { format: "JUnit", message: error.to_string() })?;
    Ok(without_total_of_skips(&text))
}

/// Jenkins's `junit-10.xsd` knows `skipped` at `testsuite` only, and its xUnit plug-in refuses a file that has it at
/// `testsuites` as well, as quick-junit writes it.
fn without_total_of_skips(text: &str) -> String {
    let root = text.find("<testsuites").and_then(|start| Some(start..start + text.get(start..)?.find('>')?));
    let Some((root, tag)) = root.and_then(|root| text.get(root.clone()).map(|tag| (root, tag))) else {
        return text.to_owned();
    };
    let kept: Vec<&str> = tag.split(' ').filter(|attribute| !attribute.starts_with("skipped=")).collect();
    [&text[..root.start], &kept.join(" "), &text[root.end..]].concat()
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
        Verdict::Racy | Verdict::Faulty if report.open_errors() == 0 && report.is_complete() => {
            return TestCaseStatus::success();
        }
        Verdict::Racy | Verdict::Faulty => NonSuccessKind::Failure,
        Verdict::Unsupported | Verdict::Incomplete => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    let open = |finding: &&Finding| finding.severity == Severity::Error && report.acceptance(finding).is_none();
    let rule = report.findings.iter().find(open);
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
        lines.extend(report.acceptance(finding).map(|reason| format!("    accepted: {}", plain(reason))));
    }
    lines.push(report.command.clone());
    lines.join("\n")
}
