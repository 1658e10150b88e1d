//! Who touched which bytes: the memory of the race detectors.
//!
//! Two questions, two structures, both per *granule* (the smallest access any instruction of the dispatch
//! makes to that buffer, so that no two accesses share a granule without sharing a byte):
//!
//! * [`Local`] — inside one workgroup: the last accesses of each class since the last barrier, as *tags*.
//!   A tag names an interval (a number no other stretch between two barriers has), the subgroup's own
//!   barrier count, and the invocation, or that several invocations did it. This is the epoch idea of
//!   FastTrack (Flanagan and Freund, PLDI 2009), where a workgroup barrier makes the epoch of all
//!   invocations the same and a whole vector clock is never needed.
//! * [`Cross`] — across the workgroups of one dispatch: the smallest and the largest workgroup that made an
//!   access of each class. Two numbers answer "did anyone else touch it?", and merge by minimum and maximum,
//!   in any order, so that the answer does not depend on the number of threads.
//!
//! Where barriers of a part of a workgroup order accesses, several accesses of a class are more than one tag can say:
//! those unordered with each other are then kept beside the tags, by subgroup and epoch.
//!
//! Not seen: an earlier write of an interval after a second, racing write replaced its tag. The race itself is seen.

use std::collections::BTreeMap;

use super::pages::{PAGE, PageTable};
use crate::cast::{low, wide};
use crate::machine::order::Knowledge;
use crate::machine::registers::Lanes;

/// How an access takes part in conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Plain read.
    Read,
    /// Plain write.
    Write,
    /// Atomic load.
    AtomicRead,
    /// Atomic store or read-modify-write.
    AtomicWrite,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::AtomicRead, Self::AtomicWrite];

    /// The classes that conflict with this one on a common byte.
    #[inline(always)]
    pub const fn conflicts(self) -> &'static [Self] {
        match self {
            Self::Read => &[Self::Write, Self::AtomicWrite],
            Self::Write => &Self::ALL,
            Self::AtomicRead => &[Self::Write],
            Self::AtomicWrite => &[Self::Read, Self::Write],
        }
    }

    /// Its position in [`Self::ALL`].
    #[inline(always)]
    pub const fn slot(self) -> usize {
        match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::AtomicRead => 2,
            Self::AtomicWrite => 3,
        }
    }
}

/// Interval in 32 bits, subgroup barrier count in 21, who in 11.
type Tag = u64;

const WHO_BITS: u32 = 11;
const WHO: u64 = (1 << WHO_BITS) - 1;
const EPOCH_LIMIT: u32 = (1 << 21) - 1;
/// `who` from here on: several invocations of subgroup `who - SEVERAL`.
const SEVERAL: u32 = 1024;
/// `who`: invocations of more than one subgroup.
const MANY: u32 = 2047;

/// Who is accessing, and when.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The interval of the memory kind: unique between barriers.
    pub interval: u32,
    /// The subgroup's own clock: barriers it has passed without the whole workgroup.
    pub epoch: u32,
    /// What comes before.
    pub order: &'a Knowledge,
    /// Linear index of the subgroup's first invocation.
    pub first_invocation: u32,
    /// Invocations per subgroup, as a power of two.
    pub subgroup_shift: u32,
    /// Whether the program has barriers of a part of a subgroup or workgroup.
    pub partial: bool,
}

/// Invocations of one subgroup that made an access at the same time of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    subgroup: u32,
    epoch: u32,
    lanes: u128,
}

