//! The verdict on a launch in words: what it says, what it leans on, and where its limits are.
//!
//! Each function gives one or a few plain lines without layout; the renderers arrange them.

use gridproof_launch::Language;
use gridproof_simulator::Exhausted;
use gridproof_simulator::explore::Stopped;
use gridproof_simulator::finding::Severity;
use gridproof_simulator::ir::SourceFile;

use crate::model::{Assumption, CheckReport, ExplorationReport, Rung, Subject, Threshold, Verdict};
use crate::text::{bytes, count, number, plain};

/// What was checked, in one line: `kernel:variant n=4,k=512`, with the language where it is not the usual one, or `file.wgsl entry main`.
pub fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Catalogue { kernel, variant, shape, language, .. } => {
            let shape = shape_text(shape);
            let space = if shape.is_empty() { "" } else { " " };
            let text = format!("{}:{}{space}{shape}", plain(kernel), plain(variant));
            if *language == Language::default() { text } else { format!("{text} in {}", language.title()) }
        }
        Subject::File { module, entry, .. } if entry.is_empty() => plain(module),
        Subject::File { module, entry, .. } => format!("{} entry {}", plain(module), plain(entry)),
    }
}

/// A shape as on the command line: `n=4,k=512`.
pub fn shape_text(shape: &[(String, String)]) -> String {
    let pairs: Vec<_> = shape.iter().map(|(key, value)| format!("{}={}", plain(key), plain(value))).collect();
    pairs.join(",")
}

/// The verdict and what it rests on, in one line.
pub fn verdict(report: &CheckReport) -> String {
    let word = report.verdict.word();
    let why = match report.verdict {
        Verdict::RaceFree if report.decides_every_schedule => {
            "one run decides every schedule, since no atomic's result reaches control flow or an address; \
             this holds for this launch, with its shapes, indices and inputs"
                .to_owned()
        }
        Verdict::RaceFree if all_seen(report).is_some() => {
            let seen = all_seen(report).map(exploration_scope).unwrap_or_default();
            format!(
                "every schedule was explored{seen}; this holds for this launch, with its shapes, indices and inputs"
            )
        }
        Verdict::RaceFree => {
            format!("in {}; atomics steer this launch, so other schedules may differ", explored(report))
        }
        Verdict::Racy | Verdict::Faulty => found(report),
        Verdict::Unsupported => "the launch uses what the simulator does not model".to_owned(),
        Verdict::Incomplete => incomplete(report),
    };
    let mut text = format!("{word}: {why}");
    if warnings(report) > 0 {
        text += &format!("; {}", count(warnings(report), "warning"));
    }
    if report.settings.warp_lockstep {
        text +=
            "; NOT SOUND: the invocations of a subgroup were taken to advance in lock step, which no device promises";
    }
    let off = report.settings.detectors_off();
    if !off.is_empty() && report.verdict != Verdict::Unsupported {
        text += &format!("; switched off: {}", off.join(", "));
    }
    text
}

/// The exploration that saw every schedule, if one did.
fn all_seen(report: &CheckReport) -> Option<&ExplorationReport> {
    report.explorations.iter().find(|one| one.stopped.is_none())
}

/// Under which assumptions "every schedule" is meant.
fn exploration_scope(one: &ExplorationReport) -> String {
    let slots = one.slots.map(|slots| format!(", on {}", count(slots.into(), "slot"))).unwrap_or_default();
    format!(" ({} progress{slots}, sequentially consistent)", one.progress.name())
}

/// What one engine did, one line each.
pub fn exploration(one: &ExplorationReport) -> Vec<String> {
    let mut lines = Vec::new();
    let mut first = format!("{}: {}", one.engine, count(one.executions, "execution"));
    if one.redundant > 0 {
        first += &format!(" and {} left when nothing new could follow", number(one.redundant));
    }
    first += &format!(
        ", {}, at most {} each{}",
        count(one.units, "unit"),
        count(one.turns, "scheduling decision"),
        exploration_scope(one)
    );
    lines.push(first);
    let ended = match one.stopped {
        None if one.engine == "exhaustive" => {
            let symmetric =
                if one.symmetric { "; workgroups that the kernel cannot tell apart were taken as one" } else { "" };
            format!(
                "complete: they stand for all schedules (the longest has {} orders of its turns){symmetric}",
                power(one.orders)
            )
        }
        None => "complete".to_owned(),
        Some(why) => stopped(why).to_owned(),
    };
    lines.push(ended);
    if let Some(bound) = &one.bound {
        lines.push(format!(
            "a bug of depth {} was missed with a chance of at most {}: (1 - 1/(n k^(d-1)))^m with n = {} units, k = {} \
             turns, d = {}, m = {} (Burckhardt et al., ASPLOS 2010)",
            bound.depth,
            chance(bound.chance),
            bound.units,
            bound.turns,
            bound.depth,
            bound.executions
        ));
    }
    if one.outputs.len() > 1 {
        let others: u64 = one.outputs.iter().skip(1).map(|output| output.executions).sum();
        lines.push(format!(
            "{} different outputs; {} end otherwise than the first",
            number(one.outputs.len() as u64),
            count(others, "execution")
        ));
    }
    lines.extend(one.note.clone());
    lines
}

