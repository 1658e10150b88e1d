//! Lets values that are never alive together share rows, so that a subgroup's registers fit the cache: linear
//! scan over live intervals (Poletto and Sarkar, 1999).
//!
//! Liveness is per invocation, as are rows; that invocations of a subgroup stand at different places does not
//! matter. A row that is read before it is written must hold zero, so it is alive from the start. Rows that
//! can reach an address share among themselves only, and so do rows that hold what an atomic gave and rows that only
//! carry what was loaded to where it is stored: analyses that look at rows without regard to control flow ([`crate::analysis`]) then see what they saw before.

use super::flow::{Flow, Liveness, each_row};
use super::operands::{Role, visit};
use super::{Label, Node, index};
use crate::analysis;
use crate::ir::{Instr, Pc, Program, Reg};

/// Rows that must stay adjacent, from one row on.
#[derive(Clone, Copy, Debug)]
struct Group {
    first: u32,
    rows: u32,
    start: usize,
    class: u8,
}

/// Where a row holds a value: from the first to the last node, both inside.
#[derive(Clone, Copy, Debug)]
struct Interval {
    start: usize,
    end: usize,
}

/// Renumbers the rows of a program. A program too large for the analysis stays as it is.
pub(in crate::frontend) fn share(program: &mut Program) {
    let mut nodes = labelled(program);
    let flow = Flow::new(&nodes);
    let constant: std::collections::HashSet<u32> = program.constants.iter().map(|(row, _)| row.0).collect();
    let Some(liveness) = Liveness::new(&mut nodes, &mut program.tables, program.rows, &flow) else {
        program.zeroed = (0..program.rows).filter(|row| !constant.contains(row)).map(Reg).collect();
        return;
    };
    program.zeroed = liveness.live_at_start().filter(|row| !constant.contains(&row.0)).collect();
    let intervals = intervals(&mut nodes, program, &flow, &liveness);
    let mut numbers: Vec<Option<u32>> = vec![None; index(program.rows)];
    program.constants.sort_unstable_by_key(|(row, _)| *row);
    for (number, (row, _)) in (0..).zip(&program.constants) {
        if let Some(slot) = numbers.get_mut(index(row.0)) {
            *slot = Some(number);
        }
    }
    let mut groups = groups(program, &intervals, &numbers);
    groups.sort_by_key(|group| (group.start, group.first));
    let mut rows = Rows { first: u32::try_from(program.constants.len()).unwrap_or(u32::MAX), slots: Vec::new() };
    for group in groups {
        let number = rows.take(&group, &intervals);
        for (row, number) in (group.first..group.first + group.rows).zip(number..) {
            if let Some(slot) = numbers.get_mut(index(row)) {
                *slot = Some(number);
            }
        }
    }
    let number = |row: Reg| Reg(numbers.get(index(row.0)).copied().flatten().unwrap_or(0));
    for instr in &mut program.code {
        visit(instr, &mut program.tables, &mut |row, _, _| *row = number(*row));
    }
    program.constants.iter_mut().for_each(|(row, _)| *row = number(*row));
    program.narrowed.iter_mut().chain(&mut program.folded).for_each(|(row, _)| *row = number(*row));
    program.zeroed.iter_mut().for_each(|row| *row = number(*row));
    program.rows = rows.first + u32::try_from(rows.slots.len()).unwrap_or(u32::MAX);
    program.rows = program.rows.max(1);
}

/// The code with a label, numbered by its program counter, wherever a jump leads.
fn labelled(program: &Program) -> Vec<Node> {
    let mut targets = vec![false; program.code.len()];
    for instr in &program.code {
        if let Instr::Jump { target } | Instr::JumpIf { target, .. } = instr
            && let Some(flag) = targets.get_mut(index(target.0))
        {
            *flag = true;
        }
    }
    let mut nodes = Vec::with_capacity(program.code.len());
    for (((pc, instr), span), target) in (0..).map(Pc).zip(&program.code).zip(&program.span_of).zip(targets) {
        if target {
            nodes.push(Node::Label(Label(pc.0)));
        }
        nodes.push(Node::Instr(*instr, *span));
    }
    nodes
}

