//! Running a launch over shared memory under one schedule.
//!
//! Workgroups start in index order whenever a slot is free (in waves: when all are). A subgroup runs from one
//! scheduling point to just before the next; a scheduling point is an access to a racy byte, or an atomic.
//! Everything else commutes with what other workgroups do, so nothing is lost by not switching there.

use std::collections::BTreeMap;

use gridproof_launch::{BufferId, Launch};

use crate::cast::{at, narrow, wide};
use crate::coverage::{Asked, Lens};
use crate::drive::{End, FUEL, Meeting, Parts, Resident, meet, over_budget, settle};
use crate::explain::Evidence;
use crate::ir::Span;
use crate::link::Linked;
use crate::machine::environment::{Trace, TraceEntry, Watch};
use crate::machine::subgroup::Event;
use crate::memory::history::History;
use crate::memory::shadow::BufferShadow;
use crate::memory::{Image, Storage};
use crate::outcome::{Config, Detectors, Hazards, Outcome, SimulateError, Stats};
use crate::prove::{Session, exhausted, new_shadows};
use crate::recorder::Recorder;
use crate::schedule::{Schedule, Unit};
use crate::scheduler::{Policy, Ready, Scheduler, scheduler};

/// See [`crate::run`].
///
/// # Errors
/// See [`crate::run`].
pub fn run(launch: &Launch, config: &Config, policy: &Policy, hazards: &Hazards) -> Result<Outcome, SimulateError> {
    run_until(launch, config, policy, hazards, None).map(|(outcome, _)| outcome)
}

/// As [`run()`], and counts what it comes across.
///
/// # Errors
/// See [`crate::run`].
pub fn run_covered(
    launch: &Launch,
    config: &Config,
    policy: &Policy,
    hazards: &Hazards,
    asked: Asked,
) -> Result<Outcome, SimulateError> {
    run_asked(launch, config, policy, hazards, (None, Some(asked))).map(|(outcome, _)| outcome)
}

/// As [`run()`], but ends early once the outputs are bound to differ from those of `proof`: an output byte of the last
/// dispatch that did not race, so that only one workgroup writes it, was given another value by a workgroup that
/// has ended. Gives that workgroup and how many of its bytes differ.
///
/// # Errors
/// See [`crate::run`].
pub fn run_until(
    launch: &Launch,
    config: &Config,
    policy: &Policy,
    hazards: &Hazards,
    proof: Option<&Outcome>,
) -> Result<(Outcome, Option<(u32, u64)>), SimulateError> {
    run_asked(launch, config, policy, hazards, (proof, None))
}

fn run_asked(
    launch: &Launch,
    config: &Config,
    policy: &Policy,
    hazards: &Hazards,
    (proof, asked): (Option<&Outcome>, Option<Asked>),
) -> Result<(Outcome, Option<(u32, u64)>), SimulateError> {
    if policy.slots() == 0 {
        return Err(SimulateError::Config { name: "slots", value: "0".to_owned(), limit: "must be at least 1" });
    }
    if let Policy::Replay(schedule) = policy
        && schedule.dispatches.len() > launch.dispatches.len()
    {
        let message = format!("the launch has {} dispatches", launch.dispatches.len());
        return Err(SimulateError::Schedule { dispatch: launch.dispatches.len(), turn: 0, message });
    }
    let quiet = Config { detectors: Detectors::NONE, ..*config };
    let mut session = Session::new(launch, &quiet)?;
    session.asked = asked;
    session.outcome.schedule = Schedule {
        slots: policy.slots(),
        any_start: policy.any_start(),
        all_points: policy.all_points(),
        dispatches: Vec::new(),
    };
    let mut differs = None;
    for position in 0..launch.dispatches.len() {
        if session.outcome.exhausted.is_some() {
            break;
        }
        let linked = session.linked(position)?;
        session.note_program(&linked);
        session.outcome.schedule.dispatches.push(Vec::new());
        let points = watch(hazards, position, linked.granule_shifts.len());
        let watch = Watch { everything: policy.all_points(), ..points };
        let mut crowd = Crowd::new(&linked, std::mem::take(&mut session.images), policy, Some(&watch));
        crowd.settled =
            proof.filter(|_| position + 1 == launch.dispatches.len()).map(|proof| Settled::new(launch, proof, &watch));
        let mut choose = scheduler(policy, position);
        let result = crowd.run(choose.as_mut(), Some(&mut session.outcome.schedule));
        session.outcome.exhausted = crowd.exhausted.clone();
        differs = crowd.settled.as_ref().and_then(|settled| settled.differs);
        let stats = &mut session.outcome.stats;
        stats.instructions += crowd.stats.instructions;
        stats.invocations += crowd.stats.invocations;
        stats.workgroups += crowd.stats.workgroups;
        stats.peak_memory = stats.peak_memory.max(crowd.stats.peak_memory);
        session.images = crowd.storage.into_images();
        let turn = session.outcome.schedule.dispatches.last().map_or(0, Vec::len);
        result.map_err(|message| SimulateError::Schedule { dispatch: position, turn, message })?;
    }
    Ok((session.finish(), differs))
}