impl Stamp<'_> {
    #[inline(always)]
    fn base(&self) -> Tag {
        u64::from(self.interval) << 32 | u64::from(self.epoch.min(EPOCH_LIMIT)) << WHO_BITS
    }

    #[inline(always)]
    const fn subgroup(&self) -> u32 {
        self.first_invocation >> self.subgroup_shift
    }

    const fn subgroup_of(&self, who: u32) -> Option<u32> {
        if who == MANY {
            None
        } else if who >= SEVERAL {
            Some(who - SEVERAL)
        } else {
            Some(who >> self.subgroup_shift)
        }
    }

    /// Whether an earlier access with `tag` is unordered with one of `invocation` now.
    fn unordered(&self, tag: Tag, invocation: u32) -> bool {
        if tag >> 32 != u64::from(self.interval) || tag == 0 {
            return false;
        }
        let who = low(tag & WHO);
        if who == invocation {
            return false;
        }
        let epoch = low(tag >> WHO_BITS) & EPOCH_LIMIT;
        !self.is_before(who, epoch, invocation)
    }

    /// Whether an access of `who` at `epoch`, in this interval, comes before what `invocation` does now.
    #[inline]
    fn is_before(&self, who: u32, epoch: u32, invocation: u32) -> bool {
        let Some(subgroup) = self.subgroup_of(who) else { return false };
        if subgroup != self.subgroup() {
            return self.order.covers_subgroup(subgroup, epoch);
        }
        let lane = invocation - self.first_invocation;
        let known = if who >= SEVERAL {
            self.order.covers_lanes(lane, epoch)
        } else {
            self.order.covers_lane(lane, who - self.first_invocation, epoch)
        };
        known || epoch == EPOCH_LIMIT
    }

    /// The invocations of a group, other than `invocation`, whose access does not come before what that does now.
    fn still_unordered(&self, group: Group, invocation: u32) -> u128 {
        if group.subgroup != self.subgroup() {
            return if self.order.covers_subgroup(group.subgroup, group.epoch) { 0 } else { group.lanes };
        }
        if group.epoch == EPOCH_LIMIT {
            return 0;
        }
        let lane = invocation - self.first_invocation;
        let others = Lanes(group.lanes & !(1 << lane));
        others
            .filter(|&other| !self.order.covers_lane(lane, other, group.epoch))
            .fold(0, |lanes, other| lanes | 1 << other)
    }

    /// The tag after `invocation` joins those that `tag` names.
    fn join(&self, tag: Tag, invocation: u32) -> Tag {
        let alone = self.base() | u64::from(invocation);
        if tag >> 32 != u64::from(self.interval) {
            return alone;
        }
        let who = low(tag & WHO);
        if who == invocation {
            return alone;
        }
        let epoch = low(tag >> WHO_BITS) & EPOCH_LIMIT;
        if self.is_before(who, epoch, invocation) {
            alone
        } else if self.subgroup_of(who) == Some(self.subgroup()) {
            self.base() | u64::from(SEVERAL + self.subgroup())
        } else {
            self.base() | u64::from(MANY)
        }
    }
}

/// Tags of consecutive granules, one array per class, made when first needed.
#[derive(Debug, Default)]
pub struct Local {
    tags: [Option<Box<[Tag]>>; 4],
    /// Who stands behind a tag of several invocations, by class and granule.
    crowds: BTreeMap<(Class, usize), Vec<Group>>,
    /// The interval that the crowds belong to.
    crowds_of: u32,
}

impl Local {
    #[inline(always)]
    fn class(&mut self, class: Class, granules: usize) -> &mut [Tag] {
        self.tags[class.slot()].get_or_insert_with(|| vec![0; granules].into())
    }

    /// One invocation touches one granule. Says whether an earlier access conflicts.
    pub fn touch(&mut self, class: Class, granule: usize, granules: usize, invocation: u32, stamp: &Stamp<'_>) -> bool {
        let mut conflict = false;
        for &other in class.conflicts() {
            if let Some(tags) = &self.tags[other.slot()] {
                let tag = tags[granule];
                conflict |= if stamp.partial && is_of_several(tag, stamp.interval) {
                    self.crowd(other, granule).iter().any(|&group| stamp.still_unordered(group, invocation) != 0)
                } else {
                    stamp.unordered(tag, invocation)
                };
            }
        }
        if stamp.partial {
            self.join_crowd(class, granule, granules, invocation, stamp);
        } else {
            let tag = &mut self.class(class, granules)[granule];
            *tag = stamp.join(*tag, invocation);
        }
        conflict
    }

