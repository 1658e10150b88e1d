//! What a subgroup that stands before a scheduling point is about to do.

use std::ops::Range;

use super::access::{Pattern, Place, class_of};
use super::registers::Lanes;
use super::subgroup::Subgroup;
use crate::cast::at;
use crate::ir::{Access, AccessKind, AtomicOp, Order, Scalar, Scope, Space};
use crate::memory::shadow::Class;

/// An operation that others can notice, not yet done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The instruction.
    pub pc: u32,
    /// Who is to execute it.
    pub lanes: u128,
    /// How it takes part in conflicts.
    pub class: Class,
    /// Memory order of an atomic.
    pub order: Option<Order>,
    /// How far an atomic reaches.
    pub scope: Option<Scope>,
    /// Order and scope of a fence, which is no access.
    pub fence: Option<(Order, Scope)>,
    /// Operation and type of an atomic whose result nobody reads: two of a kind may change places where the operation
    /// commutes.
    pub unread: Option<(AtomicOp, Scalar)>,
    /// The bytes, in ascending order and disjoint for each memory.
    pub ranges: Vec<Reach>,
}

/// Bytes of one memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Buffer; `None` for workgroup memory.
    pub buffer: Option<usize>,
    /// Bytes in the buffer or in workgroup memory.
    pub bytes: Range<u64>,
}

impl Pending {
    pub(super) fn new(pc: u32, access: &Access, lanes: u128) -> Self {
        let (order, scope, unread) = match access.kind {
            AccessKind::Atomic { op, order, scope } => {
                let unread = access.result.is_none() && access.exchanged.is_none();
                (Some(order), Some(scope), unread.then_some((op, access.scalar)))
            }
            _ => (None, None, None),
        };
        Self { pc, lanes, class: class_of(access), order, scope, fence: None, unread, ranges: Vec::new() }
    }

    /// A fence of `lanes`.
    pub(super) const fn fence(pc: u32, lanes: u128, order: Order, scope: Scope) -> Self {
        let (class, fence) = (Class::AtomicRead, Some((order, scope)));
        Self { pc, lanes, class, order: None, scope: None, fence, unread: None, ranges: Vec::new() }
    }

    pub(super) fn add(&mut self, subgroup: &Subgroup, place: &Place, lanes: u128, pattern: Pattern, size: u64) {
        let buffer = match place.space {
            Space::Storage => Some(place.buffer),
            Space::Workgroup => None,
            Space::Uniform | Space::Private => return,
        };
        let start = |address: u64| place.start + address;
        let one = |start: u64, length: u64| std::iter::once(start..start + length).collect();
        let mut found: Vec<Range<u64>> = match pattern {
            _ if lanes == 0 => Vec::new(),
            Pattern::Adjacent { first, count } => one(start(first), size * u64::from(count)),
            Pattern::Same { address } => one(start(address), size),
            Pattern::Scattered => {
                Lanes(lanes).map(|lane| start(subgroup.addresses[at(lane)])).map(|start| start..start + size).collect()
            }
        };
        found.sort_unstable_by_key(|range| range.start);
        for range in found {
            match self.ranges.last_mut() {
                Some(Reach { buffer: last, bytes }) if *last == buffer && range.start <= bytes.end => {
                    bytes.end = bytes.end.max(range.end);
                }
                _ => self.ranges.push(Reach { buffer, bytes: range }),
            }
        }
    }
}