/// The scheduling points of one dispatch: accesses to bytes that raced.
pub fn watch(hazards: &Hazards, dispatch: usize, images: usize) -> Watch {
    let ranges = |ranges: &[gridproof_launch::ByteRange]| ranges.iter().map(|range| range.start..range.end).collect();
    let storage = hazards.storage.get(dispatch);
    let of = |image: usize| storage.and_then(|storage| storage.get(&BufferId(image)));
    Watch {
        storage: (0..images).map(|image| of(image).map_or_else(Vec::new, |found| ranges(found))).collect(),
        workgroup: hazards.workgroup.get(dispatch).map_or_else(Vec::new, |found| ranges(found)),
        describe: false,
        everything: false,
        fences: false,
    }
}

/// Turns after which what all invocations know is counted against the memory budget.
const TURNS_BETWEEN_LOOKS: u64 = 64;

/// Workgroups resident together while a program with storage atomics is proved.
const FAIR_SLOTS: u32 = 256;

/// Runs a program with storage atomics with all detectors, workgroups in index order.
pub fn prove_shared(linked: &Linked, images: &mut Vec<Image>) -> Evidence {
    let policy = Policy::Bounded { slots: FAIR_SLOTS, seed: 0 };
    let mut crowd = Crowd::new(linked, std::mem::take(images), &policy, None);
    if linked.clocks {
        crowd.history = Some(History::new(linked));
    } else {
        crowd.shadows = new_shadows(linked);
    }
    let result = crowd.run(&mut Fair::default(), None);
    debug_assert!(result.is_ok(), "the fair scheduler accepts everything");
    *images = crowd.storage.into_images();
    Evidence {
        recorder: crowd.recorder,
        shadows: crowd.shadows,
        disagree: BTreeMap::new(),
        changed: BTreeMap::new(),
        stats: crowd.stats,
        exhausted: crowd.exhausted,
        shared: true,
    }
}

/// Does again what [`prove_shared`] did, with a log on the watched bytes.
pub fn trace_shared(linked: &Linked, images: Vec<Image>, watch: &Watch) -> Vec<TraceEntry> {
    let policy = Policy::Bounded { slots: FAIR_SLOTS, seed: 0 };
    let mut crowd = Crowd::new(linked, images, &policy, None);
    crowd.trace = Some(Trace { watch: watch.clone(), entries: Vec::new() });
    let result = crowd.run(&mut Fair::default(), None);
    debug_assert!(result.is_ok(), "the fair scheduler accepts everything");
    crowd.trace.map_or_else(Vec::new, |trace| trace.entries)
}

/// The first that is ready; one that runs long goes to the back.
#[derive(Default)]
struct Fair {
    last: Option<(u32, u32)>,
}

impl Scheduler for Fair {
    fn next(&mut self, ready: &[Ready]) -> Result<usize, String> {
        let next = match self.last {
            None => 0,
            Some(last) => ready.iter().position(|ready| (ready.workgroup, ready.subgroup) > last).unwrap_or(0),
        };
        self.last = ready.get(next).map(|ready| (ready.workgroup, ready.subgroup));
        Ok(next)
    }
}

/// One workgroup in a slot.
struct Member {
    resident: Resident,
    /// How many of its subgroups can take a turn.
    ready: usize,
}

/// All resident workgroups of a dispatch.
struct Crowd<'a> {
    linked: &'a Linked,
    storage: Storage,
    shadows: Vec<BufferShadow>,
    recorder: Recorder,
    watch: Option<&'a Watch>,
    slots: u32,
    in_waves: bool,
    members: Vec<Member>,
    /// Subgroups that can take a turn, in order of workgroup and subgroup.
    ready: Vec<Ready>,
    spare: Vec<Resident>,
    next: u32,
    intervals: u32,
    stats: Stats,
    spent: u64,
    ended: u64,
    exhausted: Option<crate::outcome::Exhausted>,
    settled: Option<Settled<'a>>,
    trace: Option<Trace>,
    history: Option<History>,
    turns: u64,
}