    /// One invocation touches several granules. False where an earlier access *may* conflict; then nothing was
    /// changed and the caller goes granule by granule.
    #[inline(always)]
    pub fn touch_free(
        &mut self,
        class: Class,
        range: std::ops::Range<usize>,
        granules: usize,
        invocation: u32,
        stamp: &Stamp<'_>,
    ) -> bool {
        if stamp.partial {
            return false;
        }
        let (interval, who) = (u64::from(stamp.interval), u64::from(invocation));
        for &other in class.conflicts() {
            if let Some(tags) = &self.tags[other.slot()]
                && tags[range.clone()].iter().any(|&tag| tag >> 32 == interval && tag & WHO != who)
            {
                return false;
            }
        }
        let alone = stamp.base() | who;
        for tag in &mut self.class(class, granules)[range] {
            if *tag >> 32 != interval {
                *tag = alone;
            } else if *tag != alone {
                *tag = stamp.join(*tag, invocation);
            }
        }
        true
    }

    fn crowd(&self, class: Class, granule: usize) -> &[Group] {
        self.crowds.get(&(class, granule)).map_or(&[], Vec::as_slice)
    }

    /// As [`Stamp::join`], without forgetting who the others were.
    fn join_crowd(&mut self, class: Class, granule: usize, granules: usize, invocation: u32, stamp: &Stamp<'_>) {
        if self.crowds_of != stamp.interval {
            self.crowds.clear();
            self.crowds_of = stamp.interval;
        }
        let tag = self.class(class, granules)[granule];
        let mut crowd = Vec::new();
        if is_of_several(tag, stamp.interval) {
            crowd = self.crowds.remove(&(class, granule)).unwrap_or_default();
        } else if tag >> 32 == u64::from(stamp.interval) {
            let (who, epoch) = (low(tag & WHO), low(tag >> WHO_BITS) & EPOCH_LIMIT);
            let subgroup = who >> stamp.subgroup_shift;
            let lane = who - (subgroup << stamp.subgroup_shift);
            crowd.push(Group { subgroup, epoch, lanes: 1 << lane });
        }
        for group in &mut crowd {
            group.lanes = stamp.still_unordered(*group, invocation);
        }
        crowd.retain(|group| group.lanes != 0);
        let who = if crowd.is_empty() {
            invocation
        } else {
            let (subgroup, epoch) = (stamp.subgroup(), stamp.epoch.min(EPOCH_LIMIT));
            let lane = 1 << (invocation - stamp.first_invocation);
            match crowd.iter_mut().find(|group| (group.subgroup, group.epoch) == (subgroup, epoch)) {
                Some(group) => group.lanes |= lane,
                None => crowd.push(Group { subgroup, epoch, lanes: lane }),
            }
            self.crowds.insert((class, granule), crowd);
            MANY
        };
        self.class(class, granules)[granule] = stamp.base() | u64::from(who);
    }

    /// Invocations `first..` touch `per` granules each, `range` in all. Says whether any of them *may*
    /// conflict or join; then nothing was changed and the caller goes granule by granule.
    #[inline(always)]
    pub fn touch_range(
        &mut self,
        class: Class,
        range: std::ops::Range<usize>,
        granules: usize,
        first: u32,
        per_shift: u32,
        stamp: &Stamp<'_>,
    ) -> bool {
        let interval = u64::from(stamp.interval);
        let mut doubt = false;
        for &other in class.conflicts() {
            if let Some(tags) = &self.tags[other.slot()] {
                doubt |= any_from_interval(&tags[range.clone()], interval, first, per_shift);
            }
        }
        let own = &mut self.class(class, granules)[range];
        if class != Class::Write {
            doubt |= any_from_interval(own, interval, first, per_shift);
        }
        if doubt {
            return true;
        }
        let base = stamp.base();
        for (position, tag) in own.iter_mut().enumerate() {
            *tag = base | (u64::from(first) + (wide(position) >> per_shift));
        }
        false
    }
}

