//! One execution: the workgroups, their memory, who can go on, and which turns were taken.
//!
//! It runs a unit from one stop to the next and says where it stopped. Who runs is loom's to choose; this knows no loom.

use std::sync::Arc;

use super::spin::Spin;
use super::turns::{Stretch, Turns};
use super::{Limit, NoProgress, Units, Waiting, WaitsFor};
use crate::cast::{at, narrow};
use crate::drive::{End, Meeting, Parts, Resident, meet, over_budget, settle};
use crate::ir::{BarrierScope, Order, Pc, Scope};
use crate::link::Linked;
use crate::machine::environment::{Trace, TraceEntry, Watch};
use crate::machine::pending::Pending;
use crate::machine::subgroup::{Event, ParkedAt, Subgroup};
use crate::memory::{Image, Storage};
use crate::recorder::Recorder;

/// Instructions that a subgroup runs at once; few, so that the log of its accesses does not overflow.
const FUEL: u64 = 1 << 12;

/// Entries at which a log of accesses may have lost some.
const FULL: usize = 1 << 16;

/// What a model runs, the same in every execution.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The dispatch.
    pub linked: Arc<Linked>,
    /// The buffers when it starts.
    pub start: Vec<Image>,
    /// What runs as a thread.
    pub units: Units,
    /// Threads.
    pub count: usize,
    /// Workgroups resident at the same time.
    pub slots: u32,
    /// Scheduling points.
    pub watch: Watch,
    /// Every byte that several units may touch.
    pub shared: Watch,
    /// Whether races on storage memory are looked for.
    pub storage: bool,
    /// Whether races on workgroup memory are looked for.
    pub workgroup: bool,
}

/// See the file's head.
#[derive(Debug)]
pub struct Execution {
    subject: Subject,
    storage: Storage,
    recorder: Recorder,
    trace: Trace,
    parties: Vec<Party>,
    intervals: u32,
    /// Grows whenever memory changes, a barrier opens or a unit ends.
    version: u64,
    units: Vec<UnitState>,
    meetings: Vec<Shared>,
    turns: Turns,
}

/// One workgroup.
#[derive(Debug)]
struct Party {
    resident: Resident,
    members: Vec<Member>,
    ended: bool,
}

/// One subgroup.
#[derive(Debug)]
struct Member {
    ready: bool,
    stop: Option<Pending>,
    stretch: Stretch,
    spin: Spin,
}

#[derive(Debug, Default)]
struct UnitState {
    finished: bool,
    waits: Option<WaitsFor>,
    meeting: Option<usize>,
}

/// Units that have met at a barrier and tell each other what they have done.
#[derive(Debug)]
struct Shared {
    members: Vec<usize>,
    left: usize,
}

/// What a unit does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This subgroup runs on.
    Run(usize),
    /// This subgroup stands before a scheduling point.
    Access(usize, Pending),
    /// This subgroup stands before a fence with this order; `None` for one that other units do not notice.
    Fence(usize, Option<Order>),
    /// It has passed a barrier with these units and itself, which orders what they did before it.
    Met(Vec<usize>),
    /// Nothing, until something happens.
    Wait(WaitsFor),
    /// It has ended.
    Ended,
}

/// What a subgroup may do when it is told to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Nothing that is a scheduling point.
    Nothing,
    /// The access it stands before.
    Access,
    /// The fence it stands before.
    Fence,
}

impl Execution {
    /// The start of a dispatch.
    pub fn new(subject: Subject, turns: Turns) -> Self {
        let parties = match subject.units {
            Units::Workgroups => subject.count,
            Units::Subgroups { .. } => 1,
        };
        let party = |_| Party { resident: Resident::new(&subject.linked), members: Vec::new(), ended: false };
        let mut execution = Self {
            storage: Storage::shared(Vec::new()),
            recorder: Recorder::default(),
            trace: Trace { watch: subject.shared.clone(), entries: Vec::new() },
            parties: (0..parties).map(party).collect(),
            intervals: 1,
            version: 0,
            units: Vec::new(),
            meetings: Vec::new(),
            turns,
            subject,
        };
        execution.restart();
        execution
    }

