//! What one worker noticed, in a form that merges to the same result for any number of workers.

use std::collections::BTreeMap;

use crate::finding::{Action, BoundsLimit, Rule};
use crate::ir::Space;
use crate::memory::shadow::Flags;

/// One access as the machine saw it, not yet in the launch's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSite {
    /// What it did.
    pub action: Action,
    /// Memory.
    pub space: Space,
    /// Buffer, for storage and uniform memory.
    pub buffer: Option<usize>,
    /// Byte offset in the buffer, or in workgroup or private memory.
    pub offset: i128,
    /// Bytes per element.
    pub bytes: u32,
    /// Linear workgroup.
    pub workgroup: u32,
    /// Linear invocation in the workgroup.
    pub invocation: u32,
    /// Program counter.
    pub pc: u32,
    /// Bits read or written, where known.
    pub value: Option<u64>,
}

/// What a fault needs besides its site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultDetail {
    /// Nothing.
    None,
    /// GP0004.
    Bounds(BoundsLimit),
    /// GP0005: where it wrapped, exact and computed value.
    Wrapped { origin: u32, exact: i128, computed: i128 },
    /// GP0008.
    Alignment(u32),
    /// GP0003: how many wait at the first site, how many are at the second, and that site.
    Divergence { waiting: u32, elsewhere: u32, other: Box<RawSite> },
}

/// A fault that one access shows by itself.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The first access in (workgroup, order of execution).
    pub site: RawSite,
    /// More about it.
    pub detail: FaultDetail,
    /// Invocations that showed it.
    pub count: u64,
}

/// Where a race inside a workgroup was seen, so that it can be looked at again.
#[derive(Clone, Debug, Default)]
pub struct RaceHint {
    /// Smallest (workgroup, granule) pairs that showed it.
    pub places: Vec<(u32, u64)>,
    /// Granules that showed it; those of workgroup memory are the same ones in every workgroup.
    pub granules: Flags,
    /// Not all of them were writes of the value that was there already.
    pub differs: bool,
}

/// Key of a [`RaceHint`]: buffer (`None` for workgroup memory) and program counter of the later access.
pub type RaceKey = (Option<usize>, u32);

/// Two accesses that race, as the history saw them.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The one to name first: the earlier one, or between workgroups a write.
    pub first: RawSite,
    /// The other.
    pub second: RawSite,
    /// Granules that showed it.
    pub granules: Flags,
    /// All of them were writes of the value that was there already.
    pub harmless: bool,
    /// The workgroup passed a barrier between the two.
    pub barrier_between: bool,
}

/// What makes two [`Pair`]s one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairKey {
    /// Buffer; `None` for workgroup memory.
    pub buffer: Option<usize>,
    /// Program counters, the lower one first.
    pub places: (u32, u32),
    /// Whether two workgroups race.
    pub across: bool,
    /// Position of the launch's declaration that lets the bytes race.
    pub declared: Option<usize>,
}

/// Pairs kept; what races besides only counts among the racy bytes.
const MOST_PAIRS: usize = 1 << 12;

/// Places kept per hint.
const PLACES: usize = 4;

/// See the file's head.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Faults by rule, program counter, kind of limit and buffer: one instruction may find several by address.
    pub faults: BTreeMap<(Rule, u32, u8, Option<usize>), Fault>,
    /// Races inside a workgroup.
    pub races: BTreeMap<RaceKey, RaceHint>,
    /// Races that the history saw.
    pub pairs: BTreeMap<PairKey, Pair>,
    /// Granules of storage for which it saw two workgroups race, by buffer.
    pub cross_flags: BTreeMap<usize, Flags>,
    /// Granules of storage that raced inside a workgroup, by buffer.
    pub storage_flags: BTreeMap<usize, Flags>,
    /// Granules of workgroup memory that raced.
    pub workgroup_flags: Flags,
    /// Whether two invocations of a subgroup had atomics on one place whose order matters, with no barrier between them.
    pub lanes_took_turns: bool,
}

impl Recorder {
    /// Notes a fault; only the first site is kept. Workgroups come in ascending order in one worker.
    pub fn fault(&mut self, rule: Rule, kind: u8, site: impl FnOnce() -> (RawSite, FaultDetail), pc: u32) {
        let (site, detail) = site();
        let entry = self.faults.entry((rule, pc, kind, site.buffer));
        entry.and_modify(|fault| fault.count += 1).or_insert(Fault { site, detail, count: 1 });
    }

