//! Static facts about a program that the machine and the detectors need before it runs.
//!
//! * Which registers can reach an address ([`address_registers`]): only there is integer arithmetic compared
//!   with exact arithmetic. The analysis follows registers backwards, without regard to control flow, through
//!   the operations that keep a number's meaning; it stops at memory (an index that was stored and loaded
//!   again is taken as given) and at remainders, which are a deliberate reduction.
//! * Whether control flow or addresses can depend on an atomic ([`dependence`]): where they do not, one run decides all
//!   schedules. Follows registers and, per binding and space, memory, from one dispatch to the next.
//! * The smallest access to each kind of memory, which is the granule of its shadow.

use crate::cast::at;
use crate::frontend::{Role, each_operand};
use crate::ir::{
    Access, AccessKind, Address, AtomicOp, Base, BinaryOp, BindingId, Instr, Order, Pc, Program, Reg, Scalar, Space,
    TernaryOp, Transfer, UnaryOp, WarpOp,
};

/// For each row, whether its value can become part of an address.
pub fn address_registers(program: &Program) -> Vec<bool> {
    let mut reaches = vec![false; at(program.rows)];
    let copied = program.tables.transfers.iter().flat_map(|transfer| match transfer {
        Transfer::Copy { destination, source, .. } => vec![destination, source],
        _ => Vec::new(),
    });
    for address in program.tables.accesses.iter().map(|access| &access.address).chain(copied) {
        let high = address.offset.filter(|_| address.wide).map(Reg::high);
        for reg in [address.index, address.offset, high].into_iter().flatten() {
            mark(&mut reaches, reg);
        }
    }
    for check in program.tables.accesses.iter().flat_map(|access| &access.checks) {
        mark(&mut reaches, check.index);
    }
    for instr in &program.code {
        if let Instr::CheckIndex { index, .. } = instr {
            mark(&mut reaches, *index);
        }
    }
    let mut changed = true;
    while changed {
        changed = false;
        program.code.iter().for_each(|instr| changed |= step_back(&mut reaches, instr));
    }
    reaches
}

fn mark(reaches: &mut [bool], reg: Reg) -> bool {
    match reaches.get_mut(at(reg.0)) {
        Some(flag) if !*flag => {
            *flag = true;
            true
        }
        _ => false,
    }
}

/// Marks the operands of one instruction whose destination reaches an address.
fn step_back(reaches: &mut [bool], instr: &Instr) -> bool {
    let Some(dst) = destination(instr) else { return false };
    if !reaches.get(at(dst.0)).copied().unwrap_or(false) {
        return false;
    }
    let mut changed = false;
    sources_that_keep_meaning(instr).into_iter().flatten().for_each(|reg| changed |= mark(reaches, reg));
    changed
}

/// For each row, whether it only carries what was loaded to where it is stored: copying is not using. Compilers copy
/// whole structures, padding and undefined fields included, so that a copy of bytes nobody wrote says nothing.
pub fn relays(program: &Program) -> Vec<bool> {
    if program.private_zeroed || program.private_bytes == 0 {
        return vec![false; at(program.rows)];
    }
    let mut uses = vec![false; at(program.rows)];
    program.constants.iter().for_each(|&(row, _)| {
        mark(&mut uses, row);
    });
    let mut carries = vec![false; at(program.rows)];
    let mut changed = true;
    while changed {
        changed = false;
        for instr in &program.code {
            if let Instr::Copy { dst, src } = *instr {
                if uses.get(at(dst.0)).copied().unwrap_or(true) {
                    changed |= mark(&mut uses, src);
                }
                if carries.get(at(src.0)).copied().unwrap_or(false) {
                    changed |= mark(&mut carries, dst);
                }
                continue;
            }
            // Writing a bit field reads what stands around it.
            if let Instr::Binary { op, ty, dst, a, b } = *instr
                && is_field_step(op, ty)
            {
                for source in [a, b] {
                    if uses.get(at(dst.0)).copied().unwrap_or(true) {
                        changed |= mark(&mut uses, source);
                    }
                    if carries.get(at(source.0)).copied().unwrap_or(false) {
                        changed |= mark(&mut carries, dst);
                    }
                }
                continue;
            }
            let access = match instr {
                Instr::Access(id) => program.tables.accesses.get(at(id.0)),
                _ => None,
            };
            let carried = access.filter(|access| matches!(access.kind, AccessKind::Load | AccessKind::Store));
            let address = access.map(|access| &access.address);
            each_operand(&program.tables, instr, |first, count, role| {
                let all = (first.0..first.0.saturating_add(count)).map(Reg);
                let is_address = address.is_some_and(|address| {
                    role == Role::Read && (address.index == Some(first) || address.offset == Some(first))
                });
                let is_value = carried.is_some_and(|access| access.value == first) && !is_address;
                if is_value && role == Role::Write {
                    all.clone().for_each(|row| changed |= mark(&mut carries, row));
                }
                // Adjacent rows share their fate, because they stay together.
                if !is_value || all.clone().any(|row| uses.get(at(row.0)).copied().unwrap_or(true)) {
                    all.for_each(|row| changed |= mark(&mut uses, row));
                }
            });
        }
    }
    carries.into_iter().zip(uses).map(|(carries, uses)| carries && !uses).collect()
}

