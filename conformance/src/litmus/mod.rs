//! Litmus tests: tiny launches that communicate between workgroups, or between the subgroups of one workgroup, in one
//! of the ways that memory models are told apart by. [`shapes`] has the ones with names in the literature and the
//! verdict they must have; [`random`] draws others from a seed. Both are written as WGSL or as PTX.
//!
//! They are small enough for every schedule to be explored (at most [`LARGEST`] accesses to shared words), so that two
//! engines that explore schedules can be held to the same verdict on each of them.
//!
//! A *unit* is a workgroup of one invocation, or the first invocation of a subgroup. Units execute a few operations on
//! shared words, which are 0 in the beginning. What a unit reads it keeps in its own registers and stores to its own
//! words of the buffer `output` in the end, [`REGISTERS`] words for each unit.

mod build;
mod error;
mod ptx;
mod random;
mod shapes;
mod wgsl;

use std::fmt;

pub use error::LitmusError;
pub use gridproof_simulator::ir::{Order, Scope};
pub use random::{litmus, random};
pub use shapes::{Shape, shapes};

/// Most accesses to shared words that the units of one litmus test make together, loops counted once.
pub const LARGEST: usize = 12;
/// Registers of a unit.
pub const REGISTERS: u32 = 4;
/// Shared words that have a name.
pub const WORDS: [&str; 4] = ["x", "y", "z", "w"];

/// What a litmus test is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Syntax {
    /// WGSL: atomics are relaxed, at the scope of their memory; there are no fences.
    Wgsl,
    /// PTX text.
    Ptx,
}

impl Syntax {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Wgsl, Self::Ptx];
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wgsl => "WGSL",
            Self::Ptx => "PTX",
        })
    }
}

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Workgroups of one invocation. Shared words are in storage.
    Workgroups,
    /// The subgroups of one workgroup.
    Subgroups {
        /// Invocations of a subgroup. Has to be the `subgroup_size` of the simulation.
        size: u32,
        /// Where the shared words are.
        memory: Memory,
    },
}

impl Kind {
    /// The subgroup size with which a test of this kind is to be simulated.
    pub const fn subgroup_size(self) -> u32 {
        match self {
            Self::Workgroups => 32,
            Self::Subgroups { size, .. } => size,
        }
    }

    /// Where the shared words are.
    pub const fn memory(self) -> Memory {
        match self {
            Self::Workgroups => Memory::Storage,
            Self::Subgroups { memory, .. } => memory,
        }
    }
}

/// A kind of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Memory {
    /// Storage (PTX: global).
    Storage,
    /// Workgroup memory (PTX: shared).
    Workgroup,
}

/// Order and scope of an atomic access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Strength {
    /// Its order.
    pub order: Order,
    /// Its scope.
    pub scope: Scope,
}

/// What a store writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A constant.
    Constant(u32),
    /// A register and a constant added to it.
    Sum {
        /// The register.
        register: u32,
        /// The constant.
        plus: u32,
    },
}

/// What a read-modify-write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Adds a constant.
    Add(u32),
    /// Swaps a constant in.
    Exchange(u32),
    /// Stores `value` where `expected` was found.
    CompareExchange {
        /// What has to be there.
        expected: u32,
        /// What is stored then.
        value: u32,
    },
}

/// One step of a unit. Words and registers are numbers from 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Reads a shared word; a plain access without a strength.
    Load {
        /// The word.
        word: usize,
        /// Order and scope of an atomic load.
        strength: Option<Strength>,
        /// The register that takes the value.
        into: u32,
    },
    /// Writes a shared word; a plain access without a strength.
    Store {
        /// The word.
        word: usize,
        /// Order and scope of an atomic store.
        strength: Option<Strength>,
        /// What is written.
        value: Value,
    },
    /// An atomic that reads and writes.
    Change {
        /// The word.
        word: usize,
        /// Order and scope.
        strength: Strength,
        /// What it does.
        change: Change,
        /// The register that takes the old value.
        into: u32,
    },
    /// A fence. PTX only.
    Fence(Strength),
    /// Does more if a register has a value.
    If {
        /// The register.
        register: u32,
        /// The value.
        equals: u32,
        /// What is done then: no barriers, and no further conditions.
        then: Vec<Operation>,
    },
    /// Loads atomically until the word has a value.
    Await {
        /// The word.
        word: usize,
        /// Order and scope of the load.
        strength: Strength,
        /// The value.
        equals: u32,
    },
    /// Takes a lock: changes the word from 0 to 1, as often as it needs.
    Lock {
        /// The word.
        word: usize,
        /// Order and scope of the compare-exchange.
        strength: Strength,
    },
    /// A barrier of the workgroup. All units have the same ones, and subgroups alone can have any.
    Barrier {
        /// Whether it orders storage. PTX's barriers order both.
        storage: bool,
        /// Whether it orders workgroup memory.
        workgroup: bool,
    },
}

impl Operation {
    /// The word it accesses, and whether atomically.
    pub const fn access(&self) -> Option<(usize, bool)> {
        match *self {
            Self::Load { word, strength, .. } | Self::Store { word, strength, .. } => Some((word, strength.is_some())),
            Self::Change { word, .. } | Self::Await { word, .. } | Self::Lock { word, .. } => Some((word, true)),
            Self::Fence(_) | Self::If { .. } | Self::Barrier { .. } => None,
        }
    }

    /// It and what it contains.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        let inner: &[Self] = if let Self::If { then, .. } = self { then } else { &[] };
        std::iter::once(self).chain(inner)
    }
}

/// A litmus test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Litmus {
    /// What reports call its module.
    pub name: String,
    /// What a unit is.
    pub kind: Kind,
    /// What each unit does.
    pub units: Vec<Vec<Operation>>,
}

impl Litmus {
    /// Every operation of every unit, those under conditions as well.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.units.iter().flatten().flat_map(Operation::all)
    }

    /// Accesses to shared words in the text.
    pub fn accesses(&self) -> usize {
        self.operations().filter(|operation| operation.access().is_some()).count()
    }

    /// How many shared words it has.
    pub fn words(&self) -> usize {
        self.operations().filter_map(|operation| Some(operation.access()?.0 + 1)).max().unwrap_or(0)
    }

    /// Whether some unit accesses the word by a plain access.
    pub fn is_plain(&self, word: usize) -> bool {
        self.operations().any(|operation| operation.access() == Some((word, false)))
    }

    /// Whether some unit accesses the word by an atomic.
    pub fn is_atomic(&self, word: usize) -> bool {
        self.operations().any(|operation| operation.access() == Some((word, true)))
    }
}
