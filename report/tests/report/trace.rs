//! The Chrome trace: its fields as the Trace Event Format has them.

use std::collections::BTreeSet;

use gridproof_report::model::{CheckReport, Verdict};
use gridproof_report::trace;
use serde_json::Value;

use crate::{made, runs};

fn events(report: &CheckReport) -> Vec<Value> {
    let text = trace::check(report);
    assert_eq!(text, trace::check(report), "the same run gives the same bytes");
    let value: Value = serde_json::from_str(&text).unwrap();
    value["traceEvents"].as_array().unwrap().clone()
}

fn of_phase<'a>(events: &'a [Value], phase: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["ph"] == phase).collect()
}

fn lane(event: &Value) -> (u64, u64) {
    (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap())
}

fn slices(events: &[Value], category: &str) -> Vec<((u64, u64), u64, u64)> {
    let slices = of_phase(events, "X").into_iter().filter(|event| event["cat"] == category);
    slices.map(|event| (lane(event), event["ts"].as_u64().unwrap(), event["dur"].as_u64().unwrap())).collect()
}

/// What every viewer relies on.
fn check(report: &CheckReport) -> Vec<Value> {
    let events = events(report);
    let named: BTreeSet<_> =
        of_phase(&events, "M").into_iter().filter(|event| event["name"] == "thread_name").map(lane).collect();
    for event in &events {
        let phase = event["ph"].as_str().unwrap();
        assert!(["M", "X", "i", "s", "f"].contains(&phase), "{event}");
        assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
        assert!(phase == "M" || event["ts"].is_u64() && named.contains(&lane(event)), "{event}");
        assert_eq!(phase == "X", event["dur"].as_u64().is_some_and(|length| length > 0), "{event}");
    }
    let turns = slices(&events, "turn");
    for pair in turns.windows(2) {
        assert_eq!(pair[0].1 + pair[0].2, pair[1].1, "turns follow each other");
    }
    let inside = |event: &Value| {
        let at = event["ts"].as_u64().unwrap();
        let (on, from, length) = turns[turns.partition_point(|(_, from, _)| *from <= at) - 1];
        on == lane(event) && at < from + length
    };
    for event in of_phase(&events, "i").into_iter().chain(of_phase(&events, "s")).chain(of_phase(&events, "f")) {
        assert!(inside(event), "outside of every turn of its lane: {event}");
    }
    events
}

#[test]
fn a_race_has_turns_accesses_and_an_arrow() {
    let events = check(&runs::cross_workgroup());
    assert_eq!(slices(&events, "turn").len(), 7);
    assert_eq!(slices(&events, "slot").len(), 2);
    assert_eq!(of_phase(&events, "i").len(), 8);
    let (start, finish) = (of_phase(&events, "s")[0], of_phase(&events, "f")[0]);
    assert_eq!((&start["id"], &finish["bp"]), (&finish["id"], &"e".into()));
    assert_eq!((lane(start), lane(finish)), ((2, 0), (3, 0)));
    assert!(start["ts"].as_u64() < finish["ts"].as_u64());
    let write = of_phase(&events, "X").into_iter().find(|event| event["args"]["turn"] == "4").unwrap();
    assert_eq!(write["name"], "write residual[3]");
    let access = &write["args"]["accesses"][0];
    assert_eq!((&access["line"], &access["value"]), (&18.into(), &"0x40000000".into()));
    let names: Vec<_> = of_phase(&events, "M").iter().map(|event| event["args"]["name"].to_string()).collect();
    assert!(
        ["\"slots\"", "\"workgroup 1\"", "\"subgroup 1\"", "\"slot 1\""]
            .iter()
            .all(|name| names.contains(&(*name).to_owned()))
    );
}

#[test]
fn the_arrow_follows_the_run_not_the_finding() {
    let events = check(&runs::inside_a_workgroup());
    assert_eq!((lane(of_phase(&events, "s")[0]), lane(of_phase(&events, "f")[0])), ((2, 1), (2, 0)));
}

#[test]
fn each_dispatch_has_processes_of_its_own() {
    let events = check(&runs::second_dispatch());
    let names: BTreeSet<_> = of_phase(&events, "M").iter().map(|event| event["args"]["name"].to_string()).collect();
    assert!(
        names.contains("\"workgroup 0 of dispatch 0\"") && names.contains("\"workgroup 8 of dispatch 1\""),
        "{names:?}"
    );
}

#[test]
fn waiting_reaches_beyond_the_last_turn() {
    let events = check(&runs::no_progress());
    let last = slices(&events, "turn").iter().map(|(_, from, length)| from + length).max().unwrap();
    let waits = slices(&events, "waiting");
    assert_eq!(waits.len(), 2);
    assert!(waits.iter().all(|(_, from, length)| from + length > last));
    assert!(slices(&check(&runs::cross_workgroup()), "waiting").is_empty());
}

#[test]
fn other_runs_are_well_formed() {
    let mut many = runs::long();
    many.timelines[0].as_mut().unwrap().turns.truncate(2000);
    for report in [many, runs::one_turn(), runs::hostile()] {
        check(&report);
    }
}

#[test]
fn without_a_run_the_trace_is_empty_and_says_so() {
    for report in [made::racy(), made::report(Verdict::RaceFree, Vec::new())] {
        assert!(events(&report).is_empty());
        let value: Value = serde_json::from_str(&trace::check(&report)).unwrap();
        assert!(value["otherData"]["note"].is_string(), "{value}");
    }
}