/// Output bytes whose first difference from a proof settles that the outputs differ.
struct Settled<'a> {
    /// Images of the outputs in the proof, by buffer.
    outputs: Vec<Option<&'a Image>>,
    watch: &'a Watch,
    /// The first workgroup in which a difference was seen, and how many of its bytes differ.
    differs: Option<(u32, u64)>,
}

impl<'a> Settled<'a> {
    fn new(launch: &Launch, proof: &'a Outcome, watch: &'a Watch) -> Self {
        let marked = launch.buffers.iter().any(|buffer| buffer.output);
        let outputs = launch.buffers.iter().zip(&proof.buffers);
        let outputs = outputs.map(|(buffer, image)| (buffer.output || !marked).then_some(image)).collect();
        Self { outputs, watch, differs: None }
    }

    /// Looks at what a workgroup that has ended wrote.
    fn look(&mut self, workgroup: u32, written: &[(usize, u64, u32)], storage: &Storage) {
        let mut wrong = std::collections::BTreeSet::new();
        for &(buffer, start, length) in written {
            let Some(Some(image)) = self.outputs.get(buffer) else { continue };
            let racy =
                self.watch.storage.get(buffer).is_some_and(|ranges| Watch::hits(ranges, start, u64::from(length)));
            let (mut now, mut then) = (vec![0; at(length)], vec![0; at(length)]);
            storage.read(buffer, start, &mut now);
            image.read(start, &mut then);
            if !racy {
                let bytes = now.iter().zip(&then).zip(start..).filter(|((now, then), _)| now != then);
                wrong.extend(bytes.map(|(_, byte)| (buffer, byte)));
            }
        }
        if !wrong.is_empty() {
            self.differs.get_or_insert((workgroup, wide(wrong.len())));
        }
    }
}

impl<'a> Crowd<'a> {
    fn new(linked: &'a Linked, images: Vec<Image>, policy: &Policy, watch: Option<&'a Watch>) -> Self {
        let room = linked.config.budget.memory / Resident::footprint(linked).max(1);
        let slots = u64::from(policy.slots().min(linked.workgroups())).max(1);
        let mut crowd = Self {
            linked,
            storage: Storage::shared(images),
            shadows: Vec::new(),
            recorder: Recorder::default(),
            watch,
            slots: u32::try_from(slots).unwrap_or(u32::MAX),
            in_waves: policy.in_waves(),
            members: Vec::new(),
            ready: Vec::new(),
            spare: Vec::new(),
            next: 0,
            intervals: 1,
            stats: Stats::default(),
            spent: 0,
            ended: 0,
            exhausted: None,
            settled: None,
            trace: None,
            history: None,
            turns: 0,
        };
        if slots > room {
            crowd.exhausted = Some(exhausted(linked, "memory", Span::default(), 0));
        }
        crowd
    }

    fn run(&mut self, choose: &mut dyn Scheduler, mut record: Option<&mut Schedule>) -> Result<(), String> {
        let mut before = None;
        while self.exhausted.is_none() && self.settled.as_ref().is_none_or(|settled| settled.differs.is_none()) {
            self.fill_slots();
            if self.members.is_empty() {
                break;
            }
            let Some(last) = self.ready.len().checked_sub(1) else {
                self.nobody_is_ready();
                continue;
            };
            let chosen = choose.next(&self.ready)?.min(last);
            if let Some(schedule) = record.as_deref_mut() {
                let Ready { workgroup, subgroup, .. } = self.ready[chosen];
                schedule.push(Unit { workgroup, subgroup: (self.linked.subgroups > 1).then_some(subgroup) });
            }
            if let Some(lens) = &self.linked.lens {
                before = Some(self.note_decision(lens, chosen, before));
            }
            self.turn(chosen);
            if self.is_over_memory() {
                self.exhausted = Some(exhausted(self.linked, "memory", Span::default(), self.ended));
            }
        }
        self.stats.peak_memory = self.storage.footprint() + u64::from(self.slots) * Resident::footprint(self.linked);
        if self.members.is_empty() && self.exhausted.is_none() { choose.end() } else { Ok(()) }
    }

    /// Counts a choice; gives who was chosen.
    fn note_decision(&self, lens: &Lens, chosen: usize, before: Option<Ready>) -> Ready {
        let now = self.ready[chosen];
        let found = self.members.binary_search_by_key(&now.workgroup, |member| member.resident.workgroup.index);
        let member = found.ok().and_then(|position| self.members.get(position));
        if let Some(subgroup) = member.and_then(|member| member.resident.subgroups.get(at(now.subgroup))) {
            lens.decision(subgroup, now, before, self.ready.len());
        }
        now
    }

