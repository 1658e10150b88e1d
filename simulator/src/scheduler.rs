//! Policies: who runs next. All nondeterminism of a run goes through one [`Scheduler`].

use crate::schedule::{Schedule, Turns, Unit};

/// How to choose who runs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One workgroup after the other, in index order: one slot.
    Serial,
    /// `slots` resident workgroups advance together, instruction by instruction; the next wave starts when
    /// all of them have ended.
    Waves {
        /// Resident workgroups.
        slots: u32,
    },
    /// Workgroups start in index order on `slots` slots; who advances is drawn from a seeded generator.
    Bounded {
        /// Resident workgroups.
        slots: u32,
        /// Seed of the generator.
        seed: u64,
    },
    /// Exactly this schedule.
    Replay(Schedule),
}

impl Policy {
    /// Resident workgroups.
    pub const fn slots(&self) -> u32 {
        match self {
            Self::Serial => 1,
            Self::Waves { slots } | Self::Bounded { slots, .. } => *slots,
            Self::Replay(schedule) => schedule.slots,
        }
    }

    /// Whether workgroups start in the order of their first turns.
    pub const fn any_start(&self) -> bool {
        match self {
            Self::Replay(schedule) => schedule.any_start,
            _ => false,
        }
    }

    /// Whether every access to memory that others can reach is a scheduling point.
    pub const fn all_points(&self) -> bool {
        match self {
            Self::Replay(schedule) => schedule.all_points,
            _ => false,
        }
    }

    /// Whether a slot is filled again only when all are free.
    pub const fn in_waves(&self) -> bool {
        matches!(self, Self::Waves { .. })
    }
}

/// A subgroup that can take a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Who.
    pub workgroup: u32,
    /// Its subgroup.
    pub subgroup: u32,
    /// Instructions it has executed.
    pub clock: u64,
}

/// Chooses who runs next.
pub trait Scheduler {
    /// The position in `ready` (not empty, in order of workgroup and subgroup) of the subgroup that takes the next turn.
    ///
    /// # Errors
    /// What is wrong with a schedule that does not fit the launch.
    fn next(&mut self, ready: &[Ready]) -> Result<usize, String>;

