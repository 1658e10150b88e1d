//! Vector clocks: which accesses come before what an invocation does now.
//!
//! Every subgroup has a time that advances at each release and each barrier it takes part in, and every access is
//! stamped with it. A clock says, for each workgroup, up to which time the accesses of all its invocations come before,
//! and of which invocations more does. That is a vector clock (Mattern 1989; Fidge 1988) in a sparse form: a barrier of a
//! whole workgroup aligns the times of its subgroups, and one number says what it orders.
//!
//! Clocks are shared and copied when they change, so that passing one on costs nothing.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::cast::wide;
use crate::ir::Space;

/// Whose time is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The subgroups of a workgroup, by its linear index.
    Workgroup(u32),
    /// The atomic writes of one location that were made one from the other's value.
    Chain(u32),
}

/// Some invocations of a subgroup, before a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    subgroup: u32,
    time: u32,
    lanes: u128,
}

/// What is known of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    source: Source,
    /// Everything before this time.
    all: u32,
    /// By subgroup, the latest time first; no invocation twice, none that `all` covers.
    parts: Vec<Part>,
}

impl Entry {
    fn join(&mut self, other: &Self) {
        self.all = self.all.max(other.all);
        let mut parts: Vec<Part> = std::mem::take(&mut self.parts);
        parts.extend(&other.parts);
        parts.retain(|part| part.time > self.all);
        parts.sort_by_key(|part| (part.subgroup, Reverse(part.time)));
        let (mut subgroup, mut taken) = (0, 0);
        for mut part in parts {
            if part.subgroup != subgroup {
                (subgroup, taken) = (part.subgroup, 0);
            }
            part.lanes &= !taken;
            taken |= part.lanes;
            match self.parts.last_mut() {
                _ if part.lanes == 0 => {}
                Some(last) if (last.subgroup, last.time) == (part.subgroup, part.time) => last.lanes |= part.lanes,
                _ => self.parts.push(part),
            }
        }
    }

    /// The lanes of a subgroup whose accesses at `time` are covered.
    fn covered(&self, subgroup: u32, time: u32) -> u128 {
        if time < self.all {
            return u128::MAX;
        }
        let known = self.parts.iter().filter(|part| part.subgroup == subgroup && time < part.time);
        known.fold(0, |lanes, part| lanes | part.lanes)
    }

    /// Whether `other` knows all of this.
    fn is_within(&self, other: &Self) -> bool {
        self.all <= other.all
            && self
                .parts
                .iter()
                .all(|part| part.lanes & !other.covered(part.subgroup, part.time.saturating_sub(1)) == 0)
    }
}

/// See the file's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock(Option<Arc<Vec<Entry>>>);

impl Clock {
    fn entries(&self) -> &[Entry] {
        self.0.as_ref().map_or(&[], |entries| entries.as_slice())
    }

    /// The lanes of a subgroup whose accesses at `time` come before.
    pub fn covered(&self, source: Source, subgroup: u32, time: u32) -> u128 {
        let entries = self.entries();
        match entries.binary_search_by_key(&source, |entry| entry.source) {
            Ok(position) => entries[position].covered(subgroup, time),
            Err(_) => 0,
        }
    }

    /// Everything of a source before `time` comes before.
    pub fn learn_all(&mut self, source: Source, time: u32) {
        self.learn_entry(Entry { source, all: time, parts: Vec::new() });
    }

    /// What `lanes` of a subgroup did before `time` comes before.
    pub fn learn(&mut self, source: Source, subgroup: u32, lanes: u128, time: u32) {
        self.learn_entry(Entry { source, all: 0, parts: vec![Part { subgroup, time, lanes }] });
    }

    fn learn_entry(&mut self, fresh: Entry) {
        let found = self.entries().binary_search_by_key(&fresh.source, |entry| entry.source);
        if found.is_ok_and(|position| fresh.is_within(&self.entries()[position])) {
            return;
        }
        let entries = Arc::make_mut(self.0.get_or_insert_default());
        match found {
            Ok(position) => entries[position].join(&fresh),
            Err(position) => entries.insert(position, fresh),
        }
    }

    /// What comes before by either.
    pub fn join(&mut self, other: &Self) {
        if other.is_within(self) {
            return;
        }
        if self.is_within(other) {
            self.0.clone_from(&other.0);
            return;
        }
        let (mine, theirs) = (self.entries(), other.entries());
        let mut joined = Vec::with_capacity(mine.len().max(theirs.len()));
        let (mut mine, mut theirs) = (mine.iter().peekable(), theirs.iter().peekable());
        while let Some(next) = mine.peek().into_iter().chain(theirs.peek()).map(|entry| entry.source).min() {
            let mut entries =
                [mine.next_if(|entry| entry.source == next), theirs.next_if(|entry| entry.source == next)]
                    .into_iter()
                    .flatten();
            if let Some(first) = entries.next() {
                let mut entry = first.clone();
                entries.for_each(|other| entry.join(other));
                joined.push(entry);
            }
        }
        self.0 = Some(Arc::new(joined));
    }

