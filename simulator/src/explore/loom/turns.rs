//! Counting turns as [`crate::run`] does, so that an execution can be replayed by its schedule.
//!
//! There, a turn takes a subgroup from just before a scheduling point to just before the next. Here, it stops before fences
//! as well, which are no scheduling points there: what lies between belongs to one turn.

use crate::machine::subgroup::Event;
use crate::schedule::{Schedule, Unit};

/// Whether a subgroup's stretch has been counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// It has started, or come from a barrier.
    Fresh,
    /// It belongs to a turn that has been counted.
    Counted,
}

impl Stretch {
    /// A start.
    pub const START: Self = Self::Fresh;

    /// A subgroup has run up to `event`; whether that makes a turn to count now. `at_fence`: it stands before a fence.
    /// `parted`: it came to a named barrier that others have yet to come to.
    pub const fn ran(&mut self, event: Event, at_fence: bool, parted: bool) -> bool {
        let counts = match event {
            Event::Yielded => !at_fence,
            Event::Ended | Event::Waiting => true,
            Event::Paused => parted,
        };
        let was_fresh = matches!(self, Self::Fresh);
        if matches!(event, Event::Paused) && parted {
            *self = Self::Fresh;
        } else if counts {
            *self = Self::Counted;
        }
        was_fresh && counts
    }
}

/// The turns so far.
#[derive(Clone, Debug)]
pub struct Turns {
    schedule: Schedule,
    several: bool,
}

impl Turns {
    /// No turns yet, in dispatch `dispatch`, of workgroups with several subgroups or one.
    pub fn new(slots: u32, dispatch: usize, several: bool) -> Self {
        Self {
            schedule: Schedule { slots, dispatches: vec![Vec::new(); dispatch + 1], ..Schedule::default() },
            several,
        }
    }

    /// Counts one.
    pub fn push(&mut self, workgroup: u32, subgroup: u32) {
        self.schedule.push(Unit { workgroup, subgroup: self.several.then_some(subgroup) });
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        if let Some(turns) = self.schedule.dispatches.last_mut() {
            turns.clear();
        }
    }

    /// As a schedule.
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_before_a_fence_is_no_end_of_a_turn() {
        let mut stretch = Stretch::START;
        assert!(!stretch.ran(Event::Yielded, true, false));
        assert_eq!(stretch, Stretch::START);
        assert!(stretch.ran(Event::Yielded, false, false));
        assert_eq!(stretch, Stretch::Counted);
        assert!(!stretch.ran(Event::Ended, false, false));
    }

    #[test]
    fn a_named_barrier_starts_a_new_stretch() {
        let mut stretch = Stretch::Counted;
        assert!(!stretch.ran(Event::Paused, false, true));
        assert_eq!(stretch, Stretch::START);
        assert!(stretch.ran(Event::Waiting, false, false));
    }
}
