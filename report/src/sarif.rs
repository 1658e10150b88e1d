//! SARIF 2.1.0, for code-scanning services: one result per finding.
//!
//! The first access is the result's location, the second a related one, the schedule a code flow. A service
//! matches results from one run to the next by `partialFingerprints`: `gridproofFinding/v1` is the fingerprint that
//! baselines know (`fingerprint.rs`), with a number behind it where several results have the same one;
//! `gridproofBaseline/v1` is without that number. What a baseline accepts is a suppressed result with the reason.

use std::collections::BTreeMap;

use gridproof_simulator::finding::{Finding, Rule, Severity};
use gridproof_simulator::ir::{SourceFile, Span};
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, CodeFlow, Invocation, Location, Message, MultiformatMessageString, Notification,
    PhysicalLocation, Region, ReportingDescriptor, Result as SarifResult, ResultLevel, Run, SCHEMA_URL, Sarif,
    Suppression, ThreadFlow, ThreadFlowLocation, Tool, ToolComponent,
};

use crate::explain::{Explanation, explanation};
use crate::model::{CheckReport, Verdicts};
use crate::words::{Words, place, words};
use crate::{RenderError, source, verdict};

/// One check.
///
/// # Errors
/// When the format's library fails; no report is known to cause it.
pub fn check(report: &CheckReport) -> Result<String, RenderError> {
    print(&[report])
}

/// All checks of the main job that were done, in one run.
///
/// # Errors
/// As [`check`].
pub fn verdicts(verdicts: &Verdicts) -> Result<String, RenderError> {
    let reports: Vec<_> = verdicts.rows.iter().map(|row| &row.report).collect();
    print(&reports)
}

fn print(reports: &[&CheckReport]) -> Result<String, RenderError> {
    log(reports.iter().map(|report| invocation(report)).collect(), results(reports))
}

/// A log of one run.
pub(crate) fn log(invocations: Vec<Invocation>, results: Vec<SarifResult>) -> Result<String, RenderError> {
    let run = Run::builder()
        .tool(Tool::from(driver()))
        .column_kind(json!("unicodeCodePoints"))
        .invocations(invocations)
        .results(results)
        .build();
    let log = Sarif::builder().schema(SCHEMA_URL).version(json!("2.1.0")).runs(vec![run]).build();
    let value =
        serde_json::to_value(&log).map_err(|error| RenderError { format: "SARIF", message: error.to_string() })?;
    Ok(format!("{value:#}\n"))
}

pub(crate) fn driver() -> ToolComponent {
    ToolComponent::builder()
        .name("gridproof")
        .version(env!("CARGO_PKG_VERSION"))
        .information_uri(env!("CARGO_PKG_REPOSITORY"))
        .rules(Rule::ALL.map(descriptor).to_vec())
        .build()
}

fn descriptor(rule: Rule) -> ReportingDescriptor {
    let Explanation { name, title, meaning, mend, limits, .. } = explanation(rule);
    let help = format!("{mend}\n\nLimits: {limits}");
    ReportingDescriptor::builder()
        .id(rule.code())
        .name(*name)
        .short_description(multiformat((*title).to_owned()))
        .full_description(multiformat((*meaning).to_owned()))
        .help(multiformat(help))
        .build()
}

fn multiformat(text: String) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(text).build()
}

pub(crate) fn message(text: impl Into<String>) -> Message {
    Message::builder().text(text).build()
}

/// What kept a check from a verdict is a notification: it is no result, and its absence must not look like one.
fn invocation(report: &CheckReport) -> Invocation {
    let unsupported = report.unsupported.as_ref().map(ToString::to_string);
    let notifications: Vec<_> = unsupported
        .into_iter()
        .chain(verdict::exhausted(report))
        .map(|text| Notification::builder().message(message(text)).level(json!("error")).build())
        .collect();
    Invocation::builder()
        .execution_successful(notifications.is_empty())
        .command_line(report.command.clone())
        .tool_execution_notifications(notifications)
        .build()
}

fn results(reports: &[&CheckReport]) -> Vec<SarifResult> {
    let mut seen = BTreeMap::new();
    let mut results = Vec::new();
    for report in reports {
        for finding in &report.findings {
            let print = report.fingerprint(finding);
            let times = seen.entry(print.clone()).and_modify(|times| *times += 1).or_insert(1_u64);
            results.push(result(report, finding, &print, *times));
        }
    }
    results
}

