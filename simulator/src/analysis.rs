//! Static facts about a program that the machine and the detectors need before it runs.
//!
//! * Which registers can reach an address ([`address_registers`]): only there is integer arithmetic compared
//!   with exact arithmetic. The analysis follows registers backwards, without regard to control flow, through
//!   the operations that keep a number's meaning; it stops at memory (an index that was stored and loaded
//!   again is taken as given) and at remainders, which are a deliberate reduction.
//! * Whether control flow or addresses can depend on an atomic ([`atomic_dependence`]): where they do not, one
//!   run decides all schedules. Follows registers and, per binding and space, memory.
//! * The smallest access to each kind of memory, which is the granule of its shadow.

use crate::cast::at;
use crate::frontend::{Role, each_operand};
use crate::ir::{
    Access, AccessKind, Base, BinaryOp, Instr, Order, Pc, Program, Reg, Scalar, Space, TernaryOp, Transfer, UnaryOp,
    WarpOp,
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

/// Whether accesses may be ordered by atomics: by one that acquires or releases, or by any beside a fence.
pub fn orders_by_atomics(program: &Program) -> bool {
    let is_ordered =
        |access: &Access| matches!(access.kind, AccessKind::Atomic { order, .. } if order != Order::Relaxed);
    let has_fence = || program.code.iter().any(|instr| matches!(instr, Instr::Fence { .. }));
    program.tables.accesses.iter().any(is_ordered) || (has_atomics(program) && has_fence())
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

/// The first instruction whose jump, address or meeting can depend on what an atomic returned, or on which invocations
/// happened to execute together.
pub fn atomic_dependence(program: &Program) -> Option<Pc> {
    let active = program.tables.warps.iter().any(|entry| entry.op == WarpOp::ActiveMask);
    if !has_atomics(program) && !active {
        return None;
    }
    let taint = Taint::of(program);
    let position = program.code.iter().position(|instr| taint.decides(program, instr))?;
    Some(Pc(crate::cast::narrow(position)))
}

/// For each row, whether it can hold what an atomic gave.
pub fn atomic_registers(program: &Program) -> Vec<bool> {
    Taint::of(program).rows
}

struct Taint {
    rows: Vec<bool>,
    /// One flag per binding, then workgroup, private.
    memory: Vec<bool>,
}

impl Taint {
    fn of(program: &Program) -> Self {
        let mut taint = Self { rows: vec![false; at(program.rows)], memory: vec![false; program.bindings.len() + 2] };
        let mut changed = true;
        while changed {
            changed = false;
            program.code.iter().for_each(|instr| changed |= taint.step(program, instr));
        }
        taint
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
        let bindings = self.memory.len() - 2;
        match (access.address.base, &access.reaches) {
            (Base::Binding(id), _) => vec![at(id.0).min(bindings)],
            (Base::Workgroup, _) => vec![bindings],
            (Base::Private, _) => vec![bindings + 1],
            (Base::Absolute | Base::Generic, None) => (0..self.memory.len()).collect(),
            (Base::Absolute, Some(list)) => list.iter().map(|id| at(id.0)).collect(),
            (Base::Generic, Some(list)) => list.iter().map(|id| at(id.0)).chain([bindings, bindings + 1]).collect(),
        }
    }

    fn step(&mut self, program: &Program, instr: &Instr) -> bool {
        if let Instr::Access(id) = *instr {
            return program.tables.accesses.get(at(id.0)).is_some_and(|access| self.access(access));
        }
        if let Instr::Extended(_) | Instr::Warp(_) | Instr::Rendezvous(_) = instr {
            let (reads, writes) = rows_of(program, instr);
            // Who executes together is the scheduler's choice, like the order of atomics.
            let chosen = matches!(instr, Instr::Warp(id) if program
                .tables
                .warps
                .get(at(id.0))
                .is_some_and(|entry| entry.op == WarpOp::ActiveMask));
            let any = chosen || reads.into_iter().any(|reg| self.is(reg));
            return any && writes.into_iter().fold(false, |changed, reg| self.set(reg, 1) | changed);
        }
        let any = operands(instr).into_iter().flatten().any(|reg| self.is(reg) || self.is(reg.high()));
        match destination(instr) {
            Some(dst) if any => self.set(dst, written_rows(instr)),
            _ => false,
        }
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
            AccessKind::Atomic { .. } => {
                let mut changed = false;
                for reg in access.result.into_iter().chain(access.exchanged) {
                    changed |= self.set(reg, rows);
                }
                changed
            }
        }
    }

    fn decides(&self, program: &Program, instr: &Instr) -> bool {
        match *instr {
            Instr::JumpIf { condition, .. } => self.is(condition),
            Instr::CheckIndex { index, .. } => self.is(index),
            Instr::Warp(id) => {
                program.tables.warps.get(at(id.0)).and_then(|entry| entry.mask).is_some_and(|mask| self.is(mask))
            }
            Instr::Rendezvous(id) => program
                .tables
                .rendezvous
                .get(at(id.0))
                .is_some_and(|entry| self.is(entry.barrier) || entry.count.is_some_and(|count| self.is(count))),
            Instr::Access(id) => program.tables.accesses.get(at(id.0)).is_some_and(|access| {
                let address = access.address.index.into_iter().chain(access.address.offset);
                address.chain(access.checks.iter().map(|check| check.index)).any(|reg| self.is(reg))
            }),
            _ => false,
        }
    }
}

/// Every row an instruction reads, and every row it writes.
pub fn rows_of(program: &Program, instr: &Instr) -> (Vec<Reg>, Vec<Reg>) {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    each_operand(&program.tables, instr, |reg, rows, role| {
        let list = if role == Role::Read { &mut reads } else { &mut writes };
        list.extend((0..rows).map(|row| Reg(reg.0 + row)));
    });
    (reads, writes)
}

fn operands(instr: &Instr) -> [Option<Reg>; 4] {
    match *instr {
        Instr::Copy { src, .. } | Instr::Convert { src, .. } => [Some(src), None, None, None],
        Instr::Unary { a, .. } => [Some(a), None, None, None],
        Instr::Binary { a, b, .. } => [Some(a), Some(b), None, None],
        Instr::Ternary { a, b, c, .. } => [Some(a), Some(b), Some(c), None],
        Instr::Select { condition, accept, reject, .. } => [Some(condition), Some(accept), Some(reject), None],
        Instr::InsertBits { base, new, place, .. } => [Some(base), Some(new), Some(place), Some(place.high())],
        Instr::CheckIndex { index, .. } => [Some(index), None, None, None],
        Instr::Subgroup { src, lane, .. } => [Some(src), Some(lane), None, None],
        _ => [None; 4],
    }
}

fn written_rows(instr: &Instr) -> u32 {
    match *instr {
        Instr::Binary { op: BinaryOp::MulWide, .. } => 2,
        Instr::Unary { ty, .. } | Instr::Binary { ty, .. } | Instr::Ternary { ty, .. } => ty.rows(),
        Instr::Convert { to, .. } => to.rows(),
        Instr::Subgroup { op: crate::ir::SubgroupOp::Ballot, .. } => 4,
        Instr::Subgroup { ty, .. } => ty.rows(),
        _ => 1,
    }
}

/// The smallest element any access makes to the memory that `matches`, as a power of two of bytes, 2 at most: what an
/// asynchronous copy moves comes in words.
pub fn granule_shift(program: &Program, matches: impl Fn(&Access) -> bool) -> u32 {
    let smallest =
        program.tables.accesses.iter().filter(|access| matches(access)).map(|access| access.scalar.bits() / 8).min();
    smallest.unwrap_or(4).clamp(1, 4).trailing_zeros()
}
