//! What the invocations of one subgroup know of others' accesses, and what they have ready to pass on.
//!
//! Invocations that know the same are one group. Meetings join what those who meet know. Release and acquire follow
//! the memory consistency model of the PTX ISA ("release and acquire patterns"): a fence takes down what its invocations
//! know, for their later strong writes to pass on; what a strong read finds is kept until an acquiring fence, or an
//! acquiring operation on the same location. Fences that are sequentially consistent at device scope also order each
//! other where one comes before a write that is read before the other: the ISA has them in one order ("Fence-SC"), which
//! cannot be the other way round there.

use std::collections::BTreeMap;

use super::clock::{Clock, Kinds, NOTHING, Source, View};
use crate::cast::wide;
use crate::ir::{AtomicOp, Scalar};
use crate::memory::messages::{Memory, Message, Place};

/// A fence that later writes pass on.
#[derive(Clone, Debug)]
struct Fence {
    lanes: u128,
    /// What they knew, besides their own accesses.
    base: View,
    /// Their own accesses before this time.
    time: u32,
    strength: Strength,
}

/// How a fence orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength {
    /// It reaches beyond the workgroup.
    pub wide: bool,
    /// It is sequentially consistent.
    pub sequential: bool,
    /// Which memory.
    pub kinds: Kinds,
}

impl Strength {
    /// Whether everything that this one orders is ordered by another in its place.
    const fn is_within(self, other: Self) -> bool {
        (!self.wide || other.wide) && (!self.sequential || other.sequential) && self.kinds.are_within(other.kinds)
    }

    /// Whether others of its kind are in one order with it.
    const fn is_global(self) -> bool {
        self.wide && self.sequential
    }
}

/// Something that invocations found in a location, or left in it.
#[derive(Clone, Debug)]
struct Note {
    lanes: u128,
    place: Place,
    message: Message,
}

/// See the file's head.
#[derive(Clone, Debug)]
pub struct Known {
    workgroup: u32,
    subgroup: u32,
    /// Of the next access.
    pub time: u32,
    /// Whether its invocations advance together.
    lockstep: bool,
    /// Disjoint; invocations in none of them know nothing.
    groups: Vec<(u128, View)>,
    fences: Vec<Fence>,
    found: Vec<Note>,
    left: Vec<Note>,
    /// Atomics on each place since its invocations met: by whom, and of what kind where all were of one.
    atomics: BTreeMap<(Memory, u64), (u128, Option<Kind>)>,
}

/// What an atomic does, as far as its order matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It reads.
    Reads,
    /// Nobody looks at what it returns, and it commutes with its like.
    Commutes(AtomicOp, Scalar),
    /// Neither.
    Other,
}

impl Known {
    /// The start of a workgroup.
    pub const fn new(workgroup: u32, subgroup: u32, lockstep: bool) -> Self {
        Self {
            workgroup,
            subgroup,
            time: 0,
            lockstep,
            groups: Vec::new(),
            fences: Vec::new(),
            found: Vec::new(),
            left: Vec::new(),
            atomics: BTreeMap::new(),
        }
    }

    /// Notes an atomic of a lane. Whether another lane had one there since they met, and the order of the two matters: it is
    /// not explored, as they are in one subgroup.
    pub fn shares(&mut self, lane: u32, place: Place, kind: Kind) -> bool {
        let known = self.atomics.entry((place.memory, place.offset)).or_insert((0, Some(kind)));
        known.0 |= 1 << lane;
        known.1 = known.1.filter(|known| *known == kind);
        let in_any_order = matches!(known.1, Some(Kind::Reads | Kind::Commutes(..)));
        !self.lockstep && !in_any_order && known.0.count_ones() > 1
    }

    const fn source(&self) -> Source {
        Source::Workgroup(self.workgroup)
    }

    /// Whose accesses stand for those of `lanes`.
    const fn with_company(&self, lanes: u128) -> u128 {
        if self.lockstep { u128::MAX } else { lanes }
    }

