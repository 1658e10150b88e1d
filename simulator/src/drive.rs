//! Running one workgroup's subgroups to their end, and what happens when they meet at a barrier.

use std::time::Instant;

use crate::cast::{at, narrow};
use crate::finding::{Action, Rule};
use crate::ir::{BarrierScope, Pc, RendezvousKind, Span, VoteMode};
use crate::link::Linked;
use crate::machine::clock::{Kinds, View};
use crate::machine::environment::{Arrivals, Environment, Workgroup};
use crate::machine::known::Known;
use crate::machine::registers::Lanes;
use crate::machine::subgroup::{Event, Parked, ParkedAt, Subgroup, Waiting};
use crate::recorder::{FaultDetail, RawSite};

/// Instructions a subgroup runs before its budget is looked at again.
pub const FUEL: u64 = 1 << 18;

/// The workgroup and its subgroups, kept and reused for one workgroup after the other.
#[derive(Debug)]
pub struct Resident {
    /// Shared part.
    pub workgroup: Workgroup,
    /// Subgroups in order.
    pub subgroups: Vec<Subgroup>,
}

impl Resident {
    /// Room for one workgroup.
    pub fn new(linked: &Linked) -> Self {
        let subgroups = (0..linked.subgroups).map(|id| Subgroup::new(linked, id)).collect();
        Self { workgroup: Workgroup::new(linked), subgroups }
    }

    /// Starts it as workgroup `index`.
    pub fn start(&mut self, linked: &Linked, index: u32, intervals: &mut u32) {
        self.workgroup.start(linked, index, intervals);
        for subgroup in &mut self.subgroups {
            subgroup.start(linked);
            let known = || Box::new(Known::new(index, subgroup.id, linked.config.warp_lockstep));
            subgroup.known = linked.clocks.then(known);
        }
    }

    /// Bytes one resident workgroup holds.
    pub fn footprint(linked: &Linked) -> u64 {
        let shadow = if linked.config.detectors.race { 9 } else { 1 };
        u64::from(linked.workgroup_bytes) * shadow + u64::from(linked.subgroups) * Subgroup::footprint(linked)
    }

    /// Bytes of what its invocations know of others' accesses.
    pub fn known_footprint(&self) -> u64 {
        self.subgroups.iter().filter_map(|subgroup| subgroup.known.as_ref()).map(|known| known.footprint()).sum()
    }

    /// What all of its invocations did to these kinds of memory comes before what they do next.
    fn order_all(&mut self, kinds: Kinds) {
        Known::meet_all(self.subgroups.iter_mut().filter_map(|subgroup| subgroup.known.as_deref_mut()), kinds);
    }

    /// Instructions times invocations so far.
    pub fn instructions(&self) -> u64 {
        self.subgroups.iter().map(|subgroup| subgroup.instructions).sum()
    }
}

/// How a workgroup came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All invocations ended.
    Done,
    /// Its barriers diverged: it was stopped, with a finding.
    Diverged,
    /// A budget ran out there.
    Exhausted(&'static str, Span),
}

/// What the barrier logic decided when no subgroup can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// All have ended.
    Ended,
    /// The barrier let everyone through.
    Passed,
    /// They do not meet.
    Diverged,
}

/// Runs a started workgroup to its end. Subgroups run one after the other up to their next barrier; in a program
/// with atomics they also take turns when one runs long, so that one may wait for another.
pub fn run_to_end(resident: &mut Resident, env: &mut Parts<'_>, rotate: bool, intervals: &mut u32) -> End {
    let mut stuck: Vec<bool> = vec![false; resident.subgroups.len()];
    loop {
        for id in 0..stuck.len() {
            while !stuck[id] {
                let subgroup = &mut resident.subgroups[id];
                let mut here = env.environment(&mut resident.workgroup);
                let event = subgroup.run(&mut here, FUEL, true);
                let end = match event {
                    Event::Ended | Event::Waiting => {
                        stuck[id] = true;
                        None
                    }
                    Event::Yielded | Event::Paused => over_budget(here.linked, subgroup, subgroup.instructions),
                };
                if let Some(end) = end {
                    return end;
                }
                if !settle(resident, env.linked, intervals).is_empty() {
                    // A loop around a barrier may never use up its fuel.
                    if let Some(end) = spent(resident, env.linked) {
                        return end;
                    }
                    stuck.fill(false);
                }
                if rotate {
                    break;
                }
            }
        }
        if !stuck.iter().all(|&stuck| stuck) {
            continue;
        }
        if let Some(end) = spent(resident, env.linked) {
            return end;
        }
        match meet(resident, env, intervals) {
            Meeting::Ended => return End::Done,
            Meeting::Diverged => return End::Diverged,
            Meeting::Passed => stuck.fill(false),
        }
    }
}

