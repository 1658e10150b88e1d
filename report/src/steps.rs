//! A schedule as steps that a person can read. Its slots are not a step: see [`slots`].
//!
//! A lock-step schedule of 512 workgroups has hundreds of thousands of turns and says three things. Runs of
//! neighbouring workgroups become one step, repeated groups of steps become one with a count, and what is
//! still too long is cut with a note that says how much was left out. The string itself stays the exact form.

use gridproof_simulator::Schedule;
use gridproof_simulator::schedule::{Turns, Unit};

use crate::text::{count, number};

/// Steps printed at most.
const MOST: usize = 16;
/// Steps that a repeated group may have.
const LONGEST_GROUP: usize = 4;

/// The schedule in words, one entry per step. `most` bounds the number of entries; `None` for the usual bound.
pub fn steps(schedule: &Schedule, most: Option<usize>) -> Vec<String> {
    let most = most.unwrap_or(MOST).max(1);
    let mut lines = Vec::new();
    let several = schedule.dispatches.len() > 1;
    let mut without_turns = 0;
    for (dispatch, turns) in schedule.dispatches.iter().enumerate() {
        if turns.is_empty() && several {
            without_turns += 1;
            if schedule.dispatches.get(dispatch + 1).is_none_or(|next| !next.is_empty()) {
                lines.push(in_order(dispatch + 1 - without_turns, dispatch));
                without_turns = 0;
            }
            continue;
        }
        let prefix = if several { format!("dispatch {dispatch}: ") } else { String::new() };
        let joined = join(turns);
        let groups = fold(&joined);
        lines.extend(groups.iter().map(|group| prefix.clone() + &group.words()));
        lines.push(prefix + "what is left runs in index order until it ends");
    }
    if lines.len() > most {
        let left_out = lines.len() - most;
        lines.truncate(most);
        lines.push(format!("and {} left out; the schedule string has all of them", count(left_out as u64, "step")));
    }
    lines
}

/// Dispatches of which no turn matters.
fn in_order(first: usize, last: usize) -> String {
    match last - first {
        0 => format!("dispatch {first} runs in index order until it ends"),
        1 => format!("dispatch {first}, then dispatch {last}: each runs in index order until it ends"),
        _ => format!("dispatch {first} up to dispatch {last}: each runs in index order until it ends"),
    }
}

/// How many workgroups are resident, in words.
pub fn slots(schedule: &Schedule) -> String {
    count(schedule.slots.into(), "slot")
}

/// Units with neighbouring indices that run for the same number of turns, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    first: Unit,
    last: Unit,
    turns: Option<u32>,
    /// Subgroups of each workgroup in the run, known once it has left its first one.
    subgroups: Option<u32>,
}

impl Step {
    fn new(turns: Turns) -> Self {
        Self { first: turns.unit, last: turns.unit, turns: turns.count, subgroups: None }
    }

    /// Takes `next` into the run of neighbours, if it continues it.
    fn extend(&mut self, next: Turns) -> bool {
        if self.turns != next.count || !self.reaches(next.unit) {
            return false;
        }
        if let (Some(subgroup), true) = (self.last.subgroup, next.unit.workgroup != self.last.workgroup) {
            self.subgroups = Some(subgroup.saturating_add(1));
        }
        self.last = next.unit;
        true
    }

    /// Whether `next` is the neighbour of the last unit, so that "from first up to next" leaves no doubt.
    fn reaches(&self, next: Unit) -> bool {
        let along = self.last.workgroup.checked_add(1) == Some(next.workgroup);
        match (self.last.subgroup, next.subgroup) {
            (None, None) => along,
            (Some(last), Some(0)) if along => {
                self.first.subgroup == Some(0) && self.subgroups.is_none_or(|all| last.saturating_add(1) == all)
            }
            (Some(last), Some(next_subgroup)) => {
                self.last.workgroup == next.workgroup
                    && last.checked_add(1) == Some(next_subgroup)
                    && self.subgroups.is_none_or(|all| next_subgroup < all)
            }
            _ => false,
        }
    }

    /// Two units next to each other.
    fn is_pair(&self) -> bool {
        let next = |a: u32, b: u32| a.checked_add(1) == Some(b);
        match (self.first.subgroup, self.last.subgroup) {
            (None, _) => next(self.first.workgroup, self.last.workgroup),
            (Some(first), Some(last)) => self.first.workgroup == self.last.workgroup && next(first, last),
            _ => false,
        }
    }

    fn words(&self) -> String {
        let turns = match self.turns {
            None if self.first.subgroup.is_none() => "until it ends".to_owned(),
            None => "until it ends or waits at a barrier".to_owned(),
            Some(turns) => format!("for {}", count(turns.into(), "turn")),
        };
        let (from, to) = (unit(self.first), unit(self.last));
        if self.first == self.last {
            format!("{from} runs {turns}")
        } else if self.is_pair() {
            format!("{from}, then {to}: each runs {turns}")
        } else {
            format!("{from} up to {to}, one after the other: each runs {turns}")
        }
    }
}