    /// The start again.
    pub fn restart(&mut self) {
        let Self { subject, parties, intervals, .. } = self;
        self.storage = Storage::shared(subject.start.clone());
        self.recorder = Recorder::default();
        self.trace.entries.clear();
        *intervals = 1;
        for (index, party) in (0..).zip(parties) {
            let workgroup = match subject.units {
                Units::Workgroups => index,
                Units::Subgroups { workgroup } => workgroup,
            };
            party.resident.start(&subject.linked, workgroup, intervals);
            party.resident.workgroup.changes = Some(0);
            let member = |_| Member { ready: true, stop: None, stretch: Stretch::START, spin: Spin::default() };
            party.members.clear();
            party.members.extend((0..subject.linked.subgroups).map(member));
            party.ended = false;
        }
        self.version = 0;
        self.units.clear();
        self.units.resize_with(subject.count, UnitState::default);
        self.meetings.clear();
        self.turns.clear();
    }

    /// The turns taken so far.
    pub const fn turns(&self) -> &Turns {
        &self.turns
    }

    const fn party_of(&self, unit: usize) -> usize {
        match self.subject.units {
            Units::Workgroups => unit,
            Units::Subgroups { .. } => 0,
        }
    }

    /// What a unit does next.
    pub fn step(&self, unit: usize) -> Step {
        let party = &self.parties[self.party_of(unit)];
        let chosen = match self.subject.units {
            Units::Workgroups if party.ended => return Step::Ended,
            Units::Workgroups => {
                let mut members = party.members.iter();
                members.position(|member| member.ready && !member.spin.is_idle(self.version))
            }
            Units::Subgroups { .. } => {
                if let Some(meeting) = self.units[unit].meeting {
                    let others = self.meetings[meeting].members.iter().filter(|&&other| other != unit);
                    return Step::Met(others.copied().collect());
                }
                let member = &party.members[unit];
                if party.ended || party.resident.subgroups[unit].live() == 0 {
                    return Step::Ended;
                }
                if !member.ready {
                    return Step::Wait(WaitsFor::Barrier);
                }
                (!member.spin.is_idle(self.version)).then_some(unit)
            }
        };
        let Some(subgroup) = chosen else { return Step::Wait(WaitsFor::Change) };
        match &party.members[subgroup].stop {
            None => Step::Run(subgroup),
            Some(Pending { fence: Some((order, scope)), .. }) => {
                Step::Fence(subgroup, self.reaches(*scope).then_some(*order))
            }
            Some(pending) => Step::Access(subgroup, pending.clone()),
        }
    }

    /// Whether an atomic or fence of this scope means anything to other units.
    pub fn reaches(&self, scope: Scope) -> bool {
        scope != Scope::Workgroup || self.subject.units != Units::Workgroups
    }

    /// Runs a subgroup up to its next stop. What it touched, in order.
    ///
    /// # Errors
    /// The limit that it met.
    pub fn run(&mut self, unit: usize, subgroup: usize, grant: Grant) -> Result<Vec<TraceEntry>, Limit> {
        let position = self.party_of(unit);
        let party = &mut self.parties[position];
        let member = &mut party.members[subgroup];
        member.stop = None;
        let workgroup = party.resident.workgroup.index;
        if grant == Grant::Access {
            self.turns.push(workgroup, narrow(subgroup));
            member.stretch = Stretch::Counted;
        }
        let mut parts = Parts {
            linked: &self.subject.linked,
            storage: &mut self.storage,
            shadows: &mut [],
            history: None,
            recorder: &mut self.recorder,
            watch: Some(&self.subject.watch),
            trace: Some(&mut self.trace),
        };
        let runner = &mut party.resident.subgroups[subgroup];
        let mut env = parts.environment(&mut party.resident.workgroup);
        let event = runner.run(&mut env, FUEL, grant != Grant::Nothing);
        let parted = event == Event::Paused && !env.workgroup.arrivals.is_empty();
        self.version += env.workgroup.changes.replace(0).unwrap_or(0);
        if let Some(End::Exhausted(budget, span)) = over_budget(&self.subject.linked, runner, runner.instructions) {
            return Err(if budget == "time" { Limit::Duration } else { Limit::Instructions(span) });
        }
        if self.trace.entries.len() >= FULL {
            return Err(Limit::Accesses(FULL));
        }
        let at_fence = runner.pending.as_ref().is_some_and(|stop| stop.fence.is_some());
        if member.stretch.ran(event, at_fence, parted) {
            self.turns.push(workgroup, narrow(subgroup));
        }
        if event == Event::Yielded {
            member.stop = runner.pending.clone();
            if member.stop.as_ref().is_some_and(|stop| stop.fence.is_none()) {
                member.spin.stands(runner, self.version);
            }
        }
        let entries = std::mem::take(&mut self.trace.entries);
        self.meet(position, subgroup, event)?;
        Ok(entries)
    }

