//! Whether a computed verdict is the one the catalogue demands.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::{Expectation, Outputs, SafeUnder, Verdict as Demanded};
use gridproof_report::model::{Assumption, SafeUnder as Label, Threshold, Verdict};
use gridproof_simulator::Finding;
use gridproof_simulator::finding::Rule;

use crate::check::counts;

/// What is demanded, in words.
pub(crate) fn words(expectation: &Expectation) -> String {
    let findings: Vec<String> =
        expectation.findings.iter().map(|finding| format!("{} on `{}`", finding.rule, finding.place)).collect();
    let verdict = match (expectation.verdict, expectation.outputs) {
        (Demanded::RaceFree, Outputs::Wrong) => "race-free, not the model's outputs".to_owned(),
        (verdict, _) => verdict.name().to_owned(),
    };
    match expectation.safe_under {
        SafeUnder::AnyOrder | SafeUnder::NotStated if findings.is_empty() => verdict,
        SafeUnder::AnyOrder | SafeUnder::NotStated => format!("{verdict}, {}", findings.join(", ")),
        SafeUnder::LockstepWaves { slots } => {
            format!("{verdict}, {}, right only in lock-step waves of {slots} slots or more", findings.join(", "))
        }
    }
}

/// What differs in verdict and findings: nothing, or a sentence. Outputs that are not the model's are another matter:
/// see `outputs_mismatch`.
pub fn verdict_mismatch(expectation: &Expectation, verdict: Verdict, findings: &[Finding]) -> Option<String> {
    let demanded = match expectation.verdict {
        Demanded::RaceFree => Verdict::RaceFree,
        Demanded::Racy => Verdict::Racy,
        Demanded::Faulty => Verdict::Faulty,
    };
    let of_launch = |finding: &&Finding| counts(finding) && finding.rule != Rule::LegsDisagree;
    let verdict = match verdict {
        Verdict::Faulty if !findings.iter().any(|finding| of_launch(&finding)) => Verdict::RaceFree,
        verdict => verdict,
    };
    if verdict != demanded {
        return Some(format!("the verdict is {}, and {} is demanded", verdict.word(), demanded.word()));
    }
    let found: BTreeSet<(&str, &str)> =
        findings.iter().filter(of_launch).map(|finding| (finding.rule.code(), finding.first.buffer.as_str())).collect();
    let wanted: BTreeSet<(&str, &str)> =
        expectation.findings.iter().map(|finding| (finding.rule, finding.place)).collect();
    if let Some((rule, place)) = wanted.difference(&found).next() {
        return Some(format!("{rule} on `{place}` is demanded and was not found"));
    }
    found.difference(&wanted).next().map(|(rule, place)| format!("{rule} on `{place}` was found and is not demanded"))
}

/// What differs between the outputs of a launch that is right in every order and what is demanded of them.
pub(crate) fn outputs_mismatch(expectation: &Expectation, findings: &[Finding]) -> Option<String> {
    if expectation.verdict != Demanded::RaceFree {
        return None;
    }
    let found = findings.iter().any(|finding| finding.rule == Rule::LegsDisagree);
    match (expectation.outputs, found) {
        (Outputs::Right, true) => Some("the outputs are not the model's".to_owned()),
        (Outputs::Wrong, false) => Some("the outputs are the model's, and wrong ones are demanded".to_owned()),
        _ => None,
    }
}

/// What differs in the label of a launch: the assumption, or the slots it needs.
pub(crate) fn label_mismatch(expectation: &Expectation, label: Label) -> Option<String> {
    let demanded = match expectation.safe_under {
        SafeUnder::AnyOrder => Label { assumption: Assumption::AnyOrder, slots: None },
        SafeUnder::LockstepWaves { slots } => Label { assumption: Assumption::LockstepWaves, slots: Some(slots) },
        SafeUnder::NotStated => return None,
    };
    let words = |label: Label| match label.slots {
        Some(slots) => format!("{} of {slots} slots", label.assumption.word()),
        None => label.assumption.word().to_owned(),
    };
    (label != demanded).then(|| format!("safe under {}, and {} is demanded", words(label), words(demanded)))
}