fn unit(unit: Unit) -> String {
    let workgroup = format!("workgroup {}", number(unit.workgroup));
    unit.subgroup.map_or(workgroup.clone(), |subgroup| format!("{workgroup} subgroup {subgroup}"))
}

fn join(turns: &[Turns]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for &next in turns {
        if !steps.last_mut().is_some_and(|step| step.extend(next)) {
            steps.push(Step::new(next));
        }
    }
    steps
}

/// Steps, and how often they are taken in a row.
#[derive(Debug, PartialEq, Eq)]
struct Group<'a> {
    steps: &'a [Step],
    times: usize,
}

impl Group<'_> {
    fn words(&self) -> String {
        let words: Vec<_> = self.steps.iter().map(|step| step.words()).collect();
        let words = words.join("; then ");
        if self.times == 1 { words } else { format!("{} times: {words}", number(self.times as u64)) }
    }
}

/// Splits steps into groups, each the shortest whose repetitions cover the most steps from there on.
fn fold(mut steps: &[Step]) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    while !steps.is_empty() {
        let mut best = Group { steps: &steps[..1], times: 1 };
        for length in 1..=LONGEST_GROUP.min(steps.len() / 2) {
            let (group, _) = steps.split_at(length);
            let times = steps.chunks_exact(length).take_while(|chunk| *chunk == group).count();
            if times > 1 && times * length > best.times * best.steps.len() {
                best = Group { steps: group, times };
            }
        }
        steps = &steps[best.times * best.steps.len()..];
        groups.push(best);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: &str, expected: &[&str]) {
        assert_eq!(steps(&schedule.parse().unwrap(), None), expected, "{schedule}");
    }

    const REST: &str = "what is left runs in index order until it ends";

    #[test]
    fn a_short_schedule_is_told_turn_by_turn() {
        check(
            "gp1;slots=2;0*3,1*,0",
            &["workgroup 0 runs for 3 turns", "workgroup 1 runs until it ends", "workgroup 0 runs for 1 turn", REST],
        );
    }

    #[test]
    fn neighbours_and_rounds_are_joined() {
        check(
            "gp1;slots=3;0,1,2,0,1,2,0,1,2,5*2",
            &[
                "3 times: workgroup 0 up to workgroup 2, one after the other: each runs for 1 turn",
                "workgroup 5 runs for 2 turns",
                REST,
            ],
        );
        check(
            "gp1;slots=1;0.0,0.1,1.0,1.1/7,8",
            &[
                "dispatch 0: workgroup 0 subgroup 0 up to workgroup 1 subgroup 1, one after the other: each runs for 1 turn",
                &format!("dispatch 0: {REST}"),
                "dispatch 1: workgroup 7, then workgroup 8: each runs for 1 turn",
                &format!("dispatch 1: {REST}"),
            ],
        );
    }

    #[test]
    fn dispatches_of_which_no_turn_matters_are_one_step() {
        let order = "in index order until it ends";
        check(
            "gp1;slots=1;/7//",
            &[
                &format!("dispatch 0 runs {order}"),
                "dispatch 1: workgroup 7 runs for 1 turn",
                &format!("dispatch 1: {REST}"),
                &format!("dispatch 2, then dispatch 3: each runs {order}"),
            ],
        );
        check("gp1;slots=1;//", &[&format!("dispatch 0 up to dispatch 2: each runs {order}")]);
    }

    #[test]
    fn workgroups_with_unequal_subgroups_are_not_joined() {
        let schedule: Schedule = "gp1;slots=1;0.0,1.0,1.1".parse().unwrap();
        assert_eq!(steps(&schedule, None).len(), 3);
        check(
            "gp1;slots=1;0.1*,0.2*",
            &[
                "workgroup 0 subgroup 1, then workgroup 0 subgroup 2: each runs until it ends or waits at a barrier",
                REST,
            ],
        );
        check("gp1;slots=1;3.1*", &["workgroup 3 subgroup 1 runs until it ends or waits at a barrier", REST]);
    }

    #[test]
    fn a_long_schedule_is_cut() {
        let turns: Vec<_> = (0..100).map(|index| format!("{}*{}", index * 2, index + 1)).collect();
        let schedule: Schedule = format!("gp1;slots=1;{}", turns.join(",")).parse().unwrap();
        let steps = steps(&schedule, None);
        assert_eq!(steps.len(), MOST + 1);
        assert_eq!(steps[MOST], "and 85 steps left out; the schedule string has all of them");
    }
}
