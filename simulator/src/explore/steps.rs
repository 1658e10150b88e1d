//! What a turn touched, which turns may change places, and what came before what.
//!
//! Two turns of different units *depend* on each other when their order can matter: they touch a common byte and one
//! writes it, or both move the slots (a workgroup starts or ends while others wait for a slot). Everything else
//! commutes. Happens-before is the order that dependent turns had, closed over units and barriers; two executions with
//! the same happens-before are the same to the kernel (Mazurkiewicz traces).

use std::rc::Rc;

use super::world::{Choice, UnitId};
use crate::analysis::commutes;
use crate::ir::AtomicOp;
use crate::machine::pending::{Pending, Reach};
use crate::memory::shadow::Class;

/// What one turn touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Its workgroup, for workgroup memory.
    workgroup: u32,
    access: Option<Pending>,
    /// Whether a workgroup starts or ends with it, or may.
    pub moves: bool,
    /// Whether some workgroup waited for a slot before it.
    pub waiting: bool,
}

impl Footprint {
    /// Of a choice that was not taken yet. `waiting`: whether some workgroup waits for a slot.
    pub fn new(choice: &Choice, workgroup: u32, waiting: bool) -> Self {
        Self { workgroup, access: choice.access.clone(), moves: true, waiting }
    }

    /// Whether a workgroup takes a slot by it.
    pub const fn is_start(&self) -> bool {
        self.access.is_none()
    }

    /// Whether the order of the two can matter.
    pub fn depends_on(&self, other: &Self) -> bool {
        if self.moves && other.moves && (self.waiting || other.waiting) {
            return true;
        }
        let (Some(mine), Some(theirs)) = (&self.access, &other.access) else { return false };
        let both_read = |class| matches!(class, Class::Read | Class::AtomicRead);
        if (both_read(mine.class) && both_read(theirs.class)) || commute(mine, theirs) {
            return false;
        }
        let same_memory =
            |a: &Reach, b: &Reach| a.buffer == b.buffer && (a.buffer.is_some() || self.workgroup == other.workgroup);
        mine.ranges.iter().any(|a| {
            let common = |b: &Reach| a.bytes.start < b.bytes.end && b.bytes.start < a.bytes.end;
            theirs.ranges.iter().any(|b| same_memory(a, b) && common(b))
        })
    }
}

/// Whether two atomics leave the same bytes in both orders, and nobody looks at what they found.
fn commute(a: &Pending, b: &Pending) -> bool {
    match (a.unread, b.unread) {
        (Some((op, scalar)), Some(other)) => {
            let addition = |op| matches!(op, AtomicOp::Add | AtomicOp::Sub);
            commutes(op, scalar) && scalar == other.1 && (op == other.0 || (addition(op) && addition(other.0)))
        }
        _ => false,
    }
}

/// How many turns of each unit come before, itself included.
pub type Clock = Vec<u32>;

/// Joins `other` into `clock`.
pub fn join(clock: &mut Clock, other: &[u32]) {
    clock.iter_mut().zip(other).for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
}

/// One turn that was taken.
#[derive(Clone, Debug)]
pub struct Step {
    /// Who.
    pub unit: UnitId,
    /// What it touched.
    pub footprint: Footprint,
    /// Its number among the unit's turns, counted from 1.
    pub number: u32,
    /// What comes before it.
    pub clock: Clock,
    /// Clocks of all units after it and what followed from it.
    pub after: Vec<Rc<Clock>>,
}

impl Step {
    /// Whether this step comes before `later`.
    pub fn is_before(&self, later: &Self) -> bool {
        later.clock.get(self.unit).is_some_and(|&known| known >= self.number)
    }
}
