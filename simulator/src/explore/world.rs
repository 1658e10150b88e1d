//! One execution of a dispatch, turn by turn: who stands where, who can go on, and who only spins.
//!
//! A subgroup runs from one scheduling point to just before the next. What it does in between nobody can notice, so
//! those turns are taken at once and only the subgroups that stand before a scheduling point are choices. A subgroup
//! that came back to a state it was in, having changed no memory since, would do the same again as long as what it
//! read stays as it is: it *spins*, and is no choice until somebody changes what it reads.

use std::collections::BTreeMap;
use std::ops::Range;

use super::options::Start;
use crate::cast::{at, at64, narrow, wide};
use crate::drive::{End, Left, Meeting, Parts, Resident, meet, over_budget, settle};
use crate::ir::{Pc, Span};
use crate::link::Linked;
use crate::machine::environment::{Trace, Watch};
use crate::machine::pending::Pending;
use crate::machine::subgroup::Event;
use crate::machine::subgroup::snapshot::Snapshot;
use crate::memory::history::History;
use crate::memory::shadow::Class;
use crate::memory::{Image, Storage};
use crate::outcome::{Exhausted, Stats};
use crate::prove::exhausted;
use crate::recorder::Recorder;
use crate::schedule::{Turns, Unit};
use crate::timeline::TurnEnd;

/// Turns recorded at most.
const MOST_RECORDS: usize = 4_096;

/// Instructions between two looks at the budgets.
const FUEL: u64 = 1 << 14;

/// A subgroup of the dispatch: workgroup times subgroups per workgroup plus subgroup.
pub type UnitId = usize;

/// What can happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Who.
    pub unit: UnitId,
    /// The access it stands before; `None`: its workgroup starts.
    pub access: Option<Pending>,
}

/// What a turn did besides its access.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Workgroups that ended.
    pub ended: Vec<u32>,
    /// Workgroups that started.
    pub started: Vec<u32>,
    /// Units that left a barrier together.
    pub met: Vec<Vec<UnitId>>,
}

/// Where a subgroup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// It has a turn to take that nobody can notice.
    Free,
    /// Before a scheduling point.
    Point,
    /// At a barrier, or ended.
    Stopped,
    /// In a loop of its own without scheduling points, since memory was last changed.
    Loop { changes: u64 },
}

/// What is remembered of a subgroup to find out whether it spins.
#[derive(Debug, Default)]
struct Spin {
    /// Visits of each scheduling point since memory was last changed by it.
    visits: BTreeMap<u32, u32>,
    kept: Option<Box<Kept>>,
    /// What it read since `kept`.
    reads: Vec<(Option<usize>, Range<u64>, Vec<u8>)>,
    /// Whether it came back to `kept`.
    again: bool,
}

#[derive(Debug)]
struct Kept {
    pc: u32,
    subgroups: Vec<Snapshot>,
    memory: Vec<u8>,
    barriers: u32,
    /// Changes of memory by the whole workgroup.
    changes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Resident,
    Ended,
}

/// One turn as it was taken, for people to look at.
#[derive(Clone, Debug)]
pub struct TurnRecord {
    /// Who.
    pub unit: UnitId,
    /// The slot of its workgroup.
    pub slot: u32,
    /// Instructions it executed.
    pub instructions: u64,
    /// The access it began with.
    pub access: Option<Pending>,
    /// What the first element of that access held before.
    pub before: Option<u64>,
    /// What it held after.
    pub after: Option<u64>,
    /// Where it stopped.
    pub end: TurnEnd,
}

struct Group {
    slot: u32,
    phase: Phase,
    resident: Option<Box<Resident>>,
    stands: Vec<Stand>,
    spins: Vec<Spin>,
    /// Took a turn that others could notice.
    touched: bool,
}

