//! Who touched which bytes, exactly: the memory of the race detector for programs that synchronise through atomics.
//!
//! Per granule (as in [`super::shadow`]) it keeps the accesses that a later one could still race with. An access that
//! comes before a new one is dropped when whatever would race with it would race with the new one as well: the idea of
//! FastTrack (Flanagan and Freund, PLDI 2009), here for accesses that belong to groups of invocations. What comes before
//! is known from clocks ([`crate::machine::clock`]).
//!
//! The first race of a granule is always seen. Once more than [`MOST_RACING`] accesses of it raced, a new one takes the
//! place of those it raced with, so that some pairs of places are missed there.

use std::collections::BTreeMap;
use std::ops::Range;

use super::messages::{Memory, Messages};
use super::pages::PageTable;
use super::shadow::Class;
use super::versions::Versions;
use crate::cast::{at, at64, narrow, wide};
use crate::ir::{AccessKind, Base, Instr, Order, Program, Scope, Space};
use crate::link::Linked;
use crate::machine::clock::{Clock, Source};

/// Granules per page of list heads.
const PAGE: u64 = 256;

/// Races of a granule after which raced accesses are dropped.
const MOST_RACING: u32 = 8;

/// Length of a list at which it is first looked through for what can be dropped.
const FIRST_SWEEP: u32 = 16;

/// Records after which the memory budget is looked at.
const BETWEEN_CHECKS: usize = 1 << 12;

/// The end of a list.
const NOBODY: u32 = u32::MAX;

/// Accesses of some invocations of a subgroup by one instruction to one granule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who of the subgroup.
    pub lanes: u128,
    /// Bits read or written.
    pub value: u64,
    /// First byte of the element, in its memory.
    pub offset: u64,
    /// Linear workgroup.
    pub workgroup: u32,
    /// Subgroup in the workgroup.
    pub subgroup: u32,
    /// The subgroup's time.
    pub time: u32,
    /// The instruction.
    pub pc: u32,
    /// Workgroup barriers the workgroup had passed.
    pub barriers: u32,
    /// Of an atomic write that others may see: its chain and the position there.
    chain: (u32, u32),
    /// Bytes of the element.
    pub bytes: u32,
    /// How it takes part in conflicts inside its workgroup.
    pub class: Class,
    /// The same for other workgroups.
    pub cross: Class,
    next: u32,
    /// Records from here to the end of the list, when it was last counted.
    depth: u32,
}

impl Record {
    /// An access that has not been entered.
    #[expect(clippy::too_many_arguments, reason = "all that a report needs")]
    pub const fn new(
        who: (u32, u32, u128),
        time: u32,
        pc: u32,
        barriers: u32,
        classes: (Class, Class),
        offset: u64,
        bytes: u32,
        value: u64,
    ) -> Self {
        let ((workgroup, subgroup, lanes), (class, cross)) = (who, classes);
        let (chain, next, depth) = ((0, 0), NOBODY, 0);
        Self { lanes, value, offset, workgroup, subgroup, time, pc, barriers, chain, bytes, class, cross, next, depth }
    }

    const fn is_of(&self, other: &Self) -> bool {
        self.workgroup == other.workgroup && self.subgroup == other.subgroup
    }

    fn conflicts_with(&self, earlier: &Self) -> bool {
        if self.workgroup == earlier.workgroup {
            self.class.conflicts().contains(&earlier.class)
        } else {
            self.cross.conflicts().contains(&earlier.cross)
        }
    }

    /// Whether whatever conflicts with an earlier access conflicts with this one, too.
    fn stands_for(&self, earlier: &Self) -> bool {
        let within = |few: Class, many: Class| few.conflicts().iter().all(|class| many.conflicts().contains(class));
        within(earlier.class, self.class) && within(earlier.cross, self.cross)
    }

    /// The lanes of an earlier record whose accesses do not come before this one's, its own lanes included.
    fn unordered(&self, earlier: &Self, clock: &Clock, in_step: bool) -> u128 {
        if in_step && self.is_of(earlier) && earlier.time < self.time {
            return 0;
        }
        let (chain, index) = earlier.chain;
        if chain != 0 && clock.covered(Source::Chain(chain), 0, index) != 0 {
            return 0;
        }
        earlier.lanes & !clock.covered(Source::Workgroup(earlier.workgroup), earlier.subgroup, earlier.time)
    }
}

