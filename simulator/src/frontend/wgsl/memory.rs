//! Loads and stores: a value's scalars in runs of adjacent elements, one [`Access`] per run.

use std::rc::Rc;

use super::Lowering;
use super::assembler::rows_usize;
use super::layout::{Kind, Leaf, TypeId};
use super::locate::saturating;
use super::value::{Memory, Place};
use crate::ir::{Access, AccessKind, Address, AtomicOp, Reg, Scalar};
use crate::outcome::SimulateError;

/// Most elements of one access.
const MAX_RUN: usize = 64;

/// Scalars that lie side by side in memory.
struct Run {
    first: usize,
    count: usize,
    offset: u32,
    scalar: Scalar,
}

fn runs(leaves: &[Leaf]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, leaf) in leaves.iter().enumerate() {
        let bytes = leaf.scalar.bits() / 8;
        match runs.last_mut() {
            Some(run)
                if run.scalar.bits() == leaf.scalar.bits()
                    && (run.scalar == Scalar::Bool) == (leaf.scalar == Scalar::Bool)
                    && run.count < MAX_RUN
                    && u64::from(run.offset) + u64::from(bytes) * u64::from(saturating(run.count))
                        == u64::from(leaf.offset) =>
            {
                run.count += 1;
            }
            _ => runs.push(Run { first: at, count: 1, offset: leaf.offset, scalar: leaf.scalar }),
        }
    }
    runs
}

impl Memory {
    /// The address `offset` bytes further on.
    pub(super) fn address(&self, offset: u32) -> Address {
        Address {
            base: self.base,
            index: self.index.map(|index| index.row),
            index_signed: self.index.is_some_and(|index| index.signed),
            scale: self.index.map_or(0, |index| index.scale),
            offset: self.offset,
            wide: false,
            displacement: i64::from(self.displacement) + i64::from(offset),
        }
    }

    fn access(&self, kind: AccessKind, run: &Run, value: Reg, alignment: u32) -> Access {
        // A part `offset` bytes into a type is as aligned as both allow.
        let part = if run.offset == 0 { alignment } else { alignment.min(1 << run.offset.trailing_zeros()) };
        Access {
            kind,
            scalar: run.scalar,
            count: saturating(run.count),
            value,
            result: None,
            compare: None,
            exchanged: None,
            address: self.address(run.offset),
            checks: self.checks.clone(),
            alignment: part,
            reaches: None,
        }
    }
}

impl Lowering<'_> {
    /// The scalars of the value at `place`.
    pub(super) fn load(&mut self, ty: TypeId, place: &Place) -> Result<Rc<[Reg]>, SimulateError> {
        if let Kind::Atomic(scalar) = *self.types.kind(ty) {
            return self.atomic_load(scalar, place);
        }
        let leaves = self.loadable(ty)?;
        match place {
            Place::Registers { scalars, first } => {
                let registers = scalars.get(*first..first + leaves.len()).unwrap_or_default();
                Ok(registers.iter().zip(leaves.iter()).map(|(&row, leaf)| self.asm.read(row, leaf.scalar)).collect())
            }
            Place::Memory(memory) => Ok(self.load_memory(ty, memory, &leaves)),
        }
    }

    fn load_memory(&mut self, ty: TypeId, memory: &Memory, leaves: &[Leaf]) -> Rc<[Reg]> {
        let alignment = self.types.layout(ty).alignment;
        let mut registers = Vec::with_capacity(leaves.len());
        for run in runs(leaves) {
            let rows = run.scalar.rows();
            let value = self.asm.fresh(rows * saturating(run.count));
            self.asm.access(memory.access(AccessKind::Load, &run, value, alignment));
            registers.extend((value.0..).step_by(rows_usize(rows)).take(run.count).map(Reg));
        }
        registers.into()
    }

    /// Stores the scalars of a value at `place`.
    pub(super) fn store(&mut self, ty: TypeId, place: &Place, value: &[Reg]) -> Result<(), SimulateError> {
        if let Kind::Atomic(scalar) = *self.types.kind(ty) {
            let operand = value.first().copied().ok_or_else(|| self.internal("an empty atomic value"))?;
            let access = self.atomic_access(AtomicOp::Store, scalar, place, operand)?;
            self.asm.access(access);
            return Ok(());
        }
        let leaves = self.loadable(ty)?;
        if leaves.len() != value.len() {
            return Err(self.internal("a stored value of another type"));
        }
        match place {
            Place::Registers { scalars, first } => {
                let registers = scalars.get(*first..first + leaves.len()).unwrap_or_default();
                for ((&row, leaf), &register) in registers.iter().zip(leaves.iter()).zip(value) {
                    self.asm.write(row, leaf.scalar, register);
                }
            }
            Place::Memory(memory) => self.store_memory(ty, memory, &leaves, value),
        }
        Ok(())
    }

    fn store_memory(&mut self, ty: TypeId, memory: &Memory, leaves: &[Leaf], value: &[Reg]) {
        let alignment = self.types.layout(ty).alignment;
        for run in runs(leaves) {
            let parts = value.get(run.first..run.first + run.count).unwrap_or_default();
            let first = self.asm.adjacent(parts, run.scalar);
            self.asm.access(memory.access(AccessKind::Store, &run, first, alignment));
        }
    }

    /// The scalars of a type that can be loaded as a whole.
    fn loadable(&mut self, ty: TypeId) -> Result<Rc<[Leaf]>, SimulateError> {
        self.check_size(ty)?;
        Ok(self.types.leaves(ty))
    }

    /// Refuses values of too many scalars to hold in registers.
    pub(super) fn check_size(&self, ty: TypeId) -> Result<(), SimulateError> {
        let (scalars, limit) = (self.types.layout(ty).scalars, super::layout::MAX_SCALARS);
        if scalars > limit {
            return Err(self.unsupported_here(format!("value of {scalars} scalars (at most {limit})")));
        }
        Ok(())
    }

    /// A zero value.
    pub(super) fn zero(&mut self, ty: TypeId) -> Result<Rc<[Reg]>, SimulateError> {
        let leaves = self.loadable(ty)?;
        Ok(leaves.iter().map(|leaf| self.asm.constant_of(leaf.scalar, 0)).collect())
    }
}
