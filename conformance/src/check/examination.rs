//! One launch under examination: proved once, then run under the schedules that its verdict asks for.

use gridproof_launch::Launch;
use gridproof_report::model::{SafeUnder, Verdict};
use gridproof_simulator::{Config, Outcome, Policy, Schedule, SimulateError, Unsupported, ladder, prove, run};

use super::options::{CheckOptions, ScheduleChoice};
use super::outputs::differing_bytes;
use super::verdict::{safe_under, verdict};

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
            let verdict = verdict(&proof);
            Ok(Examined::Proved(Box::new(Examination { launch, config: *config, proof, verdict, explored: 0 })))
        }
        Err(SimulateError::Unsupported(unsupported)) => Ok(Examined::Unsupported(unsupported)),
        Err(error) => Err(error),
    }
}

impl Examination<'_> {
    /// Runs the launch under one policy.
    pub fn run(&mut self, policy: &Policy) -> Result<Outcome, SimulateError> {
        self.explored += 1;
        run(self.launch, &self.config, policy, &self.proof.hazards)
    }

    /// Runs one schedule, switching where the proof found that order matters.
    pub fn replay(&mut self, schedule: &Schedule) -> Result<Outcome, SimulateError> {
        self.run(&Policy::Replay(schedule.clone()))
    }

    /// Output bytes in which a run differs from the race-free reading.
    pub fn differing_bytes(&self, outcome: &Outcome) -> u64 {
        differing_bytes(self.launch, &self.proof.buffers, &outcome.buffers)
    }

    /// The rungs that `options` ask for.
    pub fn climb(&mut self, options: &CheckOptions) -> Result<Vec<ladder::Rung>, SimulateError> {
        let slots = options.slots;
        let rungs = match options.schedule {
            Some(ScheduleChoice::Any) => return Ok(Vec::new()),
            None => {
                let rungs = ladder::climb(self.launch, &self.config, &self.proof, slots, options.schedules)?;
                self.explored += rungs.iter().map(|rung| rung.schedules).sum::<u64>();
                rungs
            }
            Some(ScheduleChoice::Lockstep) => vec![self.rung([Policy::Waves { slots }])?],
            Some(ScheduleChoice::InOrder) => {
                let seeds = options.seed..options.seed.saturating_add(options.schedules);
                vec![self.rung(seeds.map(|seed| Policy::Bounded { slots, seed }))?]
            }
        };
        Ok(rungs)
    }

    /// Tries policies one after the other until the outputs of one differ.
    pub fn rung(&mut self, policies: impl IntoIterator<Item = Policy>) -> Result<ladder::Rung, SimulateError> {
        let mut rung = ladder::Rung { policy: Policy::Serial, schedules: 0, failing: None, differing_bytes: 0 };
        for policy in policies {
            let outcome = self.run(&policy)?;
            rung.policy = policy;
            rung.schedules += 1;
            rung.differing_bytes = self.differing_bytes(&outcome);
            if rung.differing_bytes > 0 || outcome.exhausted.is_some() {
                rung.failing = Some(Box::new(outcome));
                break;
            }
        }
        Ok(rung)
    }

    /// What the outputs lean on, after the ladder.
    pub fn safe_under(&self, rungs: &[ladder::Rung], options: &CheckOptions) -> Option<SafeUnder> {
        match self.verdict {
            Verdict::RaceFree => {
                Some(SafeUnder { assumption: gridproof_report::model::Assumption::AnyOrder, slots: None })
            }
            Verdict::Racy if !rungs.is_empty() => safe_under(rungs, options.slots),
            _ => None,
        }
    }
}