/// A race: an earlier access, and which invocation of each side to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The earlier access.
    pub first: Record,
    /// Its invocation, in its subgroup.
    pub first_lane: u32,
    /// The later one's.
    pub second_lane: u32,
}

/// First records of a granule by their class for other workgroups.
type Heads = [u32; 4];

/// The records of one memory.
#[derive(Clone, Debug, Default)]
struct Cells {
    heads: PageTable<Box<[Heads]>>,
    pages: u64,
    records: Vec<Record>,
    free: Vec<u32>,
}

impl Cells {
    fn heads(&mut self, granule: u64) -> &mut Heads {
        let pages = &mut self.pages;
        let page = self.heads.find_or_insert(granule / PAGE, || {
            *pages += 1;
            vec![[NOBODY; 4]; at64(PAGE)].into()
        });
        &mut page[at64(granule % PAGE)]
    }

    fn push(&mut self, head: u32, record: Record) -> u32 {
        let depth = self.records.get(at(head)).map_or(0, |next| next.depth) + 1;
        let record = Record { next: head, depth, ..record };
        match self.free.pop() {
            Some(place) => {
                self.records[at(place)] = record;
                place
            }
            None => {
                self.records.push(record);
                narrow(self.records.len() - 1)
            }
        }
    }

    /// Keeps what `keep` keeps of a list, which may change it. Gives the new head.
    fn retain(&mut self, head: u32, mut keep: impl FnMut(&mut Record) -> bool) -> u32 {
        let (mut first, mut last, mut position) = (head, NOBODY, head);
        while let Some(record) = self.records.get_mut(at(position)) {
            let next = record.next;
            if keep(record) {
                last = position;
            } else {
                self.free.push(position);
                match self.records.get_mut(at(last)) {
                    Some(last) => last.next = next,
                    None => first = next,
                }
            }
            position = next;
        }
        first
    }

    /// Makes room in a long list by dropping what a new access stands for, and repetitions.
    fn sweep(&mut self, head: u32, fresh: &Record, clock: &Clock, in_step: bool) -> u32 {
        let mut seen = std::collections::BTreeSet::new();
        self.retain(head, |record| {
            if fresh.stands_for(record) {
                let own = if fresh.is_of(record) { fresh.lanes } else { 0 };
                record.lanes &= fresh.unordered(record, clock, in_step) & !own;
            }
            let key = (record.workgroup, record.subgroup, record.time, record.class, record.chain, record.lanes);
            record.lanes != 0 && seen.insert(key)
        })
    }

    /// Counts the records of a list anew.
    fn measure(&mut self, head: u32) {
        let (mut places, mut position) = (Vec::new(), head);
        while let Some(record) = self.records.get(at(position)) {
            places.push(position);
            position = record.next;
        }
        for (place, depth) in places.into_iter().rev().zip(1..) {
            self.records[at(place)].depth = depth;
        }
    }

    const fn footprint(&self) -> u64 {
        self.pages * PAGE * wide(size_of::<Heads>()) + wide(self.records.capacity() * size_of::<Record>())
    }
}

/// See the file's head.
#[derive(Clone, Debug)]
pub struct History {
    cells: BTreeMap<Memory, Cells>,
    /// What atomic writes pass on.
    pub messages: Messages,
    /// Overwritten values, while the race-free reading is run.
    pub versions: Option<Versions>,
    /// Whether some atomic or fence has the scope of a workgroup.
    pub narrow_scopes: bool,
    /// Whether a relaxed store can follow a release of the same invocation.
    pub relaxed_stores: bool,
    /// Buffers, and workgroup memory at the end, that have both atomics and plain accesses, in a language where seeing an
    /// atomic write orders it.
    mixed: Vec<bool>,
    limit: u64,
    full: bool,
}

impl History {
    /// No access yet.
    pub fn new(linked: &Linked) -> Self {
        Self::with(Facts::of(linked), linked.config.budget.memory)
    }

    fn with(facts: Facts, limit: u64) -> Self {
        Self {
            cells: BTreeMap::new(),
            messages: Messages::default(),
            versions: None,
            narrow_scopes: facts.narrow_scopes,
            relaxed_stores: facts.relaxed_stores,
            mixed: facts.mixed,
            limit,
            full: false,
        }
    }

