//! A unit as a loom thread: it asks the execution what to do, tells loom, and does it.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;

use loom::thread::yield_now;

use super::contested::{Granule, Need};
use super::execution::{Grant, Step, Subject};
use super::inside::Inside;
use super::model::{Halt, Model, Seen, State};
use super::objects::{Objects, Operation, fence};
use super::{Limit, Units, Verdict, WaitsFor};
use crate::cast::at;
use crate::ir::{AccessKind, AtomicOp, Instr, Order};
use crate::machine::environment::TraceEntry;
use crate::machine::pending::Pending;
use crate::memory::shadow::Class;

/// loom operations of one thread that its 16-bit clocks have room for.
const MOST_OPERATIONS: u32 = 60_000;

/// One thread.
pub struct Unit {
    model: Arc<Model>,
    objects: Arc<Objects>,
    id: usize,
    /// Operations so far.
    operations: u32,
    /// Grows whenever others may learn what it has done.
    epoch: u32,
    /// For each granule and class, the epoch in which loom was last told of such an access: telling it again in the same
    /// epoch cannot find anything new.
    told: Vec<[u32; 4]>,
    /// What its invocations touch, where it is a subgroup.
    inside: Inside,
}

impl Unit {
    /// A thread that has not started.
    pub fn new(model: Arc<Model>, objects: Arc<Objects>, id: usize) -> Self {
        let told = vec![[0; 4]; model.plan.len()];
        Self { model, objects, id, operations: 0, epoch: 1, told, inside: Inside::default() }
    }

    /// From start to end.
    pub fn live(mut self) {
        let gated = self.model.state().execution.is_gated();
        if gated {
            self.take_slot();
        }
        loop {
            let step = self.model.state().execution.step(self.id);
            match step {
                Step::Run(subgroup) => self.run(subgroup, Grant::Nothing),
                Step::Access(subgroup, pending) => {
                    let granules = self.doors(&pending);
                    self.count(2 * granules.len());
                    self.objects.pass(self.id, &granules);
                    self.run(subgroup, Grant::Access);
                }
                Step::Fence(subgroup, order) => {
                    if let Some(order) = order {
                        self.count(1);
                        self.epoch += 1;
                        fence(order);
                    }
                    self.run(subgroup, Grant::Fence);
                }
                Step::Met(others) => self.share(&others),
                Step::Wait(what) => self.wait(what),
                Step::Ended => break,
            }
        }
        if gated {
            self.objects.pass_gate();
        }
        let mut state = self.model.state();
        if state.execution.finish(self.id) && state.doomed {
            halt(state, Halt::Restart);
        }
        drop(state);
        self.give_up_if_stuck();
    }

    fn take_slot(&self) {
        loop {
            self.objects.pass_gate();
            if self.model.state().execution.has_slot(self.id) {
                return;
            }
            self.wait(WaitsFor::Slot);
        }
    }

    /// Every unit at a barrier tells the others what it has done before; none goes on before it has heard of all.
    fn share(&mut self, others: &[usize]) {
        self.epoch += 1;
        self.count(1);
        for &other in others {
            let handle = self.model.handles().get(other).cloned();
            if let Some(handle) = handle {
                handle.unpark();
            }
        }
        self.model.state().execution.has_shared(self.id);
        while !self.model.state().execution.leave_meeting(self.id) {
            yield_now();
        }
    }

    fn wait(&self, what: WaitsFor) {
        self.model.state().execution.wait(self.id, Some(what));
        while !self.model.state().execution.may_go(self.id) {
            self.give_up_if_stuck();
            yield_now();
        }
        self.model.state().execution.wait(self.id, None);
    }

    fn give_up_if_stuck(&self) {
        let state = self.model.state();
        if let Some(stuck) = state.execution.stuck(self.model.dispatch) {
            halt(state, Halt::Found(Verdict::NoProgress(stuck)));
        }
    }

    /// The granules at which others may come first, and whether they are to be written.
    fn doors(&self, pending: &Pending) -> Vec<(usize, bool)> {
        let writes = matches!(pending.class, Class::Write | Class::AtomicWrite);
        let reaches = pending.scope.is_none_or(|scope| self.model.state().execution.reaches(scope));
        let ranges = pending.ranges.iter().filter(|_| reaches);
        let granules = ranges.flat_map(|reach| {
            let granules = self.model.granules(reach.buffer, reach.bytes.clone());
            granules.map(|number| Granule { buffer: reach.buffer, number })
        });
        let numbers = granules.filter_map(|granule| self.model.plan.number(granule));
        numbers.filter(|&number| self.objects.has_atomics(number)).map(|number| (number, writes)).collect()
    }

    fn run(&mut self, subgroup: usize, grant: Grant) {
        let mut state = self.model.state();
        let entries = match state.execution.run(self.id, subgroup, grant) {
            Ok(entries) => entries,
            Err(limit) => halt(state, Halt::Found(Verdict::Limit(limit))),
        };
        drop(state);
        for entry in entries {
            self.tell(&entry);
        }
    }

