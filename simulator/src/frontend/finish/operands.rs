//! Which rows an instruction reads and writes: the one place that knows.

use crate::ir::{
    Access, AccessKind, Address, BinaryOp, Extended, Instr, Operand, Reg, Scalar, SubgroupOp, Tables, TernaryOp,
    Transfer, UnaryOp, Warp,
};

use super::index;

/// What happens to an operand's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Read,
    Write,
}

/// Calls `see` with every operand of an instruction, as [`visit`] does, without changing anything.
pub(crate) fn each_operand(tables: &Tables, instr: &Instr, mut see: impl FnMut(Reg, u32, Role)) {
    // A copy of the one table entry that the instruction names.
    let (mut own, mut instr) = (Tables::default(), *instr);
    match &mut instr {
        Instr::Access(id) => own.accesses.extend(tables.accesses.get(index(std::mem::take(&mut id.0))).cloned()),
        Instr::Extended(id) => own.extended.extend(tables.extended.get(index(std::mem::take(&mut id.0))).cloned()),
        Instr::Warp(id) => own.warps.extend(tables.warps.get(index(std::mem::take(&mut id.0))).cloned()),
        Instr::Rendezvous(id) => {
            own.rendezvous.extend(tables.rendezvous.get(index(std::mem::take(&mut id.0))).copied())
        }
        Instr::Transfer(id) => own.transfers.extend(tables.transfers.get(index(std::mem::take(&mut id.0))).copied()),
        _ => {}
    }
    visit(&mut instr, &mut own, &mut |reg, rows, role| see(*reg, rows, role));
}

/// Calls `see` with every operand of an instruction: its first row (which may be replaced), the number of
/// adjacent rows, and its role. All reads come before all writes.
pub(crate) fn visit(instr: &mut Instr, tables: &mut Tables, see: &mut impl FnMut(&mut Reg, u32, Role)) {
    use Role::{Read, Write};
    match instr {
        Instr::Copy { dst, src } => {
            see(src, 1, Read);
            see(dst, 1, Write);
        }
        Instr::Unary { op, ty, dst, a } => {
            see(a, ty.rows(), Read);
            see(dst, unary_rows(*op, *ty), Write);
        }
        Instr::Binary { op, ty, dst, a, b } => {
            let second = if matches!(
                op,
                BinaryOp::Shl | BinaryOp::Shr | BinaryOp::ShlClamp | BinaryOp::ShrClamp | BinaryOp::Ldexp
            ) {
                1
            } else {
                ty.rows()
            };
            see(a, ty.rows(), Read);
            see(b, second, Read);
            see(dst, binary_rows(*op, *ty), Write);
        }
        Instr::Ternary { op, ty, dst, a, b, c } => {
            let others = if *op == TernaryOp::ExtractBits { 1 } else { ty.rows() };
            see(a, ty.rows(), Read);
            see(b, others, Read);
            see(c, others, Read);
            see(dst, ty.rows(), Write);
        }
        Instr::Select { condition, dst, accept, reject } => {
            for source in [condition, accept, reject] {
                see(source, 1, Read);
            }
            see(dst, 1, Write);
        }
        Instr::InsertBits { dst, base, new, place } => {
            see(base, 1, Read);
            see(new, 1, Read);
            see(place, 2, Read);
            see(dst, 1, Write);
        }
        Instr::Convert { from, to, dst, src, .. } => {
            see(src, from.rows(), Read);
            see(dst, to.rows(), Write);
        }
        Instr::Builtin { dst, .. } | Instr::ArrayLength { dst, .. } => see(dst, 1, Write),
        Instr::CheckIndex { dst, index, .. } => {
            see(index, 1, Read);
            see(dst, 1, Write);
        }
        Instr::Access(id) => {
            if let Some(access) = tables.accesses.get_mut(index(id.0)) {
                visit_access(access, see);
            }
        }
        Instr::Extended(id) => {
            if let Some(Extended { sources, results, .. }) = tables.extended.get_mut(index(id.0)) {
                visit_operands(sources, results, see);
            }
        }
        Instr::Warp(id) => {
            if let Some(Warp { mask, sources, results, .. }) = tables.warps.get_mut(index(id.0)) {
                mask.iter_mut().for_each(|mask| see(mask, 1, Read));
                visit_operands(sources, results, see);
            }
        }
        Instr::Rendezvous(id) => {
            if let Some(meeting) = tables.rendezvous.get_mut(index(id.0)) {
                see(&mut meeting.barrier, 1, Read);
                meeting.count.iter_mut().chain(&mut meeting.source).for_each(|row| see(row, 1, Read));
                meeting.result.iter_mut().for_each(|row| see(row, 1, Write));
            }
        }
        Instr::Transfer(id) => {
            if let Some(Transfer::Copy { destination, source, source_bytes, ignore, scratch, .. }) =
                tables.transfers.get_mut(index(id.0))
            {
                visit_address(destination, see);
                visit_address(source, see);
                source_bytes.iter_mut().chain(ignore).for_each(|row| see(row, 1, Read));
                see(scratch, 16, Write);
            }
        }
        Instr::JumpIf { condition, .. } => see(condition, 1, Read),
        Instr::Subgroup { op, ty, dst, src, lane } => {
            see(src, ty.rows(), Read);
            see(lane, 1, Read);
            see(dst, subgroup_rows(*op, *ty), Write);
        }
        Instr::AssertUniform { src } => see(src, 1, Read),
        Instr::Jump { .. } | Instr::Barrier { .. } | Instr::Fence { .. } | Instr::Exit | Instr::Trap => {}
    }
}