/// Runs a started workgroup to its end with its subgroups in step: whoever has executed the fewest instructions
/// runs up to the next watched access.
pub fn run_in_step(resident: &mut Resident, env: &mut Parts<'_>, intervals: &mut u32) -> End {
    let mut stuck: Vec<bool> = vec![false; resident.subgroups.len()];
    loop {
        let ready = resident.subgroups.iter().zip(&stuck).filter(|(_, stuck)| !**stuck);
        let next = ready.min_by_key(|(subgroup, _)| (subgroup.clock, subgroup.id)).map(|(subgroup, _)| at(subgroup.id));
        let Some(id) = next else {
            if let Some(end) = spent(resident, env.linked) {
                return end;
            }
            match meet(resident, env, intervals) {
                Meeting::Ended => return End::Done,
                Meeting::Diverged => return End::Diverged,
                Meeting::Passed => stuck.fill(false),
            }
            continue;
        };
        let subgroup = &mut resident.subgroups[id];
        let mut here = env.environment(&mut resident.workgroup);
        match subgroup.run(&mut here, FUEL, true) {
            Event::Ended | Event::Waiting => stuck[id] = true,
            Event::Yielded | Event::Paused => {
                if let Some(end) = over_budget(here.linked, subgroup, subgroup.instructions) {
                    return end;
                }
            }
        }
        if !settle(resident, env.linked, intervals).is_empty() {
            if let Some(end) = spent(resident, env.linked) {
                return end;
            }
            stuck.fill(false);
        }
    }
}

/// Everything of an [`Environment`] but the workgroup.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The program.
    pub linked: &'a Linked,
    /// Buffers.
    pub storage: &'a mut crate::memory::Storage,
    /// Shadows.
    pub shadows: &'a mut [crate::memory::shadow::BufferShadow],
    /// Findings.
    pub recorder: &'a mut crate::recorder::Recorder,
    /// Scheduling points.
    pub watch: Option<&'a crate::machine::environment::Watch>,
    /// Log.
    pub trace: Option<&'a mut crate::machine::environment::Trace>,
    /// Who touched what, where atomics order accesses; then there are no shadows.
    pub history: Option<&'a mut crate::memory::history::History>,
}

impl Parts<'_> {
    /// The environment of one workgroup.
    pub fn environment<'a>(&'a mut self, workgroup: &'a mut Workgroup) -> Environment<'a> {
        Environment {
            linked: self.linked,
            storage: self.storage,
            shadows: self.shadows,
            workgroup,
            recorder: self.recorder,
            watch: self.watch,
            trace: self.trace.as_deref_mut(),
            history: self.history.as_deref_mut(),
        }
    }
}

/// Whether the subgroups together have used up what the workgroup may.
fn spent(resident: &Resident, linked: &Linked) -> Option<End> {
    let total = resident.instructions();
    resident.subgroups.first().and_then(|first| over_budget(linked, first, total))
}

/// Whether a workgroup has used up what it may.
pub fn over_budget(linked: &Linked, subgroup: &Subgroup, instructions: u64) -> Option<End> {
    let at = linked.program.span(Pc(subgroup.pc()));
    if instructions > linked.instruction_limit {
        return Some(End::Exhausted("instructions", at));
    }
    (Instant::now() > linked.deadline).then_some(End::Exhausted("time", at))
}

/// All subgroups wait or have ended: lets them through, or says why not.
pub fn meet(resident: &mut Resident, env: &mut Parts<'_>, intervals: &mut u32) -> Meeting {
    if !settle(resident, env.linked, intervals).is_empty() {
        return Meeting::Passed;
    }
    let mut waiting: Vec<(u32, Waiting)> = resident
        .subgroups
        .iter()
        .flat_map(|subgroup| subgroup.waiting.iter().map(|waiting| (subgroup.id, *waiting)))
        .collect();
    let parked = parked_groups(resident);
    let nobody_comes = !parked.is_empty();
    waiting.extend(parked);
    let Some(&(_, first)) = waiting.first() else { return Meeting::Ended };
    let strict = env.linked.program.strict_barriers;
    let everyone: u32 = waiting.iter().map(|(_, waiting)| waiting.lanes.count_ones()).sum();
    let together =
        waiting.iter().all(|(_, other)| other.scope == BarrierScope::Workgroup && (!strict || other.pc == first.pc));
    if nobody_comes || !together || (strict && everyone != env.linked.invocations) {
        if env.linked.config.detectors.barrier {
            report_divergence(resident, env, &waiting);
        }
        resident.subgroups.iter_mut().for_each(Subgroup::abandon);
        return Meeting::Diverged;
    }
    *intervals += 1;
    let workgroup = &mut resident.workgroup;
    workgroup.barriers += 1;
    let kinds = Kinds {
        storage: waiting.iter().all(|(_, waiting)| waiting.storage_memory),
        workgroup: waiting.iter().all(|(_, waiting)| waiting.workgroup_memory),
    };
    if kinds.workgroup {
        workgroup.workgroup_interval = *intervals;
    }
    if kinds.storage {
        workgroup.storage_interval = *intervals;
    }
    resident.order_all(kinds);
    resident.subgroups.iter_mut().for_each(|subgroup| subgroup.release(BarrierScope::Workgroup));
    Meeting::Passed
}