    /// Lets subgroups through the barriers that have everyone they wait for.
    fn meet(&mut self, position: usize, subgroup: usize, event: Event) -> Result<(), Limit> {
        let is_unit = self.subject.units != Units::Workgroups;
        let party = &mut self.parties[position];
        let waiting: Vec<u32> = party.resident.subgroups.iter().map(waiting_lanes).collect();
        if is_unit && party.resident.workgroup.arrivals.iter().any(|arrivals| arrivals.gone_on > 0) {
            return Err(Limit::Arrival);
        }
        let left = settle(&mut party.resident, &self.subject.linked, &mut self.intervals);
        if is_unit && left.iter().any(|left| left.of_some) {
            return Err(Limit::Arrival);
        }
        if !left.is_empty() {
            self.release(position, subgroup, event, &waiting, true);
            return Ok(());
        }
        if !matches!(event, Event::Ended | Event::Waiting) {
            return Ok(());
        }
        party.members[subgroup].ready = false;
        if party.members.iter().any(|member| member.ready) {
            return Ok(());
        }
        let covers = self.covers(position);
        let party = &mut self.parties[position];
        let mut parts = Parts {
            linked: &self.subject.linked,
            storage: &mut self.storage,
            shadows: &mut [],
            history: None,
            recorder: &mut self.recorder,
            watch: None,
            trace: None,
        };
        match meet(&mut party.resident, &mut parts, &mut self.intervals) {
            Meeting::Passed => self.release(position, subgroup, event, &waiting, covers),
            Meeting::Ended => {
                party.ended = true;
                self.version += 1;
            }
            Meeting::Diverged => return Err(Limit::Divergence),
        }
        Ok(())
    }

    /// Whether the barrier that everyone waits at orders all memory that is looked at.
    fn covers(&self, position: usize) -> bool {
        let subgroups = &self.parties[position].resident.subgroups;
        let mut waiting = subgroups.iter().flat_map(|subgroup| &subgroup.waiting);
        let Subject { storage, workgroup, .. } = self.subject;
        waiting.all(|waiting| (!storage || waiting.storage_memory) && (!workgroup || waiting.workgroup_memory))
    }

    /// Those who waited at a barrier go on. As in [`crate::run`], everyone of the workgroup gets a turn, also who cannot use
    /// it.
    fn release(&mut self, position: usize, subgroup: usize, event: Event, waited: &[u32], covers: bool) {
        self.version += 1;
        let Party { resident, members, .. } = &mut self.parties[position];
        let mut through = Vec::new();
        for (id, (member, runner)) in members.iter_mut().zip(&resident.subgroups).enumerate() {
            if !member.ready || (id == subgroup && event != Event::Yielded) {
                member.stretch = Stretch::START;
                member.spin.reset(self.version);
                member.stop = None;
            }
            member.ready = runner.can_run();
            if !member.ready {
                self.turns.push(resident.workgroup.index, narrow(id));
            }
            if waiting_lanes(runner) < waited[id] {
                through.push(id);
            }
        }
        if covers && through.len() > 1 && self.subject.units != Units::Workgroups {
            for &unit in &through {
                self.units[unit].meeting = Some(self.meetings.len());
            }
            self.meetings.push(Shared { left: through.len(), members: through });
        }
    }