fn visit_operands(sources: &mut [Operand], results: &mut [Operand], see: &mut impl FnMut(&mut Reg, u32, Role)) {
    sources.iter_mut().for_each(|operand| see(&mut operand.reg, operand.rows, Role::Read));
    results.iter_mut().for_each(|operand| see(&mut operand.reg, operand.rows, Role::Write));
}

fn visit_address(address: &mut Address, see: &mut impl FnMut(&mut Reg, u32, Role)) {
    if let Some(row) = &mut address.index {
        see(row, 1, Role::Read);
    }
    if let Some(row) = &mut address.offset {
        see(row, if address.wide { 2 } else { 1 }, Role::Read);
    }
}

fn visit_access(access: &mut Access, see: &mut impl FnMut(&mut Reg, u32, Role)) {
    use Role::{Read, Write};
    let rows = access.scalar.rows().saturating_mul(access.count);
    let one = access.scalar.rows();
    visit_address(&mut access.address, see);
    for check in &mut access.checks {
        see(&mut check.index, 1, Read);
    }
    match access.kind {
        AccessKind::Load => see(&mut access.value, rows, Write),
        AccessKind::Store => see(&mut access.value, rows, Read),
        // A load ignores its operand, which is a row all the same.
        AccessKind::Atomic { .. } => {
            see(&mut access.value, one, Read);
            if let Some(row) = &mut access.compare {
                see(row, one, Read);
            }
            if let Some(row) = &mut access.result {
                see(row, one, Write);
            }
            if let Some(row) = &mut access.exchanged {
                see(row, 1, Write);
            }
        }
    }
}

const fn unary_rows(op: UnaryOp, ty: Scalar) -> u32 {
    match op {
        UnaryOp::IsNan | UnaryOp::IsInf | UnaryOp::FrexpExponent => 1,
        _ => ty.rows(),
    }
}

const fn binary_rows(op: BinaryOp, ty: Scalar) -> u32 {
    match op {
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => 1,
        BinaryOp::MulWide => 2,
        _ => ty.rows(),
    }
}

const fn subgroup_rows(op: SubgroupOp, ty: Scalar) -> u32 {
    match op {
        SubgroupOp::Ballot => 4,
        SubgroupOp::All | SubgroupOp::Any | SubgroupOp::Elect => 1,
        _ => ty.rows(),
    }
}
