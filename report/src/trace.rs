//! The recorded run of a finding as a trace for `chrome://tracing` and `ui.perfetto.dev`: the JSON of the Trace Event
//! Format.
//!
//! A workgroup is a process and its subgroups are threads, so both viewers draw the lanes of a workgroup together, as
//! the HTML page does. Slots are the threads of one more process, which shows who was resident when. A process per
//! slot was rejected: a slot holds many workgroups one after the other, and the subgroups of all of them would share
//! lanes. One instruction of one subgroup is a microsecond; a turn of none still takes one, since viewers hide
//! what has no length. Turns are one after the other here: a schedule says nothing about what ran at the same time.

use std::collections::BTreeMap;

use gridproof_simulator::Finding;
use gridproof_simulator::finding::{AccessSite, Rule};
use gridproof_simulator::ir::SourceFile;
use gridproof_simulator::timeline::{Timeline, TimelineTurn};
use serde_json::{Map, Value, json};

use crate::model::CheckReport;
use crate::turns::{Mark, Marks, access_short, access_words, amount, as_run, end, turn_number};
use crate::verdict;
use crate::words::{hexadecimal, kind, place, words};

/// The process of the slots. Workgroups come after it.
const SLOTS: usize = 1;
/// Accesses of one turn that are shown.
const MOST_ACCESSES: usize = 8;

/// The trace of the finding that [`CheckReport::chief_finding`] chooses. Without a recorded run it has no events, and
/// says so in `otherData`.
pub fn check(report: &CheckReport) -> String {
    match report.chief_finding() {
        Some(finding) => self::finding(report, finding),
        None => document(&[], json!({ "verdict": verdict::verdict(report), "note": "there is no finding" })),
    }
}

/// The trace of one finding, by its position; one without a recorded run has no events.
pub fn finding(report: &CheckReport, position: usize) -> String {
    let Some(finding) = report.findings.get(position) else {
        return document(&[], json!({ "note": format!("there is no finding {}", position.saturating_add(1)) }));
    };
    let mut about = json!({
        "rule": finding.rule.code(),
        "title": words(finding, &report.files, None).title,
        "launch": verdict::subject(&report.subject),
        "repeat": report.command,
        "unit": "one microsecond is one instruction of one subgroup",
    });
    let Some(timeline) = report.timeline(position) else {
        about["note"] = json!("the finding has no recorded run");
        return document(&[], about);
    };
    if timeline.left_out > 0 {
        about["note"] = json!(format!("{} further turns were not recorded", timeline.left_out));
    }
    let (finding, marks) = as_run(finding, timeline);
    document(&Trace::new(&finding, marks, timeline, &report.files).events, about)
}

/// One event a line, so that two traces can be compared by line.
fn document(events: &[Value], about: Value) -> String {
    let lines: Vec<_> = events.iter().map(Value::to_string).collect();
    format!("{{\"displayTimeUnit\":\"ns\",\"otherData\":{about},\"traceEvents\":[\n{}\n]}}\n", lines.join(",\n"))
}

struct Trace<'a> {
    timeline: &'a Timeline,
    files: &'a [SourceFile],
    /// Process of each workgroup of each dispatch.
    processes: BTreeMap<(u32, u32), usize>,
    events: Vec<Value>,
}

/// A place on a lane, for an arrow to start or end at.
#[derive(Clone, Copy)]
struct Point {
    process: usize,
    thread: u32,
    at: u64,
}

impl<'a> Trace<'a> {
    fn new(finding: &Finding, marks: Marks, timeline: &'a Timeline, files: &'a [SourceFile]) -> Self {
        let workgroups: BTreeMap<_, _> =
            timeline.turns.iter().map(|turn| ((turn.dispatch, turn.workgroup), ())).collect();
        let processes = workgroups.into_keys().zip(SLOTS + 1..).collect();
        let mut trace = Self { timeline, files, processes, events: Vec::new() };
        trace.names();
        trace.residency();
        let arrow = trace.turns(marks);
        trace.waiting(finding);
        if let [Some(first), Some(second)] = arrow {
            trace.arrow(finding, first, second);
        }
        trace
    }

    fn process(&self, turn: &TimelineTurn) -> usize {
        self.processes.get(&(turn.dispatch, turn.workgroup)).copied().unwrap_or(SLOTS)
    }

    fn names(&mut self) {
        let several = self.processes.keys().any(|(dispatch, _)| *dispatch > 0);
        let mut names = vec![metadata("process_name", SLOTS, 0, json!({ "name": "slots" }))];
        names.push(metadata("process_sort_index", SLOTS, 0, json!({ "sort_index": SLOTS })));
        let slots: BTreeMap<_, _> = self.timeline.turns.iter().map(|turn| (turn.slot, ())).collect();
        for slot in slots.into_keys() {
            names.push(metadata("thread_name", SLOTS, slot, json!({ "name": format!("slot {slot}") })));
        }
        for (&(dispatch, workgroup), &process) in &self.processes {
            let of = if several { format!(" of dispatch {dispatch}") } else { String::new() };
            names.push(metadata("process_name", process, 0, json!({ "name": format!("workgroup {workgroup}{of}") })));
            names.push(metadata("process_sort_index", process, 0, json!({ "sort_index": process })));
        }
        let units: BTreeMap<_, _> =
            self.timeline.turns.iter().map(|turn| ((self.process(turn), turn.subgroup), ())).collect();
        for (process, subgroup) in units.into_keys() {
            names.push(metadata("thread_name", process, subgroup, json!({ "name": format!("subgroup {subgroup}") })));
        }
        self.events.extend(names);
    }