    /// Enters an access to one granule by invocations that know the same, and puts the races that it makes into `clashes`.
    pub fn touch(
        &mut self,
        memory: Memory,
        granule: u64,
        fresh: &Record,
        clock: &Clock,
        in_step: bool,
        clashes: &mut Vec<Clash>,
    ) {
        if self.full {
            return;
        }
        let cells = self.cells.entry(memory).or_default();
        let mut heads = *cells.heads(granule);
        let mut racing = 0;
        for &class in fresh.cross.conflicts() {
            let head = &mut heads[class.slot()];
            if *head == NOBODY {
                continue;
            }
            *head = cells.retain(*head, |record| {
                let left = fresh.unordered(record, clock, in_step);
                let own = if fresh.is_of(record) { fresh.lanes } else { 0 };
                if fresh.conflicts_with(record)
                    && let Some((first_lane, second_lane)) = two_lanes(left, fresh.lanes, fresh.is_of(record))
                {
                    clashes.push(Clash { first: *record, first_lane, second_lane });
                    racing += 1;
                    return racing <= MOST_RACING || !fresh.stands_for(record);
                }
                if fresh.stands_for(record) {
                    record.lanes = left & !own;
                }
                record.lanes != 0
            });
        }
        let head = &mut heads[fresh.cross.slot()];
        *head = Self::enter(cells, *head, fresh, clock, in_step);
        *cells.heads(granule) = heads;
        if cells.records.len().is_multiple_of(BETWEEN_CHECKS) {
            self.is_full(0);
        }
    }

    /// Puts a record in front of a list, or merges it with the one that is there.
    fn enter(cells: &mut Cells, mut head: u32, fresh: &Record, clock: &Clock, in_step: bool) -> u32 {
        if let Some(first) = cells.records.get_mut(at(head)) {
            let same = Record { lanes: first.lanes, next: first.next, depth: first.depth, ..*fresh };
            if *first == same {
                first.lanes |= fresh.lanes;
                return head;
            }
            let covers = first.lanes & !fresh.lanes == 0 && first.is_of(fresh) && fresh.stands_for(first);
            if covers && first.chain == (0, 0) {
                *first = Record { next: first.next, depth: first.depth, ..*fresh };
                return head;
            }
            if first.depth >= FIRST_SWEEP && first.depth.is_power_of_two() {
                head = cells.sweep(head, fresh, clock, in_step);
                cells.measure(head);
            }
        }
        cells.push(head, *fresh)
    }

    /// The atomic write that `lane` just entered is this one of a chain.
    pub fn chained(&mut self, memory: Memory, granule: u64, fresh: &Record, lane: u32, chain: (u32, u32)) {
        let Some(cells) = self.cells.get_mut(&memory) else { return };
        let mut heads = *cells.heads(granule);
        let head = &mut heads[fresh.cross.slot()];
        let bit = 1 << lane;
        let mut found = None;
        *head = cells.retain(*head, |record| {
            let is_it = record.is_of(fresh) && record.time == fresh.time && record.pc == fresh.pc;
            if is_it && record.chain == (0, 0) && record.lanes & bit != 0 {
                record.lanes &= !bit;
                found = Some(Record { lanes: bit, chain, ..*record });
            }
            record.lanes != 0
        });
        if let Some(record) = found {
            *head = cells.push(*head, record);
        }
        *cells.heads(granule) = heads;
    }

    /// Whether reads of this memory say which writes they saw.
    pub fn is_mixed(&self, memory: Memory) -> bool {
        let position = match memory {
            Memory::Storage(buffer) => buffer,
            Memory::Workgroup(_) => self.mixed.len().saturating_sub(1),
        };
        self.mixed.get(position).copied().unwrap_or(false)
    }

    /// A workgroup has ended: nobody comes to its memory any more.
    pub fn end_workgroup(&mut self, workgroup: u32) {
        self.cells.remove(&Memory::Workgroup(workgroup));
        self.messages.forget(Memory::Workgroup(workgroup));
        if let Some(versions) = &mut self.versions {
            versions.end_workgroup(workgroup);
        }
    }

    /// Whether it outgrew the memory budget, when `others` hold so much besides. Then it enters nothing any more.
    pub fn is_full(&mut self, others: u64) -> bool {
        self.full |= self.footprint().saturating_add(others) > self.limit;
        self.full
    }

    /// Bytes it holds in memory.
    pub fn footprint(&self) -> u64 {
        let versions = self.versions.as_ref().map_or(0, Versions::footprint);
        self.cells.values().map(Cells::footprint).sum::<u64>() + self.messages.footprint() + versions
    }
}

