//! Litmus tests: the proof, our exploration of every schedule, and now and then loom, say the same.

use gridproof_conformance::check::{Agreement, compare};
use gridproof_conformance::litmus::random;
use gridproof_simulator::explore::{ExploreOptions, explore};
use gridproof_simulator::finding::{Finding, Rule};
use gridproof_simulator::{Config, Grain, prove_covered};

use super::{Bench, Property, Trial, fails, skipped};
use crate::input::LitmusLaunch;

/// Executions of an exploration at most.
const EXECUTIONS: u64 = 20_000;

pub(super) fn check(bench: &Bench, drawn: &LitmusLaunch) -> Result<(), Trial> {
    check_within(bench, drawn, EXECUTIONS)
}

fn check_within(bench: &Bench, drawn: &LitmusLaunch, executions: u64) -> Result<(), Trial> {
    let litmus = random(drawn.seed, drawn.syntax, drawn.kind);
    let subject = format!("{} litmus", drawn.syntax);
    let refused = |message: String| fails(Property::Refused, &*subject, message);
    let launch = litmus.launch(drawn.syntax).map_err(|error| refused(error.to_string()))?;
    let config = Config { subgroup_size: drawn.kind.subgroup_size(), ..bench.config() };
    let proof = prove_covered(&launch, &config, &bench.coverage, Grain::Kind);
    let proof = proof.map_err(|error| refused(error.to_string()))?;
    let options = ExploreOptions { executions, ..ExploreOptions::default() };
    let explored = explore(&launch, &config, &options).map_err(|error| refused(error.to_string()))?;
    let races = explored.outcome.findings.iter().any(is_race);
    bench.mark(("litmus", races, explored.executions.max(1).ilog2(), proof.decides_every_schedule));
    // One run decides all schedules, or sees at least no race that none of them has.
    let proved = proof.findings.iter().any(is_race);
    let complete = explored.is_complete();
    if proved && !races && complete || races && !proved && proof.decides_every_schedule {
        let message = format!("the proof {}, every schedule {}", said(proved), said(races));
        return Err(fails(Property::Engines, format!("{subject} proof"), message));
    }
    if !drawn.loom {
        let decided = complete || proof.decides_every_schedule || proved || races;
        return if decided { Ok(()) } else { Err(skipped("neither the proof nor the exploration has an answer")) };
    }
    let Some(executable) = bench.executable.as_deref() else { return Err(skipped("no program to run loom")) };
    let compared = compare(executable, &launch, &config, options.slots).map_err(|error| refused(error.to_string()))?;
    match compared.agreement {
        Agreement::Yes => Ok(()),
        Agreement::Undecided => Err(skipped("loom has no answer")),
        Agreement::No => {
            let message = format!("{}; loom: {}", said(compared.races), compared.loom.note.unwrap_or_default());
            Err(fails(Property::Engines, format!("{subject} loom"), message))
        }
    }
}

fn is_race(finding: &Finding) -> bool {
    matches!(finding.rule, Rule::CrossWorkgroupRace | Rule::WorkgroupRace)
}

const fn said(races: bool) -> &'static str {
    if races { "has a race" } else { "has none" }
}

#[cfg(test)]
mod tests {
    use gridproof_conformance::litmus::{Kind, Syntax};

    use super::*;

    #[test]
    fn what_neither_proof_nor_exploration_decides_was_not_tried() {
        let bench = Bench::default();
        let drawn =
            (0..100).map(|seed| LitmusLaunch { seed, syntax: Syntax::Wgsl, kind: Kind::Workgroups, loom: false });
        // One execution is all schedules of none that communicates.
        let undecided: Vec<_> = drawn.filter(|drawn| check_within(&bench, drawn, 1).is_err()).collect();
        assert!(undecided.len() >= 5, "{undecided:?}");
        for drawn in undecided {
            assert!(matches!(check_within(&bench, &drawn, 1), Err(Trial::Skipped(_))), "{drawn:?}");
        }
    }
}