    const fn tick(&mut self) {
        self.time = self.time.saturating_add(1);
    }

    /// An instruction of a subgroup whose invocations advance together.
    pub const fn step(&mut self) {
        if self.lockstep {
            self.tick();
        }
    }

    /// Whether earlier instructions of the own subgroup come before.
    pub const fn in_step(&self) -> bool {
        self.lockstep
    }

    /// The groups among `lanes` that know the same.
    pub fn groups(&self, lanes: u128) -> Vec<(u128, View)> {
        let mut rest = lanes;
        let mut groups = Vec::with_capacity(1);
        for (group, view) in &self.groups {
            if group & lanes != 0 {
                groups.push((group & lanes, view.clone()));
                rest &= !group;
            }
        }
        if rest != 0 {
            groups.push((rest, View::default()));
        }
        groups
    }

    fn view(&self, lane: u32) -> &View {
        self.groups.iter().find(|(group, _)| group >> lane & 1 == 1).map_or(&NOTHING, |(_, view)| view)
    }

    /// Some invocations know more from now on.
    fn learn(&mut self, lanes: u128, news: &View) {
        if news.is_empty() {
            return;
        }
        let lanes = self.with_company(lanes);
        let mut rest = lanes;
        let mut changed = Vec::new();
        for (group, view) in &mut self.groups {
            let hit = *group & lanes;
            rest &= !hit;
            if hit != 0 {
                let mut more = view.clone();
                more.join(news);
                if !more.is_same(view) {
                    *group &= !hit;
                    changed.push((hit, more));
                }
            }
        }
        if rest != 0 {
            changed.push((rest, news.clone()));
        }
        self.groups.retain(|(group, _)| *group != 0);
        for (group, view) in changed {
            self.add_group(group, view);
        }
    }

    fn add_group(&mut self, lanes: u128, view: View) {
        match self.groups.iter_mut().find(|(_, other)| *other == view) {
            Some((group, _)) => *group |= lanes,
            None => self.groups.push((lanes, view)),
        }
    }

    /// What others learn from meeting `lanes` now, besides how far the own time has come.
    fn offer(&self, lanes: u128) -> View {
        let mut offer = View::default();
        for (_, view) in self.groups.iter().filter(|(group, _)| group & lanes != 0) {
            offer.join(view);
        }
        self.add_fenced(lanes, &mut offer.fenced);
        offer
    }

    fn add_fenced(&self, lanes: u128, fenced: &mut Clock) {
        for fence in self.fences.iter().filter(|fence| fence.lanes & lanes != 0 && fence.strength.is_global()) {
            fenced.join(fence.base.of(crate::ir::Space::Storage));
            let own = self.with_company(fence.lanes & lanes);
            fenced.learn(self.source(), self.subgroup, own, fence.time);
        }
    }

    /// What those who meet `lanes` at a barrier learn from them; their accesses from now on are later.
    pub fn arrive(&mut self, lanes: u128, into: &mut View) {
        into.join(&self.offer(lanes));
        self.tick();
        into.learn(Kinds::ALL, self.source(), self.subgroup, self.with_company(lanes), self.time);
    }

    /// What `lanes` learn from those they met.
    pub fn leave(&mut self, lanes: u128, news: &View) {
        self.learn(lanes, news);
    }

    /// The lanes of the subgroup meet: `u128::MAX` for all of them, those that have ended included.
    pub fn meet(&mut self, lanes: u128) {
        let mut news = View::default();
        self.arrive(lanes, &mut news);
        self.atomics.retain(|_, (there, _)| {
            *there &= !lanes;
            *there != 0
        });
        if lanes == u128::MAX {
            self.groups = vec![(lanes, news)];
        } else {
            self.learn(lanes, &news);
        }
    }

