//! From a report to JSON. Keys come out in the order of the schema.
//!
//! Integers that fit in 64 bits are JSON numbers, wider ones decimal strings; values of memory and addresses
//! are hexadecimal strings.

use gridproof_simulator::explore::Stopped;
use gridproof_simulator::finding::{AccessSite, BoundsLimit, Detail, Finding, Unordered};
use gridproof_simulator::ir::{SourceFile, Span};
use gridproof_simulator::{Exhausted, Unsupported};
use serde_json::{Map, Value, json};

use super::VERSION;
use crate::model::{
    CheckReport, ExplorationReport, OutputError, ReplayReport, Rung, SafeUnder, SkippedRow, Subject, Threshold,
    Verdicts,
};
use crate::words::{hexadecimal, kind, severity, words};
use crate::{source, verdict};

/// One check.
pub fn check(report: &CheckReport) -> String {
    print(&check_value(report))
}

/// The main job: `{"version": 1, "verdicts": [...], "skipped": [...]}`.
pub fn verdicts(verdicts: &Verdicts) -> String {
    let rows: Vec<_> = verdicts
        .rows
        .iter()
        .map(|row| {
            json!({
                "expected": row.expected,
                "as_expected": row.as_expected,
                "mismatch": row.mismatch,
                "check": check_value(&row.report),
            })
        })
        .collect();
    let skipped: Vec<_> = verdicts.skipped.iter().map(skipped).collect();
    print(&json!({ "version": VERSION, "verdicts": rows, "skipped": skipped }))
}

fn skipped(row: &SkippedRow) -> Value {
    let mut object = Map::new();
    subject(&mut object, &row.subject);
    object.insert("reason".to_owned(), json!(row.reason));
    Value::Object(object)
}

/// What a replay gave.
pub fn replay(report: &ReplayReport) -> String {
    let mut object = Map::new();
    object.insert("version".to_owned(), json!(VERSION));
    subject(&mut object, &report.replay.subject);
    let findings = report.findings.iter().map(|found| {
        json!({
            "rule": found.rule.code(),
            "severity": severity(found.severity),
            "title": words(found, &report.files, None).title,
            "first": access(&found.first, &report.files),
            "second": found.second.as_ref().map(|second| access(second, &report.files)),
        })
    });
    let rest = json!({
        "schedule": report.replay.schedule.as_ref().map(ToString::to_string),
        "reproduced": report.reproduced,
        "differing_bytes": report.differing_bytes,
        "digest": format!("{:016x}", report.digest),
        "findings": findings.collect::<Vec<_>>(),
        "exhausted": report.exhausted.as_ref().map(|ran_out| exhausted(ran_out, &report.files)),
        "seconds": report.elapsed.as_secs_f64(),
    });
    if let Value::Object(rest) = rest {
        object.extend(rest);
    }
    print(&Value::Object(object))
}

/// Pretty, with a line break at the end. `{:#}` of a [`Value`] cannot fail, unlike the serialising functions.
pub(super) fn print(value: &Value) -> String {
    format!("{value:#}\n")
}

fn check_value(report: &CheckReport) -> Value {
    let mut object = Map::new();
    object.insert("version".to_owned(), json!(VERSION));
    subject(&mut object, &report.subject);
    let rest = json!({
        "arithmetic": report.arithmetic.to_string(),
        "subgroup_size": report.settings.subgroup_size,
        "warp_lockstep": report.settings.warp_lockstep,
        "progress": report.settings.progress.name(),
        "slots": report.settings.slots,
        "seed": report.settings.seed,
        "detectors_off": report.settings.detectors_off(),
        "verdict": report.verdict.word(),
        "safe_under": report.safe_under.map(safe_under),
        "findings": report.findings.iter().map(|found| finding(report, found)).collect::<Vec<_>>(),
        "findings_dropped": report.findings_dropped,
        "explored": report.schedules_explored,
        "decides_every_schedule": report.decides_every_schedule,
        "explorations": report.explorations.iter().map(exploration).collect::<Vec<_>>(),
        "ladder": report.rungs.iter().map(rung).collect::<Vec<_>>(),
        "threshold": report.threshold.as_ref().map(threshold),
        "output_errors": report.output_errors.iter().map(output_error).collect::<Vec<_>>(),
        "chosen_outputs": report.chosen_outputs,
        "approximations": report.approximations.iter().map(|one| {
            json!({ "operation": one.operation, "span": span(one.span, &report.files) })
        }).collect::<Vec<_>>(),
        "unsupported": report.unsupported.as_ref().map(unsupported),
        "exhausted": report.exhausted.as_ref().map(|ran_out| exhausted(ran_out, &report.files)),
        "command": report.command,
        "stats": {
            "instructions": report.stats.instructions,
            "invocations": report.stats.invocations,
            "workgroups": report.stats.workgroups,
            "seconds": report.elapsed.as_secs_f64(),
        },
    });
    if let Value::Object(rest) = rest {
        object.extend(rest);
    }
    Value::Object(object)
}