/// Whether a tag of this interval stands for more than one invocation.
fn is_of_several(tag: Tag, interval: u32) -> bool {
    tag >> 32 == u64::from(interval) && low(tag & WHO) >= SEVERAL
}

/// Whether any tag of the interval names someone else than the invocation that now owns the granule.
#[inline(always)]
fn any_from_interval(tags: &[Tag], interval: u64, first: u32, per_shift: u32) -> bool {
    let mut any = 0_u64;
    for (position, &tag) in tags.iter().enumerate() {
        let who = u64::from(first) + (wide(position) >> per_shift);
        any |= u64::from(tag >> 32 == interval) & u64::from(tag & WHO != who);
    }
    any != 0
}

/// Smallest and largest workgroup per granule.
type Extremes = (Box<[u32]>, Box<[u32]>);

/// Smallest and largest workgroup per granule and class.
#[derive(Debug, Default)]
pub struct Cross {
    sets: [Option<Extremes>; 4],
}

/// No workgroup yet.
const NOBODY: u32 = u32::MAX;

impl Cross {
    /// `workgroup` touches `range`.
    #[inline(always)]
    pub fn touch(&mut self, class: Class, range: std::ops::Range<usize>, granules: usize, workgroup: u32) {
        let (smallest, largest) =
            self.sets[class.slot()].get_or_insert_with(|| (vec![NOBODY; granules].into(), vec![0; granules].into()));
        for value in &mut smallest[range.clone()] {
            *value = (*value).min(workgroup);
        }
        for value in &mut largest[range] {
            *value = (*value).max(workgroup);
        }
    }

    /// Smallest and largest workgroup with an access of `class`.
    pub fn extremes(&self, class: Class, granule: usize) -> Option<(u32, u32)> {
        let (smallest, largest) = self.sets[class.slot()].as_ref()?;
        (smallest[granule] != NOBODY).then(|| (smallest[granule], largest[granule]))
    }

    /// Takes over what another worker saw.
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.sets.iter_mut().zip(other.sets) {
            match (mine.as_mut(), theirs) {
                (_, None) => {}
                (None, theirs) => *mine = theirs,
                (Some(mine), Some(theirs)) => {
                    mine.0.iter_mut().zip(theirs.0.iter()).for_each(|(mine, theirs)| *mine = (*mine).min(*theirs));
                    mine.1.iter_mut().zip(theirs.1.iter()).for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
                }
            }
        }
    }

    /// Whether two workgroups conflict on the granule.
    pub fn is_race(&self, granule: usize) -> bool {
        [Class::Write, Class::AtomicWrite].into_iter().any(|class| {
            let Some((smallest, largest)) = self.extremes(class, granule) else { return false };
            class.conflicts().iter().any(|&other| {
                if other == class {
                    return smallest != largest;
                }
                self.extremes(other, granule)
                    .is_some_and(|(low, high)| !(smallest == largest && low == high && smallest == low))
            })
        })
    }

    /// The distinct extreme workgroups of a granule: the candidates for a witness.
    pub fn candidates(&self, granule: usize) -> Vec<u32> {
        let mut all: Vec<u32> =
            Class::ALL.iter().filter_map(|&class| self.extremes(class, granule)).flat_map(|(a, b)| [a, b]).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The shadow of one buffer in one worker.
#[derive(Debug)]
pub struct BufferShadow {
    /// Granule size as a power of two.
    pub granule_shift: u32,
    local: PageTable<Local>,
    local_pages: usize,
    cross_pages: usize,
    /// Cross-workgroup sets by page.
    pub cross: PageTable<Cross>,
}

/// Pages of tags to keep between workgroups; more are dropped when a workgroup ends.
const KEPT_PAGES: usize = 4096;

impl BufferShadow {
    /// No access yet.
    pub fn new(granule_shift: u32) -> Self {
        Self { granule_shift, local: PageTable::default(), local_pages: 0, cross_pages: 0, cross: PageTable::default() }
    }

    /// Granules per page.
    #[inline(always)]
    pub const fn granules(&self) -> usize {
        PAGE >> self.granule_shift
    }

    /// The tags and sets of one page.
    #[inline(always)]
    pub fn page(&mut self, page: u64) -> (&mut Local, &mut Cross) {
        let pages = &mut self.local_pages;
        let local = self.local.find_or_insert(page, || {
            *pages += 1;
            Local::default()
        });
        let pages = &mut self.cross_pages;
        let cross = self.cross.find_or_insert(page, || {
            *pages += 1;
            Cross::default()
        });
        (local, cross)
    }

    /// Takes over what another worker saw across workgroups.
    pub fn merge(&mut self, other: Self) {
        for (page, theirs) in other.cross.into_pages() {
            let pages = &mut self.cross_pages;
            let mine = self.cross.find_or_insert(page, || {
                *pages += 1;
                Cross::default()
            });
            mine.merge(theirs);
        }
    }

    /// Bytes its cross-workgroup sets may hold.
    pub fn footprint(&self) -> u64 {
        wide(self.cross_pages * self.granules() * 4 * 8)
    }

    /// A workgroup ended: its tags mean nothing any more.
    pub fn end_workgroup(&mut self) {
        if self.local_pages > KEPT_PAGES {
            self.local.clear();
            self.local_pages = 0;
        }
    }
}

/// Granules covered by `bytes` bytes from `offset` on.
#[inline(always)]
pub fn granules_of(offset: usize, bytes: usize, shift: u32) -> std::ops::Range<usize> {
    offset >> shift..(offset + bytes + (1 << shift) - 1) >> shift
}

/// Bits of flagged granules, grown on demand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    words: std::collections::BTreeMap<u64, u64>,
}