    /// All subgroups of a workgroup meet, and what is ordered is that they did to these kinds of memory.
    pub fn meet_all<'a>(everyone: impl Iterator<Item = &'a mut Self>, kinds: Kinds) {
        let mut everyone: Vec<&mut Self> = everyone.collect();
        let (mut news, mut latest) = (View::default(), 0);
        for known in &everyone {
            news.join(&known.offer(u128::MAX));
            latest = latest.max(known.time);
        }
        let Some(source) = everyone.first().map(|known| known.source()) else { return };
        let now = latest.saturating_add(1);
        news.learn_all(Kinds::ALL, source, now);
        for known in &mut everyone {
            known.time = now;
            known.atomics.clear();
            if kinds == Kinds::ALL {
                known.groups = vec![(u128::MAX, news.clone())];
                continue;
            }
            let groups = known.groups(u128::MAX);
            known.groups.clear();
            for (lanes, mut view) in groups {
                view.replace(kinds, &news);
                known.add_group(lanes, view);
            }
        }
    }

    /// A fence by `lanes`.
    pub fn fence(&mut self, lanes: u128, acquires: bool, releases: bool, strength: Strength) {
        let lanes = self.with_company(lanes);
        if acquires {
            for note in std::mem::take(&mut self.found) {
                let here = note.lanes & lanes;
                let mut news = note.message.for_scope(strength.wide).only(strength.kinds);
                if strength.is_global() {
                    news.join_clock(&note.message.fenced);
                }
                self.learn(here, &if here == 0 { View::default() } else { news });
                let known = strength.wide && (strength.sequential || note.message.fenced.is_empty());
                let lanes = if known && strength.kinds == Kinds::ALL { note.lanes & !here } else { note.lanes };
                if lanes != 0 {
                    self.found.push(Note { lanes, ..note });
                }
            }
        }
        if releases {
            for old in self.fences.iter_mut().filter(|old| old.strength.is_within(strength)) {
                old.lanes &= !lanes;
            }
            self.fences.retain(|fence| fence.lanes != 0);
            self.tick();
            for (lanes, base) in self.groups(lanes) {
                self.fences.push(Fence { lanes, base, time: self.time, strength });
            }
        }
    }

    /// A strong read by `lane` found this; `acquires` says with which scope it acquires, if it does.
    pub fn find(&mut self, lane: u32, place: Place, mut message: Message, acquires: Option<bool>) {
        let bit = self.with_company(1 << lane);
        if let Some(old) = self.found.iter_mut().find(|note| note.place == place && note.lanes & bit != 0) {
            let mut joined = old.message.clone();
            joined.join(&message);
            message = joined;
            old.lanes &= !bit;
        }
        if let Some(wide) = acquires {
            self.learn(bit, &message.for_scope(wide));
        }
        let done = message.is_empty() || (acquires == Some(true) && message.fenced.is_empty());
        let lanes = if done { 0 } else { bit };
        note(&mut self.found, lanes, place, message);
    }

    /// The write that a strong read saw, and those from whose values it was made, come before what follows.
    pub fn saw(&mut self, lane: u32, chain: u32, index: u32) {
        let mut news = View::default();
        news.learn_all(Kinds::ALL, Source::Chain(chain), index.saturating_add(1));
        self.learn(1 << lane, &news);
    }

    /// What a strong write of `lane` passes on; `releases` says with which scope it releases, if it does. With `keep`, the
    /// lane's later writes to the place pass a release on as well.
    pub fn message(&mut self, lane: u32, place: Place, releases: Option<bool>, keep: bool) -> Message {
        let own = self.with_company(1 << lane);
        let mut message = Message::default();
        for fence in self.fences.iter().filter(|fence| fence.lanes >> lane & 1 == 1) {
            let mut view = fence.base.only(fence.strength.kinds);
            view.learn(fence.strength.kinds, self.source(), self.subgroup, own, fence.time);
            message.add(self.workgroup, fence.strength.wide, &view);
        }
        message.fenced.clone_from(&self.view(lane).fenced);
        self.add_fenced(1 << lane, &mut message.fenced);
        if keep && let Some(note) = self.left.iter().find(|note| note.place == place && note.lanes >> lane & 1 == 1) {
            message.join(&note.message);
        }
        if let Some(wide) = releases {
            self.tick();
            let mut view = self.view(lane).clone();
            view.fenced.clone_from(&message.fenced);
            view.learn(Kinds::ALL, self.source(), self.subgroup, own, self.time);
            let mut released = Message::default();
            released.add(self.workgroup, wide, &view);
            message.join(&released);
            if keep {
                self.left.iter_mut().filter(|note| note.place == place).for_each(|note| note.lanes &= !own);
                note(&mut self.left, own, place, released);
            }
        }
        message
    }

    /// Bytes it holds in memory.
    pub fn footprint(&self) -> u64 {
        let groups: u64 = self.groups.iter().map(|(_, view)| view.footprint()).sum();
        let fences: u64 = self.fences.iter().map(|fence| fence.base.footprint()).sum();
        let notes: u64 = self.found.iter().chain(&self.left).map(|note| note.message.footprint()).sum();
        let own = wide((self.found.len() + self.left.len()) * size_of::<Note>());
        let atomics = wide(self.atomics.len() * size_of::<((Memory, u64), (u128, Option<Kind>))>());
        groups + fences + notes + own + atomics
    }
}