/// Whether an operation keeps some bits of a word and leaves out or adds others.
pub const fn is_field_step(op: BinaryOp, ty: Scalar) -> bool {
    matches!(op, BinaryOp::And | BinaryOp::Or) && matches!(ty, Scalar::U32 | Scalar::I32 | Scalar::U16 | Scalar::I16)
}

/// The operands whose exact value decides the exact value of the result.
pub fn sources_that_keep_meaning(instr: &Instr) -> [Option<Reg>; 3] {
    match *instr {
        Instr::Copy { src, .. } | Instr::CheckIndex { index: src, .. } => [Some(src), None, None],
        Instr::Unary { op: UnaryOp::Neg | UnaryOp::Not | UnaryOp::Abs, ty, a, .. } if !ty.is_float() => {
            [Some(a), None, None]
        }
        Instr::Binary { op, ty, a, b, .. } if !ty.is_float() && keeps_meaning(op) => [Some(a), Some(b), None],
        Instr::Ternary { op: TernaryOp::MultiplyAdd | TernaryOp::Clamp, ty, a, b, c, .. } if !ty.is_float() => {
            [Some(a), Some(b), Some(c)]
        }
        Instr::Select { accept, reject, .. } => [Some(accept), Some(reject), None],
        Instr::Convert { from, to, src, .. } if !from.is_float() && !to.is_float() => [Some(src), None, None],
        _ => [None; 3],
    }
}

const fn keeps_meaning(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Min
            | BinaryOp::Max
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Xor
            | BinaryOp::Shl
            | BinaryOp::Shr
            | BinaryOp::ShlClamp
            | BinaryOp::ShrClamp
            | BinaryOp::MulWide
    )
}

/// The first row an instruction writes (memory accesses aside).
pub const fn destination(instr: &Instr) -> Option<Reg> {
    match *instr {
        Instr::Copy { dst, .. }
        | Instr::Unary { dst, .. }
        | Instr::Binary { dst, .. }
        | Instr::Ternary { dst, .. }
        | Instr::Select { dst, .. }
        | Instr::InsertBits { dst, .. }
        | Instr::Convert { dst, .. }
        | Instr::Builtin { dst, .. }
        | Instr::ArrayLength { dst, .. }
        | Instr::CheckIndex { dst, .. }
        | Instr::Subgroup { dst, .. } => Some(dst),
        _ => None,
    }
}

/// Whether the program has an atomic on memory that other workgroups can reach.
pub fn has_storage_atomics(program: &Program) -> bool {
    program.tables.accesses.iter().any(|access| is_atomic(access) && space_of(program, access) == Space::Storage)
}

/// Whether the program has any atomic.
pub fn has_atomics(program: &Program) -> bool {
    program.tables.accesses.iter().any(is_atomic)
}

