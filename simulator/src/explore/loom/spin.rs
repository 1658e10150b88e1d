//! Noticing that a subgroup spins: it stands where it stood, in the state it was in, and no memory has changed since.
//!
//! What a subgroup does next is a function of its state and of memory. So it will come back here forever, until somebody
//! else changes memory; nothing is concluded from how often it has tried.

use std::collections::BTreeSet;

use crate::machine::subgroup::Subgroup;

/// Where a subgroup has stood since memory last changed.
#[derive(Debug, Default)]
pub struct Spin {
    /// Changes of memory so far, when the rest was noted.
    version: u64,
    places: BTreeSet<u32>,
    states: BTreeSet<u128>,
    idle: bool,
}

impl Spin {
    /// Forgets everything.
    pub fn reset(&mut self, version: u64) {
        *self = Self { version, ..Self::default() };
    }

    /// Notes that it stands at a scheduling point. States are compared from the second time at a place on.
    pub fn stands(&mut self, subgroup: &Subgroup, version: u64) {
        if self.version != version {
            self.reset(version);
        }
        if !self.places.insert(subgroup.pc()) {
            self.idle = !self.states.insert(subgroup.fingerprint());
        }
    }

    /// Whether it waits for memory to change.
    pub const fn is_idle(&self, version: u64) -> bool {
        self.idle && self.version == version
    }
}