fn note(notes: &mut Vec<Note>, lanes: u128, place: Place, message: Message) {
    match notes.iter_mut().find(|note| note.place == place && note.message.is_same(&message)) {
        Some(note) => note.lanes |= lanes,
        None => notes.push(Note { lanes, place, message }),
    }
    notes.retain(|note| note.lanes != 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Space;
    use crate::memory::messages::Memory;

    const PLACE: Place = Place { memory: Memory::Storage(0), offset: 8, bytes: 4 };
    const WIDE: Strength = Strength { wide: true, sequential: false, kinds: Kinds::ALL };
    const NARROW: Strength = Strength { wide: false, ..WIDE };
    const SEQUENTIAL: Strength = Strength { sequential: true, ..WIDE };

    fn known(workgroup: u32) -> Known {
        Known::new(workgroup, 0, false)
    }

    /// Whether `lane` knows what lane `other` of subgroup 0 of workgroup 1 did at `time`.
    fn knows(known: &Known, lane: u32, other: u32, time: u32) -> bool {
        known.view(lane).of(Space::Storage).covered(Source::Workgroup(1), 0, time) >> other & 1 == 1
    }

    #[test]
    fn a_release_is_for_whoever_acquires_it_and_covers_what_came_before() {
        let (mut writer, mut reader) = (known(1), known(0));
        let before = writer.time;
        let message = writer.message(3, PLACE, Some(true), false);
        reader.find(2, PLACE, message.clone(), Some(true));
        assert!(knows(&reader, 2, 3, before));
        assert!(!knows(&reader, 2, 4, before), "another lane did not release");
        assert!(!knows(&reader, 1, 3, before), "another lane did not acquire");
        assert!(!knows(&reader, 2, 3, writer.time), "later accesses are not covered");
        let mut relaxed = known(0);
        relaxed.find(2, PLACE, message, None);
        assert!(!knows(&relaxed, 2, 3, before));
        relaxed.find(2, PLACE, Message::default(), Some(true));
        assert!(knows(&relaxed, 2, 3, before), "an acquire of the place comes after the relaxed read");
    }

    #[test]
    fn fences_release_later_writes_and_acquire_earlier_reads() {
        let mut writer = known(1);
        assert!(writer.message(3, PLACE, None, false).is_empty());
        let before = writer.time;
        writer.fence(u128::MAX, false, true, WIDE);
        let (message, after) = (writer.message(3, PLACE, None, false), writer.time);
        for (strength, learns) in [(WIDE, true), (NARROW, false)] {
            let mut reader = known(0);
            let mut wide = message.clone();
            wide.only_wide();
            reader.find(2, PLACE, wide, None);
            reader.fence(0b10, true, false, strength);
            assert!(!knows(&reader, 2, 3, before), "the fence of another lane");
            reader.fence(0b110, false, true, strength);
            assert!(!knows(&reader, 2, 3, before), "a fence that does not acquire");
            reader.fence(0b110, true, false, strength);
            assert_eq!(knows(&reader, 2, 3, before), learns);
            assert!(!knows(&reader, 2, 4, before) && !knows(&reader, 2, 3, after));
        }
    }

    #[test]
    fn a_release_at_workgroup_scope_is_for_its_workgroup() {
        let mut writer = known(1);
        let before = writer.time;
        let released = writer.message(3, PLACE, Some(false), false);
        writer.fence(u128::MAX, false, true, NARROW);
        for mut message in [released, writer.message(3, PLACE, None, false)] {
            let view = message.for_scope(false);
            assert_eq!(view.of(Space::Storage).covered(Source::Workgroup(1), 0, before), 0b1000);
            message.only_wide();
            assert!(message.is_empty());
        }
    }

    #[test]
    fn what_lanes_learn_at_a_barrier_is_released_too() {
        let mut writer = known(1);
        let before = writer.time;
        writer.meet(0b110);
        let some = writer.message(1, PLACE, Some(true), false);
        writer.meet(u128::MAX);
        let all = writer.message(0, PLACE, Some(true), false);
        let covered = |message: &Message, lane: u32| {
            message.for_scope(true).of(Space::Storage).covered(Source::Workgroup(1), 0, before) >> lane & 1 == 1
        };
        assert!(covered(&some, 2) && !covered(&some, 5));
        assert!(covered(&all, 5));
    }

    #[test]
    fn subgroups_that_meet_know_each_others_accesses_to_the_kinds_that_the_barrier_orders() {
        let (mut first, mut second) = (known(1), Known::new(1, 1, false));
        first.message(0, PLACE, Some(true), false);
        let before = first.time;
        let kinds = Kinds { storage: false, workgroup: true };
        Known::meet_all([&mut first, &mut second].into_iter(), kinds);
        assert!(!knows(&second, 7, 0, before));
        assert_eq!(second.view(7).of(Space::Workgroup).covered(Source::Workgroup(1), 0, before), u128::MAX);
        assert_eq!(first.time, second.time);
        Known::meet_all([&mut first, &mut second].into_iter(), Kinds::ALL);
        assert!(knows(&second, 7, 0, before) && !knows(&second, 7, 0, first.time));
    }

    #[test]
    fn sequentially_consistent_fences_order_each_other_through_a_barrier() {
        for (strength, learns) in [(SEQUENTIAL, true), (WIDE, false)] {
            let (mut writer, mut reader) = (known(1), known(0));
            let before = writer.time;
            writer.fence(u128::MAX, true, true, strength);
            writer.meet(u128::MAX);
            reader.find(2, PLACE, writer.message(0, PLACE, None, false), None);
            reader.fence(0b100, true, true, WIDE);
            assert!(!knows(&reader, 2, 5, before), "only fences that are sequentially consistent are in one order");
            reader.find(2, PLACE, writer.message(0, PLACE, None, false), None);
            reader.fence(0b100, true, true, SEQUENTIAL);
            assert_eq!(knows(&reader, 2, 5, before), learns);
        }
    }

    #[test]
    fn lanes_in_step_speak_for_each_other() {
        let (mut writer, mut reader) = (Known::new(1, 0, true), Known::new(0, 0, true));
        let before = writer.time;
        reader.find(2, PLACE, writer.message(0, PLACE, Some(true), false), Some(true));
        assert!(knows(&reader, 9, 5, before));
    }
}