/// Groups that wait for invocations of their subgroup or at a named barrier.
fn parked_groups(resident: &Resident) -> Vec<(u32, Waiting)> {
    let groups =
        resident.subgroups.iter().flat_map(|subgroup| subgroup.parked.iter().map(|parked| (subgroup.id, parked)));
    groups
        .map(|(id, parked)| {
            let (pc, lanes) = (parked.pc, parked.lanes);
            let scope = match parked.place {
                ParkedAt::Warp { .. } => BarrierScope::Subgroup,
                ParkedAt::Rendezvous { .. } => BarrierScope::Workgroup,
            };
            (id, Waiting { pc, lanes, scope, workgroup_memory: true, storage_memory: true })
        })
        .collect()
}

/// Subgroups that have left a named barrier together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Some of its invocations waited there.
    pub some: Vec<u32>,
    /// All of them did.
    pub whole: Vec<u32>,
    /// It was not a barrier of the whole workgroup.
    pub of_some: bool,
}

/// Lets everyone through the named barriers that have all their invocations, and says who left each.
pub fn settle(resident: &mut Resident, linked: &Linked, intervals: &mut u32) -> Vec<Left> {
    let mut settled = Vec::new();
    let mut position = 0;
    while let Some(arrivals) = resident.workgroup.arrivals.get(position).cloned() {
        let waiting: Vec<u128> =
            resident.subgroups.iter().map(|subgroup| subgroup.waiting_at(arrivals.barrier)).collect();
        if is_complete(resident, linked, &arrivals, &waiting) {
            resident.workgroup.arrivals.swap_remove(position);
            let here = |(subgroup, &lanes): (&Subgroup, &u128)| (subgroup.id, lanes, subgroup.live());
            let here: Vec<_> = resident.subgroups.iter().zip(&waiting).map(here).filter(|here| here.1 != 0).collect();
            settled.push(Left {
                some: here.iter().map(|(id, ..)| *id).collect(),
                of_some: arrivals.expected.is_some_and(|expected| expected < linked.subgroups * linked.lanes),
                whole: here.iter().filter(|(_, lanes, live)| lanes == live).map(|(id, ..)| *id).collect(),
            });
            pass(resident, linked, arrivals, &waiting, intervals);
        } else {
            position += 1;
        }
    }
    settled
}

fn is_complete(resident: &Resident, linked: &Linked, arrivals: &Arrivals, waiting: &[u128]) -> bool {
    let there: u32 = waiting.iter().map(|lanes| lanes.count_ones()).sum();
    let Some(expected) = arrivals.expected else { return there > 0 && there >= resident.workgroup.live };
    // A whole subgroup counts in full, also where some of its invocations have ended.
    let counted = resident.subgroups.iter().zip(waiting).map(|(subgroup, &lanes)| match lanes {
        0 => 0,
        lanes if lanes == subgroup.live() => linked.lanes,
        lanes => lanes.count_ones(),
    });
    let arrived = arrivals.gone_on + counted.sum::<u32>();
    arrived > 0 && arrived >= expected
}

fn pass(resident: &mut Resident, linked: &Linked, arrivals: Arrivals, waiting: &[u128], intervals: &mut u32) {
    reduce(resident, linked, arrivals.barrier);
    let there: u32 = waiting.iter().map(|lanes| lanes.count_ones()).sum();
    let workgroup = &mut resident.workgroup;
    // Whoever has ended counts as come where all are expected, and not where a number is.
    let everyone = if arrivals.expected.is_none() { workgroup.live } else { linked.invocations };
    if arrivals.gone_on == 0 && there == everyone {
        *intervals += 1;
        workgroup.barriers += 1;
        workgroup.workgroup_interval = *intervals;
        workgroup.storage_interval = *intervals;
        resident.order_all(Kinds::ALL);
    } else {
        order_some(resident, arrivals.shared, waiting);
        know_some(resident, arrivals.known, waiting);
    }
    for subgroup in &mut resident.subgroups {
        subgroup.leave_barrier(arrivals.barrier);
    }
}

