//! The matrix as SARIF 2.1.0: a result for each cell that disagrees, and one for each distinct finding of the simulator.
//!
//! A finding that the catalogue demands (a wrong variant that was found out) is there as a suppressed note. Cells have no
//! place in a source, so they stand at their case file.

use std::collections::BTreeMap;

use gridproof_simulator::finding::Rule;
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, LogicalLocation, Notification, PhysicalLocation, Region,
    Result as SarifResult, ResultLevel,
};

use super::human::legs;
use super::{CellReport, CellResult, Found, MatrixReport, Place};
use crate::RenderError;
use crate::sarif::{code_flow, fingerprints, log, message, suppression, uri};

/// All disagreements and findings, in one run.
///
/// # Errors
/// When the format's library fails; no report is known to cause it.
pub fn render(report: &MatrixReport) -> Result<String, RenderError> {
    let mut results: Vec<SarifResult> = report.cells.iter().filter_map(|cell| disagreement(report, cell)).collect();
    let mut seen = BTreeMap::new();
    for (found, cells) in report.findings() {
        let times = seen.entry(&found.fingerprint).and_modify(|times| *times += 1).or_insert(1_u64);
        results.push(finding(found, &cells, *times));
    }
    log(vec![invocation(report)], results)
}

/// Skipped cells are no results; the notifications count them by their reasons.
fn invocation(report: &MatrixReport) -> Invocation {
    let skips = legs(report).into_iter().flat_map(|leg| {
        let name = leg.name;
        leg.skips.into_iter().map(move |(reason, times)| format!("{name}: {times} cells skipped: {reason}"))
    });
    let missing = report.missing.iter().map(|share| format!("{share} is missing: its report was not given"));
    let told = skips.map(|text| (text, "note")).chain(missing.map(|text| (text, "error")));
    let notifications: Vec<_> =
        told.map(|(text, level)| Notification::builder().message(message(text)).level(json!(level)).build()).collect();
    Invocation::builder()
        .execution_successful(report.missing.is_empty())
        .command_line("gridproof conform")
        .tool_execution_notifications(notifications)
        .build()
}

fn disagreement(report: &MatrixReport, cell: &CellReport) -> Option<SarifResult> {
    let CellResult::Disagreed(reason) = &cell.result else { return None };
    let place =
        PhysicalLocation::builder().artifact_location(ArtifactLocation::builder().uri(uri(&cell.file)).build()).build();
    let logical = LogicalLocation::builder().fully_qualified_name(cell.name.clone()).kind("member").build();
    let location = Location::builder().physical_location(place).logical_locations(vec![logical]).build();
    let mut result = SarifResult::builder()
        .rule_id(Rule::LegsDisagree.code())
        .rule_index(rule_index(Rule::LegsDisagree.code()))
        .level(ResultLevel::Error)
        .message(message(format!("{}: {reason}", cell.name)))
        .locations(vec![location])
        .partial_fingerprints(fingerprints(&cell.fingerprint(), 1))
        .build();
    result.suppressions = report.acceptance(cell).map(|reason| vec![suppression(reason)]);
    Some(result)
}

fn finding(found: &Found, cells: &[&CellReport], times: u64) -> SarifResult {
    let first = cells.first().map_or("", |cell| cell.name.as_str());
    let others = if cells.len() > 1 { format!(" and {} other cells", cells.len() - 1) } else { String::new() };
    let notes: String = found.notes.iter().map(|note| format!("- {note}\n")).collect();
    let text = format!("{}. In {first}{others}.\n\n{notes}\n{}", found.title, found.help);
    let level = match (found.demanded, found.severity.as_str()) {
        (true, _) => ResultLevel::Note,
        (false, "error") => ResultLevel::Error,
        (false, _) => ResultLevel::Warning,
    };
    let mut locations = found.places.iter().map(location);
    let first = locations.next();
    let mut result = SarifResult::builder()
        .rule_id(found.rule.clone())
        .rule_index(rule_index(&found.rule))
        .level(level)
        .message(message(text))
        .locations(first.clone().into_iter().collect::<Vec<_>>())
        .related_locations(locations.collect::<Vec<_>>())
        .partial_fingerprints(fingerprints(&found.fingerprint, times))
        .build();
    if let Some(first) = first.filter(|_| !found.steps.is_empty()) {
        result.code_flows = Some(vec![code_flow(&found.steps, &first)]);
    }
    if found.demanded {
        result.suppressions = Some(vec![suppression("the catalogue demands that this is found")]);
    }
    result
}

fn location(place: &Place) -> Location {
    let name = if place.file.is_empty() { "unknown" } else { &place.file };
    let artifact = ArtifactLocation::builder().uri(uri(name)).build();
    let mut physical = PhysicalLocation::builder().artifact_location(artifact).build();
    if place.line > 0 {
        let mut region =
            Region::builder().start_line(i64::from(place.line)).start_column(i64::from(place.column.max(1))).build();
        region.end_column = place.end_column.map(i64::from);
        physical.region = Some(region);
    }
    Location::builder().physical_location(physical).message(message(place.text.clone())).build()
}

fn rule_index(code: &str) -> i64 {
    let position = Rule::ALL.iter().position(|rule| rule.code() == code);
    position.and_then(|index| i64::try_from(index).ok()).unwrap_or(-1)
}