fn exploration(one: &ExplorationReport) -> Value {
    json!({
        "engine": one.engine,
        "progress": one.progress.name(),
        "slots": one.slots,
        "executions": one.executions,
        "redundant": one.redundant,
        "orders_log10": one.orders,
        "units": one.units,
        "turns": one.turns,
        "complete": one.stopped.is_none(),
        "stopped": one.stopped.map(|why| match why {
            Stopped::Executions => "executions",
            Stopped::Turns => "turns",
            Stopped::Outputs => "outputs",
            Stopped::Budget => "budget",
            Stopped::Drawn => "drawn",
            Stopped::Undecided => "undecided",
        }),
        "symmetric": one.symmetric,
        "outputs": one.outputs.iter().map(|output| json!({
            "executions": output.executions,
            "differing_bytes": output.differing_bytes,
            "schedule": output.schedule.to_string(),
        })).collect::<Vec<_>>(),
        "bound": one.bound.map(|bound| json!({
            "units": bound.units,
            "turns": bound.turns,
            "depth": bound.depth,
            "executions": bound.executions,
            "chance_missed": bound.chance,
        })),
        "note": one.note,
        "seconds": one.elapsed.as_secs_f64(),
    })
}

fn subject(object: &mut Map<String, Value>, subject: &Subject) {
    let keys = match subject {
        Subject::Catalogue { kernel, variant, shape, seed, language } => {
            let shape: Map<_, _> = shape.iter().map(|(key, value)| (key.clone(), shape_value(value))).collect();
            json!({ "kernel": kernel, "variant": variant, "shape": shape, "language": language.name(), "data_seed": seed })
        }
        Subject::File { module, entry, launch, seed } => json!({
            "kernel": module,
            "variant": null,
            "shape": null,
            "data_seed": seed,
            "entry": entry,
            "launch": launch,
        }),
    };
    if let Value::Object(keys) = keys {
        object.extend(keys);
    }
}

/// A number where the text is exactly how one is printed, else the text.
fn shape_value(text: &str) -> Value {
    match text.parse::<u64>() {
        Ok(number) if number.to_string() == text => json!(number),
        _ => json!(text),
    }
}

fn safe_under(safe: SafeUnder) -> Value {
    json!({ "assumption": safe.assumption.word(), "slots": safe.slots })
}

fn rung(rung: &Rung) -> Value {
    json!({
        "assumption": rung.assumption.word(),
        "slots": rung.slots,
        "schedules": rung.schedules,
        "outputs_equal": rung.outputs_equal,
        "differing_bytes": rung.differing_bytes,
        "schedule": rung.schedule,
    })
}

fn threshold(threshold: &Threshold) -> Value {
    json!({
        "key": threshold.key,
        "value": threshold.value,
        "assumption": threshold.assumption.word(),
        "slots": threshold.slots,
    })
}

fn output_error(error: &OutputError) -> Value {
    json!({
        "run": error.run,
        "buffer": error.buffer,
        "relative": error.relative,
        "first_wrong_element": error.first_wrong_element,
        "wrong_elements": error.wrong_elements,
    })
}

fn unsupported(unsupported: &Unsupported) -> Value {
    let Unsupported { construct, file, line, column } = unsupported;
    json!({ "construct": construct, "span": { "file": file, "line": line, "column": column } })
}

pub(super) fn exhausted(exhausted: &Exhausted, files: &[SourceFile]) -> Value {
    json!({
        "budget": exhausted.budget,
        "limit": exhausted.limit,
        "workgroups_done": exhausted.workgroups_done,
        "workgroups": exhausted.workgroups,
        "at": exhausted.at.map(|at| span(at, files)),
    })
}

