//! Removes copies between variables and temporaries.

use std::collections::{HashMap, HashSet};

use super::flow::{Bits, Flow, each_row};
use super::operands::{Role, visit};
use super::{Node, Unfinished, index};
use crate::ir::{Instr, Reg};

/// Reads the source of a copy instead of its destination, for as long as the source keeps its value: the
/// available-copies analysis of any textbook. Only copies to temporaries count.
pub(super) fn forward(program: &mut Unfinished) {
    let flow = Flow::new(&program.nodes);
    let copies = copies(program);
    let available = available(program, &flow, &copies);
    let constants: HashSet<Reg> = program.constants.iter().map(|(row, _)| *row).collect();
    let mut sources = Sources::default();
    for block in 0..flow.count() {
        sources.clear();
        if let Some(entering) = available.as_ref().and_then(|available| available.get(block)) {
            entering.iter().filter_map(|fact| copies.get(fact)).for_each(|&(dst, src)| sources.insert(dst, src));
        }
        for at in flow.nodes(block) {
            let Some(Node::Instr(instr, _)) = program.nodes.get_mut(at) else { continue };
            let mut written = Vec::new();
            visit(instr, &mut program.tables, &mut |row, rows, role| match role {
                Role::Read => *row = sources.adjacent(*row, rows, &constants).unwrap_or(*row),
                Role::Write => written.extend((row.0..row.0.saturating_add(rows)).map(Reg)),
            });
            written.into_iter().for_each(|row| sources.overwrite(row));
            if let Instr::Copy { dst, src } = *instr
                && program.variables.get(index(dst.0)) == Some(&false)
            {
                sources.insert(dst, src);
            }
        }
    }
}

/// The copies that hold at some point of the code.
#[derive(Default)]
struct Sources {
    of: HashMap<Reg, Reg>,
    copied: HashMap<Reg, Vec<Reg>>,
}

impl Sources {
    fn clear(&mut self) {
        self.of.clear();
        self.copied.clear();
    }

    fn insert(&mut self, dst: Reg, src: Reg) {
        self.of.insert(dst, src);
        self.copied.entry(src).or_default().push(dst);
    }

    /// A row gets another value: it is a copy no more, and has no copies.
    fn overwrite(&mut self, row: Reg) {
        self.of.remove(&row);
        for copy in self.copied.remove(&row).unwrap_or_default() {
            if self.of.get(&copy) == Some(&row) {
                self.of.remove(&copy);
            }
        }
    }

    /// The rows that hold the values of `rows` rows from `first` on, where they are adjacent as well.
    /// A constant row is not adjacent to one that is none: the two are not kept together.
    fn adjacent(&self, first: Reg, rows: u32, constants: &HashSet<Reg>) -> Option<Reg> {
        let source = *self.of.get(&first)?;
        let constant = constants.contains(&source);
        let follows = |row: u32| {
            let next = Reg(source.0 + row);
            self.of.get(&Reg(first.0 + row)) == Some(&next) && constants.contains(&next) == constant
        };
        (1..rows).all(follows).then_some(source)
    }
}

/// All copies to temporaries.
fn copies(program: &Unfinished) -> Vec<(Reg, Reg)> {
    let copies = program.nodes.iter().filter_map(|node| match *node {
        Node::Instr(Instr::Copy { dst, src }, _) if program.variables.get(index(dst.0)) == Some(&false) => {
            Some((dst, src))
        }
        _ => None,
    });
    copies.collect()
}

/// The copies that hold at the start of each block, whatever path led there.
fn available(program: &mut Unfinished, flow: &Flow, copies: &[(Reg, Reg)]) -> Option<Vec<Bits>> {
    if !flow.affords(copies.len()) {
        return None;
    }
    let mut by_row: HashMap<Reg, Vec<usize>> = HashMap::new();
    for (fact, &(dst, src)) in copies.iter().enumerate() {
        by_row.entry(src).or_default().push(fact);
        by_row.entry(dst).or_default().push(fact);
    }
    let none = Bits::new(copies.len(), false);
    let (mut made, mut lost) = (vec![none.clone(); flow.count()], vec![none.clone(); flow.count()]);
    let mut next_fact = 0;
    for block in 0..flow.count() {
        for at in flow.nodes(block) {
            let Some(Node::Instr(instr, _)) = program.nodes.get_mut(at) else { continue };
            each_row(instr, &mut program.tables, |row, role| {
                for &fact in by_row.get(&row).filter(|_| role == Role::Write).into_iter().flatten() {
                    made[block].set(fact, false);
                    lost[block].set(fact, true);
                }
            });
            if matches!(*instr, Instr::Copy { dst, .. } if program.variables.get(index(dst.0)) == Some(&false)) {
                made[block].set(next_fact, true);
                next_fact += 1;
            }
        }
    }
    let mut leaving = vec![Bits::new(copies.len(), true); flow.count()];
    loop {
        let mut next = vec![Bits::new(copies.len(), true); flow.count()];
        if let Some(first) = next.first_mut() {
            *first = none.clone();
        }
        for (block, leaving) in leaving.iter().enumerate() {
            for &successor in flow.successors(block) {
                next[successor].intersect(leaving);
            }
        }
        let mut changed = false;
        let transfers = leaving.iter_mut().zip(&next).zip(lost.iter().zip(&made));
        for ((leaving, entering), (lost, made)) in transfers {
            changed |= leaving.transfer(entering, lost, made);
        }
        if !changed {
            return Some(next);
        }
    }
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
            visit(instr, &mut program.tables, &mut |row, rows, _| {
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
        visit(instr, &mut program.tables, &mut |first, rows, role| {
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
        visit(instr, &mut program.tables, &mut |first, rows, role| {
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