/// Two different invocations, one of each side.
fn two_lanes(first: u128, second: u128, same_subgroup: bool) -> Option<(u32, u32)> {
    if first == 0 || second == 0 {
        return None;
    }
    let (one, other) = (first.trailing_zeros(), second.trailing_zeros());
    if !same_subgroup || one != other {
        return Some((one, other));
    }
    let (more_first, more_second) = (first & (first - 1), second & (second - 1));
    match (more_first, more_second) {
        (0, 0) => None,
        (0, more) => Some((one, more.trailing_zeros())),
        (more, _) => Some((more.trailing_zeros(), other)),
    }
}

/// Whether a scope reaches beyond the workgroup.
pub const fn is_wide(scope: Scope) -> bool {
    matches!(scope, Scope::Device | Scope::System)
}

/// Granules that `bytes` bytes from `offset` on lie in.
pub const fn granules(offset: u64, bytes: u64, shift: u32) -> Range<u64> {
    offset >> shift..((offset + bytes - 1) >> shift) + 1
}

/// What a program's accesses say about what must be kept.
struct Facts {
    narrow_scopes: bool,
    relaxed_stores: bool,
    mixed: Vec<bool>,
}

impl Facts {
    fn of(linked: &Linked) -> Self {
        let program = &linked.program;
        let mut facts = Self { narrow_scopes: false, relaxed_stores: false, mixed: Vec::new() };
        let memories = linked.granule_shifts.len() + 1;
        let (mut atomic, mut plain) = (vec![false; memories], vec![false; memories]);
        for access in &program.tables.accesses {
            let touched = match access.kind {
                AccessKind::Atomic { op, order, scope } => {
                    facts.narrow_scopes |= !is_wide(scope);
                    facts.relaxed_stores |= op == crate::ir::AtomicOp::Store && order == Order::Relaxed;
                    &mut atomic
                }
                _ => &mut plain,
            };
            for memory in memories_of(linked, program, access) {
                if let Some(flag) = touched.get_mut(memory) {
                    *flag = true;
                }
            }
        }
        facts.narrow_scopes |=
            program.code.iter().any(|instr| matches!(instr, Instr::Fence { scope, .. } if !is_wide(*scope)));
        // Seeing an atomic write orders it in PTX alone ("causality order"); elsewhere atomics have types of their own.
        let observes = program.subgroup_size.is_some();
        facts.mixed = atomic.iter().zip(&plain).map(|(atomic, plain)| observes && *atomic && *plain).collect();
        facts
    }
}

/// Positions of the images that an access may touch; workgroup memory stands behind the last.
fn memories_of(linked: &Linked, program: &Program, access: &crate::ir::Access) -> Vec<usize> {
    let workgroup = linked.granule_shifts.len();
    match access.address.base {
        Base::Binding(id) => linked.bindings.get(at(id.0)).map(|bound| bound.buffer).into_iter().collect(),
        Base::Workgroup => vec![workgroup],
        Base::Private => Vec::new(),
        base @ (Base::Absolute | Base::Generic) => {
            let own = (base == Base::Generic).then_some(workgroup);
            let reached = (0..program.bindings.len()).filter(|&id| {
                let listed = |list: &Vec<crate::ir::BindingId>| list.iter().any(|known| at(known.0) == id);
                access.reaches.as_ref().is_none_or(listed)
            });
            reached.filter_map(|id| linked.bindings.get(id)).map(|bound| bound.buffer).chain(own).collect()
        }
    }
}

