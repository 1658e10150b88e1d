//! One launch under examination: proved once, then run under the schedules that its verdict asks for.

use gridproof_launch::Launch;
use gridproof_report::model::{Assumption, SafeUnder, Verdict};
use gridproof_simulator::finding::Finding;
use gridproof_simulator::timeline::Timeline;
use gridproof_simulator::{Config, Outcome, Policy, Schedule, SimulateError, Unsupported, ladder, prove, run};

use super::exploration::timelines;
use super::options::{CheckOptions, ScheduleChoice};
use super::verdict::{safe_under, unfinished, verdict};

/// What one launch turned out to be.
pub(crate) enum Examined<'a> {
    /// It was proved, with whatever result.
    Proved(Box<Examination<'a>>),
    /// It uses what the simulator does not model.
    Unsupported(Unsupported),
}

/// A launch and its proof.
pub(crate) struct Examination<'a> {
    /// The launch.
    pub launch: &'a Launch,
    /// How it is simulated.
    pub config: Config,
    /// The instrumented run.
    pub proof: Outcome,
    /// What the proof says.
    pub verdict: Verdict,
    /// Schedules run besides the proof.
    pub explored: u64,
}

/// Proves a launch.
pub(crate) fn examine<'a>(launch: &'a Launch, config: &Config) -> Result<Examined<'a>, SimulateError> {
    match prove(launch, config) {
        Ok(proof) => {
            let verdict = match verdict(&proof) {
                // Nobody looked: silence proves nothing.
                Verdict::RaceFree if !config.detectors.race => Verdict::Incomplete,
                verdict => verdict,
            };
            Ok(Examined::Proved(Box::new(Examination { launch, config: *config, proof, verdict, explored: 0 })))
        }
        Err(SimulateError::Unsupported(unsupported)) => Ok(Examined::Unsupported(unsupported)),
        Err(error) => Err(error),
    }
}

impl Examination<'_> {
    /// Runs one schedule, switching where the proof found that order matters.
    pub fn replay(&mut self, schedule: &Schedule) -> Result<Outcome, SimulateError> {
        self.run(&Policy::Replay(schedule.clone()))
    }

    /// Whether outputs differ under one schedule, which is ended as soon as that is settled. `None` when a
    /// budget ran out.
    pub fn shows(&mut self, schedule: &Schedule) -> Result<Option<bool>, SimulateError> {
        let policy = Policy::Replay(schedule.clone());
        let policies = std::iter::once(policy.clone());
        let rung = ladder::try_all(self.launch, &self.config, &self.proof, policy, policies)?;
        self.explored += rung.schedules;
        Ok((!unfinished(&rung)).then_some(rung.differing_bytes > 0))
    }

    /// What each turn of the schedules of findings did.
    pub fn timelines(&self, findings: &[Finding]) -> Vec<Option<Timeline>> {
        timelines(self.launch, &self.config, findings, &self.proof.hazards)
    }

    /// Runs one policy to the end.
    pub fn run(&mut self, policy: &Policy) -> Result<Outcome, SimulateError> {
        self.explored += 1;
        run(self.launch, &self.config, policy, &self.proof.hazards)
    }

    /// Output bytes in which a run differs from the race-free reading.
    pub fn differing_bytes(&self, outcome: &Outcome) -> u64 {
        ladder::differing_outputs(self.launch, &self.proof, outcome)
    }

    /// The rungs that `options` ask for, the weakest assumption first.
    pub fn climb(&mut self, options: &CheckOptions) -> Result<Vec<ladder::Rung>, SimulateError> {
        let assumptions: &[Assumption] = match options.schedule {
            Some(ScheduleChoice::Any) => &[],
            Some(ScheduleChoice::InOrder) => &[Assumption::InOrderStart],
            Some(ScheduleChoice::Lockstep) => &[Assumption::LockstepWaves],
            None => &[Assumption::InOrderStart, Assumption::LockstepWaves],
        };
        assumptions.iter().map(|assumption| self.rung(*assumption, options)).collect()
    }

    /// Runs the schedules of one assumption until the outputs of one differ. The first in-order schedule
    /// runs each workgroup to its end before the next one; the others are drawn.
    pub fn rung(&mut self, assumption: Assumption, options: &CheckOptions) -> Result<ladder::Rung, SimulateError> {
        let slots = options.slots;
        let (name, policies) = match assumption {
            Assumption::InOrderStart => {
                let seeds = options.seed..options.seed.saturating_add(options.schedules.saturating_sub(1));
                let drawn = seeds.map(|seed| Policy::Bounded { slots, seed });
                let name = Policy::Bounded { slots, seed: options.seed };
                (name, std::iter::once(Policy::Serial).chain(drawn).collect())
            }
            _ => (Policy::Waves { slots }, vec![Policy::Waves { slots }]),
        };
        let rung = ladder::try_all(self.launch, &self.config, &self.proof, name, policies.into_iter())?;
        self.explored += rung.schedules;
        Ok(rung)
    }

    /// What the outputs lean on, after the ladder.
    pub fn safe_under(&self, rungs: &[ladder::Rung], options: &CheckOptions) -> Option<SafeUnder> {
        match self.verdict {
            Verdict::RaceFree => Some(SafeUnder { assumption: Assumption::AnyOrder, slots: None }),
            Verdict::Racy if !rungs.is_empty() => safe_under(rungs, options.slots),
            _ => None,
        }
    }
}