const fn stopped(why: Stopped) -> &'static str {
    match why {
        Stopped::Executions => "not complete: as many executions as asked for",
        Stopped::Turns => "not complete: an execution took more turns than allowed",
        Stopped::Outputs => "not complete: later dispatches would start from too many different memories",
        Stopped::Budget => "not complete: a budget ran out",
        Stopped::Drawn => "not complete: schedules were drawn",
        Stopped::Undecided => "not complete: a part of the launch is not decided",
    }
}

/// 10^x for a reader.
fn power(log10: f64) -> String {
    if log10 < 6.0 { format!("{:.0}", 10_f64.powf(log10)) } else { format!("10^{log10:.1}") }
}

fn chance(chance: f64) -> String {
    if chance >= 0.001 { format!("{:.3}", chance) } else { format!("{chance:.1e}") }
}

fn errors(report: &CheckReport) -> u64 {
    report.findings.iter().filter(|finding| finding.severity == Severity::Error).count() as u64
}

fn warnings(report: &CheckReport) -> u64 {
    report.findings.len() as u64 - errors(report)
}

fn explored(report: &CheckReport) -> String {
    format!("one instrumented run and {}", count(report.schedules_explored, "schedule"))
}

fn found(report: &CheckReport) -> String {
    let mut text = count(errors(report), "error");
    if report.findings_dropped > 0 {
        text += &format!("; {} not shown", count(report.findings_dropped, "further finding"));
    }
    text
}

fn incomplete(report: &CheckReport) -> String {
    match &report.exhausted {
        Some(exhausted) => format!("the {} budget ran out before the launch was decided", exhausted.budget),
        None if !report.settings.detectors.race => "nobody looked for races".to_owned(),
        None if !report.explorations.is_empty() => {
            let one = report.explorations.first().map(|one| (one.executions, one.stopped));
            let (executions, why) = one.unwrap_or((0, None));
            let executions = count(executions, "execution");
            // An exploration that saw everything is in doubt only where the other engine says something else.
            match why {
                Some(why) => format!("nothing found in {executions}; {}", stopped(why)),
                None if report.explorations.len() > 1 => format!("the engines disagree after {executions}"),
                None => format!("nothing found in {executions}"),
            }
        }
        None => {
            format!("nothing found in {}, but atomics steer this launch, so these do not decide it", explored(report))
        }
    }
}

/// The weakest assumption under which the outputs are right, as a sentence. `None` where it was not asked.
pub fn safe_under(report: &CheckReport) -> Option<String> {
    report.safe_under.map(|safe| match safe.assumption {
        Assumption::AnyOrder => "any order of workgroups".to_owned(),
        Assumption::InOrderStart => format!("safe only if workgroups start in index order{}", on_slots(report, "on ")),
        Assumption::LockstepWaves if enough_slots(report) == Some(1) => {
            "safe only if the subgroups of a workgroup advance together (lock-step waves of >= 1 slot)".to_owned()
        }
        Assumption::LockstepWaves => {
            let resident = if needs_all(report) { "all workgroups" } else { "that many workgroups" };
            let waves = on_slots(report, "of >= ");
            format!(
                "safe only in lock-step waves{waves}: {resident} resident at once and in step, which no GPU promises"
            )
        }
        Assumption::None => format!("nothing that was tried: outputs are wrong {}", worst(&report.rungs)),
    })
}

/// The same in a few words, for a table.
pub fn safe_under_short(report: &CheckReport) -> String {
    match report.safe_under.map(|safe| safe.assumption) {
        None if report.verdict == Verdict::RaceFree => "any order".to_owned(),
        None => "-".to_owned(),
        Some(Assumption::None) => "none".to_owned(),
        Some(Assumption::LockstepWaves) => format!("lock-step waves{}", on_slots(report, ">= ")),
        Some(kept) => assumption(kept, enough_slots(report)),
    }
}

/// The slots that are known to be enough, and never more than there are workgroups: further ones stay empty.
fn enough_slots(report: &CheckReport) -> Option<u32> {
    let workgroups = u32::try_from(report.stats.workgroups).ok().filter(|workgroups| *workgroups > 0);
    report.safe_under?.slots.map(|slots| slots.min(workgroups.unwrap_or(slots)))
}

/// Whether the slots that are enough are as many as there are workgroups.
fn needs_all(report: &CheckReport) -> bool {
    enough_slots(report).is_some_and(|slots| u64::from(slots) == report.stats.workgroups)
}

fn with_slots(words: &str, slots: Option<u32>) -> String {
    match slots {
        Some(slots) => format!("{words}, {}", count(slots.into(), "slot")),
        None => words.to_owned(),
    }
}