    /// Whether the history outgrew the memory budget.
    fn is_over_memory(&mut self) -> bool {
        let Some(history) = &mut self.history else { return false };
        self.turns += 1;
        let known = |member: &Member| member.resident.known_footprint();
        let all = self.turns.is_multiple_of(TURNS_BETWEEN_LOOKS);
        let known = if all { self.members.iter().map(known).sum() } else { 0 };
        history.is_full(known)
    }

    fn fill_slots(&mut self) {
        if self.in_waves && !self.members.is_empty() {
            return;
        }
        while self.next < self.linked.workgroups() && narrow(self.members.len()) < self.slots {
            let mut resident = self.spare.pop().unwrap_or_else(|| Resident::new(self.linked));
            resident.start(self.linked, self.next, &mut self.intervals);
            resident.workgroup.written = self.settled.is_some().then(Vec::new);
            self.next += 1;
            self.stats.workgroups += 1;
            self.stats.invocations += u64::from(self.linked.invocations);
            self.members.push(Member { resident, ready: 0 });
            self.make_ready(self.members.len() - 1);
        }
    }

    /// Adds the subgroups of a member to the ready list.
    fn make_ready(&mut self, position: usize) {
        let resident = &self.members[position].resident;
        let workgroup = resident.workgroup.index;
        let start = self.ready.partition_point(|ready| ready.workgroup < workgroup);
        let fresh =
            resident.subgroups.iter().map(|subgroup| Ready { workgroup, subgroup: subgroup.id, clock: subgroup.clock });
        self.ready.splice(start..start, fresh);
        self.members[position].ready = resident.subgroups.len();
    }

    /// One subgroup runs up to its next scheduling point.
    fn turn(&mut self, place: usize) {
        let chosen = self.ready[place];
        let found = self.members.binary_search_by_key(&chosen.workgroup, |member| member.resident.workgroup.index);
        let Ok(position) = found else { return };
        let member = &mut self.members[position];
        let subgroup = &mut member.resident.subgroups[at(chosen.subgroup)];
        let before = subgroup.instructions;
        let mut parts = Parts {
            linked: self.linked,
            storage: &mut self.storage,
            shadows: &mut self.shadows,
            recorder: &mut self.recorder,
            watch: self.watch,
            trace: self.trace.as_mut(),
            history: self.history.as_mut(),
        };
        let mut env = parts.environment(&mut member.resident.workgroup);
        let event = loop {
            let event = subgroup.run(&mut env, FUEL, true);
            let over = over_budget(self.linked, subgroup, subgroup.instructions);
            match (event, over) {
                (_, Some(End::Exhausted(budget, span))) => {
                    self.exhausted = Some(exhausted(self.linked, budget, span, self.ended));
                    break event;
                }
                (Event::Paused, _) if self.watch.is_some() && env.workgroup.arrivals.is_empty() => {}
                _ => break event,
            }
        };
        self.spent += subgroup.instructions - before;
        let clock = subgroup.clock;
        if !settle(&mut member.resident, self.linked, &mut self.intervals).is_empty() {
            // Whoever waited at a named barrier goes on.
            self.ready.retain(|ready| ready.workgroup != chosen.workgroup);
            self.make_ready(position);
            return;
        }
        if matches!(event, Event::Ended | Event::Waiting) {
            self.ready.remove(place);
            member.ready -= 1;
            if member.ready == 0 {
                self.settle(position);
            }
        } else {
            self.ready[place].clock = clock;
        }
    }

    /// All subgroups of a member wait or have ended.
    fn settle(&mut self, position: usize) {
        let member = &mut self.members[position];
        let mut parts = Parts {
            linked: self.linked,
            storage: &mut self.storage,
            shadows: &mut self.shadows,
            recorder: &mut self.recorder,
            watch: self.watch,
            trace: self.trace.as_mut(),
            history: self.history.as_mut(),
        };
        match meet(&mut member.resident, &mut parts, &mut self.intervals) {
            Meeting::Passed => self.make_ready(position),
            Meeting::Ended | Meeting::Diverged => {
                let mut member = self.members.remove(position);
                self.ended += 1;
                if let Some(history) = &mut self.history {
                    history.end_workgroup(member.resident.workgroup.index);
                }
                if let Some(settled) = &mut self.settled {
                    let written = std::mem::take(&mut member.resident.workgroup.written);
                    settled.look(member.resident.workgroup.index, &written.unwrap_or_default(), &self.storage);
                }
                self.stats.instructions += member.resident.instructions();
                self.spare.push(member.resident);
            }
        }
    }

    /// Nobody is ready although workgroups are resident: cannot happen, as `settle` runs at once; do not hang.
    fn nobody_is_ready(&mut self) {
        self.exhausted = Some(exhausted(self.linked, "instructions", Span::default(), self.ended));
    }
}
