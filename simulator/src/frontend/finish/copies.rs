//! Removes copies between variables and temporaries, inside stretches of code that no jump enters.

use std::collections::HashMap;

use super::operands::{Role, visit};
use super::{Node, Unfinished, index};
use crate::ir::{Instr, Reg};

/// Reads the source of a copy instead of its destination, for as long as the source keeps its value.
pub(super) fn forward(program: &mut Unfinished) {
    let mut sources: HashMap<Reg, Reg> = HashMap::new();
    let mut copied: HashMap<Reg, Vec<Reg>> = HashMap::new();
    for node in &mut program.nodes {
        let Node::Instr(instr, _) = node else {
            sources.clear();
            copied.clear();
            continue;
        };
        let mut written = Vec::new();
        visit(instr, &mut program.accesses, &mut |row, rows, role| match role {
            Role::Read => {
                if let Some(source) = adjacent_source(&sources, *row, rows) {
                    *row = source;
                }
            }
            Role::Write => written.extend((row.0..row.0.saturating_add(rows)).map(Reg)),
        });
        for row in written {
            sources.remove(&row);
            for copy in copied.remove(&row).unwrap_or_default() {
                if sources.get(&copy) == Some(&row) {
                    sources.remove(&copy);
                }
            }
        }
        if let Instr::Copy { dst, src } = *instr
            && program.variables.get(index(dst.0)) == Some(&false)
        {
            sources.insert(dst, src);
            copied.entry(src).or_default().push(dst);
        }
    }
}

/// The rows that hold the values of `rows` rows from `first` on, where they are adjacent as well.
fn adjacent_source(sources: &HashMap<Reg, Reg>, first: Reg, rows: u32) -> Option<Reg> {
    let source = *sources.get(&first)?;
    (1..rows).all(|row| sources.get(&Reg(first.0 + row)) == Some(&Reg(source.0 + row))).then_some(source)
}

/// Where a temporary is written and read.
#[derive(Clone, Copy, Default)]
struct Life {
    written: Option<usize>,
    last_read: usize,
}

/// Writes a variable directly where a temporary is computed only to be copied to it: the temporary must live
/// inside one stretch of code without jumps and labels, and the variable must not be touched while it does,
/// except by the copy.
pub(super) fn retarget(program: &mut Unfinished) {
    let lives = lives(program);
    let stretches = stretches(&program.nodes);
    let stretch = |at: usize| stretches.get(at).copied();
    let mut touched: HashMap<Reg, usize> = HashMap::new();
    let mut renamed: HashMap<Reg, Reg> = HashMap::new();
    let touches = touches(program);
    for at in 0..program.nodes.len() {
        let Some(Node::Instr(Instr::Copy { dst, src }, _)) = program.nodes.get(at).copied() else { continue };
        let is_variable = |row: Reg| program.variables.get(index(row.0)) == Some(&true);
        let Some(life) = lives.get(index(src.0)).copied() else { continue };
        let (Some(written), true, false) = (life.written, is_variable(dst), is_variable(src)) else { continue };
        let single = program
            .nodes
            .get(written)
            .is_some_and(|node| matches!(node, Node::Instr(instr, _) if writes_one_row(instr)));
        let inside = written < at && stretch(written) == stretch(at) && stretch(at) == stretch(life.last_read.max(at));
        let free = touches.get(&dst).is_some_and(|list| {
            list.iter().all(|&(other, _)| other == at || other <= written || other > life.last_read.max(at))
        });
        if single && inside && free && touched.get(&dst).is_none_or(|&until| until <= written) {
            touched.insert(dst, life.last_read.max(at));
            renamed.insert(src, dst);
        }
    }
    for node in &mut program.nodes {
        if let Node::Instr(instr, _) = node {
            visit(instr, &mut program.accesses, &mut |row, rows, _| {
                if rows == 1
                    && let Some(&variable) = renamed.get(row)
                {
                    *row = variable;
                }
            });
        }
    }
    program.nodes.retain(|node| !matches!(node, Node::Instr(Instr::Copy { dst, src }, _) if dst == src));
}

/// For every temporary, its write and its last read; nothing where it is read as part of several rows.
fn lives(program: &mut Unfinished) -> Vec<Life> {
    let mut lives = vec![Life::default(); index(program.rows)];
    let mut grouped = vec![false; index(program.rows)];
    for (at, node) in program.nodes.iter_mut().enumerate() {
        let Node::Instr(instr, _) = node else { continue };
        visit(instr, &mut program.accesses, &mut |first, rows, role| {
            for row in first.0..first.0.saturating_add(rows) {
                let Some(life) = lives.get_mut(index(row)) else { continue };
                match role {
                    Role::Read => life.last_read = life.last_read.max(at),
                    Role::Write => life.written = Some(at),
                }
                if let (true, Some(flag)) = (rows > 1, grouped.get_mut(index(row))) {
                    *flag = true;
                }
            }
        });
    }
    for (life, grouped) in lives.iter_mut().zip(grouped) {
        life.written = life.written.filter(|_| !grouped);
    }
    lives
}

/// Where each variable is read or written.
fn touches(program: &mut Unfinished) -> HashMap<Reg, Vec<(usize, Role)>> {
    let mut touches: HashMap<Reg, Vec<(usize, Role)>> = HashMap::new();
    for (at, node) in program.nodes.iter_mut().enumerate() {
        let Node::Instr(instr, _) = node else { continue };
        visit(instr, &mut program.accesses, &mut |first, rows, role| {
            for row in (first.0..first.0.saturating_add(rows)).map(Reg) {
                if program.variables.get(index(row.0)) == Some(&true) {
                    touches.entry(row).or_default().push((at, role));
                }
            }
        });
    }
    touches
}

/// A number for each node, the same for nodes with no jump or label between them.
fn stretches(nodes: &[Node]) -> Vec<usize> {
    let mut current = 0;
    let numbered = nodes.iter().map(|node| {
        if matches!(node, Node::Label(_)) {
            current += 1;
        }
        let here = current;
        if matches!(node, Node::Instr(Instr::Jump { .. } | Instr::JumpIf { .. } | Instr::Exit | Instr::Trap, _)) {
            current += 1;
        }
        here
    });
    numbered.collect()
}

/// Whether an instruction's only effect is on one row.
const fn writes_one_row(instr: &Instr) -> bool {
    match instr {
        Instr::Copy { .. }
        | Instr::Select { .. }
        | Instr::InsertBits { .. }
        | Instr::Builtin { .. }
        | Instr::ArrayLength { .. }
        | Instr::CheckIndex { .. } => true,
        Instr::Unary { ty, .. } | Instr::Binary { ty, .. } | Instr::Ternary { ty, .. } => ty.rows() == 1,
        Instr::Convert { from, to, .. } => from.rows() == 1 && to.rows() == 1,
        Instr::Access(_) => true,
        _ => false,
    }
}
