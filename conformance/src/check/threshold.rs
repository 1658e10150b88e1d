//! The smallest launch that fails, found by running: the smallest value of a shape key, or the smallest grid.
//!
//! The value is doubled until a launch fails, and the interval between the last right value and the first wrong one is
//! halved. The first workgroup that went wrong gives a guess: the launch of that many workgroups should fail, and the one
//! below it should not. Both ends of the result were run: its value fails, the value below it does not (or is no launch).
//! Between values that were not run the search assumes that a launch that is too large stays too large.

use gridproof_launch::Launch;
use gridproof_report::model::{Assumption, Threshold, Verdict};
use gridproof_simulator::SimulateError;
use gridproof_simulator::explore::explore;

use super::error::CheckError;
use super::examination::{Examined, examine};
use super::exploration;
use super::options::CheckOptions;
use super::verdict::unfinished;
use crate::cuda;

/// A search over one number that launches are made from.
pub(super) struct Search<'a> {
    /// What the number is called.
    pub key: String,
    /// The launch of a value, where there is one.
    pub launches: &'a dyn Fn(u64) -> Option<Launch>,
    /// The value of the check itself.
    pub own: u64,
    /// How to simulate, and the slots.
    pub options: &'a CheckOptions,
    /// Which rung must fail; in any order, every finding counts.
    pub assumption: Assumption,
    /// Whether the check's own launch fails under this assumption.
    pub own_fails: bool,
    /// A guess at the result.
    pub guess: Option<u64>,
    /// Most workgroups of a dispatch of the check's own launch.
    pub workgroups: u64,
    /// Invocation-instructions of the check's own launch.
    pub work: u64,
}

/// Invocation-instructions that a search may take if nobody asked for it by its key: what a second or two is enough for,
/// or this many times the check's own launch.
const UNASKED_WORK: u64 = 1 << 28;
const UNASKED_TIMES: u64 = 16;

/// Waves of workgroups that a launch may have to be tried, unless the check's own has more. An assumption about slots that
/// fails does so where the second wave begins, or where workgroups that belong together lie in two.
const WAVES: u64 = 2;

/// One value, run.
struct Tried {
    fails: bool,
    schedules: u64,
    /// Workgroups up to the first one that went wrong.
    guess: Option<u64>,
}

/// What is known so far.
struct Bracket {
    /// The largest value known to be right; 0 when none is.
    right: u64,
    /// The smallest value known to be wrong.
    wrong: Option<u64>,
    /// A value worth trying next.
    guess: Option<u64>,
    /// Where the search gives up.
    limit: u64,
}

impl Bracket {
    /// The value to run next; `None` when the search is over.
    fn next(&self) -> Option<u64> {
        let wrong = self.wrong.unwrap_or(u64::MAX);
        if wrong - self.right <= 1 || self.right >= self.limit {
            return None;
        }
        let guess = self.guess.filter(|guess| (self.right + 1..wrong.min(self.limit + 1)).contains(guess));
        let search = match self.wrong {
            Some(wrong) => self.right + (wrong - self.right) / 2,
            None => self.right.saturating_mul(2).clamp(1, self.limit),
        };
        Some(guess.unwrap_or(search))
    }

    fn learn(&mut self, value: u64, tried: &Tried) {
        if !tried.fails {
            self.right = value;
            return;
        }
        // A guess that fails is confirmed by the value below it; if that fails too, it was a bad guess.
        let guessed = self.guess == Some(value) && self.wrong.is_none_or(|wrong| wrong != value + 1);
        self.wrong = Some(value);
        self.guess = if guessed { value.checked_sub(1) } else { tried.guess.filter(|guess| *guess < value) };
    }
}