fn result(report: &CheckReport, finding: &Finding, fingerprint: &str, times: u64) -> SarifResult {
    let words = words(finding, &report.files, None);
    let (first, related) = locations(finding, &words, &report.files);
    let rule_index =
        Rule::ALL.iter().position(|rule| *rule == finding.rule).and_then(|index| i64::try_from(index).ok());
    let mut result = SarifResult::builder()
        .rule_id(finding.rule.code())
        .rule_index(rule_index.unwrap_or(-1))
        .level(level(finding.severity))
        .message(message(text(report, &words)))
        .locations(vec![first.clone()])
        .related_locations(related)
        .partial_fingerprints(fingerprints(fingerprint, times))
        .build();
    if let Some(reason) = report.accepted.get(fingerprint) {
        result.suppressions = Some(vec![suppression(reason)]);
    }
    if !words.steps.is_empty() {
        result.code_flows = Some(vec![code_flow(&words.steps, &first)]);
    }
    result
}

/// The keys that services match by.
pub(crate) fn fingerprints(fingerprint: &str, times: u64) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("gridproofFinding/v1".to_owned(), format!("{fingerprint}:{times}")),
        ("gridproofBaseline/v1".to_owned(), fingerprint.to_owned()),
    ])
}

/// What a baseline, and not the source, accepts.
pub(crate) fn suppression(reason: &str) -> Suppression {
    Suppression::builder().kind(json!("external")).status(json!("accepted")).justification(reason).build()
}

const fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Error => ResultLevel::Error,
        Severity::Warning => ResultLevel::Warning,
    }
}

fn text(report: &CheckReport, words: &Words) -> String {
    let notes: String = words.notes.iter().map(|note| format!("- {note}\n")).collect();
    format!("{}. In {}.\n\n{notes}\n{}", words.title, verdict::subject(&report.subject), words.help)
}

/// The primary location, and all others with the calls they were inlined through.
fn locations(finding: &Finding, words: &Words, files: &[SourceFile]) -> (Location, Vec<Location>) {
    let mut labels = words.labels.iter().map(|label| (label.span, label.text.clone()));
    let (span, label) = labels.next().unwrap_or((finding.first.span, words.title.clone()));
    let calls = std::iter::once(&finding.first).chain(&finding.second).flat_map(|site| {
        let outwards = |at| crate::words::outwards(site, at, files);
        site.call_stack
            .iter()
            .enumerate()
            .map(move |(at, span)| (*span, format!("{} {}", outwards(at), place(*span, files))))
    });
    let related = labels.chain(calls).map(|(span, text)| location(span, text, files)).collect();
    (location(span, label, files), related)
}

fn location(span: Span, text: String, files: &[SourceFile]) -> Location {
    let file = source::file(span, files);
    let uri = uri(file.map_or("unknown", |file| file.name.as_str()));
    let mut physical =
        PhysicalLocation::builder().artifact_location(ArtifactLocation::builder().uri(uri).build()).build();
    if span.line > 0 {
        physical.region = Some(region(span, file.and_then(|file| file.text.as_deref())));
    }
    Location::builder().physical_location(physical).message(message(text)).build()
}

fn region(span: Span, text: Option<&str>) -> Region {
    let (line, column) = (i64::from(span.line), i64::from(span.column.max(1)));
    let mut region = Region::builder().start_line(line).start_column(column).build();
    let quoted = text.and_then(|text| source::range(span, text).and_then(|range| text.get(range)));
    let length = quoted.and_then(|quoted| i64::try_from(quoted.chars().count()).ok());
    region.end_column = length.map(|length| column.saturating_add(length));
    region
}

/// A file name as a relative URI: everything but unreserved characters and `/` is percent-encoded.
pub(crate) fn uri(name: &str) -> String {
    let mut uri = String::new();
    for byte in name.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri
}

/// The steps have no place of their own; viewers want one, so they stand at the primary location.
/// A schedule in steps, all of them at the first access: a scheduler's turn has no place of its own.
pub(crate) fn code_flow(steps: &[String], first: &Location) -> CodeFlow {
    let steps = steps.iter().enumerate().map(|(order, step)| {
        let mut location = first.clone();
        location.message = Some(message(step.clone()));
        ThreadFlowLocation::builder()
            .execution_order(i64::try_from(order).unwrap_or(i64::MAX))
            .location(location)
            .build()
    });
    let flow = ThreadFlow::builder().locations(steps.collect::<Vec<_>>()).build();
    CodeFlow::builder().message(message("a schedule that shows it")).thread_flows(vec![flow]).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_become_uris() {
        assert_eq!(uri("a b/c\\d.wgsl"), "a%20b/c/d.wgsl");
        assert_eq!(uri("größe"), "gr%C3%B6%C3%9Fe");
    }
}