    /// Tells loom of an access that has been made.
    fn tell(&mut self, entry: &TraceEntry) {
        let subject = &self.model.subject;
        let class = match subject.units {
            Units::Workgroups if entry.buffer.is_none() => return,
            Units::Workgroups => entry.cross_class,
            Units::Subgroups { .. } => entry.class,
        };
        let looked_at = if entry.buffer.is_some() { subject.storage } else { subject.workgroup };
        let operation = self.operation(entry).filter(|_| matches!(class, Class::AtomicRead | Class::AtomicWrite));
        let bytes = entry.offset..entry.offset + u64::from(entry.bytes);
        for number in self.model.granules(entry.buffer, bytes) {
            let granule = Granule { buffer: entry.buffer, number };
            self.note(granule, class, looked_at);
            if looked_at {
                self.look_inside(granule, entry);
            }
            let Some(number) = self.model.plan.number(granule) else { continue };
            if let Some((operation, order)) = operation {
                if operation != Operation::Store && acquires(order) {
                    self.operate(granule, number, Operation::Load, order);
                }
                self.judge(number, class, entry);
                if operation != Operation::Load || !acquires(order) {
                    self.operate(granule, number, operation, order);
                }
            } else {
                self.judge(number, class, entry);
            }
        }
    }

    /// What an access is as an atomic operation, and its order.
    fn operation(&self, entry: &TraceEntry) -> Option<(Operation, Order)> {
        let program = &self.model.subject.linked.program;
        let Some(Instr::Access(id)) = program.code.get(at(entry.pc)) else { return None };
        match program.tables.accesses.get(at(id.0))?.kind {
            AccessKind::Atomic { op: AtomicOp::Load, order, .. } => Some((Operation::Load, order)),
            AccessKind::Atomic { order, .. } if !entry.stored => Some((Operation::Load, order)),
            AccessKind::Atomic { op: AtomicOp::Store, order, .. } => Some((Operation::Store, order)),
            AccessKind::Atomic { order, .. } => Some((Operation::ReadModifyWrite, order)),
            AccessKind::Load | AccessKind::Store => None,
        }
    }

    fn operate(&mut self, granule: Granule, number: usize, operation: Operation, order: Order) {
        self.count(1);
        self.epoch += 1;
        if !self.objects.operate(number, operation, order) {
            let stores = 2 * self.objects.stores(number) + 1;
            self.model.state().want(granule, Need { cells: false, atomics: true, stores });
        }
    }

    /// Notes who touched what, and dooms the execution where the model lacks an object for it.
    fn note(&self, granule: Granule, class: Class, looked_at: bool) {
        let mut state = self.model.state();
        let declared = self.model.is_declared(granule);
        let Some(need) = state.touches.note(granule, self.id, class, declared) else { return };
        let need = Need { cells: need.cells && looked_at, ..need };
        let had = self.model.plan.has(granule);
        if had.and(need) != had {
            state.want(granule, need);
        }
    }

    /// Notes invocations of a subgroup that touch the same bytes, of which loom knows nothing.
    fn look_inside(&mut self, granule: Granule, entry: &TraceEntry) {
        let Subject { units: Units::Subgroups { .. }, linked, .. } = &self.model.subject else { return };
        let found = self.inside.note(granule, entry, linked.lanes);
        if let Some(places) = found.filter(|_| !self.model.is_declared(granule)) {
            self.model.state().inside.get_or_insert(places);
        }
    }

    /// Lets loom say whether the access races: it then panics here.
    fn judge(&mut self, number: usize, class: Class, entry: &TraceEntry) {
        let Some(told) = self.told.get_mut(number).filter(|_| self.objects.has_cells(number)) else { return };
        let told = match class {
            Class::Read => &mut told[0],
            Class::Write => &mut told[1],
            Class::AtomicRead => &mut told[2],
            Class::AtomicWrite => &mut told[3],
        };
        if std::mem::replace(told, self.epoch) == self.epoch {
            return;
        }
        self.count(MOST_CELLS);
        let mut state = self.model.state();
        // Without an object that it should have, loom may miss an order.
        if state.doomed {
            return;
        }
        state.seen.push(Seen { unit: self.id, number, class, entry: entry.clone() });
        drop(state);
        self.objects.access(number, self.id, class);
    }

    fn count(&mut self, operations: usize) {
        self.operations += crate::cast::narrow(operations);
        if self.operations > MOST_OPERATIONS {
            let limit = Limit::Operations(MOST_OPERATIONS);
            halt(self.model.state(), Halt::Found(Verdict::Limit(limit)));
        }
    }
}

/// Cells that one access touches at most.
const MOST_CELLS: usize = super::MOST_UNITS;

const fn acquires(order: Order) -> bool {
    matches!(order, Order::Acquire | Order::AcquireRelease | Order::SequentiallyConsistent)
}

/// Leaves the model: loom knows no other way out than to unwind.
pub fn halt(mut state: State<'_>, why: Halt) -> ! {
    state.halt.get_or_insert(why);
    drop(state);
    resume_unwind(Box::new(()))
}

/// The granules of `1 << shift` bytes that a range touches.
pub const fn granules(bytes: &Range<u64>, shift: u32) -> Range<u64> {
    let last = if bytes.end > bytes.start { ((bytes.end - 1) >> shift) + 1 } else { bytes.start >> shift };
    bytes.start >> shift..last
}
