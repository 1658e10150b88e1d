//! Counting turns as [`crate::run`] does, so that an execution can be replayed by its schedule.
//!
//! There, a turn takes a subgroup from just before a scheduling point to just before the next, and the first access after a
//! start or a barrier is never one by itself. Here, a subgroup stops before every scheduling point, so that loom can switch
//! there. A stretch from a start to the first stop is a turn of its own only where it made an access.

use crate::machine::subgroup::Event;
use crate::schedule::{Schedule, Unit};

/// Whether a subgroup's stretch has been counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// It has started, or come from a barrier; it may have made an access since.
    Fresh {
        /// Whether it has.
        accessed: bool,
    },
    /// It belongs to a turn that has been counted.
    Counted,
}

impl Stretch {
    /// A start.
    pub const START: Self = Self::Fresh { accessed: false };

    /// A subgroup has run up to `event`; whether that makes a turn to count now. `parted`: it came to a named barrier
    /// that others have yet to come to.
    pub const fn ran(&mut self, event: Event, accessed: bool, parted: bool) -> bool {
        let Self::Fresh { accessed: before } = *self else {
            if matches!(event, Event::Paused) && parted {
                *self = Self::START;
            }
            return false;
        };
        let accessed = accessed || before;
        let counts = match event {
            Event::Yielded => accessed,
            Event::Ended | Event::Waiting => true,
            Event::Paused => parted,
        };
        *self = match event {
            Event::Paused if parted => Self::START,
            _ if counts => Self::Counted,
            _ => Self::Fresh { accessed },
        };
        counts
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
        Self { schedule: Schedule { slots, dispatches: vec![Vec::new(); dispatch + 1] }, several }
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
    fn a_stretch_without_an_access_belongs_to_the_turn_after() {
        let mut stretch = Stretch::START;
        assert!(!stretch.ran(Event::Yielded, false, false));
        assert_eq!(stretch, Stretch::START);
        assert!(stretch.ran(Event::Yielded, true, false));
        assert_eq!(stretch, Stretch::Counted);
        assert!(!stretch.ran(Event::Ended, true, false));
    }

    #[test]
    fn a_named_barrier_starts_a_new_stretch() {
        let mut stretch = Stretch::Counted;
        assert!(!stretch.ran(Event::Paused, true, true));
        assert_eq!(stretch, Stretch::START);
        assert!(stretch.ran(Event::Waiting, false, false));
    }
}