    /// Whether `other` knows all of this.
    fn is_within(&self, other: &Self) -> bool {
        if self.is_same(other) {
            return true;
        }
        let mut theirs = other.entries().iter().peekable();
        self.entries().len() <= other.entries().len()
            && self.entries().iter().all(|entry| {
                while theirs.next_if(|other| other.source < entry.source).is_some() {}
                theirs.peek().is_some_and(|other| other.source == entry.source && entry.is_within(other))
            })
    }

    /// Whether nothing comes before.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it is the other one: not only equal.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        }
    }

    /// Bytes it holds in memory, shared among those who hold it.
    pub fn footprint(&self) -> u64 {
        let Some(entries) = &self.0 else { return 0 };
        let parts: usize = entries.iter().map(|entry| entry.parts.len() * size_of::<Part>()).sum();
        wide(entries.len() * size_of::<Entry>() + parts) / wide(Arc::strong_count(entries).max(1))
    }
}

/// Which kinds of memory something orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// Storage memory.
    pub storage: bool,
    /// Workgroup memory.
    pub workgroup: bool,
}

impl Kinds {
    /// Both.
    pub const ALL: Self = Self { storage: true, workgroup: true };

    /// Whether these are among others.
    pub const fn are_within(self, others: Self) -> bool {
        (!self.storage || others.storage) && (!self.workgroup || others.workgroup)
    }
}

/// A clock for each kind of memory: barriers and fences may order one and not the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    storage: Clock,
    workgroup: Clock,
    /// What came before some sequentially consistent fence that came before.
    pub fenced: Clock,
}

/// What an invocation knows that has met nobody.
pub static NOTHING: View = View { storage: Clock(None), workgroup: Clock(None), fenced: Clock(None) };

impl View {
    /// The clock for accesses to a kind of memory.
    pub const fn of(&self, space: Space) -> &Clock {
        match space {
            Space::Workgroup => &self.workgroup,
            _ => &self.storage,
        }
    }

    /// Only what is known for these kinds.
    pub fn only(&self, kinds: Kinds) -> Self {
        Self {
            storage: if kinds.storage { self.storage.clone() } else { Clock(None) },
            workgroup: if kinds.workgroup { self.workgroup.clone() } else { Clock(None) },
            fenced: if kinds == Kinds::ALL { self.fenced.clone() } else { Clock(None) },
        }
    }

    /// Takes what another knows for these kinds in place of the own.
    pub fn replace(&mut self, kinds: Kinds, other: &Self) {
        if kinds.storage {
            self.storage.clone_from(&other.storage);
        }
        if kinds.workgroup {
            self.workgroup.clone_from(&other.workgroup);
        }
        if kinds == Kinds::ALL {
            self.fenced.clone_from(&other.fenced);
        }
    }

    /// What comes before by either.
    pub fn join(&mut self, other: &Self) {
        self.fenced.join(&other.fenced);
        if self.storage.is_same(&self.workgroup) && other.storage.is_same(&other.workgroup) {
            return self.both(|clock| clock.join(&other.storage));
        }
        self.storage.join(&other.storage);
        self.workgroup.join(&other.workgroup);
    }

    /// Everything in a clock comes before, for both kinds.
    pub fn join_clock(&mut self, clock: &Clock) {
        self.change(Kinds::ALL, |mine| mine.join(clock));
    }

    /// See [`Clock::learn`].
    pub fn learn(&mut self, kinds: Kinds, source: Source, subgroup: u32, lanes: u128, time: u32) {
        self.change(kinds, |clock| clock.learn(source, subgroup, lanes, time));
    }

    /// See [`Clock::learn_all`].
    pub fn learn_all(&mut self, kinds: Kinds, source: Source, time: u32) {
        self.change(kinds, |clock| clock.learn_all(source, time));
    }

    fn change(&mut self, kinds: Kinds, change: impl Fn(&mut Clock)) {
        if kinds == Kinds::ALL && self.storage.is_same(&self.workgroup) {
            return self.both(change);
        }
        if kinds.storage {
            change(&mut self.storage);
        }
        if kinds.workgroup {
            change(&mut self.workgroup);
        }
    }

    /// Changes one clock that stands for both kinds; nobody else must seem to hold it meanwhile.
    fn both(&mut self, change: impl Fn(&mut Clock)) {
        self.workgroup = Clock(None);
        change(&mut self.storage);
        self.workgroup.clone_from(&self.storage);
    }

