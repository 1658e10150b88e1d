//! What an execution has of loom: per contested granule a few cells and atomics, whose values nobody looks at.
//!
//! Values come from our memory, where everything happens in one order. loom says who runs, keeps causality and judges.
//! An atomic operation becomes two steps, between which loom cannot switch:
//!
//! * the *turnstile*: relaxed stores that nobody ever loads. They are where loom may let somebody else go first, and
//!   tell its partial-order reduction which operations depend on each other, but carry no causality. There is one per unit:
//!   who writes goes through all of them, who reads through its own, so that two readers do not depend on each other.
//! * the operation itself with its memory order: a compare-and-exchange that fails for a load (it reads the newest store,
//!   and stores nothing that a later acquire could pick up), `fetch_add` for a read-modify-write, and for a store a store to
//!   an atomic that was not used before, so that the release sequence of what it overwrites ends, as it does since C++20.
//!
//! Conflicts are judged by cells, in the way of [`Class::conflicts`]: `data` is read by all but plain writes, which write
//! it; `writes` has a cell per unit, which its atomic writes write and the plain reads of the others read. So atomics never
//! conflict with each other, atomic reads not with plain reads, and everything else does.
//!
//! Stricter than PTX: there, a relaxed store continues the release of the same thread's earlier store to that place; and two
//! sequentially consistent fences order what is around them without a flag between them, here they acquire and release.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicUsize;

use super::contested::{Need, Plan};
use crate::ir::Order;
use crate::memory::shadow::Class;

/// An atomic operation as loom has to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads the newest store.
    Load,
    /// Overwrites it.
    Store,
    /// Reads it and stores.
    ReadModifyWrite,
}

/// All objects of one execution. Made by the main thread, before the units.
pub struct Objects {
    units: usize,
    atomics: Vec<Option<Atomics>>,
    cells: Mutex<Vec<Option<Cells>>>,
    judged: Vec<bool>,
    gate: AtomicUsize,
}

struct Atomics {
    turnstiles: Vec<AtomicUsize>,
    /// The newest store is in the one at `newest`; the next store takes the one after.
    stores: Vec<AtomicUsize>,
    newest: std::sync::atomic::AtomicUsize,
}

struct Cells {
    data: UnsafeCell<()>,
    writes: Vec<UnsafeCell<()>>,
}

impl Objects {
    /// Objects for a plan. Must be called inside a model, by its main thread.
    pub fn new(plan: &Plan, units: usize) -> Self {
        let atomics = |need: Need| Atomics {
            turnstiles: (0..units).map(|_| AtomicUsize::new(0)).collect(),
            stores: (0..=need.stores).map(|_| AtomicUsize::new(0)).collect(),
            newest: std::sync::atomic::AtomicUsize::new(0),
        };
        let cells = |_| Cells { data: UnsafeCell::new(()), writes: (0..units).map(|_| UnsafeCell::new(())).collect() };
        Self {
            units,
            atomics: plan.needs().map(|need| need.atomics.then(|| atomics(need))).collect(),
            cells: Mutex::new(plan.needs().map(|need| need.cells.then_some(need).map(cells)).collect()),
            judged: plan.needs().map(|need| need.cells).collect(),
            gate: AtomicUsize::new(0),
        }
    }

    /// Whether a granule has atomics.
    pub fn has_atomics(&self, number: usize) -> bool {
        self.atomics.get(number).is_some_and(Option::is_some)
    }

    /// Whether a granule has cells.
    pub fn has_cells(&self, number: usize) -> bool {
        self.judged.get(number).copied().unwrap_or(false)
    }

    /// Lets loom choose who comes first at these granules; each with whether it is to be written. Comes back when it is this
    /// unit's turn, which then runs alone up to its next call.
    pub fn pass(&self, unit: usize, granules: &[(usize, bool)]) {
        let mut doors = Vec::new();
        for &(number, writes) in granules {
            if let Some(Some(atomics)) = self.atomics.get(number) {
                let through = if writes { 0..self.units } else { unit..unit + 1 };
                doors.extend(atomics.turnstiles.get(through).unwrap_or_default());
            }
        }
        let Some((first, others)) = doors.split_first() else { return };
        first.store(0, Ordering::Relaxed);
        if !others.is_empty() {
            undisturbed(|| others.iter().for_each(|door| door.store(0, Ordering::Relaxed)));
        }
    }

    /// Lets loom choose who comes first at the slots.
    pub fn pass_gate(&self) {
        self.gate.store(0, Ordering::Relaxed);
    }

    /// Does an atomic operation. `false` where its store has no object left.
    pub fn operate(&self, number: usize, operation: Operation, order: Order) -> bool {
        let Some(Some(atomics)) = self.atomics.get(number) else { return true };
        let relaxed = Ordering::Relaxed;
        let newest = atomics.newest.load(relaxed) + usize::from(operation == Operation::Store);
        let Some(object) = atomics.stores.get(newest) else { return false };
        undisturbed(|| match operation {
            Operation::Load => {
                // Fails: no object ever has this value.
                let _ = object.compare_exchange(usize::MAX, 0, relaxed, acquiring(order));
            }
            Operation::Store => object.store(1, releasing(order)),
            Operation::ReadModifyWrite => {
                object.fetch_add(1, both(order));
            }
        });
        atomics.newest.store(newest, relaxed);
        true
    }

    /// How many stores an execution has room for at a granule.
    pub fn stores(&self, number: usize) -> usize {
        self.atomics.get(number).and_then(Option::as_ref).map_or(0, |atomics| atomics.stores.len() - 1)
    }

    /// Tells loom of an access. Panics in loom where it races.
    pub fn access(&self, number: usize, unit: usize, class: Class) {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Some(Cells { data, writes })) = cells.get(number) else { return };
        match class {
            Class::Write => data.with_mut(|_| ()),
            Class::Read => {
                data.with(|_| ());
                let others = (0..).zip(writes).filter(|(other, _)| *other != unit);
                others.for_each(|(_, cell)| cell.with(|_| ()));
            }
            Class::AtomicRead => data.with(|_| ()),
            Class::AtomicWrite => {
                data.with(|_| ());
                if let Some(mine) = writes.get(unit) {
                    mine.with_mut(|_| ());
                }
            }
        }
    }
}

/// A fence with its order.
pub fn fence(order: Order) {
    match order {
        Order::Relaxed => {}
        order => loom::sync::atomic::fence(both(order)),
    }
}

/// Runs without loom looking for other orders inside.
fn undisturbed(operation: impl FnOnce()) {
    loom::stop_exploring();
    operation();
    loom::explore();
}

const fn acquiring(order: Order) -> Ordering {
    match order {
        Order::Relaxed | Order::Release => Ordering::Relaxed,
        Order::Acquire | Order::AcquireRelease | Order::SequentiallyConsistent => Ordering::Acquire,
    }
}

const fn releasing(order: Order) -> Ordering {
    match order {
        Order::Relaxed | Order::Acquire => Ordering::Relaxed,
        Order::Release | Order::AcquireRelease | Order::SequentiallyConsistent => Ordering::Release,
    }
}

const fn both(order: Order) -> Ordering {
    match order {
        Order::Relaxed => Ordering::Relaxed,
        Order::Acquire => Ordering::Acquire,
        Order::Release => Ordering::Release,
        Order::AcquireRelease | Order::SequentiallyConsistent => Ordering::AcqRel,
    }
}