/// See the file's head.
pub struct World<'a> {
    linked: &'a Linked,
    watch: &'a Watch,
    groups: Vec<Group>,
    spare: Vec<Resident>,
    slots: u32,
    start: Start,
    /// Workgroups that hold a slot, in index order.
    active: Vec<u32>,
    /// The first workgroup that has not started.
    next: u32,
    unstarted: u32,
    ended: u64,
    /// Writes that changed memory.
    changes: u64,
    intervals: u32,
    /// Whether the lowest workgroup gets a slot when nobody else can go on.
    pub favours_lowest: bool,
    /// Contents of the buffers.
    pub storage: Storage,
    /// Who touched what, where races are watched for.
    pub history: Option<History>,
    /// What the detectors noticed.
    pub recorder: Recorder,
    /// A log of accesses, where one is asked for.
    pub trace: Option<Trace>,
    /// Turns as they are taken, where they are asked for, and how many more.
    pub records: Option<(Vec<TurnRecord>, u64)>,
    /// Turns taken so far.
    pub turns: Vec<Turns>,
    /// Work done.
    pub stats: Stats,
    /// The budget that ran out.
    pub exhausted: Option<Exhausted>,
}

impl<'a> World<'a> {
    /// The dispatch before its first turn. `watch` has to describe.
    pub fn new(linked: &'a Linked, images: Vec<Image>, watch: &'a Watch, slots: u32, start: Start) -> Self {
        let group = |_| Group {
            slot: 0,
            phase: Phase::Waiting,
            resident: None,
            stands: Vec::new(),
            spins: Vec::new(),
            touched: false,
        };
        let slots = slots.min(linked.workgroups()).max(1);
        let mut world = Self {
            linked,
            watch,
            groups: (0..linked.workgroups()).map(group).collect(),
            spare: Vec::new(),
            slots,
            start,
            active: Vec::new(),
            unstarted: linked.workgroups(),
            next: 0,
            ended: 0,
            changes: 0,
            intervals: 1,
            favours_lowest: false,
            storage: Storage::shared(images),
            history: linked.clocks.then(|| History::new(linked)),
            recorder: Recorder::default(),
            trace: None,
            records: None,
            turns: Vec::new(),
            stats: Stats::default(),
            exhausted: None,
        };
        if u64::from(slots) > linked.config.budget.memory / Resident::footprint(linked).max(1) {
            world.exhausted = Some(exhausted(linked, "memory", Span::default(), 0));
        }
        world
    }

    /// Units of the dispatch.
    pub fn units(&self) -> usize {
        self.groups.len() * at(self.linked.subgroups)
    }

    /// Workgroup and subgroup of a unit.
    pub fn place(&self, unit: UnitId) -> (u32, u32) {
        let subgroups = at(self.linked.subgroups).max(1);
        (narrow(unit / subgroups), narrow(unit % subgroups))
    }

    /// Units of a workgroup.
    pub fn units_of(&self, workgroup: u32) -> Range<UnitId> {
        let subgroups = at(self.linked.subgroups);
        at(workgroup) * subgroups..(at(workgroup) + 1) * subgroups
    }

    /// Whether every workgroup has ended.
    pub fn is_done(&self) -> bool {
        self.ended == u64::from(self.linked.workgroups())
    }

    /// Whether some workgroup has not started yet, so that ends of others matter.
    pub fn is_someone_waiting(&self) -> bool {
        at(self.next) < self.groups.len()
    }

    /// Whether a workgroup has taken no turn that others could notice.
    pub fn is_untouched(&self, workgroup: u32) -> bool {
        self.groups.get(at(workgroup)).is_some_and(|group| !group.touched)
    }

    /// Workgroups that hold a slot, in index order.
    pub fn residents(&self) -> &[u32] {
        &self.active
    }

