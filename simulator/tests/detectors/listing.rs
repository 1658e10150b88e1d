//! What a run gave, as plain text: one paragraph per finding, then what is special about the run.

use std::fmt::Write;

use gridproof_simulator::finding::{AccessSite, BoundsLimit, Detail, Finding, Severity};
use gridproof_simulator::ir::Span;
use gridproof_simulator::{Outcome, SimulateError};

/// The listing of a run, or of why there was none.
pub fn listing(result: &Result<Outcome, SimulateError>) -> String {
    match result {
        Ok(outcome) => of_outcome(outcome),
        Err(error) => format!("{error}\n"),
    }
}

fn of_outcome(outcome: &Outcome) -> String {
    let mut text: String = outcome.findings.iter().map(of_finding).collect();
    if outcome.findings_dropped > 0 {
        line(&mut text, format_args!("{} findings more", outcome.findings_dropped));
    }
    if let Some(ran_out) = &outcome.exhausted {
        let at = ran_out.at.map_or_else(String::new, |span| format!(" at {}", place(span)));
        let (done, all) = (ran_out.workgroups_done, ran_out.workgroups);
        let limit = ran_out.limit;
        line(&mut text, format_args!("exhausted: {} {limit}{at}, {done} of {all} workgroups done", ran_out.budget));
    }
    if !outcome.decides_every_schedule {
        let at = outcome.depends_on_atomic.map_or_else(String::new, place);
        line(&mut text, format_args!("one of many schedules: depends on an atomic at {at}"));
    }
    text
}

fn of_finding(finding: &Finding) -> String {
    let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
    let benign = if finding.benign { " benign" } else { "" };
    let mut text = String::new();
    line(
        &mut text,
        format_args!("{} {severity}{benign} x{}{}", finding.rule.code(), finding.count, detail(&finding.detail)),
    );
    line(&mut text, format_args!("  {}", site(&finding.first)));
    if let Some(second) = &finding.second {
        line(&mut text, format_args!("  {}", site(second)));
    }
    if let Some(reason) = &finding.declared {
        line(&mut text, format_args!("  declared: {reason}"));
    }
    text
}

fn site(site: &AccessSite) -> String {
    let memory = match (site.buffer.as_str(), site.element) {
        ("", _) => String::new(),
        (name, Some(element)) => format!(" {name}[{element}] byte {}+{}", site.byte_offset, site.bytes),
        (name, None) => format!(" {name} byte {}+{}", site.byte_offset, site.bytes),
    };
    let calls: String = site.call_stack.iter().map(|&span| format!(" called at {}", place(span))).collect();
    let ([x, y, z], [i, j, k]) = (site.workgroup, site.local);
    format!("{:?}{memory} at {}{calls} by ({x}, {y}, {z}) ({i}, {j}, {k})", site.action, place(site.span))
}

fn detail(detail: &Detail) -> String {
    match detail {
        Detail::None => String::new(),
        Detail::Bounds { limit: BoundsLimit::Array { index, elements } } => format!(": index {index} of {elements}"),
        Detail::Bounds { limit: BoundsLimit::Binding { length } } => format!(": binding of {length} bytes"),
        Detail::Bounds { limit } => format!(": {limit:?}"),
        Detail::Wrapped { origin, exact, computed } => {
            format!(": wrapped at {}, exact {exact}, computed {computed}", place(*origin))
        }
        Detail::Alignment { required } => format!(": must be a multiple of {required}"),
        Detail::Divergence { waiting, elsewhere } => format!(": {waiting} waiting, {elsewhere} elsewhere"),
        Detail::Unordered { why } => format!(": {why:?}"),
        Detail::Outputs { .. } | Detail::Mismatch { .. } | Detail::NoProgress { .. } => format!(": {detail:?}"),
    }
}

fn place(span: Span) -> String {
    format!("{}:{}", span.line, span.column)
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    let written = writeln!(text, "{what}");
    debug_assert!(written.is_ok(), "writing to a string succeeds");
}
