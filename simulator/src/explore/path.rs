//! The turns of one execution, to run it again.

use super::options::Start;
use super::world::World;
use crate::link::Linked;
use crate::machine::environment::{Trace, TraceEntry, Watch};
use crate::memory::Image;
use crate::schedule::{Schedule, Turns};

/// Turns of one dispatch with what they need to mean the same again.
#[derive(Clone, Debug)]
pub struct Path {
    /// Scheduling points.
    pub watch: Watch,
    /// Workgroups resident together.
    pub slots: u32,
    /// Who starts next.
    pub start: Start,
    /// The turns.
    pub turns: Vec<Turns>,
}

impl Path {
    /// Does it again, with a log on the bytes that `looked_at` names.
    pub(crate) fn trace(&self, linked: &Linked, images: Vec<Image>, looked_at: &Watch) -> Vec<TraceEntry> {
        let mut world = World::new(linked, images, &self.watch, self.slots, self.start);
        world.trace = Some(Trace { watch: looked_at.clone(), entries: Vec::new() });
        let followed = world.follow(&self.turns);
        debug_assert!(followed.is_ok(), "a path that was taken can be taken again");
        world.trace.map_or_else(Vec::new, |trace| trace.entries)
    }

    /// The same execution with every access to memory that others can reach as a scheduling point, so that it says by
    /// itself what it means. `None` where a budget runs out.
    pub(crate) fn refined(&self, linked: &Linked, images: Vec<Image>) -> Option<Self> {
        let watch = Watch { everything: true, ..self.watch.clone() };
        let mut world = World::new(linked, images, &watch, self.slots, self.start);
        world.follow_coarsely(&self.turns, &self.watch)?;
        let turns = std::mem::take(&mut world.turns);
        drop(world);
        Some(Self { watch, slots: self.slots, start: self.start, turns })
    }

    /// As a schedule whose dispatches before this one took `before`.
    pub(crate) fn schedule(&self, before: &[Vec<Turns>]) -> Schedule {
        let mut dispatches = before.to_vec();
        dispatches.push(self.turns.clone());
        Schedule {
            slots: self.slots,
            any_start: self.start == Start::AnyOrder,
            all_points: self.watch.everything,
            dispatches,
        }
    }
}