    /// Workgroups that have not started, in index order.
    pub fn unstarted(&self) -> impl Iterator<Item = u32> + '_ {
        let waiting = (0..).zip(&self.groups).skip(at(self.next)).filter(|(_, group)| group.phase == Phase::Waiting);
        waiting.map(|(index, _)| index)
    }

    fn free_slots(&self) -> u32 {
        self.slots.saturating_sub(narrow(self.active.len()))
    }

    /// Takes all turns that nobody can notice, up to where only choices are left.
    pub fn advance(&mut self) -> Effects {
        let mut effects = Effects::default();
        while self.exhausted.is_none() {
            self.fill_slots(&mut effects);
            let Some((workgroup, subgroup)) = self.free() else { break };
            self.turn(workgroup, subgroup, &mut effects);
        }
        if self.is_over_memory() {
            self.exhausted = Some(exhausted(self.linked, "memory", Span::default(), self.ended));
        }
        effects
    }

    fn fill_slots(&mut self, effects: &mut Effects) {
        if self.start == Start::Waves && !self.active.is_empty() {
            return;
        }
        while self.is_someone_waiting() && self.free_slots() > 0 {
            if self.is_start_a_choice() {
                break;
            }
            self.launch(self.next, effects);
        }
    }

    /// Where not everyone fits, who starts is a choice, and when.
    fn is_start_a_choice(&self) -> bool {
        self.start == Start::AnyOrder && at(self.slots) < self.groups.len()
    }

    fn launch(&mut self, workgroup: u32, effects: &mut Effects) {
        let mut resident = Box::new(self.spare.pop().unwrap_or_else(|| Resident::new(self.linked)));
        resident.start(self.linked, workgroup, &mut self.intervals);
        resident.workgroup.changes = Some(0);
        let subgroups = resident.subgroups.len();
        let taken = |slot: &u32| self.active.iter().any(|&other| self.groups[at(other)].slot == *slot);
        let slot = (0..).find(|slot| !taken(slot)).unwrap_or(0);
        let group = &mut self.groups[at(workgroup)];
        group.phase = Phase::Resident;
        group.slot = slot;
        group.resident = Some(resident);
        group.stands = vec![Stand::Free; subgroups];
        group.spins = (0..subgroups).map(|_| Spin::default()).collect();
        self.unstarted -= 1;
        let place = self.active.partition_point(|&other| other < workgroup);
        self.active.insert(place, workgroup);
        while self.groups.get(at(self.next)).is_some_and(|group| group.phase != Phase::Waiting) {
            self.next += 1;
        }
        self.stats.workgroups += 1;
        self.stats.invocations += u64::from(self.linked.invocations);
        effects.started.push(workgroup);
    }

    /// A subgroup whose next turn nobody can notice.
    fn free(&self) -> Option<(u32, u32)> {
        let is_free = |stand: &Stand| match stand {
            Stand::Free => true,
            Stand::Loop { changes } => *changes != self.changes,
            Stand::Point | Stand::Stopped => false,
        };
        self.active.iter().find_map(|&workgroup| {
            let stands = &self.groups.get(at(workgroup))?.stands;
            stands.iter().position(is_free).map(|subgroup| (workgroup, narrow(subgroup)))
        })
    }

    /// Everything that can happen next. None, and not all have ended: nobody makes progress.
    pub fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for &workgroup in &self.active {
            let group = &self.groups[at(workgroup)];
            let Some(resident) = &group.resident else { continue };
            for (subgroup, stand) in group.stands.iter().enumerate() {
                if *stand == Stand::Point && !self.spins(workgroup, subgroup) {
                    let access = resident.subgroups.get(subgroup).and_then(|subgroup| subgroup.pending.clone());
                    choices.push(Choice { unit: self.units_of(workgroup).start + subgroup, access });
                }
            }
        }
        if self.is_start_a_choice() && self.free_slots() > 0 {
            let start = |workgroup| Choice { unit: self.units_of(workgroup).start, access: None };
            choices.extend(self.unstarted().map(start));
            choices.sort_unstable_by_key(|choice| choice.unit);
        }
        let lowest = self.groups.iter().position(|group| group.phase != Phase::Ended);
        if choices.is_empty()
            && self.favours_lowest
            && let Some(lowest) = lowest.filter(|&lowest| self.groups[lowest].phase == Phase::Waiting)
        {
            choices.push(Choice { unit: self.units_of(narrow(lowest)).start, access: None });
        }
        choices
    }

    /// Whether a subgroup would only do again what it did.
    fn spins(&self, workgroup: u32, subgroup: usize) -> bool {
        let group = &self.groups[at(workgroup)];
        let Some(spin) = group.spins.get(subgroup).filter(|spin| spin.again) else { return false };
        let memory = group.resident.as_ref().map_or(&[][..], |resident| &resident.workgroup.memory);
        spin.reads.iter().all(|(buffer, bytes, then)| self.bytes_are(memory, *buffer, bytes, then))
    }

    fn bytes_are(&self, memory: &[u8], buffer: Option<usize>, bytes: &Range<u64>, then: &[u8]) -> bool {
        match buffer {
            Some(buffer) => {
                let mut now = vec![0; then.len()];
                self.storage.read(buffer, bytes.start, &mut now);
                now == then
            }
            None => memory.get(at64(bytes.start)..at64(bytes.end)) == Some(then),
        }
    }

    /// Subgroups that spin or loop, with what they stand before.
    pub fn spinners(&self) -> Vec<(UnitId, Option<Pending>)> {
        let mut found = Vec::new();
        for &workgroup in &self.active {
            let group = &self.groups[at(workgroup)];
            for (subgroup, stand) in group.stands.iter().enumerate() {
                let unit = self.units_of(workgroup).start + subgroup;
                let pending = group.resident.as_ref().and_then(|resident| resident.subgroups.get(subgroup));
                match stand {
                    Stand::Point if self.spins(workgroup, subgroup) => {
                        found.push((unit, pending.and_then(|subgroup| subgroup.pending.clone())));
                    }
                    Stand::Loop { changes } if *changes == self.changes => found.push((unit, None)),
                    _ => {}
                }
            }
        }
        found
    }

    /// An element of memory as it is now: up to 8 bytes, little-endian.
    pub fn value(&self, workgroup: u32, buffer: Option<usize>, start: u64, bytes: u32) -> Option<u64> {
        let mut element = [0; 8];
        let element = element.get_mut(..at(bytes))?;
        match buffer {
            Some(buffer) => self.storage.read(buffer, start, element),
            None => {
                let resident = self.groups.get(at(workgroup))?.resident.as_ref()?;
                element.copy_from_slice(resident.workgroup.memory.get(at64(start)..at64(start) + at(bytes))?);
            }
        }
        Some(element.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// Instructions that a subgroup of a resident workgroup has executed.
    pub fn clock(&self, unit: UnitId) -> Option<u64> {
        let (workgroup, subgroup) = self.place(unit);
        let resident = self.groups.get(at(workgroup))?.resident.as_ref()?;
        resident.subgroups.get(at(subgroup)).map(|subgroup| subgroup.clock)
    }

    /// Where a subgroup of a resident workgroup stands.
    pub fn pc(&self, unit: UnitId) -> Option<Pc> {
        let (workgroup, subgroup) = self.place(unit);
        let resident = self.groups.get(at(workgroup))?.resident.as_ref()?;
        resident.subgroups.get(at(subgroup)).map(|subgroup| Pc(subgroup.pc()))
    }

    /// Whether every subgroup of a resident workgroup spins, loops or waits for one that does.
    pub fn is_stuck(&self, workgroup: u32) -> bool {
        let Some(group) = self.groups.get(at(workgroup)).filter(|group| group.phase == Phase::Resident) else {
            return false;
        };
        (0..).zip(&group.stands).all(|(subgroup, stand)| match stand {
            Stand::Free => false,
            Stand::Point => self.spins(workgroup, subgroup),
            Stand::Loop { changes } => *changes == self.changes,
            Stand::Stopped => true,
        })
    }

    /// Takes one choice, and all turns that follow from it without one.
    pub fn take(&mut self, unit: UnitId) -> Effects {
        let mut effects = Effects::default();
        let (workgroup, subgroup) = self.place(unit);
        match self.groups.get(at(workgroup)).map(|group| group.phase) {
            Some(Phase::Waiting) => self.launch(workgroup, &mut effects),
            Some(Phase::Resident) => {
                self.note_reads(workgroup, subgroup);
                self.groups[at(workgroup)].touched = true;
                self.turn(workgroup, subgroup, &mut effects);
            }
            _ => return effects,
        }
        let Effects { ended, started, met } = self.advance();
        effects.ended.extend(ended);
        effects.started.extend(started);
        effects.met.extend(met);
        effects
    }

    /// Takes these turns, whoever could notice them or not. What is left then stands where it stands.
    ///
    /// # Errors
    /// A unit that cannot take its turn, with the number of the run of turns.
    pub fn follow(&mut self, turns: &[Turns]) -> Result<(), (usize, Unit)> {
        let mut effects = Effects::default();
        for (position, &Turns { unit, count }) in turns.iter().enumerate() {
            let mut taken = 0;
            while self.exhausted.is_none() && count.is_none_or(|count| taken < count) {
                self.fill_slots(&mut effects);
                let Some(subgroup) = self.next_of(unit, &mut effects) else {
                    if count.is_none() && taken > 0 {
                        break;
                    }
                    return Err((position, unit));
                };
                // "Until it ends" is no reason to go round for ever.
                if count.is_none() && self.spins(unit.workgroup, at(subgroup)) {
                    break;
                }
                self.note_reads(unit.workgroup, subgroup);
                self.turn(unit.workgroup, subgroup, &mut effects);
                taken += 1;
            }
        }
        Ok(())
    }

    /// Takes turns that were taken with fewer scheduling points: those of `coarse`. `None` where they do not fit.
    pub fn follow_coarsely(&mut self, turns: &[Turns], coarse: &Watch) -> Option<()> {
        let mut effects = Effects::default();
        for &Turns { unit, count } in turns {
            for _ in 0..count? {
                loop {
                    self.fill_slots(&mut effects);
                    let subgroup = self.next_of(unit, &mut effects)?;
                    self.turn(unit.workgroup, subgroup, &mut effects);
                    if self.exhausted.is_some() {
                        return None;
                    }
                    // What was one endless loop there is a spin here.
                    if !self.is_between(unit.workgroup, subgroup, coarse) || self.spins(unit.workgroup, at(subgroup)) {
                        break;
                    }
                }
            }
        }
        Some(())
    }

    /// Whether a subgroup stands before an access that is none of the coarse scheduling points.
    fn is_between(&self, workgroup: u32, subgroup: u32, coarse: &Watch) -> bool {
        let group = &self.groups[at(workgroup)];
        if group.stands.get(at(subgroup)) != Some(&Stand::Point) {
            return false;
        }
        let resident = group.resident.as_ref();
        let pending = resident.and_then(|resident| resident.subgroups.get(at(subgroup))?.pending.as_ref());
        pending.is_some_and(|pending| {
            let watched = |reach: &crate::machine::pending::Reach| {
                let ranges = match reach.buffer {
                    Some(buffer) => coarse.storage.get(buffer).map_or(&[][..], Vec::as_slice),
                    None => &coarse.workgroup,
                };
                Watch::hits(ranges, reach.bytes.start, reach.bytes.end - reach.bytes.start)
            };
            matches!(pending.class, Class::Read | Class::Write) && !pending.ranges.iter().any(watched)
        })
    }

    /// The subgroup of a unit that takes its next turn.
    fn next_of(&mut self, unit: Unit, effects: &mut Effects) -> Option<u32> {
        let waits = self.groups.get(at(unit.workgroup))?.phase == Phase::Waiting;
        if waits && self.start == Start::AnyOrder && self.free_slots() > 0 {
            self.launch(unit.workgroup, effects);
        }
        let group = self.groups.get(at(unit.workgroup)).filter(|group| group.phase == Phase::Resident)?;
        let can = |subgroup: usize| match group.stands.get(subgroup) {
            Some(Stand::Free | Stand::Point) => true,
            Some(Stand::Loop { changes }) => *changes != self.changes,
            Some(Stand::Stopped) | None => false,
        };
        match unit.subgroup {
            Some(subgroup) => can(at(subgroup)).then_some(subgroup),
            None => (0..group.stands.len()).find(|&subgroup| can(subgroup)).map(narrow),
        }
    }

    /// One subgroup runs up to its next scheduling point.
    fn turn(&mut self, workgroup: u32, subgroup: u32, effects: &mut Effects) {
        let Some((records, left_out)) = &self.records else { return self.run_turn(workgroup, subgroup, effects) };
        if records.len() >= MOST_RECORDS {
            let left_out = left_out + 1;
            self.records = self.records.take().map(|(records, _)| (records, left_out));
            return self.run_turn(workgroup, subgroup, effects);
        }
        let group = &self.groups[at(workgroup)];
        let slot = group.slot;
        let resident = group.resident.as_ref().and_then(|resident| resident.subgroups.get(at(subgroup)));
        let (access, instructions) = resident.map_or((None, 0), |running| (running.pending.clone(), running.clock));
        let first = access.as_ref().and_then(|access| access.ranges.first().cloned());
        let element = |world: &Self| {
            let reach = first.as_ref()?;
            let bytes = narrow(at64(reach.bytes.end - reach.bytes.start)).min(4);
            world.value(workgroup, reach.buffer, reach.bytes.start, bytes)
        };
        let before = element(self);
        let ended = effects.ended.len();
        self.run_turn(workgroup, subgroup, effects);
        let after = element(self);
        let group = &self.groups[at(workgroup)];
        let running = group.resident.as_ref().and_then(|resident| resident.subgroups.get(at(subgroup)));
        let end = match (group.stands.get(at(subgroup)), running) {
            _ if effects.ended.len() > ended => TurnEnd::Ended,
            (Some(Stand::Stopped), Some(running)) if running.live() == 0 => TurnEnd::Ended,
            (Some(Stand::Point | Stand::Loop { .. }), _) => TurnEnd::Point,
            _ => TurnEnd::Barrier,
        };
        let clock = running.map_or(instructions, |running| running.clock);
        let record = TurnRecord {
            unit: self.units_of(workgroup).start + at(subgroup),
            slot,
            instructions: clock.saturating_sub(instructions),
            access,
            before,
            after,
            end,
        };
        if let Some((records, _)) = &mut self.records {
            records.push(record);
        }
    }

    /// The turn itself.
    fn run_turn(&mut self, workgroup: u32, subgroup: u32, effects: &mut Effects) {
        let unit = Unit { workgroup, subgroup: (self.linked.subgroups > 1).then_some(subgroup) };
        match self.turns.last_mut() {
            Some(Turns { unit: last, count: Some(count) }) if *last == unit && *count < u32::MAX => *count += 1,
            _ => self.turns.push(Turns { unit, count: Some(1) }),
        }
        let group = &mut self.groups[at(workgroup)];
        let Some(resident) = &mut group.resident else { return };
        let Resident { workgroup: shared, subgroups } = &mut **resident;
        let running = &mut subgroups[at(subgroup)];
        let changes = shared.changes.unwrap_or(0);
        let mut parts = Parts {
            linked: self.linked,
            storage: &mut self.storage,
            shadows: &mut [],
            history: self.history.as_mut(),
            recorder: &mut self.recorder,
            watch: Some(self.watch),
            trace: self.trace.as_mut(),
        };
        let mut env = parts.environment(shared);
        let (mut pauses, mut kept): (u32, Option<(Snapshot, u64)>) = (0, None);
        let stand = loop {
            let event = running.run(&mut env, FUEL, true);
            if let Some(End::Exhausted(budget, span)) = over_budget(self.linked, running, running.instructions) {
                self.exhausted = Some(exhausted(self.linked, budget, span, self.ended));
                break Stand::Stopped;
            }
            match event {
                Event::Ended | Event::Waiting => break Stand::Stopped,
                Event::Yielded => break Stand::Point,
                Event::Paused if !env.workgroup.arrivals.is_empty() => break Stand::Free,
                Event::Paused => {}
            }
            // A loop without scheduling points ends by itself or never: whether it comes back to where it was is seen
            // after a while, however long the way round (Brent's algorithm).
            if kept
                .as_ref()
                .is_some_and(|(then, changes)| env.workgroup.changes.unwrap_or(0) == *changes && running.is_as(then))
            {
                break Stand::Loop { changes: self.changes + (env.workgroup.changes.unwrap_or(0) - changes) };
            }
            pauses += 1;
            if pauses.is_power_of_two() {
                kept = Some((running.snapshot(), env.workgroup.changes.unwrap_or(0)));
            }
        };
        let changed = shared.changes.unwrap_or(0) != changes;
        self.changes += shared.changes.unwrap_or(0) - changes;
        group.stands[at(subgroup)] = stand;
        if changed {
            group.spins[at(subgroup)] = Spin::default();
        }
        let left = settle(resident, self.linked, &mut self.intervals);
        if !left.is_empty() {
            let first = self.units_of(workgroup).start;
            let group = &mut self.groups[at(workgroup)];
            for Left { some, whole, .. } in left {
                // Whoever stands before a scheduling point goes on standing there.
                for &id in &some {
                    let stand = &mut group.stands[at(id)];
                    *stand = if *stand == Stand::Stopped { Stand::Free } else { *stand };
                }
                effects.met.push(whole.into_iter().map(|id| first + at(id)).collect());
            }
            return;
        }
        match stand {
            Stand::Point => group.look_for_spin(subgroup),
            Stand::Stopped if group.stands.iter().all(|stand| *stand == Stand::Stopped) => {
                self.meet(workgroup, effects)
            }
            _ => {}
        }
    }

    /// What a subgroup is about to read, while it is followed.
    fn note_reads(&mut self, workgroup: u32, subgroup: u32) {
        let group = &mut self.groups[at(workgroup)];
        let Some(resident) = &group.resident else { return };
        let pending = resident.subgroups.get(at(subgroup)).and_then(|subgroup| subgroup.pending.as_ref());
        let Some(spin) = group.spins.get_mut(at(subgroup)).filter(|spin| spin.kept.is_some()) else { return };
        if std::mem::take(&mut spin.again) {
            // It is as it was, and somebody has changed what it read.
            spin.reads.clear();
        }
        for reach in pending.iter().flat_map(|pending| &pending.ranges) {
            let mut bytes = vec![0; at64(reach.bytes.end - reach.bytes.start)];
            match reach.buffer {
                Some(buffer) => self.storage.read(buffer, reach.bytes.start, &mut bytes),
                None => {
                    let range = at64(reach.bytes.start)..at64(reach.bytes.end);
                    resident.workgroup.memory.get(range).into_iter().for_each(|now| bytes.copy_from_slice(now));
                }
            }
            spin.reads.push((reach.buffer, reach.bytes.clone(), bytes));
        }
    }

    /// All subgroups of a workgroup wait or have ended.
    fn meet(&mut self, workgroup: u32, effects: &mut Effects) {
        if self.exhausted.is_some() {
            return;
        }
        let group = &mut self.groups[at(workgroup)];
        let Some(resident) = &mut group.resident else { return };
        let mut parts = Parts {
            linked: self.linked,
            storage: &mut self.storage,
            shadows: &mut [],
            history: self.history.as_mut(),
            recorder: &mut self.recorder,
            watch: Some(self.watch),
            trace: self.trace.as_mut(),
        };
        match meet(resident, &mut parts, &mut self.intervals) {
            Meeting::Passed => {
                group.stands.fill(Stand::Free);
                effects.met.push(self.units_of(workgroup).collect());
            }
            Meeting::Ended | Meeting::Diverged => {
                group.phase = Phase::Ended;
                if let Some(history) = &mut self.history {
                    history.end_workgroup(workgroup);
                }
                self.ended += 1;
                self.active.retain(|&other| other != workgroup);
                self.stats.instructions += resident.instructions();
                self.spare.extend(group.resident.take().map(|resident| *resident));
                group.spins.clear();
                effects.ended.push(workgroup);
            }
        }
    }

    /// Whether the history outgrew the memory budget.
    fn is_over_memory(&mut self) -> bool {
        let Some(history) = &mut self.history else { return false };
        let residents = self.active.iter().filter_map(|&workgroup| self.groups.get(at(workgroup))?.resident.as_ref());
        history.is_full(residents.map(|resident| resident.known_footprint()).sum())
    }

    /// Bytes it holds at most.
    pub fn footprint(&self) -> u64 {
        let residents = wide(self.spare.len() + self.active.len());
        self.storage.footprint() + residents * Resident::footprint(self.linked)
    }
}

impl Group {
    /// A subgroup has come to a scheduling point: is it as it was before?
    fn look_for_spin(&mut self, subgroup: u32) {
        let Some(resident) = &self.resident else { return };
        let Some(me) = resident.subgroups.get(at(subgroup)) else { return };
        let spin = &mut self.spins[at(subgroup)];
        let pc = me.pc();
        let visits = spin.visits.entry(pc).or_default();
        *visits += 1;
        if let Some(kept) = spin.kept.as_deref().filter(|kept| kept.pc == pc) {
            let alone = kept.barriers == resident.workgroup.barriers;
            // Where it met others on the way, what they do counts as well.
            let same = if alone {
                kept.subgroups.get(at(subgroup)).is_some_and(|then| me.is_as(then))
            } else {
                kept.changes == resident.workgroup.changes.unwrap_or(0)
                    && kept.memory == resident.workgroup.memory
                    && resident.subgroups.iter().zip(&kept.subgroups).all(|(now, then)| now.is_as(then))
            };
            if same {
                spin.again = true;
                return;
            }
        }
        if *visits > 1 && visits.is_power_of_two() {
            spin.again = false;
            spin.reads.clear();
            spin.kept = Some(Box::new(Kept {
                pc,
                subgroups: resident.subgroups.iter().map(|subgroup| subgroup.snapshot()).collect(),
                memory: resident.workgroup.memory.clone(),
                barriers: resident.workgroup.barriers,
                changes: resident.workgroup.changes.unwrap_or(0),
            }));
        }
    }
}