    /// Notes a race inside a workgroup; `differs` unless the later access is a write that changes nothing.
    pub fn race(&mut self, buffer: Option<usize>, granule: u64, pc: u32, workgroup: u32, differs: bool) {
        match buffer {
            Some(buffer) => self.storage_flags.entry(buffer).or_default().set(granule),
            None => self.workgroup_flags.set(granule),
        }
        let hint = self.races.entry((buffer, pc)).or_default();
        hint.granules.set(granule);
        hint.differs |= differs;
        insert_place(&mut hint.places, (workgroup, granule));
    }

    /// Notes a race between two accesses, the earlier one first; `harmless` if the later one is a plain write of what the
    /// earlier one wrote and memory holds.
    pub fn pair(
        &mut self,
        granule: u64,
        declared: Option<usize>,
        (mut first, mut second): (RawSite, RawSite),
        harmless: bool,
        barrier_between: bool,
    ) {
        let across = first.workgroup != second.workgroup;
        match first.buffer {
            Some(buffer) if across => self.cross_flags.entry(buffer).or_default().set(granule),
            Some(buffer) => self.storage_flags.entry(buffer).or_default().set(granule),
            None => self.workgroup_flags.set(granule),
        }
        let places = (first.pc.min(second.pc), first.pc.max(second.pc));
        let rank = |site: &RawSite| (!site.action.is_write(), site.pc, site.workgroup);
        if across && rank(&first) > rank(&second) {
            std::mem::swap(&mut first, &mut second);
        }
        let key = PairKey { buffer: first.buffer, places, across, declared };
        if self.pairs.len() >= MOST_PAIRS && !self.pairs.contains_key(&key) {
            return;
        }
        let differ = first.value != second.value;
        let pair = self.pairs.entry(key).or_insert_with(|| Pair {
            first: first.clone(),
            second: second.clone(),
            granules: Flags::default(),
            harmless: true,
            barrier_between,
        });
        pair.granules.set(granule);
        pair.harmless &= harmless;
        // Of two writes, a pair with different values says more.
        let both_write = first.action.is_write() && second.action.is_write();
        if both_write && differ && pair.first.value == pair.second.value {
            (pair.first, pair.second, pair.barrier_between) = (first, second, barrier_between);
        }
    }

    /// Whether all that raced in `other` raced here too: the same granules, at the same pairs of instructions.
    pub fn has_races_of(&self, other: &Self) -> bool {
        let of = |mine: &BTreeMap<usize, Flags>, others: &BTreeMap<usize, Flags>| {
            let none = Flags::default();
            others.iter().all(|(buffer, flags)| mine.get(buffer).unwrap_or(&none).covers(flags))
        };
        of(&self.cross_flags, &other.cross_flags)
            && of(&self.storage_flags, &other.storage_flags)
            && self.workgroup_flags.covers(&other.workgroup_flags)
            && other.pairs.keys().all(|pair| self.pairs.contains_key(pair))
    }

    /// Takes over what another worker noticed, where no history was kept.
    pub fn merge(&mut self, other: Self) {
        for (key, fault) in other.faults {
            match self.faults.entry(key) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(fault);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    let mine = entry.get_mut();
                    let count = mine.count + fault.count;
                    if fault.site.workgroup < mine.site.workgroup {
                        *mine = fault;
                    }
                    mine.count = count;
                }
            }
        }
        for (key, hint) in other.races {
            let mine = self.races.entry(key).or_default();
            mine.granules.merge(&hint.granules);
            mine.differs |= hint.differs;
            hint.places.into_iter().for_each(|place| insert_place(&mut mine.places, place));
        }
        for (buffer, flags) in other.storage_flags {
            self.storage_flags.entry(buffer).or_default().merge(&flags);
        }
        self.workgroup_flags.merge(&other.workgroup_flags);
    }
}

fn insert_place(places: &mut Vec<(u32, u64)>, place: (u32, u64)) {
    if let Err(position) = places.binary_search(&place)
        && position < PLACES
    {
        places.insert(position, place);
        places.truncate(PLACES);
    }
}
