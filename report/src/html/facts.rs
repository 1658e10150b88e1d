//! What a page says besides its finding: the verdict, the launch and its settings, and how to run it again.

use gridproof_simulator::Finding;

use super::escape::{cut, prose, text};
use crate::human::{checked, output_error};
use crate::model::{CheckReport, Verdict};
use crate::text::{count, printable};
use crate::words::{Words, place};
use crate::{steps, verdict};

/// Characters of a schedule that are shown.
const LONGEST_SCHEDULE: usize = 2000;
/// Approximate operations that are named.
const APPROXIMATIONS: usize = 5;

/// The verdict and what it leans on.
pub fn verdict(report: &CheckReport) -> String {
    let class = match report.verdict {
        Verdict::RaceFree => "good",
        Verdict::Racy | Verdict::Faulty => "bad",
        Verdict::Unsupported | Verdict::Incomplete => "open",
    };
    let safe = verdict::safe_under(report).map(|text| format!("<br>{}", prose(&text))).unwrap_or_default();
    format!("<p class=\"verdict {class}\">{}{safe}</p>\n", prose(&verdict::verdict(report)))
}

/// The schedule, in words and as a string, and the command that runs it.
pub fn reproduce(report: &CheckReport, finding: &Finding, words: &Words) -> String {
    let mut facts = Vec::new();
    let command = match &finding.schedule {
        Some(schedule) => {
            facts.push(("Slots", prose(&steps::slots(schedule))));
            let steps: String = words.steps.iter().map(|step| format!("<li>{}</li>", prose(step))).collect();
            facts.push(("Schedule", format!("<ol class=\"schedule\">{steps}</ol>")));
            let exact = schedule.to_string();
            let cut_off = exact.chars().count().saturating_sub(LONGEST_SCHEDULE);
            let note = if cut_off > 0 {
                let characters = count(cut_off as u64, "character");
                format!(" <span class=\"quiet\">and {characters} more; the JSON report has all of it</span>")
            } else {
                String::new()
            };
            facts.push((
                "As a string",
                format!("<code class=\"all\">{}</code>{note}", text(&cut(&exact, LONGEST_SCHEDULE))),
            ));
            verdict::replay_command(report, schedule)
        }
        None => report.command.clone(),
    };
    let command = command_line(&command);
    facts.push((if finding.schedule.is_some() { "Replay it" } else { "Repeat it" }, command));
    section("reproduce", "Run it again", &facts)
}

/// What was checked, and what came of it.
pub fn check(report: &CheckReport) -> String {
    let mut facts = vec![("Checked", prose(&checked(report)))];
    facts.push(("Arithmetic", text(&report.arithmetic.to_string())));
    facts.push(("Slots", text(&count(report.settings.slots.into(), "slot"))));
    let ladder: String = verdict::ladder(report).iter().map(|rung| format!("<li>{}</li>", prose(rung))).collect();
    if !ladder.is_empty() {
        facts.push(("Tried", format!("<ul>{ladder}</ul>{}", prose(verdict::CAVEAT))));
    }
    facts.extend(report.threshold.as_ref().map(|threshold| ("Threshold", prose(&verdict::threshold(threshold)))));
    let outputs: String =
        report.output_errors.iter().map(|error| format!("<li>{}</li>", prose(&output_error(error)))).collect();
    if !outputs.is_empty() {
        facts.push(("Outputs", format!("<ul>{outputs}</ul>")));
    }
    facts.extend(verdict::chosen_outputs(report).map(|words| ("Outputs", prose(&words))));
    facts.extend(approximations(report).map(|words| ("Devices", words)));
    facts.extend(verdict::exhausted(report).map(|words| ("Ran out", prose(&words))));
    if let Some(unsupported) = &report.unsupported {
        let words =
            format!("{} at {}:{}:{}", unsupported.construct, unsupported.file, unsupported.line, unsupported.column);
        facts.push(("Unsupported", prose(&words)));
    }
    facts.push(("Done", prose(&verdict::stats(report))));
    facts.push(("Repeat", command_line(&report.command)));
    section("check", "The check", &facts)
}

fn approximations(report: &CheckReport) -> Option<String> {
    let all = &report.approximations;
    let shown = all.iter().take(APPROXIMATIONS).map(|one| {
        format!("<li>{} at {}</li>", text(&crate::text::plain(&one.operation)), text(&place(one.span, &report.files)))
    });
    let more = all.len().saturating_sub(APPROXIMATIONS);
    let more = if more > 0 { format!("<li>and {}</li>", count(more as u64, "more place")) } else { String::new() };
    (!all.is_empty()).then(|| format!("may compute different bits:<ul>{}{more}</ul>", shown.collect::<String>()))
}

fn command_line(command: &str) -> String {
    format!("<code class=\"all\">{}</code>", text(&printable(command)))
}

fn section(id: &str, title: &str, facts: &[(&str, String)]) -> String {
    let mut out = format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>\n<dl>\n");
    for (name, words) in facts {
        out += &format!("<dt>{name}</dt><dd>{words}</dd>\n");
    }
    out + "</dl></section>\n"
}