    /// Whether nothing comes before.
    pub const fn is_empty(&self) -> bool {
        self.storage.is_empty() && self.workgroup.is_empty() && self.fenced.is_empty()
    }

    /// Whether it is the other one: not only equal.
    pub fn is_same(&self, other: &Self) -> bool {
        self.storage.is_same(&other.storage)
            && self.workgroup.is_same(&other.workgroup)
            && self.fenced.is_same(&other.fenced)
    }

    /// Bytes it holds in memory, shared among those who hold it.
    pub fn footprint(&self) -> u64 {
        self.storage.footprint() + self.workgroup.footprint() + self.fenced.footprint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Source = Source::Workgroup(1);
    const SECOND: Source = Source::Workgroup(2);

    #[test]
    fn a_clock_knows_what_it_learnt_and_no_more() {
        let mut clock = Clock::default();
        assert_eq!(clock.covered(FIRST, 0, 0), 0);
        clock.learn(FIRST, 3, 0b110, 5);
        assert_eq!(clock.covered(FIRST, 3, 4), 0b110);
        assert_eq!(clock.covered(FIRST, 3, 5), 0, "its own time is not before");
        assert_eq!(clock.covered(FIRST, 2, 4), 0, "another subgroup");
        assert_eq!(clock.covered(SECOND, 3, 4), 0, "another workgroup");
        clock.learn(FIRST, 3, 0b011, 7);
        assert_eq!(clock.covered(FIRST, 3, 4), 0b111);
        assert_eq!(clock.covered(FIRST, 3, 6), 0b011);
        clock.learn_all(FIRST, 6);
        assert_eq!(clock.covered(FIRST, 9, 5), u128::MAX);
        assert_eq!(clock.covered(FIRST, 3, 6), 0b011);
        assert_eq!(clock.covered(Source::Chain(1), 0, 0), 0, "chains and workgroups are told apart");
    }

    #[test]
    fn joining_is_the_union_in_any_order() {
        let make = |seed: u32| {
            let mut clock = Clock::default();
            for step in 0..6 {
                let draw = seed.wrapping_mul(2_654_435_761).wrapping_add(step * 40_503) >> 8;
                clock.learn(Source::Workgroup(draw % 3), draw / 3 % 2, u128::from(draw / 6 % 16), 1 + draw / 96 % 5);
                if draw.is_multiple_of(7) {
                    clock.learn_all(Source::Workgroup(draw % 3), draw / 96 % 5);
                }
            }
            clock
        };
        for seed in 0..200 {
            let (a, b) = (make(seed), make(seed + 1000));
            let (mut ab, mut ba) = (a.clone(), b.clone());
            ab.join(&b);
            ba.join(&a);
            for (workgroup, subgroup, time) in
                (0..3).flat_map(|w| (0..2).flat_map(move |s| (0..6).map(move |t| (w, s, t))))
            {
                let of = |clock: &Clock| clock.covered(Source::Workgroup(workgroup), subgroup, time) & 15;
                assert_eq!(of(&ab), of(&a) | of(&b));
                assert_eq!(of(&ab), of(&ba));
            }
            assert!(a.is_within(&ab) && b.is_within(&ab));
            assert!(ab.is_within(&a) == (of_all(&ab) == of_all(&a)));
        }
    }

    fn of_all(clock: &Clock) -> Vec<u128> {
        let all = (0..3).flat_map(|w| (0..2).flat_map(move |s| (0..6).map(move |t| (w, s, t))));
        all.map(|(w, s, t)| clock.covered(Source::Workgroup(w), s, t) & 15).collect()
    }

    #[test]
    fn a_clock_that_knows_no_more_is_not_copied() {
        let mut clock = Clock::default();
        clock.learn_all(FIRST, 5);
        let mut other = clock.clone();
        other.learn(FIRST, 0, 1, 3);
        other.learn_all(FIRST, 4);
        assert!(other.is_same(&clock));
        let mut less = Clock::default();
        less.learn_all(FIRST, 2);
        less.join(&clock);
        assert!(less.is_same(&clock));
    }

    #[test]
    fn kinds_of_memory_are_kept_apart() {
        let mut view = View::default();
        view.learn_all(Kinds { storage: false, workgroup: true }, FIRST, 2);
        assert_eq!(view.of(Space::Storage).covered(FIRST, 0, 1), 0);
        assert_eq!(view.of(Space::Workgroup).covered(FIRST, 0, 1), u128::MAX);
        let mut other = View::default();
        other.learn_all(Kinds::ALL, SECOND, 2);
        other.join(&view);
        assert_eq!(other.of(Space::Storage).covered(FIRST, 0, 1), 0);
        assert_eq!(other.of(Space::Workgroup).covered(SECOND, 0, 1), u128::MAX);
    }
}