/// The first instruction by which atomics may order accesses: one that acquires or releases, or a fence beside atomics.
pub fn ordering_instruction(program: &Program) -> Option<Pc> {
    let is_ordered =
        |access: &Access| matches!(access.kind, AccessKind::Atomic { order, .. } if order != Order::Relaxed);
    let has_atomics = has_atomics(program);
    let position = program.code.iter().position(|instr| match *instr {
        Instr::Access(id) => program.tables.accesses.get(at(id.0)).is_some_and(is_ordered),
        Instr::Fence { .. } => has_atomics,
        _ => false,
    })?;
    Some(Pc(crate::cast::narrow(position)))
}

/// Whether accesses may be ordered by atomics.
pub fn orders_by_atomics(program: &Program) -> bool {
    ordering_instruction(program).is_some()
}

/// Whether some barrier may be one of a part of a subgroup, or of a part of a workgroup.
pub fn has_partial_barriers(program: &Program) -> bool {
    let is_whole = |mask: Reg| program.constants.contains(&(mask, u32::MAX));
    let tables = &program.tables;
    tables.rendezvous.iter().any(|entry| entry.count.is_some())
        || tables.warps.iter().any(|warp| warp.op == WarpOp::Barrier && !warp.mask.is_some_and(is_whole))
}

const fn is_atomic(access: &Access) -> bool {
    matches!(access.kind, AccessKind::Atomic { .. })
}

/// The memory an access touches. An absolute address counts as storage.
pub fn space_of(program: &Program, access: &Access) -> Space {
    match access.address.base {
        Base::Binding(id) => program.bindings.get(at(id.0)).map_or(Space::Storage, |binding| binding.space),
        Base::Workgroup => Space::Workgroup,
        Base::Private => Space::Private,
        Base::Absolute | Base::Generic => Space::Storage,
    }
}

/// How a program depends on what a scheduler chooses: the order of atomics, and which invocations execute together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependence {
    /// The first instruction whose jump, address or meeting can depend on it.
    pub first: Option<Pc>,
    /// Whether one can depend on which invocations happened to execute together.
    pub company: bool,
    /// What each binding can hold afterwards.
    pub carried: Vec<Chosen>,
}

/// Whether memory can hold what a scheduler chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// By the order of atomics, or by company.
    pub any: bool,
    /// By company.
    pub company: bool,
}

/// The dependence of a program on what a scheduler chooses. `before` is what earlier dispatches left in each binding.
pub fn dependence(program: &Program, before: &[Chosen]) -> Dependence {
    let asks = program.tables.warps.iter().any(|entry| entry.op == WarpOp::ActiveMask);
    if !has_atomics(program) && !asks && before.iter().all(|chosen| !chosen.any) {
        return Dependence { carried: vec![Chosen::default(); program.bindings.len()], ..Dependence::default() };
    }
    let any = Taint::of(program, Sources::All, |binding| before.get(binding).is_some_and(|chosen| chosen.any));
    let company =
        Taint::of(program, Sources::Company, |binding| before.get(binding).is_some_and(|chosen| chosen.company));
    let first = program.code.iter().position(|instr| any.decides(program, instr));
    let carried = any.memory.iter().zip(&company.memory).map(|(&any, &company)| Chosen { any, company });
    Dependence {
        first: first.map(|position| Pc(crate::cast::narrow(position))),
        company: program.code.iter().any(|instr| company.decides(program, instr)),
        carried: carried.take(program.bindings.len()).collect(),
    }
}

/// For each row, whether it can hold what an atomic gave.
pub fn atomic_registers(program: &Program) -> Vec<bool> {
    Taint::of(program, Sources::All, |_| false).rows
}

/// What the scheduler chooses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sources {
    /// Which invocations execute together.
    Company,
    /// That, what atomics return, and what those leave that do not commute.
    All,
}

/// What the atomics on one memory do to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changes {
    Nothing,
    /// All of them the same operation on the same type, which gives the same in every order.
    Commuting(AtomicOp, Scalar),
    Others,
}

struct Taint {
    sources: Sources,
    rows: Vec<bool>,
    /// One flag per binding, then workgroup, private.
    memory: Vec<bool>,
    /// In the same order.
    changes: Vec<Changes>,
    /// What an address may be of that names no memory: not the parameters.
    storage: Vec<usize>,
}

