//! The matrix as JSON, version 1 (`schema/conform-v1.json`): written, and read back so that shards can be merged.
//!
//! Every distinct finding is there once; cells name the fingerprints of theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CellReport, Found, MatrixReport, Origin};

/// Version of the format.
const VERSION: u64 = 1;

/// Legs of a report that is read: the page has a column for each.
const MOST_LEGS: usize = 256;

/// JSON that is no matrix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a report of `gridproof conform --format json`: {0}")]
pub struct ReadError(String);

/// The whole report.
pub fn write(report: &MatrixReport) -> String {
    let counts = report.counts();
    let devices = report.devices.iter().map(|(leg, device)| json!({ "leg": leg, "device": device }));
    let findings = report.findings().into_iter().map(|(found, cells)| {
        let mut value = serde_json::to_value(found).unwrap_or_default();
        value["cells"] = json!(cells.len());
        value
    });
    let value = json!({
        "version": VERSION,
        "gridproof": env!("CARGO_PKG_VERSION"),
        "selection": report.selection,
        "partition": report.partition,
        "agreed": counts.agreed,
        "disagreed": counts.disagreed,
        "accepted": counts.accepted,
        "skipped": counts.skipped,
        "origin": report.origin,
        "missing": report.missing,
        "resumed": report.resumed,
        "seconds": report.elapsed.as_secs_f64(),
        "devices": devices.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "cells": report.cells.iter().map(|cell| cell_value(report, cell)).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn cell_value(report: &MatrixReport, cell: &CellReport) -> Value {
    let Ok(Value::Object(mut object)) = serde_json::to_value(cell) else { return Value::Null };
    object.entry("reason").or_insert(Value::Null);
    object.insert("fingerprint".to_owned(), json!(cell.fingerprint()));
    object.insert("accepted".to_owned(), json!(report.acceptance(cell)));
    let findings: Vec<Value> = cell
        .findings
        .iter()
        .map(|found| json!({ "fingerprint": found.fingerprint, "demanded": found.demanded }))
        .collect();
    object.insert("findings".to_owned(), json!(findings));
    Value::Object(object)
}

#[derive(Deserialize)]
struct Text {
    version: u64,
    gridproof: String,
    selection: String,
    partition: Option<String>,
    origin: Option<Origin>,
    #[serde(default)]
    missing: Vec<String>,
    resumed: usize,
    seconds: f64,
    devices: Vec<Device>,
    findings: Vec<Found>,
    cells: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Device {
    leg: String,
    device: String,
}

/// Reads what [`write()`] wrote. What a baseline accepted is not read: it is for the reader to decide again.
///
/// # Errors
/// Anything else, and a report of another version of gridproof.
pub fn read(text: &str) -> Result<MatrixReport, ReadError> {
    let text: Text = serde_json::from_str(text).map_err(|error| ReadError(error.to_string()))?;
    if text.version != VERSION || text.gridproof != env!("CARGO_PKG_VERSION") {
        return Err(ReadError(format!(
            "it is of gridproof {}, format {}; this is gridproof {}, format {VERSION}",
            text.gridproof,
            text.version,
            env!("CARGO_PKG_VERSION")
        )));
    }
    let legs: BTreeSet<&str> = text.cells.iter().filter_map(|cell| cell.get("leg").and_then(Value::as_str)).collect();
    if legs.len() > MOST_LEGS {
        return Err(ReadError(format!("it has {} legs: at most {MOST_LEGS} are taken", legs.len())));
    }
    let known: BTreeMap<(&str, bool), &Found> =
        text.findings.iter().map(|found| ((found.fingerprint.as_str(), found.demanded), found)).collect();
    let cells = text.cells.into_iter().map(|cell| cell_of(cell, &known));
    Ok(MatrixReport {
        cells: cells.collect::<Result<_, _>>()?,
        devices: text.devices.into_iter().map(|device| (device.leg, device.device)).collect(),
        selection: text.selection,
        partition: text.partition,
        origin: text.origin,
        missing: text.missing,
        resumed: text.resumed,
        unsaved: None,
        accepted: BTreeMap::new(),
        elapsed: Duration::try_from_secs_f64(text.seconds).map_err(|error| ReadError(format!("seconds: {error}")))?,
    })
}

fn cell_of(mut cell: Map<String, Value>, known: &BTreeMap<(&str, bool), &Found>) -> Result<CellReport, ReadError> {
    if cell.get("reason").is_some_and(Value::is_null) {
        cell.remove("reason");
    }
    let name = cell.get("name").and_then(Value::as_str).unwrap_or("a cell").to_owned();
    let named = cell.insert("findings".to_owned(), json!([])).unwrap_or_default();
    let mut cell: CellReport =
        serde_json::from_value(Value::Object(cell)).map_err(|error| ReadError(format!("{name}: {error}")))?;
    for one in named.as_array().into_iter().flatten() {
        let print = one["fingerprint"].as_str().unwrap_or_default();
        let found = known.get(&(print, one["demanded"] == true));
        let found = found.ok_or_else(|| ReadError(format!("{name}: no finding has the fingerprint `{print}`")))?;
        cell.findings.push((*found).clone());
    }
    Ok(cell)
}
