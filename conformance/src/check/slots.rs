//! How many slots lock-step waves need before a racy launch's outputs are right, found by running.
//!
//! All workgroups resident together is the most that can be asked for; if that is right, the number of slots is
//! halved down to the smallest that still is. Both ends of the result were run: it is right, one slot less is
//! wrong. In between the search assumes that more slots never hurt.

use gridproof_launch::Launch;
use gridproof_simulator::{Policy, SimulateError, ladder};

use super::examination::Examination;
use super::verdict::unfinished;

/// The smallest number of slots with which `is_right`, or `None` where no number is enough or nobody can say. `tried` is
/// a number of slots that was run already, and whether it was right.
pub(super) fn needed(
    launch: &Launch,
    tried: (u32, bool),
    is_right: &mut dyn FnMut(u32) -> Result<Option<bool>, SimulateError>,
) -> Result<Option<u32>, SimulateError> {
    let counts = launch.dispatches.iter().filter_map(gridproof_launch::Dispatch::workgroups);
    let most = counts.max().and_then(|most| u32::try_from(most).ok()).unwrap_or(u32::MAX).max(1);
    let (mut wrong, mut right) = (0, most);
    match tried {
        (slots, false) if slots >= most => return Ok(None),
        (slots, true) => right = slots.min(most),
        (slots, false) => {
            wrong = slots;
            if !is_right(most)?.unwrap_or(false) {
                return Ok(None);
            }
        }
    }
    // One below is the likeliest answer: a launch that leans on everyone being there.
    let mut probe = right - 1;
    while right - wrong > 1 {
        match is_right(probe)? {
            Some(true) => right = probe,
            Some(false) => wrong = probe,
            None => return Ok(None),
        }
        probe = wrong + (right - wrong) / 2;
    }
    Ok(Some(right))
}

/// Whether waves of `slots` slots give the race-free outputs; `None` when a budget ran out.
pub(super) fn is_right(examination: &mut Examination<'_>, slots: u32) -> Result<Option<bool>, SimulateError> {
    let policy = Policy::Waves { slots };
    let (launch, config) = (examination.launch, examination.config);
    let rung = ladder::try_all(launch, &config, &examination.proof, policy.clone(), std::iter::once(policy))?;
    examination.explored += rung.schedules;
    Ok((!unfinished(&rung)).then_some(rung.failing.is_none()))
}