/// Whether two atomics with this operation leave the same bytes in both orders.
pub const fn commutes(op: AtomicOp, scalar: Scalar) -> bool {
    match op {
        AtomicOp::Add | AtomicOp::Sub | AtomicOp::Min | AtomicOp::Max => !scalar.is_float(),
        AtomicOp::And | AtomicOp::Or | AtomicOp::Xor => true,
        _ => false,
    }
}

impl Taint {
    fn of(program: &Program, sources: Sources, before: impl Fn(usize) -> bool) -> Self {
        let memories = program.bindings.len() + 2;
        let memory = (0..memories).map(|place| place < program.bindings.len() && before(place)).collect();
        let changes = vec![Changes::Nothing; memories];
        let is_storage = |place: &usize| program.bindings.get(*place).is_some_and(|it| it.space == Space::Storage);
        let storage = (0..program.bindings.len()).filter(is_storage).collect();
        let mut taint = Self { sources, rows: vec![false; at(program.rows)], memory, changes, storage };
        for access in &program.tables.accesses {
            taint.note_change(access);
        }
        let mut changed = true;
        while changed {
            changed = false;
            program.code.iter().for_each(|instr| changed |= taint.step(program, instr));
        }
        taint
    }

    fn note_change(&mut self, access: &Access) {
        let AccessKind::Atomic { op, .. } = access.kind else { return };
        if op == AtomicOp::Load {
            return;
        }
        for place in self.places(access) {
            let change = &mut self.changes[place];
            *change = match *change {
                Changes::Nothing if commutes(op, access.scalar) => Changes::Commuting(op, access.scalar),
                Changes::Commuting(known, scalar) if known == op && scalar == access.scalar => *change,
                _ => Changes::Others,
            };
        }
    }

    fn is(&self, reg: Reg) -> bool {
        self.rows.get(at(reg.0)).copied().unwrap_or(false)
    }

    fn set(&mut self, reg: Reg, count: u32) -> bool {
        let mut changed = false;
        (0..count).for_each(|i| changed |= mark(&mut self.rows, Reg(reg.0 + i)));
        changed
    }

    /// The memories an access may touch, by their flags.
    fn places(&self, access: &Access) -> Vec<usize> {
        self.memories(access.address.base, access.reaches.as_deref())
    }

    fn memories(&self, base: Base, reaches: Option<&[BindingId]>) -> Vec<usize> {
        let bindings = self.memory.len() - 2;
        match (base, reaches) {
            (Base::Binding(id), _) => vec![at(id.0).min(bindings)],
            (Base::Workgroup, _) => vec![bindings],
            (Base::Private, _) => vec![bindings + 1],
            (Base::Absolute, None) => self.storage.clone(),
            (Base::Generic, None) => self.storage.iter().copied().chain([bindings, bindings + 1]).collect(),
            (Base::Absolute, Some(list)) => list.iter().map(|id| at(id.0)).collect(),
            (Base::Generic, Some(list)) => list.iter().map(|id| at(id.0)).chain([bindings, bindings + 1]).collect(),
        }
    }

    fn step(&mut self, program: &Program, instr: &Instr) -> bool {
        if let Instr::Access(id) = *instr {
            return program.tables.accesses.get(at(id.0)).is_some_and(|access| self.access(access));
        }
        if let Instr::Transfer(id) = *instr {
            return program.tables.transfers.get(at(id.0)).is_some_and(|transfer| self.transfer(transfer));
        }
        // Who executes together is the scheduler's choice, like the order of atomics.
        let warp = match *instr {
            Instr::Warp(id) => program.tables.warps.get(at(id.0)),
            _ => None,
        };
        let mut any = warp.is_some_and(|entry| entry.op == WarpOp::ActiveMask);
        each_operand(&program.tables, instr, |reg, rows, role| {
            any |= role == Role::Read && (0..rows).any(|row| self.is(Reg(reg.0 + row)));
        });
        let mut changed = false;
        if any {
            each_operand(&program.tables, instr, |reg, rows, role| {
                changed |= role == Role::Write && self.set(reg, rows);
            });
        }
        changed
    }

