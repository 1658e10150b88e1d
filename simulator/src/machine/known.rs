//! What the invocations of one subgroup know of others' accesses, and what they have ready to pass on.
//!
//! Invocations that know the same are one group. Meetings join what those who meet know. Release and acquire follow
//! the memory consistency model of the PTX ISA ("release and acquire patterns"): a fence takes down what its invocations
//! know, for their later strong writes to pass on; what a strong read finds is kept until an acquiring fence, or an
//! acquiring operation on the same location. Fences that are sequentially consistent at device scope also order each
//! other where one comes before a write that is read before the other: the ISA has them in one order ("Fence-SC"), which
//! cannot be the other way round there.

use super::clock::{Clock, Kinds, NOTHING, Source, View};
use crate::cast::wide;
use crate::memory::messages::{Message, Place};

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
        }
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
        groups + fences + notes + own
    }
}

fn note(notes: &mut Vec<Note>, lanes: u128, place: Place, message: Message) {
    match notes.iter_mut().find(|note| note.place == place && note.message.is_same(&message)) {
        Some(note) => note.lanes |= lanes,
        None => notes.push(Note { lanes, place, message }),
    }
    notes.retain(|note| note.lanes != 0);
}
