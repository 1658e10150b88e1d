//! The smallest shape at which a racy kernel's outputs go wrong under one assumption, found by running.
//!
//! Where the check itself failed, the first workgroup that went wrong gives a guess, which holds if the launch of that
//! many workgroups fails and the one below it does not. Otherwise the kernel's first shape key is doubled from 1
//! on until the outputs of a launch differ, and the interval between the last right value and the first wrong
//! one is halved. Both ends of the result were run: its value fails, the value below it does not. Between values that were not run the search assumes that a
//! launch that is too large stays too large.

use gridproof_report::model::{Assumption, Threshold, Verdict};

use super::error::CheckError;
use super::examination::{Examined, examine};
use super::options::CheckOptions;
use super::verdict::unfinished;
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
    /// A guess at the result.
    pub hint: Option<u64>,
}

impl Search<'_> {
    /// Searches. `None` when no value up to the check's own and four waves of workgroups fails.
    pub fn run(&self) -> Result<(Option<Threshold>, u64), CheckError> {
        let Some((key, value)) = self.shape.first() else { return Ok((None, 0)) };
        let own: u64 = value.parse().unwrap_or(0);
        let mut explored = 0;
        let mut fails = |value: u64| -> Result<Option<bool>, CheckError> {
            let tried = self.fails(value)?;
            explored += tried.map_or(0, |(_, schedules)| schedules);
            Ok(tried.map(|(fails, _)| fails))
        };
        let limit = own.max(u64::from(self.options.slots).saturating_mul(4));
        let (mut right, mut wrong) = (0, None);
        if let Some(hint) = self.hint.filter(|hint| *hint > 1)
            && fails(hint)? == Some(true)
        {
            wrong = Some(hint);
            if fails(hint - 1)? == Some(false) {
                right = hint - 1;
            }
        }
        let mut value = 1;
        while wrong.is_none() && right < limit {
            match fails(value)? {
                Some(true) => wrong = Some(value),
                Some(false) => right = value,
                None => break,
            }
            value = right.saturating_mul(2).min(limit).max(right + 1);
        }
        let Some(mut wrong) = wrong else { return Ok((None, explored)) };
        while wrong - right > 1 {
            let middle = right + (wrong - right) / 2;
            match fails(middle)? {
                Some(true) => wrong = middle,
                Some(false) => right = middle,
                None => return Ok((None, explored)),
            }
        }
        let Self { assumption, options, .. } = self;
        let found = Threshold { key: key.clone(), value: wrong, assumption: *assumption, slots: options.slots };
        Ok((Some(found), explored))
    }

    /// Whether outputs go wrong at one value, and the schedules run for it. `None` when there is no such
    /// launch or a budget ran out.
    fn fails(&self, value: u64) -> Result<Option<(bool, u64)>, CheckError> {
        let text = shape_text(self.shape, Some(value));
        let Ok(instance) = self.family.instance(self.variant, &text, &self.making) else { return Ok(None) };
        let Examined::Proved(mut examination) = examine(&instance.launch, &self.options.config)? else {
            return Ok(None);
        };
        if examination.verdict != Verdict::Racy {
            return Ok((examination.verdict == Verdict::RaceFree).then_some((false, 0)));
        }
        let rung = examination.rung(self.assumption, self.options)?;
        Ok((!unfinished(&rung)).then_some((rung.failing.is_some(), rung.schedules)))
    }
}
