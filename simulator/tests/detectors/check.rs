//! What every case must keep.
//!
//! * Its listing is the expected one, run twice and with 1, 2 and 5 threads, to the byte.
//! * Every subgroup size gives the same rules with the same severities.
//! * Annotated lines and findings belong together.
//! * With the detector of one of its rules switched off, that rule is absent: nothing else turned it red.
//! * Buffers with expected words end with them.
//! * `pass` has no findings, `fail` has some, `exhausted` ran out of a budget, `unsupported` is refused.

use std::collections::BTreeSet;
use std::path::Path;

use gridproof_simulator::finding::{Rule, Severity};
use gridproof_simulator::{Config, Detectors, Outcome, SimulateError, prove};

use crate::case::Case;
use crate::listing::listing;

type Ran = Result<Outcome, SimulateError>;

/// Runs a case in every way.
pub fn check(verdict: &str, path: &Path) -> Result<(), String> {
    let case = Case::read(path)?;
    let result = prove(&case.launch, &case.config);
    let text = listing(&result);
    compare(path, &text)?;
    has_verdict(verdict, &result, &text)?;
    same_listing(&case, &text)?;
    if let Ok(outcome) = &result {
        has_words(&case, outcome)?;
        annotated(&case, outcome)?;
        same_rules(&case, outcome)?;
        detectors_decide(&case, outcome)?;
    }
    Ok(())
}

fn compare(path: &Path, text: &str) -> Result<(), String> {
    let beside = path.with_extension("stderr");
    let expected = std::fs::read_to_string(&beside).unwrap_or_default();
    if expected == text {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_none() {
        return Err(format!("expected:\n{expected}\ngot:\n{text}"));
    }
    let written = if text.is_empty() { std::fs::remove_file(&beside) } else { std::fs::write(&beside, text) };
    written.map_err(|error| error.to_string())
}

fn has_verdict(verdict: &str, result: &Ran, text: &str) -> Result<(), String> {
    let fits = match (verdict, result) {
        ("unsupported", Err(error)) => {
            matches!(error, SimulateError::Unsupported(found) if found.line > 0 && found.column > 0)
        }
        ("pass", Ok(outcome)) => outcome.findings.is_empty() && outcome.exhausted.is_none(),
        ("fail", Ok(outcome)) => !outcome.findings.is_empty() && outcome.exhausted.is_none(),
        ("exhausted", Ok(outcome)) => outcome.exhausted.is_some(),
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("not a case of `{verdict}`:\n{text}")) }
}

fn has_words(case: &Case, outcome: &Outcome) -> Result<(), String> {
    for (buffer, image) in case.launch.buffers.iter().zip(&outcome.buffers) {
        let Some(expected) = case.expected.get(&buffer.name) else { continue };
        let mut bytes = vec![0; expected.len() * 4];
        image.read(0, &mut bytes);
        let words: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect();
        if words != *expected {
            return Err(format!("`{}` should end as {expected:?}, and is {words:?}", buffer.name));
        }
    }
    Ok(())
}

fn same_listing(case: &Case, text: &str) -> Result<(), String> {
    for threads in [1, 2, 5] {
        let again = listing(&prove(&case.launch, &Config { threads, ..case.config }));
        if again != text {
            return Err(format!("with {threads} threads:\n{again}\ninstead of:\n{text}"));
        }
    }
    Ok(())
}

fn annotated(case: &Case, outcome: &Outcome) -> Result<(), String> {
    let annotations: BTreeSet<(u32, &str)> =
        case.annotations.iter().map(|(line, rule)| (*line, rule.as_str())).collect();
    let mut found = BTreeSet::new();
    for finding in &outcome.findings {
        let sites = std::iter::once(&finding.first).chain(&finding.second);
        let calls = |site: &gridproof_simulator::finding::AccessSite| site.call_stack.clone();
        let lines = sites.flat_map(|site| std::iter::once(site.span).chain(calls(site))).map(|span| span.line);
        let here: Vec<_> = lines.map(|line| (line, finding.rule.code())).collect();
        if !here.iter().any(|place| annotations.contains(place)) {
            return Err(format!("none of the lines {here:?} is annotated"));
        }
        found.extend(here);
    }
    match annotations.difference(&found).next() {
        Some((line, rule)) => Err(format!("line {line} is annotated with {rule}, but has no such finding")),
        None => Ok(()),
    }
}

fn rules(outcome: &Outcome) -> BTreeSet<(Rule, Severity)> {
    outcome.findings.iter().map(|finding| (finding.rule, finding.severity)).collect()
}

fn same_rules(case: &Case, outcome: &Outcome) -> Result<(), String> {
    for &subgroup_size in &case.subgroups {
        let other = prove(&case.launch, &Config { subgroup_size, ..case.config }).map_err(|error| error.to_string())?;
        if rules(&other) != rules(outcome) {
            return Err(format!("with subgroups of {subgroup_size}:\n{}", listing(&Ok(other))));
        }
        if other.decides_every_schedule != outcome.decides_every_schedule {
            return Err(format!("with subgroups of {subgroup_size}, whether one run decides is another"));
        }
    }
    Ok(())
}

fn detectors_decide(case: &Case, outcome: &Outcome) -> Result<(), String> {
    for (rule, _) in rules(outcome) {
        let Some(detectors) = without(rule) else { continue };
        let config = Config { detectors, ..case.config };
        let other = prove(&case.launch, &config).map_err(|error| error.to_string())?;
        if other.findings.iter().any(|finding| finding.rule == rule) {
            return Err(format!("{} is found although its detector is off", rule.code()));
        }
    }
    Ok(())
}

/// All detectors but that of a rule; `None` where it has none, because the machine itself stops there.
fn without(rule: Rule) -> Option<Detectors> {
    let all = Detectors::ALL;
    Some(match rule {
        Rule::CrossWorkgroupRace | Rule::WorkgroupRace => Detectors { race: false, ..all },
        Rule::BarrierDivergence => Detectors { barrier: false, ..all },
        Rule::OutOfBounds => Detectors { bounds: false, ..all },
        Rule::WrappedOffset => Detectors { offset: false, ..all },
        Rule::UninitialisedRead => Detectors { uninitialised: false, ..all },
        Rule::Misaligned => Detectors { alignment: false, ..all },
        Rule::Trap => return None,
        Rule::NoProgress | Rule::ScheduleDependent | Rule::LegsDisagree => all,
    })
}