impl Flags {
    /// Flags one granule.
    pub fn set(&mut self, granule: u64) {
        *self.words.entry(granule / 64).or_default() |= 1 << (granule % 64);
    }

    /// Takes over another set.
    pub fn merge(&mut self, other: &Self) {
        for (&word, &bits) in &other.words {
            *self.words.entry(word).or_default() |= bits;
        }
    }

    /// Whether all of `other` is flagged here.
    pub fn covers(&self, other: &Self) -> bool {
        other.words.iter().all(|(word, bits)| bits & !self.words.get(word).copied().unwrap_or(0) == 0)
    }

    /// Whether nothing is flagged.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Flagged granules in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.words
            .iter()
            .flat_map(|(&word, &bits)| (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit))
    }

    /// Flagged granules as maximal runs `start..end`.
    pub fn runs(&self) -> Vec<std::ops::Range<u64>> {
        let mut runs: Vec<std::ops::Range<u64>> = Vec::new();
        for granule in self.iter() {
            match runs.last_mut() {
                Some(run) if run.end == granule => run.end += 1,
                _ => runs.push(granule..granule + 1),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(interval: u32, epoch: u32, subgroup: u32) -> Stamp<'static> {
        let order = Box::leak(Box::new(Knowledge::default()));
        order.whole = epoch;
        Stamp { interval, epoch, order, first_invocation: subgroup * 32, subgroup_shift: 5, partial: false }
    }

    #[test]
    fn a_barrier_orders_and_its_absence_does_not() {
        let mut local = Local::default();
        assert!(!local.touch(Class::Write, 0, 4, 0, &stamp(1, 0, 0)));
        assert!(local.touch(Class::Read, 0, 4, 33, &stamp(1, 0, 1)));
        assert!(!local.touch(Class::Read, 0, 4, 33, &stamp(2, 0, 1)));
    }

    #[test]
    fn a_subgroup_barrier_orders_only_inside_its_subgroup() {
        let mut local = Local::default();
        assert!(!local.touch(Class::Read, 0, 4, 1, &stamp(1, 0, 0)));
        assert!(!local.touch(Class::Read, 0, 4, 2, &stamp(1, 0, 0)));
        assert!(!local.touch(Class::Write, 0, 4, 1, &stamp(1, 1, 0)));
        assert!(local.touch(Class::Read, 0, 4, 32, &stamp(1, 1, 1)));
    }

    #[test]
    fn several_readers_of_one_subgroup_conflict_with_a_writer_among_them() {
        let mut local = Local::default();
        assert!(!local.touch(Class::Read, 0, 4, 1, &stamp(1, 0, 0)));
        assert!(!local.touch(Class::Read, 0, 4, 2, &stamp(1, 0, 0)));
        assert!(local.touch(Class::Write, 0, 4, 1, &stamp(1, 0, 0)));
    }

    #[test]
    fn readers_that_met_the_writer_do_not_conflict_with_it_and_others_do() {
        let mut order = Knowledge::default();
        order.meet_lanes(0b0011, 1, 32);
        let before = Stamp { partial: true, ..stamp(1, 0, 0) };
        let after = Stamp { epoch: 1, order: &order, ..before };
        let mut local = Local::default();
        for reader in 0..3 {
            assert!(!local.touch(Class::Read, 0, 4, reader, &before));
            assert!(reader == 2 || !local.touch(Class::Read, 1, 4, reader, &before));
        }
        assert!(local.touch(Class::Write, 0, 4, 0, &after), "lane 2 did not meet lane 0");
        assert!(!local.touch(Class::Write, 1, 4, 0, &after));
        assert!(!local.touch(Class::Read, 2, 4, 40, &Stamp { partial: true, ..stamp(1, 0, 1) }));
        assert!(!local.touch(Class::Read, 2, 4, 1, &before));
        let mut knows_both = order.clone();
        knows_both.learn(&[0, 1]);
        let later = Stamp { order: &knows_both, ..after };
        assert!(local.touch(Class::Write, 2, 4, 2, &later), "lane 2 did not meet lane 1");
    }

    #[test]
    fn atomics_do_not_conflict_with_atomics() {
        let mut local = Local::default();
        assert!(!local.touch(Class::AtomicWrite, 0, 4, 1, &stamp(1, 0, 0)));
        assert!(!local.touch(Class::AtomicWrite, 0, 4, 2, &stamp(1, 0, 0)));
        assert!(!local.touch(Class::AtomicRead, 0, 4, 3, &stamp(1, 0, 0)));
        assert!(local.touch(Class::Read, 0, 4, 4, &stamp(1, 0, 0)));
    }

    #[test]
    fn ranges_agree_with_single_touches() {
        let (mut ranged, mut single) = (Local::default(), Local::default());
        let now = stamp(3, 0, 0);
        assert!(!ranged.touch_range(Class::Write, 0..64, 64, 0, 1, &now));
        for granule in 0..64 {
            assert!(!single.touch(Class::Write, granule, 64, crate::cast::narrow(granule / 2), &now));
        }
        assert_eq!(ranged.tags, single.tags);
        assert!(ranged.touch_range(Class::Read, 0..64, 64, 1, 1, &now));
        assert!(!ranged.touch_range(Class::Read, 0..64, 64, 0, 1, &now));
    }

    #[test]
    fn only_two_different_workgroups_race() {
        let mut cross = Cross::default();
        cross.touch(Class::Write, 0..2, 4, 5);
        cross.touch(Class::Read, 0..1, 4, 5);
        assert!(!cross.is_race(0));
        cross.touch(Class::Read, 1..2, 4, 6);
        assert!(cross.is_race(1));
        let mut other = Cross::default();
        other.touch(Class::Write, 0..1, 4, 9);
        cross.merge(other);
        assert!(cross.is_race(0));
        assert_eq!(cross.candidates(0), [5, 9]);
        cross.touch(Class::AtomicWrite, 3..4, 4, 1);
        cross.touch(Class::AtomicWrite, 3..4, 4, 2);
        assert!(!cross.is_race(3));
    }
}
