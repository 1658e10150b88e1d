//! How many slots lock-step waves need before a racy launch's outputs are right, found by running.
//!
//! All workgroups resident together is the most that can be asked for; if that is right, the number of slots is
//! halved down to the smallest that still is. Three numbers of the result were run: it is right, one slot less is
//! wrong, one more is right. More slots can hurt: where every 8 workgroups belong together, 32 slots keep them together
//! and 33 do not. Beyond one more the search assumes that they do not.

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
        (slots, true) if slots >= most => {}
        (slots, true) => match is_right(slots + 1)? {
            Some(true) => right = slots,
            Some(false) => wrong = slots + 1,
            None => return Ok(None),
        },
        (slots, false) => wrong = slots,
    }
    if right == most && tried.0 < most && !is_right(most)?.unwrap_or(false) {
        return Ok(None);
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

#[cfg(test)]
mod tests {
    use gridproof_launch::{Dispatch, ModuleId};

    use super::*;

    /// The slots found for so many workgroups when `slots` was asked about, if `is_right` decides.
    fn search(workgroups: u32, slots: u32, is_right: impl Fn(u32) -> bool) -> Option<u32> {
        let dispatch = Dispatch::new(ModuleId(0), "main", [workgroups, 1, 1]);
        let launch = Launch { dispatches: vec![dispatch], ..Launch::default() };
        needed(&launch, (slots, is_right(slots)), &mut |slots| Ok(Some(is_right(slots)))).unwrap()
    }

    #[test]
    fn the_smallest_right_number_is_found_from_either_side() {
        for asked in [1, 10, 11, 12, 64, 512] {
            assert_eq!(search(64, asked, |slots| slots >= 11), Some(11));
            assert_eq!(search(64, asked, |slots| slots >= 64), Some(64));
            assert_eq!(search(64, asked, |_| false), None);
        }
    }

    #[test]
    fn slots_that_only_happen_to_divide_the_work_are_not_enough() {
        // Eight workgroups belong together.
        for (asked, workgroups) in [(32, 64), (512, 1024), (8, 24), (31, 64), (64, 64), (100, 64)] {
            assert_eq!(search(workgroups, asked, |slots| slots >= workgroups || slots % 8 == 0), Some(workgroups));
        }
    }
}
