//! From emitted instructions to a program: what every front end can share.
//!
//! A front end emits nodes: instructions whose jumps name labels, and the labels. The passes here remove
//! copies ([`copies`]) and dead instructions ([`dead`]), turn loops ([`rotate`]), give labels their program
//! counters ([`place`]), and let short-lived values share rows ([`rows`]). None of them moves an instruction, or
//! removes one whose effect a detector could see.

mod copies;
mod dead;
mod flow;
pub(super) mod operands;
mod place;
mod rotate;
pub(super) mod rows;

use crate::ir::{Instr, Reg, SpanId, Tables};

/// A place in the code that is jumped to, before it has a program counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Label(pub(super) u32);

/// One instruction or label. Until [`place`], jump targets hold label numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Instr(Instr, SpanId),
    Label(Label),
}

/// What a front end emitted.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) nodes: Vec<Node>,
    /// Rows used.
    pub(super) rows: u32,
    /// Constant rows with their values. The code does not write them.
    pub(super) constants: Vec<(Reg, u32)>,
    /// Whether a row may be written more than once, by row. The others are written by one instruction that
    /// every path to a read of them passes.
    pub(super) variables: Vec<bool>,
    pub(super) tables: Tables,
}

/// The parts of a [`crate::ir::Program`] that the passes make.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) code: Vec<Instr>,
    pub(super) span_of: Vec<SpanId>,
    pub(super) rows: u32,
    pub(super) constants: Vec<(Reg, u32)>,
    pub(super) tables: Tables,
}

/// Improves the code and lays it out.
pub(super) fn finish(mut program: Unfinished) -> Finished {
    copies::forward(&mut program);
    dead::remove(&mut program);
    copies::retarget(&mut program);
    dead::remove(&mut program);
    program.nodes = rotate::rotate(program.nodes);
    place::place(program)
}

/// Finds out which rows are variables: those that several instructions write, or that some path reads before it
/// writes them. Constants are none.
pub(super) fn mark_variables(program: &mut Unfinished) {
    let mut writes = vec![0_u32; index(program.rows)];
    for node in &mut program.nodes {
        if let Node::Instr(instr, _) = node {
            operands::visit(instr, &mut program.tables, &mut |first, rows, role| {
                for row in first.0..first.0.saturating_add(rows) {
                    if let (operands::Role::Write, Some(count)) = (role, writes.get_mut(index(row))) {
                        *count += 1;
                    }
                }
            });
        }
    }
    let flow = flow::Flow::new(&program.nodes);
    let Some(live) = flow::Liveness::new(&mut program.nodes, &mut program.tables, program.rows, &flow) else { return };
    program.variables = writes.iter().map(|&count| count > 1).collect();
    for row in live.live_at_start() {
        if let Some(variable) = program.variables.get_mut(index(row.0)) {
            *variable = true;
        }
    }
    for (row, _) in &program.constants {
        if let Some(variable) = program.variables.get_mut(index(row.0)) {
            *variable = false;
        }
    }
}

/// The part of a list that an index names.
pub(super) fn index(row: u32) -> usize {
    usize::try_from(row).unwrap_or(usize::MAX)
}
