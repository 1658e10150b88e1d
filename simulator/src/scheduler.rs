//! Policies: who runs next. All nondeterminism of a run goes through one of them.

use crate::schedule::Schedule;

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
