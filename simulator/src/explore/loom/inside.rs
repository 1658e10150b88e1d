//! What loom cannot see: invocations of one subgroup that touch common bytes.
//!
//! A subgroup is one loom thread, so its invocations are in program order to loom whatever they do. Here their accesses are
//! compared in every execution: two that conflict, with neither a barrier of the workgroup nor one of the subgroup between
//! them, leave a model that found nothing else undecided. Order that atomics make inside a subgroup is not looked at, so
//! that some launches without a race stay undecided too.

use std::collections::HashMap;

use super::contested::Granule;
use crate::machine::environment::TraceEntry;
use crate::memory::shadow::Class;

/// Program counters of two accesses, the earlier one's first.
pub type Places = (u32, u32);

/// An access since the last barrier of the workgroup.
#[derive(Clone, Copy, Debug)]
struct Access {
    class: Class,
    invocation: u32,
    epoch: u32,
    pc: u32,
}

/// Accesses of one subgroup's invocations in one execution.
#[derive(Debug, Default)]
pub struct Inside {
    /// The interval of each granule's accesses, and the latest of each invocation and class.
    recent: HashMap<Granule, (u32, Vec<Access>)>,
}

impl Inside {
    /// Notes an access of a subgroup of `lanes`. Where another invocation has one that conflicts, and nothing orders the two.
    pub fn note(&mut self, granule: Granule, entry: &TraceEntry, lanes: u32) -> Option<Places> {
        let (interval, before) = self.recent.entry(granule).or_default();
        if *interval != entry.interval {
            *interval = entry.interval;
            before.clear();
        }
        let lane = |invocation: u32| invocation % lanes.max(1);
        let conflicts = |earlier: &&Access| {
            earlier.invocation != entry.invocation
                && earlier.class.conflicts().contains(&entry.class)
                && !entry.order.covers_lane(lane(entry.invocation), lane(earlier.invocation), earlier.epoch)
        };
        let found = before.iter().find(conflicts).map(|earlier| (earlier.pc, entry.pc));
        before.retain(|earlier| (earlier.class, earlier.invocation) != (entry.class, entry.invocation));
        let TraceEntry { class, invocation, epoch, pc, .. } = *entry;
        before.push(Access { class, invocation, epoch, pc });
        found
    }
}