/// The label that is demanded with `slots` slots; `None` where nothing is.
pub(crate) fn label_at(expectation: &Expectation, slots: u32) -> Option<Assumption> {
    match expectation.safe_under {
        SafeUnder::AnyOrder => Some(Assumption::AnyOrder),
        SafeUnder::LockstepWaves { slots: needed } if needed <= slots => Some(Assumption::LockstepWaves),
        SafeUnder::LockstepWaves { .. } => Some(Assumption::None),
        SafeUnder::NotStated => None,
    }
}

/// Whether a threshold found by search stands where the demanded label changes: `at` is the expectation at
/// the threshold, `below` the one just below it.
pub(crate) fn threshold_mismatch(
    threshold: &Threshold,
    at: &Expectation,
    below: Option<&Expectation>,
) -> Option<String> {
    if threshold.assumption != Assumption::LockstepWaves {
        return None;
    }
    let Threshold { key, value, slots, .. } = threshold;
    if label_at(at, *slots).is_some_and(|label| label != Assumption::None) {
        return Some(format!("outputs go wrong at {key} = {value}, where they should still be right"));
    }
    let early = below.is_some_and(|below| label_at(below, *slots) == Some(Assumption::None));
    early.then(|| format!("outputs are right below {key} = {value}, where they should be wrong already"))
}

#[cfg(test)]
mod tests {
    use gridproof_kernels::catalogue::ExpectedFinding;

    use super::*;

    fn racy(slots: u32) -> Expectation {
        Expectation {
            verdict: Demanded::Racy,
            findings: vec![ExpectedFinding { rule: "GP0001", place: "residual" }],
            safe_under: SafeUnder::LockstepWaves { slots },
            outputs: Outputs::Right,
        }
    }

    fn race_free() -> Expectation {
        Expectation {
            verdict: Demanded::RaceFree,
            findings: vec![],
            safe_under: SafeUnder::AnyOrder,
            outputs: Outputs::Right,
        }
    }

    #[test]
    fn a_wrong_verdict_and_a_missing_finding_are_mismatches() {
        assert_eq!(verdict_mismatch(&race_free(), Verdict::RaceFree, &[]), None);
        assert!(verdict_mismatch(&race_free(), Verdict::Incomplete, &[]).is_some());
        assert!(verdict_mismatch(&racy(4), Verdict::RaceFree, &[]).is_some());
        let missing = verdict_mismatch(&racy(4), Verdict::Racy, &[]).unwrap();
        assert_eq!(missing, "GP0001 on `residual` is demanded and was not found");
    }

    #[test]
    fn another_assumption_and_other_slots_are_mismatches() {
        let label = |assumption, slots| Label { assumption, slots };
        assert_eq!(label_mismatch(&racy(4), label(Assumption::LockstepWaves, Some(4))), None);
        assert!(label_mismatch(&racy(4), label(Assumption::LockstepWaves, Some(3))).is_some());
        assert!(label_mismatch(&racy(4), label(Assumption::InOrderStart, Some(4))).is_some());
        assert!(label_mismatch(&race_free(), label(Assumption::LockstepWaves, Some(1))).is_some());
    }

    #[test]
    fn a_threshold_on_either_side_of_the_demanded_one_is_a_mismatch() {
        let assumption = Assumption::LockstepWaves;
        let threshold = |value| Threshold { key: "n".to_owned(), value, assumption, slots: 512 };
        let check = |value: u32| {
            threshold_mismatch(&threshold(u64::from(value)), &racy(value), Some(&racy(value - 1))).is_none()
        };
        assert_eq!([check(512), check(513), check(514)], [false, true, false]);
    }
}