    fn access(&mut self, access: &Access) -> bool {
        let places = self.places(access);
        let rows = access.count.saturating_mul(access.scalar.rows());
        match access.kind {
            AccessKind::Load => places.iter().any(|&place| self.memory[place]) && self.set(access.value, rows),
            AccessKind::Store => {
                let tainted = (0..rows).any(|i| self.is(Reg(access.value.0 + i)));
                let new = tainted && places.iter().any(|&place| !self.memory[place]);
                places.iter().for_each(|&place| self.memory[place] |= tainted);
                new
            }
            AccessKind::Atomic { op, .. } => {
                let operands = std::iter::once(access.value).chain(access.compare);
                let chosen = operands.into_iter().any(|reg| (0..rows).any(|row| self.is(Reg(reg.0 + row))));
                let by_order = |place: &usize| self.sources == Sources::All && self.changes[*place] == Changes::Others;
                let left: Vec<usize> = match op {
                    AtomicOp::Load => Vec::new(),
                    _ => places.iter().copied().filter(|place| chosen || by_order(place)).collect(),
                };
                let mut changed = left.iter().any(|&place| !self.memory[place]);
                left.into_iter().for_each(|place| self.memory[place] = true);
                // What an atomic finds is what another has left.
                if self.sources == Sources::All || places.iter().any(|&place| self.memory[place]) {
                    for reg in access.result.into_iter().chain(access.exchanged) {
                        changed |= self.set(reg, rows);
                    }
                }
                changed
            }
        }
    }

    /// An asynchronous copy carries what its source can hold.
    fn transfer(&mut self, transfer: &Transfer) -> bool {
        let Transfer::Copy { destination, source, source_bytes, ignore, .. } = transfer else { return false };
        let mut chosen = source_bytes.iter().chain(ignore).any(|reg| self.is(*reg));
        chosen |= self.memories(source.base, None).iter().any(|&place| self.memory[place]);
        let into = self.memories(destination.base, None);
        let new = chosen && into.iter().any(|&place| !self.memory[place]);
        into.into_iter().for_each(|place| self.memory[place] |= chosen);
        new
    }

    /// Whether an address can be one of several.
    fn reaches(&self, address: &Address) -> bool {
        let high = address.offset.filter(|_| address.wide).map(Reg::high);
        [address.index, address.offset, high].into_iter().flatten().any(|reg| self.is(reg))
    }

    fn decides(&self, program: &Program, instr: &Instr) -> bool {
        match *instr {
            Instr::JumpIf { condition, .. } => self.is(condition),
            Instr::CheckIndex { index, .. } => self.is(index),
            Instr::AssertUniform { src } => self.is(src),
            Instr::Warp(id) => {
                program.tables.warps.get(at(id.0)).and_then(|entry| entry.mask).is_some_and(|mask| self.is(mask))
            }
            Instr::Rendezvous(id) => program
                .tables
                .rendezvous
                .get(at(id.0))
                .is_some_and(|entry| self.is(entry.barrier) || entry.count.is_some_and(|count| self.is(count))),
            Instr::Access(id) => program.tables.accesses.get(at(id.0)).is_some_and(|access| {
                self.reaches(&access.address) || access.checks.iter().any(|check| self.is(check.index))
            }),
            Instr::Transfer(id) => match program.tables.transfers.get(at(id.0)) {
                Some(Transfer::Copy { destination, source, source_bytes, ignore, .. }) => {
                    let sizes = source_bytes.iter().chain(ignore).any(|reg| self.is(*reg));
                    sizes || self.reaches(destination) || self.reaches(source)
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// The smallest element any access makes to the memory that `matches`, as a power of two of bytes, 2 at most: what an
/// asynchronous copy moves comes in words.
pub fn granule_shift(program: &Program, matches: impl Fn(&Access) -> bool) -> u32 {
    let smallest =
        program.tables.accesses.iter().filter(|access| matches(access)).map(|access| access.scalar.bits() / 8).min();
    smallest.unwrap_or(4).clamp(1, 4).trailing_zeros()
}