    /// All have ended.
    ///
    /// # Errors
    /// What is left of a schedule that does not fit the launch.
    fn end(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The scheduler of a policy for one dispatch.
pub fn scheduler(policy: &Policy, dispatch: usize) -> Box<dyn Scheduler> {
    match policy {
        Policy::Serial => Box::new(First),
        Policy::Waves { .. } => Box::<Lockstep>::default(),
        Policy::Bounded { seed, .. } => Box::new(Random { state: seed ^ crate::cast::wide(dispatch) << 32 }),
        Policy::Replay(schedule) => {
            let turns = schedule.dispatches.get(dispatch).cloned().unwrap_or_default();
            Box::new(Replay { turns, position: 0, taken: 0 })
        }
    }
}

/// The first in index order.
struct First;

impl Scheduler for First {
    fn next(&mut self, _ready: &[Ready]) -> Result<usize, String> {
        Ok(0)
    }
}

/// Who has executed the fewest instructions: everyone advances together. Those that are equally far behind are
/// found in one pass and then run in index order, as whoever has run is no longer among them.
#[derive(Default)]
struct Lockstep {
    clock: u64,
    behind: std::collections::VecDeque<(u32, u32)>,
}

impl Scheduler for Lockstep {
    fn next(&mut self, ready: &[Ready]) -> Result<usize, String> {
        while let Some(unit) = self.behind.pop_front() {
            let found = ready.binary_search_by_key(&unit, |ready| (ready.workgroup, ready.subgroup));
            if let Ok(position) = found
                && ready.get(position).is_some_and(|ready| ready.clock == self.clock)
            {
                return Ok(position);
            }
        }
        self.clock = ready.iter().map(|ready| ready.clock).min().unwrap_or(0);
        let behind = ready.iter().filter(|ready| ready.clock == self.clock);
        self.behind = behind.map(|ready| (ready.workgroup, ready.subgroup)).collect();
        self.behind.pop_front();
        Ok(ready.iter().position(|ready| ready.clock == self.clock).unwrap_or(0))
    }
}

/// Uniformly drawn (`SplitMix64`, Steele, Lea and Flood, OOPSLA 2014).
struct Random {
    state: u64,
}

impl Scheduler for Random {
    fn next(&mut self, ready: &[Ready]) -> Result<usize, String> {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let scaled = u128::from(mixed) * u128::from(crate::cast::wide(ready.len()));
        Ok(usize::try_from(scaled >> 64).unwrap_or(0))
    }
}

/// The turns of a schedule; then index order.
struct Replay {
    turns: Vec<Turns>,
    position: usize,
    taken: u32,
}

impl Replay {
    fn find(unit: Unit, ready: &[Ready]) -> Option<usize> {
        ready.iter().position(|ready| {
            ready.workgroup == unit.workgroup && unit.subgroup.is_none_or(|subgroup| subgroup == ready.subgroup)
        })
    }
}

impl Scheduler for Replay {
    fn next(&mut self, ready: &[Ready]) -> Result<usize, String> {
        while let Some(&Turns { unit, count }) = self.turns.get(self.position) {
            let found = Self::find(unit, ready);
            let spent = count.is_some_and(|count| self.taken >= count);
            match (found, count) {
                _ if spent => {}
                (Some(position), _) => {
                    self.taken += 1;
                    return Ok(position);
                }
                (None, None) if self.taken > 0 => {}
                (None, _) => {
                    let subgroup = unit.subgroup.map_or_else(String::new, |subgroup| format!(".{subgroup}"));
                    return Err(format!("unit {}{subgroup} cannot take a turn here", unit.workgroup));
                }
            }
            self.position += 1;
            self.taken = 0;
        }
        Ok(0)
    }

    fn end(&self) -> Result<(), String> {
        let begun = |turns: &Turns| self.taken > 0 && turns.count.is_none_or(|count| self.taken >= count);
        let left = self.turns.get(self.position).is_some_and(|turns| !begun(turns));
        let more = left || self.turns.len() > self.position + 1;
        if more { Err("turns are left although everyone has ended".to_owned()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(workgroups: &[(u32, u64)]) -> Vec<Ready> {
        workgroups.iter().map(|&(workgroup, clock)| Ready { workgroup, subgroup: 0, clock }).collect()
    }

    #[test]
    fn lockstep_takes_who_is_behind_and_the_first_of_equals() {
        let mut lockstep = Lockstep::default();
        assert_eq!(lockstep.next(&ready(&[(0, 5), (1, 3), (2, 3)])), Ok(1));
        assert_eq!(lockstep.next(&ready(&[(0, 5), (1, 4), (2, 3)])), Ok(2));
        assert_eq!(lockstep.next(&ready(&[(0, 5), (1, 4), (2, 6)])), Ok(1));
    }

    #[test]
    fn replay_follows_its_turns_then_index_order() {
        let policy = Policy::Replay("gp1;slots=3;2*2,0".parse().unwrap());
        let mut replay = scheduler(&policy, 0);
        let all = ready(&[(0, 0), (1, 0), (2, 0)]);
        let order: Vec<_> = (0..4).map(|_| replay.next(&all).unwrap()).collect();
        assert_eq!(order, [2, 2, 0, 0]);
        let mut replay = scheduler(&Policy::Replay("gp1;slots=3;7".parse().unwrap()), 0);
        assert!(replay.next(&all).is_err());
    }

    #[test]
    fn a_seed_gives_the_same_draws() {
        let draws = |seed| {
            let mut random = scheduler(&Policy::Bounded { slots: 3, seed }, 0);
            let all = ready(&[(0, 0), (1, 0), (2, 0)]);
            (0..64).map(|_| random.next(&all).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        assert!((0..3).all(|choice| draws(1).contains(&choice)));
    }
}