fn intervals(nodes: &mut [Node], program: &mut Program, flow: &Flow, liveness: &Liveness) -> Vec<Option<Interval>> {
    let mut intervals: Vec<Option<Interval>> = vec![None; index(program.rows)];
    let mut extend = |row: Reg, at: usize| {
        if let Some(slot) = intervals.get_mut(index(row.0)) {
            let interval = slot.get_or_insert(Interval { start: at, end: at });
            interval.start = interval.start.min(at);
            interval.end = interval.end.max(at);
        }
    };
    for block in 0..flow.count() {
        let nodes_of_block = flow.nodes(block);
        let last = nodes_of_block.end.saturating_sub(1);
        for row in liveness.live_after(block) {
            extend(row, last);
            // Alive at the end of a block is alive at the start of some successor.
            for &successor in flow.successors(block) {
                extend_entering(&mut extend, row, flow.nodes(successor).start, liveness, successor);
            }
        }
        for at in nodes_of_block {
            if let Some(Node::Instr(instr, _)) = nodes.get_mut(at) {
                each_row(instr, &mut program.tables, |row, _| extend(row, at));
            }
        }
    }
    // What is read before it is written is alive from the first instruction on.
    for row in liveness.live_at_start() {
        extend(row, 0);
    }
    intervals
}

/// Over-estimates: the row may be dead in this successor and live in another.
fn extend_entering(extend: &mut impl FnMut(Reg, usize), row: Reg, at: usize, liveness: &Liveness, block: usize) {
    if liveness.is_live_before(block, row) {
        extend(row, at);
    }
}

fn groups(program: &mut Program, intervals: &[Option<Interval>], numbers: &[Option<u32>]) -> Vec<Group> {
    // Whether a row must follow the one before it.
    let mut joined = vec![false; index(program.rows)];
    for instr in &mut program.code {
        visit(instr, &mut program.tables, &mut |first, rows, _: Role| {
            (first.0 + 1..first.0.saturating_add(rows)).for_each(|row| {
                if let Some(flag) = joined.get_mut(index(row)) {
                    *flag = true;
                }
            });
        });
    }
    let addresses = analysis::address_registers(program);
    let atomics = analysis::atomic_registers(program);
    let relays = analysis::relays(program);
    let mut groups: Vec<Group> = Vec::new();
    for row in 0..program.rows {
        let flag = |list: &[bool]| u8::from(list.get(index(row)).copied().unwrap_or(false));
        let class = flag(&addresses) | flag(&atomics) << 1 | flag(&relays) << 2;
        let start = intervals.get(index(row)).copied().flatten().map(|interval| interval.start);
        if numbers.get(index(row)).copied().flatten().is_some() {
            continue;
        }
        match groups.last_mut() {
            Some(group) if group.first + group.rows == row && joined.get(index(row)) == Some(&true) => {
                group.rows += 1;
                group.class |= class;
                group.start = group.start.min(start.unwrap_or(usize::MAX));
            }
            _ => groups.push(Group { first: row, rows: 1, start: start.unwrap_or(usize::MAX), class }),
        }
    }
    groups.retain(|group| group.start != usize::MAX);
    groups
}

/// The new rows: the class of each, and until when it is taken.
struct Rows {
    first: u32,
    slots: Vec<(u8, usize)>,
}

impl Rows {
    /// The first of adjacent rows of the group's class that are free from the group's start on.
    fn take(&mut self, group: &Group, intervals: &[Option<Interval>]) -> u32 {
        let count = index(group.rows);
        let free = |&(class, until): &(u8, usize)| class == group.class && until < group.start;
        let found = self.slots.windows(count).position(|window| window.iter().all(free));
        let at = found.unwrap_or(self.slots.len());
        if found.is_none() {
            self.slots.resize(at + count, (group.class, 0));
        }
        for (slot, row) in self.slots.iter_mut().skip(at).take(count).zip(group.first..) {
            let end = intervals.get(index(row)).copied().flatten().map_or(group.start, |interval| interval.end);
            // A row that is taken at position 0 is taken, whatever its end.
            *slot = (group.class, end.max(group.start));
        }
        self.first + u32::try_from(at).unwrap_or(u32::MAX)
    }
}
