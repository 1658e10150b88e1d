//! The smallest shape at which a racy kernel's outputs go wrong under one assumption, found by running.
//!
//! The kernel's first shape key is doubled until the outputs of a launch differ, and the interval between the
//! last right value and the first wrong one is halved. The first workgroup that went wrong gives a guess: the launch of
//! that many workgroups should fail, and the one below it should not. Both ends of the result were run: its
//! value fails, the value below it does not. Between values that were not run the search assumes that a launch
//! that is too large stays too large.

use gridproof_report::model::{Assumption, Threshold, Verdict};

use super::error::CheckError;
use super::examination::{Examined, examine};
use super::options::CheckOptions;
use super::verdict::unfinished;
use crate::cuda;
use crate::family::{Family, Making, shape_text};

/// A search over the first shape key of one variant.
pub(super) struct Search<'a> {
    /// The family.
    pub family: &'a dyn Family,
    /// The variant.
    pub variant: &'a str,
    /// The shape of the check; its first key is varied.
    pub shape: &'a [(String, String)],
    /// Data and profile.
    pub making: Making,
    /// How to simulate, and the slots.
    pub options: &'a CheckOptions,
    /// Which rung.
    pub assumption: Assumption,
    /// Whether the check's own shape kept its outputs under this assumption.
    pub own_is_right: bool,
    /// A guess at the result.
    pub guess: Option<u64>,
}

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
    /// Searches, and counts the schedules run. The threshold is `None` when no value up to the check's own and
    /// four waves of workgroups fails, or a budget ran out.
    pub fn run(&self) -> Result<(Option<Threshold>, u64), CheckError> {
        let Some((key, value)) = self.shape.first() else { return Ok((None, 0)) };
        let own: u64 = value.parse().unwrap_or(0);
        let limit = own.max(u64::from(self.options.slots).saturating_mul(4));
        let right = if self.own_is_right { own } else { 0 };
        let mut bracket = Bracket { right, wrong: None, guess: self.guess, limit };
        let mut explored = 0;
        while let Some(value) = bracket.next() {
            let Some(tried) = self.fails(value)? else { return Ok((None, explored)) };
            explored += tried.schedules;
            bracket.learn(value, &tried);
        }
        let (assumption, slots) = (self.assumption, self.options.slots);
        let found = bracket.wrong.map(|value| Threshold { key: key.clone(), value, assumption, slots });
        Ok((found, explored))
    }

    /// Whether outputs go wrong at one value. `None` when there is no such launch or a budget ran out.
    fn fails(&self, value: u64) -> Result<Option<Tried>, CheckError> {
        let text = shape_text(self.shape, Some(value));
        let Ok(instance) = self.family.instance(self.variant, &text, &self.making) else { return Ok(None) };
        let launch = cuda::compiled(&instance.launch)?;
        let Examined::Proved(mut examination) = examine(&launch, &self.options.config)? else {
            return Ok(None);
        };
        if examination.verdict != Verdict::Racy {
            let right = Tried { fails: false, schedules: 0, guess: None };
            return Ok((examination.verdict == Verdict::RaceFree).then_some(right));
        }
        let rung = examination.rung(self.assumption, self.options)?;
        let guess = rung.failing_workgroup.map(|workgroup| u64::from(workgroup) + 1);
        let tried = Tried { fails: rung.failing.is_some(), schedules: rung.schedules, guess };
        Ok((!unfinished(&rung)).then_some(tried))
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
