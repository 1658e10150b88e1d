//! From a proof to a verdict. The rules stand in the design's first section; here they are code.

use gridproof_report::model::{Assumption, SafeUnder, Verdict};
use gridproof_simulator::finding::{Finding, Rule, Severity};
use gridproof_simulator::{Outcome, Policy, ladder};

/// Whether a finding makes its launch wrong: warnings, benign races and declared races do not.
pub fn counts(finding: &Finding) -> bool {
    finding.severity == Severity::Error && !finding.benign && finding.declared.is_none()
}

/// Whether a finding is a race.
pub(crate) const fn is_race(finding: &Finding) -> bool {
    matches!(finding.rule, Rule::CrossWorkgroupRace | Rule::WorkgroupRace)
}

/// The verdict that a proof gives. A fault that was found stays true when a budget ran out or when other
/// schedules may differ; the absence of faults does not.
pub fn verdict(proof: &Outcome) -> Verdict {
    let mut wrong = proof.findings.iter().filter(|finding| counts(finding)).peekable();
    if wrong.peek().is_some() {
        return if wrong.any(is_race) { Verdict::Racy } else { Verdict::Faulty };
    }
    if proof.exhausted.is_some() || proof.findings_dropped > 0 || !proof.decides_every_schedule {
        return Verdict::Incomplete;
    }
    Verdict::RaceFree
}

/// What a rung of the ladder assumes, and its slots.
pub(crate) const fn assumption(policy: &Policy) -> (Assumption, u32) {
    match policy {
        Policy::Serial => (Assumption::InOrderStart, 1),
        Policy::Bounded { slots, .. } => (Assumption::InOrderStart, *slots),
        Policy::Waves { slots } => (Assumption::LockstepWaves, *slots),
        Policy::Replay(schedule) => (Assumption::None, schedule.slots),
    }
}

/// The weakest assumption that kept the outputs on every rung tried: a rung that fails takes the weaker
/// ones with it, as lock-step waves are one way to start in order. `None` when a rung was not finished.
pub(crate) fn safe_under(rungs: &[ladder::Rung], slots: u32) -> Option<SafeUnder> {
    if rungs.iter().any(unfinished) {
        return None;
    }
    let kept = |wanted: Assumption| {
        let mut tried = rungs.iter().filter(|rung| assumption(&rung.policy).0 == wanted).peekable();
        tried.peek().is_some() && tried.all(|rung| rung.failing.is_none())
    };
    let any_failed =
        |wanted: Assumption| rungs.iter().any(|rung| assumption(&rung.policy).0 == wanted && rung.failing.is_some());
    let weakest = if kept(Assumption::InOrderStart) && !any_failed(Assumption::LockstepWaves) {
        Assumption::InOrderStart
    } else if kept(Assumption::LockstepWaves) {
        Assumption::LockstepWaves
    } else {
        Assumption::None
    };
    Some(SafeUnder { assumption: weakest, slots: Some(slots) })
}

/// Whether a budget ran out before the rung's outputs could be compared.
pub(crate) fn unfinished(rung: &ladder::Rung) -> bool {
    rung.failing.as_ref().is_some_and(|outcome| outcome.exhausted.is_some())
}
