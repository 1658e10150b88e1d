//! The assumption ladder: under which scheduler assumption are a racy launch's outputs still right?

use gridproof_launch::Launch;

use crate::outcome::{Config, Outcome, SimulateError};
use crate::scheduler::Policy;

/// One rung as it was tried. The outputs compared are those of `Launch::buffers` marked `output`
/// (all buffers where none is marked), against the outputs of the race-free reading: every
/// workgroup sees the memory at dispatch start and its own writes.
#[derive(Clone, Debug)]
pub struct Rung {
    /// `Bounded` (in-order start) or `Waves` (lock-step) with its slots.
    pub policy: Policy,
    /// Schedules run.
    pub schedules: u64,
    /// The first schedule whose outputs differ, with its outcome. It may have been ended as soon as that was
    /// settled: run its schedule again ([`Policy::Replay`], or the policy) for the outputs of the whole launch.
    pub failing: Option<Box<Outcome>>,
    /// Output bytes that differ in it; further ones may follow where it was ended early.
    pub differing_bytes: u64,
    /// The policy of the failing schedule.
    pub failing_policy: Option<Policy>,
    /// The workgroup at whose end the difference was settled, where it was.
    pub failing_workgroup: Option<u32>,
}

/// Tries the rungs for a racy launch: in-order start on `slots` slots (`schedules` of them, the first of which runs
/// each workgroup to its end before the next), then lock-step waves of `slots` slots.
///
/// # Errors
/// As [`crate::run`].
pub fn climb(
    launch: &Launch,
    config: &Config,
    proof: &Outcome,
    slots: u32,
    schedules: u64,
) -> Result<Vec<Rung>, SimulateError> {
    let first_seed = Policy::Bounded { slots, seed: 0 };
    let random = (0..schedules.saturating_sub(1)).map(|seed| Policy::Bounded { slots, seed });
    let in_order = std::iter::once(Policy::Serial).chain(random);
    Ok(vec![
        try_all(launch, config, proof, first_seed, in_order)?,
        try_all(launch, config, proof, Policy::Waves { slots }, std::iter::once(Policy::Waves { slots }))?,
    ])
}

/// Runs policies until one gives other outputs than the proof.
///
/// # Errors
/// As [`crate::run`].
pub fn try_all(
    launch: &Launch,
    config: &Config,
    proof: &Outcome,
    name: Policy,
    policies: impl Iterator<Item = Policy>,
) -> Result<Rung, SimulateError> {
    let mut rung = Rung { policy: name, schedules: 0, failing: None, differing_bytes: 0, failing_policy: None, failing_workgroup: None };
    for policy in policies {
        let (outcome, workgroup) = crate::run::run_until(launch, config, &policy, &proof.hazards, Some(proof))?;
        rung.schedules += 1;
        rung.differing_bytes = differing_outputs(launch, proof, &outcome);
        if rung.differing_bytes > 0 || outcome.exhausted.is_some() {
            rung.failing = Some(Box::new(outcome));
            rung.failing_policy = Some(policy);
            rung.failing_workgroup = workgroup;
            break;
        }
    }
    Ok(rung)
}

/// Output bytes that differ between two outcomes of one launch.
pub fn differing_outputs(launch: &Launch, one: &Outcome, other: &Outcome) -> u64 {
    let marked = launch.buffers.iter().any(|buffer| buffer.output);
    let compared = launch.buffers.iter().map(|buffer| buffer.output || !marked);
    let images = one.buffers.iter().zip(&other.buffers);
    images.zip(compared).filter(|(_, compared)| *compared).map(|((one, other), _)| one.difference(other).0).sum()
}