    /// A unit has told the others of its barrier what it has done.
    pub fn has_shared(&mut self, unit: usize) {
        if let Some(meeting) = self.units[unit].meeting {
            self.meetings[meeting].left -= 1;
        }
    }

    /// Whether all who met at a unit's barrier have told each other; it then leaves the meeting.
    pub fn leave_meeting(&mut self, unit: usize) -> bool {
        let complete = self.units[unit].meeting.is_none_or(|meeting| self.meetings[meeting].left == 0);
        if complete {
            self.units[unit].meeting = None;
        }
        complete
    }

    /// Whether a unit has a slot.
    pub fn has_slot(&self, unit: usize) -> bool {
        let ended = self.units.iter().filter(|unit| unit.finished).count();
        self.subject.units != Units::Workgroups || ended + at(self.subject.slots) > unit
    }

    /// Whether slots are scarce.
    pub fn is_gated(&self) -> bool {
        self.subject.units == Units::Workgroups && at(self.subject.slots) < self.subject.count
    }

    /// A unit has ended. Whether all have.
    pub fn finish(&mut self, unit: usize) -> bool {
        self.units[unit].finished = true;
        self.version += 1;
        self.units.iter().all(|unit| unit.finished)
    }

    /// A unit waits from now on, or no longer.
    pub fn wait(&mut self, unit: usize, what: Option<WaitsFor>) {
        self.units[unit].waits = what;
    }

    /// Whether a unit that waits need not any more.
    pub fn may_go(&self, unit: usize) -> bool {
        match self.units[unit].waits {
            None => true,
            Some(WaitsFor::Slot) => self.has_slot(unit),
            Some(WaitsFor::Change | WaitsFor::Barrier) => !matches!(self.step(unit), Step::Wait(_)),
        }
    }

    /// Everyone who waits, where everyone who has not ended does, and for ever.
    pub fn stuck(&self, dispatch: usize) -> Option<NoProgress> {
        let live: Vec<usize> = (0..self.units.len()).filter(|&unit| !self.units[unit].finished).collect();
        if live.is_empty() || live.iter().any(|&unit| self.may_go(unit)) {
            return None;
        }
        let waiting = live.into_iter().filter_map(|unit| self.waiting(unit)).collect();
        Some(NoProgress { waiting, dispatch, schedule: self.turns.schedule().clone() })
    }

    fn waiting(&self, unit: usize) -> Option<Waiting> {
        let what = self.units[unit].waits?;
        let party = &self.parties[self.party_of(unit)];
        let subgroup = match self.subject.units {
            Units::Workgroups => party.members.iter().position(|member| member.spin.is_idle(self.version)),
            Units::Subgroups { .. } => Some(unit),
        };
        let stop = subgroup.and_then(|subgroup| party.members[subgroup].stop.as_ref());
        let stop = stop.filter(|_| what == WaitsFor::Change);
        Some(Waiting {
            workgroup: party.resident.workgroup.index,
            subgroup: subgroup.filter(|_| self.subject.units != Units::Workgroups).map(narrow),
            what,
            at: stop.map(|stop| (stop.pc, self.subject.linked.program.span(Pc(stop.pc)))),
        })
    }
}

/// Invocations of a subgroup that wait at barriers of the workgroup.
fn waiting_lanes(subgroup: &Subgroup) -> u32 {
    let barriers = subgroup.waiting.iter().filter(|waiting| waiting.scope == BarrierScope::Workgroup);
    let named = subgroup.parked.iter().filter(|parked| matches!(parked.place, ParkedAt::Rendezvous { .. }));
    barriers.map(|waiting| waiting.lanes.count_ones()).sum::<u32>()
        + named.map(|parked| parked.lanes.count_ones()).sum::<u32>()
}