    /// Who held which slot, from the first to the last turn of each workgroup.
    fn residency(&mut self) {
        let mut held: BTreeMap<(u32, u32), (u32, u64, u64)> = BTreeMap::new();
        for (at, turn) in self.timed() {
            let entry = held.entry((turn.dispatch, turn.workgroup)).or_insert((turn.slot, at, at));
            entry.2 = at.saturating_add(length(turn));
        }
        for ((_, workgroup), (slot, from, to)) in held {
            let name = format!("workgroup {workgroup}");
            self.events.push(complete(
                &name,
                "slot",
                Point { process: SLOTS, thread: slot, at: from },
                to - from,
                json!({}),
            ));
        }
    }

    /// The turns, and where the marked accesses came to lie.
    fn turns(&mut self, marks: Marks) -> [Option<Point>; 2] {
        let mut points = [None; 2];
        for (index, (at, turn)) in self.timed().enumerate() {
            let lane = Point { process: self.process(turn), thread: turn.subgroup, at };
            let shown = turn.accesses.iter().take(MOST_ACCESSES);
            let name = turn.accesses.first().map_or_else(|| amount(turn), access_short);
            let mut arguments = Map::new();
            arguments.insert("turn".to_owned(), json!(turn_number(index)));
            arguments.insert("slot".to_owned(), json!(turn.slot));
            arguments.insert("instructions".to_owned(), json!(turn.instructions));
            let accesses: Vec<_> = shown.clone().map(|site| self.arguments(site)).collect();
            arguments.insert("accesses".to_owned(), json!(accesses));
            if let Some(left_out) = turn.accesses.len().checked_sub(MOST_ACCESSES).filter(|more| *more > 0) {
                arguments.insert("accesses_left_out".to_owned(), json!(left_out));
            }
            arguments.insert("then".to_owned(), json!(end(turn.end).unwrap_or("goes on later")));
            self.events.push(complete(&name, "turn", lane, length(turn), Value::Object(arguments)));
            for (offset, site) in (0..).zip(shown) {
                let point = Point { at: at.saturating_add(later(offset, turn)), ..lane };
                self.events.push(instant(&access_words(site), point, self.arguments(site)));
            }
            for (point, mark) in points.iter_mut().zip([marks.first, marks.second]) {
                if let Some(Mark { access, .. }) = mark.filter(|mark| mark.turn == index) {
                    let offset = access.unwrap_or(0).min(MOST_ACCESSES) as u64;
                    *point = Some(Point { at: at.saturating_add(later(offset, turn)), ..lane });
                }
            }
        }
        points
    }

    /// For a launch without progress: whoever has not ended waits from its last turn to the end.
    fn waiting(&mut self, finding: &Finding) {
        if finding.rule != Rule::NoProgress {
            return;
        }
        let mut last: BTreeMap<(usize, u32), (u64, &TimelineTurn)> = BTreeMap::new();
        let mut until = 0;
        for (at, turn) in self.timed() {
            until = at.saturating_add(length(turn));
            last.insert((self.process(turn), turn.subgroup), (until, turn));
        }
        let until = until.saturating_add(until / 8 + 1);
        for ((process, thread), (at, turn)) in last {
            if end(turn.end) != Some("ends") {
                let lane = Point { process, thread, at };
                self.events.push(complete(
                    "waits, and nothing ends it",
                    "waiting",
                    lane,
                    until - at,
                    json!({ "slot": turn.slot }),
                ));
            }
        }
    }

    fn arrow(&mut self, finding: &Finding, first: Point, second: Point) {
        let (from, to) = if first.at <= second.at { (first, second) } else { (second, first) };
        for (phase, Point { process, thread, at }) in [("s", from), ("f", to)] {
            let mut event = json!({
                "name": finding.rule.code(), "cat": "race", "ph": phase, "id": 1, "pid": process, "tid": thread, "ts": at,
            });
            if phase == "f" {
                // The slice around the point, not the next one.
                event["bp"] = json!("e");
            }
            self.events.push(event);
        }
    }

    /// The turns with the time at which each begins.
    fn timed(&self) -> impl Iterator<Item = (u64, &'a TimelineTurn)> + use<'a> {
        self.timeline.turns.iter().scan(0_u64, |now, turn| {
            let at = *now;
            *now = at.saturating_add(length(turn));
            Some((at, turn))
        })
    }

    fn arguments(&self, site: &AccessSite) -> Value {
        json!({
            "access": access_words(site),
            "kind": kind(site.action),
            "place": place(site.span, self.files),
            "line": site.span.line,
            "value": site.value.map(|value| hexadecimal(value, site.bytes)),
        })
    }
}

fn length(turn: &TimelineTurn) -> u64 {
    turn.instructions.max(1)
}

/// Accesses of a turn follow each other by one instruction, and none leaves its turn.
fn later(offset: u64, turn: &TimelineTurn) -> u64 {
    offset.min(length(turn) - 1)
}

fn metadata(name: &str, process: usize, thread: u32, arguments: Value) -> Value {
    json!({ "name": name, "ph": "M", "pid": process, "tid": thread, "args": arguments })
}

fn complete(name: &str, category: &str, at: Point, length: u64, arguments: Value) -> Value {
    let Point { process, thread, at } = at;
    json!({
        "name": name, "cat": category, "ph": "X", "pid": process, "tid": thread, "ts": at, "dur": length, "args": arguments,
    })
}

fn instant(name: &str, at: Point, arguments: Value) -> Value {
    let Point { process, thread, at } = at;
    json!({ "name": name, "cat": "access", "ph": "i", "s": "t", "pid": process, "tid": thread, "ts": at, "args": arguments })
}
