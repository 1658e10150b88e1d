//! Which memory each address can point into, for programs that know memory by address.
//!
//! Pointers start as constants (the launch's buffers, the module's variables) and go through registers and memory;
//! everything that is computed from one may still be one. The analysis looks at no control flow. An address that comes
//! from nowhere known may point anywhere.
//!
//! With it, buffers that no store can reach need no shadow, and the granule of each shadow is that of the accesses to
//! its own buffer. The machine holds every access to what is found here.

use std::collections::HashMap;

use gridproof_launch::Contents;

use crate::cast::at;
use crate::frontend::{Role, each_operand};
use crate::ir::{
    AccessKind, Base, BindingId, Instr, PRIVATE_REGION, Program, REGION_SHIFT, Transfer, WORKGROUP_REGION,
};

/// A set of bindings, then workgroup and private memory.
type Set = u128;

/// Bindings that fit a set besides workgroup and private memory.
const MOST: usize = 126;

struct Pointees {
    rows: Vec<Set>,
    /// What pointers each memory holds, by its position in a set.
    memory: Vec<Set>,
    workgroup: usize,
    private: usize,
}

/// Notes at every access by address which bindings it can reach.
pub fn note(program: &mut Program) {
    let by_address = program.bindings.iter().any(|binding| binding.address.is_some());
    if !by_address || program.bindings.len() > MOST {
        return;
    }
    let mut pointees = Pointees::start(program);
    let mut changed = true;
    while changed {
        changed = false;
        for instr in &program.code {
            changed |= pointees.step(program, instr);
        }
    }
    let sets: Vec<Set> = program.tables.accesses.iter().map(|access| pointees.target(access)).collect();
    let everything = !0 >> (Set::BITS - u32::try_from(pointees.memory.len()).unwrap_or(Set::BITS));
    for (access, set) in program.tables.accesses.iter_mut().zip(sets) {
        if matches!(access.address.base, Base::Absolute | Base::Generic) && set != everything {
            let inside = (0..pointees.workgroup).filter(|&binding| set >> binding & 1 == 1);
            access.reaches = Some(inside.map(|binding| BindingId(crate::cast::narrow(binding))).collect());
        }
    }
}

impl Pointees {
    fn start(program: &Program) -> Self {
        let count = program.bindings.len();
        let mut rows = vec![0; at(program.rows) + 1];
        let words: HashMap<u32, u32> = program.constants.iter().map(|&(reg, word)| (reg.0, word)).collect();
        for (&row, &low) in &words {
            if let (Some(&high), Some(set)) = (words.get(&(row + 1)), rows.get_mut(at(row))) {
                *set = region(program, u64::from(high) << 32 | u64::from(low));
            }
        }
        let mut memory: Vec<Set> = program.bindings.iter().map(|binding| held(program, binding)).collect();
        memory.extend([0, 0]);
        Self { rows, memory, workgroup: count, private: count + 1 }
    }

    fn set(&self, row: u32) -> Set {
        self.rows.get(at(row)).copied().unwrap_or(0)
    }

    /// What an access touches.
    fn target(&self, access: &crate::ir::Access) -> Set {
        let everything = !0 >> (Set::BITS - u32::try_from(self.memory.len()).unwrap_or(Set::BITS));
        match access.address.base {
            Base::Binding(id) => 1 << id.0,
            Base::Workgroup => 1 << self.workgroup,
            Base::Private => 1 << self.private,
            Base::Absolute | Base::Generic => {
                match access.address.offset.map_or(0, |reg| self.set(reg.0) | self.set(reg.high().0)) {
                    0 => everything,
                    set => set,
                }
            }
        }
    }

    fn step(&mut self, program: &Program, instr: &Instr) -> bool {
        match *instr {
            Instr::Access(id) => program.tables.accesses.get(at(id.0)).is_some_and(|access| self.access(access)),
            // Bytes that come through an asynchronous copy are data: a pointer among them would be one to anywhere.
            Instr::Transfer(id) => match program.tables.transfers.get(at(id.0)) {
                Some(Transfer::Copy { .. }) => {
                    let all = self.memory.iter().fold(0, |all, set| all | set);
                    self.hold(self.workgroup, all)
                }
                _ => false,
            },
            _ => {
                let (mut all, mut writes) = (0, Vec::new());
                each_operand(&program.tables, instr, |reg, rows, role| match role {
                    Role::Read => all = (reg.0..reg.0 + rows).fold(all, |all, row| all | self.set(row)),
                    Role::Write => writes.push((reg, rows)),
                });
                writes.into_iter().fold(false, |changed, (reg, rows)| self.give(reg.0, rows, all) | changed)
            }
        }
    }

    fn give(&mut self, first: u32, rows: u32, set: Set) -> bool {
        let mut changed = false;
        for row in first..first + rows {
            if let Some(known) = self.rows.get_mut(at(row)) {
                changed |= *known | set != *known;
                *known |= set;
            }
        }
        changed
    }

    fn hold(&mut self, memory: usize, set: Set) -> bool {
        let Some(known) = self.memory.get_mut(memory) else { return false };
        let changed = *known | set != *known;
        *known |= set;
        changed
    }

    fn access(&mut self, access: &crate::ir::Access) -> bool {
        let target = self.target(access);
        let places: Vec<usize> = (0..self.memory.len()).filter(|place| target >> place & 1 == 1).collect();
        let rows = access.count.saturating_mul(access.scalar.rows());
        let read = places.iter().fold(0, |all, &place| all | self.memory.get(place).copied().unwrap_or(0));
        let written = (access.value.0..access.value.0 + rows).fold(0, |all, row| all | self.set(row));
        match access.kind {
            AccessKind::Load => self.give(access.value.0, rows, read),
            AccessKind::Store => places.into_iter().fold(false, |changed, place| self.hold(place, written) | changed),
            AccessKind::Atomic { .. } => {
                let mut changed = places.into_iter().fold(false, |changed, place| self.hold(place, written) | changed);
                if let Some(result) = access.result {
                    changed |= self.give(result.0, access.scalar.rows(), read);
                }
                changed
            }
        }
    }
}

/// The memory behind an address, as a set.
fn region(program: &Program, address: u64) -> Set {
    match address >> REGION_SHIFT {
        WORKGROUP_REGION => return 1 << program.bindings.len(),
        PRIVATE_REGION => return 2 << program.bindings.len(),
        _ => {}
    }
    let same = |other: u64| other >> REGION_SHIFT == address >> REGION_SHIFT;
    let found = program.bindings.iter().position(|binding| binding.address.is_some_and(same));
    found.map_or(0, |binding| 1 << binding)
}

/// Pointers in the initial value of a module's variable, wherever eight bytes look like one.
fn held(program: &Program, binding: &crate::ir::Binding) -> Set {
    let Some((_, contents)) = &binding.own else { return 0 };
    let pieces: Vec<&[u8]> = match contents {
        Contents::Dense(bytes) => vec![bytes],
        Contents::Virtual { patches, .. } => patches.values().map(|bytes| &**bytes).collect(),
    };
    let words = pieces.into_iter().flat_map(|bytes| bytes.as_chunks::<8>().0);
    words.fold(0, |all, word| all | region(program, u64::from_le_bytes(*word)))
}
