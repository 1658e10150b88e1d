//! Removes pure instructions whose results nothing reads. Loads stay: a read is something a detector sees.

use super::flow::{Flow, Liveness, each_row};
use super::operands::Role;
use super::{Node, Unfinished, index};
use crate::ir::{Instr, Reg, Tables};

/// Removes dead instructions, and results of atomics that nothing reads.
pub(super) fn remove(program: &mut Unfinished) {
    let flow = Flow::new(&program.nodes);
    match Liveness::new(&mut program.nodes, &mut program.tables, program.rows, &flow) {
        Some(liveness) => remove_by_liveness(program, &flow, &liveness),
        None => remove_by_count(program),
    }
}

/// Walks every block backwards with the rows that are live.
fn remove_by_liveness(program: &mut Unfinished, flow: &Flow, liveness: &Liveness) {
    let mut keep = vec![true; program.nodes.len()];
    // Rows whose state inside the block is known, with the block it is known for.
    let mut local: Vec<(usize, bool)> = vec![(usize::MAX, false); index(program.rows)];
    for block in 0..flow.count() {
        for at in flow.nodes(block).rev() {
            let Some(Node::Instr(instr, _)) = program.nodes.get_mut(at) else { continue };
            let live = |local: &[(usize, bool)], row: Reg| match local.get(index(row.0)) {
                Some(&(known, live)) if known == block => live,
                _ => liveness.is_live_after(block, row),
            };
            let mut wanted = !is_pure(instr);
            each_row(instr, &mut program.tables, |row, role| wanted |= role == Role::Write && live(&local, row));
            if !wanted {
                keep[at] = false;
                continue;
            }
            drop_unread_results(instr, &mut program.tables, |row| live(&local, row));
            // Writes before reads, as an instruction may read the row it writes.
            for wanted in [Role::Write, Role::Read] {
                each_row(instr, &mut program.tables, |row, role| {
                    if let (true, Some(slot)) = (role == wanted, local.get_mut(index(row.0))) {
                        *slot = (block, role == Role::Read);
                    }
                });
            }
        }
    }
    let mut kept = keep.into_iter();
    program.nodes.retain(|_| kept.next().unwrap_or(true));
}

/// For programs too large for liveness: an instruction is dead when its rows are read nowhere.
fn remove_by_count(program: &mut Unfinished) {
    let mut reads = vec![0_u32; index(program.rows)];
    for node in &mut program.nodes {
        if let Node::Instr(instr, _) = node {
            each_row(instr, &mut program.tables, |row, role| {
                if let (Role::Read, Some(reads)) = (role, reads.get_mut(index(row.0))) {
                    *reads += 1;
                }
            });
        }
    }
    let mut kept = Vec::with_capacity(program.nodes.len());
    for mut node in program.nodes.drain(..).rev() {
        if let Node::Instr(instr, _) = &mut node {
            let live = |reads: &[u32], row: Reg| reads.get(index(row.0)).is_some_and(|&reads| reads > 0);
            let mut wanted = !is_pure(instr);
            each_row(instr, &mut program.tables, |row, role| wanted |= role == Role::Write && live(&reads, row));
            if !wanted {
                each_row(instr, &mut program.tables, |row, role| {
                    if let (Role::Read, Some(reads)) = (role, reads.get_mut(index(row.0))) {
                        *reads = reads.saturating_sub(1);
                    }
                });
                continue;
            }
            drop_unread_results(instr, &mut program.tables, |row| live(&reads, row));
        }
        kept.push(node);
    }
    kept.reverse();
    program.nodes = kept;
}

fn drop_unread_results(instr: &Instr, tables: &mut Tables, live: impl Fn(Reg) -> bool) {
    let Instr::Access(id) = instr else { return };
    let Some(access) = tables.accesses.get_mut(index(id.0)) else { return };
    if matches!(access.kind, crate::ir::AccessKind::Atomic { op: crate::ir::AtomicOp::Load, .. }) {
        return;
    }
    let rows = access.scalar.rows();
    let unread = |row: Reg, rows: u32| (row.0..row.0 + rows).all(|row| !live(Reg(row)));
    let _ = access.result.take_if(|row| unread(*row, rows));
    let _ = access.exchanged.take_if(|row| unread(*row, 1));
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
            | Instr::Extended(_)
            | Instr::Builtin { .. }
            | Instr::ArrayLength { .. }
    )
}