fn finding(report: &CheckReport, finding: &Finding) -> Value {
    let words = words(finding, &report.files, None);
    let schedule = finding.schedule.as_ref();
    json!({
        "rule": finding.rule.code(),
        "severity": severity(finding.severity),
        "title": words.title,
        "fingerprint": report.fingerprint(finding),
        "accepted": report.acceptance(finding),
        "first": access(&finding.first, &report.files),
        "second": finding.second.as_ref().map(|second| access(second, &report.files)),
        "benign": finding.benign,
        "declared": finding.declared,
        "output_visible": finding.output_visible,
        "count": finding.count,
        "detail": detail(&finding.detail, &report.files),
        "schedule": schedule.map(ToString::to_string),
        "steps": words.steps,
        "notes": words.notes,
        "help": words.help,
        "replay": schedule.map(|schedule| verdict::replay_command(report, schedule)),
    })
}

pub(super) fn access(site: &AccessSite, files: &[SourceFile]) -> Value {
    json!({
        "kind": kind(site.action),
        "bytes": site.bytes,
        "space": site.space.to_string(),
        "buffer": site.buffer,
        "element": site.element.map(integer),
        "byte_offset": integer(site.byte_offset),
        "dispatch": site.dispatch,
        "workgroup": site.workgroup,
        "local": site.local,
        "subgroup": site.subgroup,
        "value": site.value.map(|value| hexadecimal(value, site.bytes)),
        "span": span(site.span, files),
        "call_stack": site.call_stack.iter().map(|call| span(*call, files)).collect::<Vec<_>>(),
    })
}

fn detail(detail: &Detail, files: &[SourceFile]) -> Value {
    match detail {
        Detail::None => Value::Null,
        Detail::Bounds { limit } => bounds(limit),
        Detail::Wrapped { origin, exact, computed } => json!({
            "kind": "wrapped",
            "origin": span(*origin, files),
            "exact": integer(*exact),
            "computed": integer(*computed),
        }),
        Detail::Alignment { required } => json!({ "kind": "alignment", "required": required }),
        Detail::Divergence { waiting, elsewhere } => {
            json!({ "kind": "divergence", "waiting": waiting, "elsewhere": elsewhere })
        }
        Detail::Unordered { why } => json!({ "kind": "unordered", "why": unordered(*why) }),
        Detail::NoProgress { progress, slots, waiting, unstarted, other_has_started } => json!({
            "kind": "no-progress",
            "progress": progress.name(),
            "slots": slots,
            "waiting": waiting,
            "unstarted": unstarted,
            "other_has_started": other_has_started,
        }),
        Detail::Outputs { buffer, differing_bytes } => {
            json!({ "kind": "outputs", "buffer": buffer, "differing_bytes": differing_bytes })
        }
        Detail::Mismatch { buffer, element, computed, expected, bytes, differing_bytes } => json!({
            "kind": "mismatch",
            "buffer": buffer,
            "element": element,
            "computed": computed.map(|bits| crate::words::hexadecimal(bits, *bytes)),
            "expected": expected.map(|bits| crate::words::hexadecimal(bits, *bytes)),
            "differing_bytes": differing_bytes,
        }),
    }
}

fn bounds(limit: &BoundsLimit) -> Value {
    match limit {
        BoundsLimit::Binding { length } => json!({ "kind": "bounds", "limit": "binding", "length": length }),
        BoundsLimit::Array { index, elements } => {
            json!({ "kind": "bounds", "limit": "array", "index": index, "elements": elements })
        }
        BoundsLimit::Unmapped { address } => {
            json!({ "kind": "bounds", "limit": "unmapped", "address": format!("{address:#x}") })
        }
        BoundsLimit::ReadOnly => json!({ "kind": "bounds", "limit": "read-only" }),
    }
}

const fn unordered(why: Unordered) -> &'static str {
    match why {
        Unordered::Workgroups => "workgroups",
        Unordered::NoBarrier => "no-barrier",
        Unordered::WrongBarrier => "wrong-barrier",
    }
}

pub(super) fn span(span: Span, files: &[SourceFile]) -> Value {
    let file = source::file(span, files).map_or("", |file| file.name.as_str());
    json!({ "file": file, "line": span.line, "column": span.column })
}

fn integer(value: i128) -> Value {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => json!(value),
        (_, Ok(value)) => json!(value),
        _ => json!(value.to_string()),
    }
}