/// A barrier of some subgroups orders what each did before it before what the waiting ones do next.
fn order_some(resident: &mut Resident, mut shared: Vec<u32>, waiting: &[u128]) {
    let count = narrow(waiting.len());
    let whole = |subgroup: &Subgroup, lanes: u128| lanes != 0 && lanes == subgroup.live();
    for (subgroup, &lanes) in resident.subgroups.iter_mut().zip(waiting) {
        if whole(subgroup, lanes) {
            subgroup.epoch += 1;
            subgroup.order.whole = subgroup.epoch;
            let mine = subgroup.order.share(subgroup.id, subgroup.epoch, count);
            shared.iter_mut().zip(mine).for_each(|(all, mine)| *all = (*all).max(mine));
        }
    }
    for (subgroup, &lanes) in resident.subgroups.iter_mut().zip(waiting) {
        if whole(subgroup, lanes) {
            subgroup.order.learn(&shared);
        }
    }
}

/// The same for what invocations know, where a history is kept; parts of a subgroup count there, too.
fn know_some(resident: &mut Resident, mut news: View, waiting: &[u128]) {
    for (subgroup, &lanes) in resident.subgroups.iter_mut().zip(waiting).filter(|(_, lanes)| **lanes != 0) {
        let lanes = if lanes == subgroup.live() { u128::MAX } else { lanes };
        if let Some(known) = &mut subgroup.known {
            known.arrive(lanes, &mut news);
        }
    }
    for (subgroup, &lanes) in resident.subgroups.iter_mut().zip(waiting).filter(|(_, lanes)| **lanes != 0) {
        let lanes = if lanes == subgroup.live() { u128::MAX } else { lanes };
        if let Some(known) = &mut subgroup.known {
            known.leave(lanes, &news);
        }
    }
}

/// What everyone at the barrier learns about everyone's predicate.
fn reduce(resident: &mut Resident, linked: &Linked, barrier: u32) {
    let entry = |parked: &Parked| match parked.place {
        ParkedAt::Rendezvous { id, barrier: here } if here == barrier => {
            linked.program.tables.rendezvous.get(at(id.0)).copied()
        }
        _ => None,
    };
    let (mut holds, mut all) = (0_u32, 0_u32);
    for subgroup in &resident.subgroups {
        for parked in &subgroup.parked {
            if let Some(source) = entry(parked).and_then(|entry| entry.source) {
                holds += subgroup.lanes_where(source, parked.lanes).count_ones();
                all += parked.lanes.count_ones();
            }
        }
    }
    for subgroup in &mut resident.subgroups {
        for parked in subgroup.parked.clone() {
            let Some(entry) = entry(&parked) else { continue };
            if let (RendezvousKind::Reduce(mode), Some(result)) = (entry.kind, entry.result) {
                let word = match mode {
                    VoteMode::Count => holds,
                    VoteMode::All => u32::from(holds == all),
                    _ => u32::from(holds != 0),
                };
                Lanes(parked.lanes).for_each(|lane| subgroup.registers.set_word(result, lane, word));
            }
        }
    }
}

fn report_divergence(resident: &Resident, env: &mut Parts<'_>, waiting: &[(u32, Waiting)]) {
    let Some(&(id, first)) = waiting.first() else { return };
    let site = |subgroup: u32, lane: u32, pc: u32, action: Action| RawSite {
        action,
        space: crate::ir::Space::Private,
        buffer: None,
        offset: 0,
        bytes: 0,
        workgroup: resident.workgroup.index,
        invocation: subgroup * env.linked.lanes + lane,
        pc,
        value: None,
    };
    let mine: u32 =
        waiting.iter().filter(|(_, other)| other.pc == first.pc).map(|(_, other)| other.lanes.count_ones()).sum();
    let elsewhere = env.linked.invocations - mine;
    let lane = |lanes: u128| Lanes(lanes).next().unwrap_or(0);
    let other = waiting.iter().find(|(_, other)| other.pc != first.pc || other.scope != first.scope);
    let second = match other {
        Some(&(id, other)) => site(id, lane(other.lanes), other.pc, Action::Barrier),
        None => {
            let last = narrow(env.linked.program.code.len().saturating_sub(1));
            let ended = resident.subgroups.iter().find_map(|subgroup| {
                let count = (env.linked.invocations - subgroup.first_invocation).min(env.linked.lanes);
                let all = if count >= 128 { u128::MAX } else { (1 << count) - 1 };
                let gone = all & !subgroup.live();
                (gone != 0).then(|| (subgroup.id, lane(gone)))
            });
            match ended {
                Some((id, lane)) => site(id, lane, last, Action::Ended),
                // Everyone is there, and more are expected.
                None => site(id, lane(first.lanes), first.pc, Action::Barrier),
            }
        }
    };
    let first_site = site(id, lane(first.lanes), first.pc, Action::Barrier);
    let detail = FaultDetail::Divergence { waiting: mine, elsewhere, other: Box::new(second) };
    env.recorder.fault(Rule::BarrierDivergence, 0, || (first_site, detail), first.pc);
}
