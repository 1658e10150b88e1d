//! Removes pure instructions whose results nothing reads. Loads stay: a read is something a detector sees.

use super::operands::{Role, visit};
use super::{Node, Unfinished, index};
use crate::ir::{Access, Instr, Reg};

/// Removes dead instructions, and results of atomics that nothing reads.
pub(super) fn remove(program: &mut Unfinished) {
    let mut reads = vec![0_u32; index(program.rows)];
    for node in &mut program.nodes {
        if let Node::Instr(instr, _) = node {
            count(instr, &mut program.accesses, |row, role| {
                if let (Role::Read, Some(reads)) = (role, reads.get_mut(index(row.0))) {
                    *reads += 1;
                }
            });
        }
    }
    let mut kept = Vec::with_capacity(program.nodes.len());
    // Backwards, so that what only a removed instruction read is removed in the same pass. A loop-carried
    // cycle of variables that nothing else reads is not found; the next pass over liveness is for that.
    for mut node in program.nodes.drain(..).rev() {
        if let Node::Instr(instr, _) = &mut node {
            if is_pure(instr) && !writes_read_row(instr, &mut program.accesses, &reads) {
                count(instr, &mut program.accesses, |row, role| {
                    if let (Role::Read, Some(reads)) = (role, reads.get_mut(index(row.0))) {
                        *reads = reads.saturating_sub(1);
                    }
                });
                continue;
            }
            drop_unread_results(instr, &mut program.accesses, &reads);
        }
        kept.push(node);
    }
    kept.reverse();
    program.nodes = kept;
}

/// Calls `see` with every row of every operand.
pub(super) fn count(instr: &mut Instr, accesses: &mut [Access], mut see: impl FnMut(Reg, Role)) {
    visit(instr, accesses, &mut |first, rows, role| {
        (first.0..first.0.saturating_add(rows)).for_each(|row| see(Reg(row), role));
    });
}

fn writes_read_row(instr: &mut Instr, accesses: &mut [Access], reads: &[u32]) -> bool {
    let mut found = false;
    count(instr, accesses, |row, role| {
        found |= role == Role::Write && reads.get(index(row.0)).is_some_and(|&reads| reads > 0);
    });
    found
}

fn drop_unread_results(instr: &Instr, accesses: &mut [Access], reads: &[u32]) {
    let Instr::Access(id) = instr else { return };
    let Some(access) = accesses.get_mut(index(id.0)) else { return };
    let rows = access.scalar.rows();
    let unread = |row: &mut Reg, rows: u32| {
        (row.0..row.0 + rows).all(|row| reads.get(index(row)).is_none_or(|&reads| reads == 0))
    };
    let _ = access.result.take_if(|row| unread(row, rows));
    let _ = access.exchanged.take_if(|row| unread(row, 1));
}

/// Whether an instruction does nothing but write rows.
pub(super) const fn is_pure(instr: &Instr) -> bool {
    matches!(
        instr,
        Instr::Copy { .. }
            | Instr::Unary { .. }
            | Instr::Binary { .. }
            | Instr::Ternary { .. }
            | Instr::Select { .. }
            | Instr::InsertBits { .. }
            | Instr::Convert { .. }
            | Instr::Builtin { .. }
            | Instr::ArrayLength { .. }
    )
}