/// The memory of an access.
pub const fn memory_of(space: Space, buffer: usize, workgroup: u32) -> Memory {
    match space {
        Space::Workgroup => Memory::Workgroup(workgroup),
        _ => Memory::Storage(buffer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: Memory = Memory::Storage(0);

    fn history() -> History {
        History::with(Facts { narrow_scopes: false, relaxed_stores: false, mixed: Vec::new() }, 1 << 30)
    }

    /// An access of one lane of subgroup 0 at time 0 to granule 7.
    fn record(workgroup: u32, lane: u32, class: Class) -> Record {
        Record::new((workgroup, 0, 1 << lane), 0, workgroup, 0, (class, class), 28, 4, 1)
    }

    fn touch(history: &mut History, fresh: &Record, clock: &Clock) -> Vec<u32> {
        let mut clashes = Vec::new();
        history.touch(MEMORY, 7, fresh, clock, false, &mut clashes);
        clashes.iter().map(|clash| clash.first.workgroup).collect()
    }

    fn knows(workgroups: std::ops::Range<u32>) -> Clock {
        let mut clock = Clock::default();
        workgroups.for_each(|workgroup| clock.learn_all(Source::Workgroup(workgroup), 1));
        clock
    }

    fn kept(history: &History) -> usize {
        history.cells.values().map(|cells| cells.records.len() - cells.free.len()).sum()
    }

    #[test]
    fn what_comes_before_does_not_race_and_is_forgotten() {
        let mut history = history();
        assert!(touch(&mut history, &record(0, 0, Class::Write), &Clock::default()).is_empty());
        assert_eq!(touch(&mut history, &record(1, 0, Class::Read), &Clock::default()), [0]);
        assert!(touch(&mut history, &record(2, 0, Class::Read), &knows(0..1)).is_empty());
        assert!(touch(&mut history, &record(3, 0, Class::Write), &knows(0..3)).is_empty());
        assert_eq!(kept(&history), 1);
        assert_eq!(touch(&mut history, &record(4, 0, Class::Read), &knows(0..3)), [3]);
    }

    #[test]
    fn a_write_races_with_every_reader_it_does_not_know() {
        let mut history = history();
        for reader in 0..6 {
            assert!(touch(&mut history, &record(reader, 0, Class::Read), &Clock::default()).is_empty());
        }
        let mut racing = touch(&mut history, &record(6, 0, Class::Write), &knows(2..4));
        racing.sort_unstable();
        assert_eq!(racing, [0, 1, 4, 5]);
    }

    #[test]
    fn lanes_race_with_each_other_and_not_with_themselves() {
        let mut history = history();
        assert!(touch(&mut history, &record(0, 3, Class::Write), &Clock::default()).is_empty());
        assert!(touch(&mut history, &record(0, 3, Class::Write), &Clock::default()).is_empty());
        assert_eq!(touch(&mut history, &record(0, 4, Class::Read), &Clock::default()), [0]);
        let both = Record { lanes: 0b11000, ..record(0, 3, Class::AtomicWrite) };
        assert_eq!(touch(&mut history, &both, &Clock::default()).len(), 2, "lane 4 wrote after lane 3 and vice versa");
    }

    #[test]
    fn the_scope_of_an_atomic_counts_between_workgroups_alone() {
        let mut history = history();
        let narrow = |workgroup, lane| Record { cross: Class::Write, ..record(workgroup, lane, Class::AtomicWrite) };
        assert!(touch(&mut history, &narrow(0, 0), &Clock::default()).is_empty());
        assert!(touch(&mut history, &narrow(0, 1), &Clock::default()).is_empty());
        assert_eq!(touch(&mut history, &record(1, 0, Class::AtomicWrite), &Clock::default()), [0]);
    }

    #[test]
    fn a_write_that_was_seen_comes_before() {
        let mut history = history();
        for workgroup in 0..3 {
            let add = record(workgroup, 0, Class::AtomicWrite);
            assert!(touch(&mut history, &add, &Clock::default()).is_empty());
            history.chained(MEMORY, 7, &add, 0, (1, workgroup));
        }
        let mut saw_two = Clock::default();
        saw_two.learn_all(Source::Chain(1), 2);
        assert_eq!(touch(&mut history.clone(), &record(5, 0, Class::Write), &saw_two), [2]);
        saw_two.learn_all(Source::Chain(1), 3);
        assert!(touch(&mut history, &record(5, 0, Class::Write), &saw_two).is_empty());
    }

    #[test]
    fn waiting_and_racing_take_no_room() {
        let mut history = history();
        for round in 0..10_000 {
            let wait = Record { time: round / 100, ..record(round % 2, 0, Class::AtomicRead) };
            assert!(touch(&mut history, &wait, &Clock::default()).is_empty());
        }
        assert!(kept(&history) < 64, "{}", kept(&history));
        for writer in 0..1000 {
            touch(&mut history, &record(writer + 2, 0, Class::Write), &Clock::default());
        }
        assert!(kept(&history) < 64, "{}", kept(&history));
    }

    #[test]
    fn a_history_that_is_full_says_so_and_stops() {
        let mut history = History { limit: 100_000, ..history() };
        for granule in 0..20_000 {
            history.touch(MEMORY, granule, &record(0, 0, Class::Write), &Clock::default(), false, &mut Vec::new());
        }
        assert!(history.is_full(0));
        assert!(kept(&history) <= 2 * BETWEEN_CHECKS);
        assert!(!self::history().is_full(0));
    }
}