impl Search<'_> {
    /// Searches, and counts the schedules run. The threshold is `None` when no value up to the check's own (and, for
    /// an assumption about slots, two waves of workgroups) fails, a budget ran out, or nobody asked and it takes long.
    pub fn run(&self) -> Result<(Option<Threshold>, u64), CheckError> {
        let limit = match self.assumption {
            Assumption::AnyOrder => self.own,
            _ => self.own.max(self.within_waves()),
        };
        let right = if self.own_fails { 0 } else { self.own };
        let wrong = (self.own_fails && self.assumption == Assumption::AnyOrder).then_some(self.own);
        let mut bracket = Bracket { right, wrong, guess: self.guess, limit };
        let (mut explored, mut work) = (0, 0_u64);
        while let Some(value) = bracket.next() {
            // A proof, and a run in waves.
            let estimate = u128::from(self.work) * 2 * u128::from(value) / u128::from(self.own.max(1));
            work = work.saturating_add(u64::try_from(estimate).unwrap_or(u64::MAX));
            if self.options.threshold_key.is_none() && work > UNASKED_WORK.max(self.work.saturating_mul(UNASKED_TIMES))
            {
                return Ok((None, explored));
            }
            let Some(tried) = self.fails(value)? else { return Ok((None, explored)) };
            explored += tried.schedules;
            bracket.learn(value, &tried);
        }
        let (assumption, slots) = (self.assumption, self.options.slots);
        let found = bracket.wrong.map(|value| Threshold { key: self.key.clone(), value, assumption, slots });
        Ok((found, explored))
    }

    /// The largest value whose launch should have no more than so many waves, if it grows as the value does.
    fn within_waves(&self) -> u64 {
        let most = u128::from(self.options.slots) * u128::from(WAVES);
        let value = most * u128::from(self.own.max(1)) / u128::from(self.workgroups.max(1));
        u64::try_from(value).unwrap_or(u64::MAX)
    }

    /// Whether the launch of one value fails; what is no launch does not. `None` when a budget ran out.
    fn fails(&self, value: u64) -> Result<Option<Tried>, CheckError> {
        let right = Tried { fails: false, schedules: 0, guess: None };
        let Some(launch) = (self.launches)(value) else { return Ok(Some(right)) };
        let launch = cuda::compiled(&launch)?;
        if matches!(gridproof_simulator::depends_on_atomics(&launch, &self.options.config), Ok(true)) {
            return self.explored(&launch);
        }
        let Examined::Proved(mut examination) = examine(&launch, &self.options.config)? else {
            return Ok(None);
        };
        match (examination.verdict, self.assumption) {
            (Verdict::RaceFree, _) => return Ok(Some(right)),
            (Verdict::Racy | Verdict::Faulty, Assumption::AnyOrder) => {
                return Ok(Some(Tried { fails: true, ..right }));
            }
            (Verdict::Racy, _) => {}
            _ => return Ok(None),
        }
        let rung = examination.rung(self.assumption, self.options)?;
        let guess = rung.failing_workgroup.map(|workgroup| u64::from(workgroup) + 1);
        let tried = Tried { fails: rung.failing.is_some(), schedules: rung.schedules, guess };
        Ok((!unfinished(&rung)).then_some(tried))
    }

    /// The same for a launch that atomics steer.
    fn explored(&self, launch: &Launch) -> Result<Option<Tried>, CheckError> {
        let config = &self.options.config;
        let exploration = match explore(launch, config, &exploration::within_check().options(self.options)) {
            Ok(exploration) => exploration,
            Err(SimulateError::Unsupported(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let tried = |fails| Some(Tried { fails, schedules: exploration.executions, guess: None });
        Ok(match exploration::verdict(&exploration, config.detectors.race) {
            Verdict::Racy | Verdict::Faulty => tried(true),
            Verdict::RaceFree => tried(false),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values run until the smallest wrong one is `wrong`, when the first wrong workgroup is `guess`.
    fn search(wrong: u64, right: u64, guess: Option<u64>) -> (Option<u64>, Vec<u64>) {
        let mut bracket = Bracket { right, wrong: None, guess, limit: 2048 };
        let mut run = Vec::new();
        while let Some(value) = bracket.next() {
            let fails = value >= wrong;
            run.push(value);
            bracket.learn(value, &Tried { fails, schedules: 1, guess });
        }
        (bracket.wrong, run)
    }

    #[test]
    fn a_good_guess_is_confirmed_from_both_sides() {
        assert_eq!(search(513, 0, Some(513)), (Some(513), vec![513, 512]));
        assert_eq!(search(513, 256, None).0, Some(513));
    }

    #[test]
    fn a_bad_guess_or_none_only_costs_time() {
        for wrong in [1, 2, 3, 100, 512, 1025, 2048] {
            for guess in [None, Some(1), Some(77), Some(2000), Some(5000)] {
                let (found, run) = search(wrong, 0, guess);
                assert_eq!(found, Some(wrong));
                assert!(run.len() < 30 && run.contains(&wrong) && (wrong == 1 || run.contains(&(wrong - 1))));
            }
        }
    }

    #[test]
    fn nothing_wrong_up_to_the_limit_is_nothing_found() {
        assert_eq!(search(3000, 0, None).0, None);
    }
}