fn on_slots(report: &CheckReport, preposition: &str) -> String {
    enough_slots(report).map(|slots| format!(" {preposition}{}", count(slots.into(), "slot"))).unwrap_or_default()
}

fn worst(rungs: &[Rung]) -> String {
    match rungs.iter().rev().find(|rung| !rung.outputs_equal) {
        Some(rung) => format!("even under {}", assumption(rung.assumption, Some(rung.slots))),
        None => "in every run".to_owned(),
    }
}

/// An assumption with its slots, in words.
pub fn assumption(assumption: Assumption, slots: Option<u32>) -> String {
    match assumption {
        Assumption::AnyOrder => "any order".to_owned(),
        Assumption::InOrderStart => with_slots("in-order start", slots),
        Assumption::LockstepWaves => with_slots("lock-step waves", slots),
        Assumption::None => "one workgroup at a time".to_owned(),
    }
}

/// The ladder as it was tried, one line per rung; empty where none was.
pub fn ladder(report: &CheckReport) -> Vec<String> {
    report.rungs.iter().map(rung).collect()
}

fn rung(rung: &Rung) -> String {
    let name = assumption(rung.assumption, Some(rung.slots));
    let tried = count(rung.schedules, "schedule");
    if rung.outputs_equal {
        return format!("{name}: outputs right in {tried}");
    }
    format!("{name}: outputs wrong within {tried}, at least {} differ", count(rung.differing_bytes, "byte"))
}

/// That exploring is not hardware: printed under every ladder.
pub const CAVEAT: &str = "explored under sequential consistency; hardware may do worse";

/// The smallest failing launch, in one line.
pub fn threshold(threshold: &Threshold) -> String {
    let under = assumption(threshold.assumption, Some(threshold.slots));
    format!("smallest failing {} is {}, under {under}", plain(&threshold.key), number(threshold.value))
}

/// That what a scheduler chose can end in outputs, though it steers nothing.
pub fn chosen_outputs(report: &CheckReport) -> Option<String> {
    let names: Vec<String> = report.chosen_outputs.iter().map(|name| format!("`{}`", plain(name))).collect();
    (!names.is_empty()).then(|| {
        format!("{} can hold what atomics left in one order or another: `gridproof explore` compares", names.join(", "))
    })
}

/// Which budget ran out, and what was covered.
pub fn exhausted(report: &CheckReport) -> Option<String> {
    report.exhausted.as_ref().map(|exhausted| exhausted_words(exhausted, &report.files))
}

/// As [`exhausted`]; `files` are what its span points into.
pub fn exhausted_words(exhausted: &Exhausted, files: &[SourceFile]) -> String {
    let limit = match exhausted.budget {
        "memory" => bytes(exhausted.limit),
        "time" => format!("{} ms", number(exhausted.limit)),
        _ => format!("{} {}", number(exhausted.limit), exhausted.budget),
    };
    let (done, all) = (number(exhausted.workgroups_done), number(exhausted.workgroups));
    let at = exhausted.at.map(|span| format!(", last seen at {}", crate::words::place(span, files)));
    format!(
        "the {} budget of {limit} ran out after {done} of {all} workgroups{}; raise it with --budget-{}",
        exhausted.budget,
        at.unwrap_or_default(),
        exhausted.budget
    )
}

/// How much was done.
pub fn stats(report: &CheckReport) -> String {
    let stats = &report.stats;
    let schedules = match report.schedules_explored {
        0 => String::new(),
        explored => format!(", {} besides the proof", count(explored, "schedule")),
    };
    format!(
        "{}, {}, {}{schedules}",
        count(stats.workgroups, "workgroup"),
        count(stats.invocations, "invocation"),
        count(stats.instructions, "instruction"),
    )
}

/// The command that runs exactly the schedule of a finding, where it fits on a line; else how to get there.
pub fn replay_command(report: &CheckReport, schedule: &gridproof_simulator::Schedule) -> String {
    const LONGEST: usize = 400;
    let schedule = schedule.to_string();
    if schedule.len() <= LONGEST {
        let choices = [" --schedule any", " --schedule in-order", " --schedule lockstep"];
        let command = choices.iter().find_map(|choice| report.command.strip_suffix(choice));
        format!("{} --schedule '{schedule}'", as_check(command.unwrap_or(&report.command)))
    } else {
        format!("{} --output json=finding.json; gridproof replay finding.json", report.command)
    }
}

/// A command that explores, as one that runs a schedule: without what only exploring takes.
fn as_check(command: &str) -> String {
    let Some(rest) = command.strip_prefix("gridproof explore ") else { return command.to_owned() };
    let mut words = vec!["gridproof", "check"];
    let mut skip = false;
    for word in rest.split(' ') {
        let with_value = ["--engine", "--progress", "--executions", "--depth", "--preemptions"].contains(&word);
        if !skip && !with_value && !["--no-reduction", "--no-symmetry"].contains(&word) {
            words.push(word);
        }
        skip = with_value;
    }
    words.join(" ")
}
