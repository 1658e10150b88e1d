//! What an expression gives: the registers of its scalars, or a pointer.

use std::rc::Rc;

use super::layout::TypeId;
use crate::ir::{Base, IndexCheck, Reg};

/// The value of an expression.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// One register per scalar, in memory order.
    Data(Rc<[Reg]>),
    /// A pointer; pointers never live in registers.
    Pointer(Rc<Pointer>),
}

/// Where a pointer leads.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    /// What it points to.
    pub(super) ty: TypeId,
    pub(super) place: Place,
}

/// A place that holds a value.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// The scalars of a variable that lives in registers, from `first` on.
    Registers {
        scalars: Rc<[Reg]>,
        first: usize,
    },
    Memory(Memory),
}

/// A place in memory; see [`crate::ir::Address`].
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) base: Base,
    pub(super) displacement: u32,
    pub(super) index: Option<Index>,
    pub(super) offset: Option<Reg>,
    pub(super) checks: Vec<IndexCheck>,
}

/// The outermost dynamic index of an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index {
    pub(super) row: Reg,
    pub(super) signed: bool,
    pub(super) scale: u32,
}

impl Value {
    pub(super) fn data(registers: impl Into<Rc<[Reg]>>) -> Self {
        Self::Data(registers.into())
    }
}

impl Memory {
    pub(super) const fn at(base: Base, displacement: u32) -> Self {
        Self { base, displacement, index: None, offset: None, checks: Vec::new() }
    }
}
