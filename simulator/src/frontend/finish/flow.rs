//! Control flow between stretches of code, and the rows that live across them.

use std::collections::HashMap;

use super::operands::{Role, visit};
use super::{Label, Node, index};
use crate::ir::{Instr, Reg, Tables};

/// Most bits that one analysis keeps; larger programs go without it.
const MAX_BITS: usize = 1 << 28;

/// The code as blocks: only the last instruction of a block jumps, only to the first node of a block.
#[derive(Debug)]
pub(super) struct Flow {
    /// First node of each block, and one past the last node of the last.
    bounds: Vec<usize>,
    successors: Vec<Vec<usize>>,
}

/// One bit per fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn new(facts: usize, set: bool) -> Self {
        Self(vec![if set { u64::MAX } else { 0 }; facts.div_ceil(64)])
    }

    pub(super) fn get(&self, fact: usize) -> bool {
        self.0.get(fact / 64).is_some_and(|word| word >> (fact % 64) & 1 == 1)
    }

    pub(super) fn set(&mut self, fact: usize, value: bool) {
        if let Some(word) = self.0.get_mut(fact / 64) {
            let bit = 1 << (fact % 64);
            *word = if value { *word | bit } else { *word & !bit };
        }
    }

    /// Facts that hold.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(at, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = usize::try_from(rest.trailing_zeros()).ok().filter(|&bit| bit < 64)?;
                rest &= rest - 1;
                Some(at * 64 + bit)
            })
        })
    }

    /// `self <- (other and not without) or with`; whether that changed anything.
    pub(super) fn transfer(&mut self, other: &Self, without: &Self, with: &Self) -> bool {
        let mut changed = false;
        let sources = other.0.iter().zip(&without.0).zip(&with.0);
        for (word, ((other, without), with)) in self.0.iter_mut().zip(sources) {
            let next = other & !without | with;
            changed |= next != *word;
            *word = next;
        }
        changed
    }

    pub(super) fn intersect(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn unite(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }
}

impl Flow {
    pub(super) fn new(nodes: &[Node]) -> Self {
        let mut bounds = vec![0];
        let mut blocks: HashMap<Label, usize> = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            let start = bounds.last().copied().unwrap_or(0);
            match node {
                Node::Label(label) => {
                    let labels_only =
                        nodes.get(start..at).is_some_and(|run| run.iter().all(|n| matches!(n, Node::Label(_))));
                    if !labels_only {
                        bounds.push(at);
                    }
                    blocks.insert(*label, bounds.len() - 1);
                }
                Node::Instr(instr, _) if ends_block(instr) && at + 1 < nodes.len() => bounds.push(at + 1),
                Node::Instr(..) => {}
            }
        }
        let count = bounds.len();
        bounds.push(nodes.len());
        let target = |label: u32| blocks.get(&Label(label)).copied();
        let successors = (0..count).map(|block| {
            let last = bounds.get(block + 1).and_then(|&end| end.checked_sub(1)).and_then(|at| nodes.get(at));
            let next = Some(block + 1).filter(|&next| next < count);
            match last {
                Some(Node::Instr(Instr::Jump { target: to }, _)) => target(to.0).into_iter().collect(),
                Some(Node::Instr(Instr::JumpIf { target: to, .. }, _)) => {
                    target(to.0).into_iter().chain(next).collect()
                }
                Some(Node::Instr(Instr::Exit | Instr::Trap, _)) => Vec::new(),
                _ => next.into_iter().collect(),
            }
        });
        let successors = successors.collect();
        Self { bounds, successors }
    }

    pub(super) fn count(&self) -> usize {
        self.successors.len()
    }

    /// The nodes of a block.
    pub(super) fn nodes(&self, block: usize) -> std::ops::Range<usize> {
        let bound = |at: usize| self.bounds.get(at).copied().unwrap_or(0);
        bound(block)..bound(block + 1)
    }

    pub(super) fn successors(&self, block: usize) -> &[usize] {
        self.successors.get(block).map_or(&[], Vec::as_slice)
    }

    /// Whether one bit per block and fact is affordable.
    pub(super) fn affords(&self, facts: usize) -> bool {
        self.count().saturating_mul(facts) <= MAX_BITS
    }
}

const fn ends_block(instr: &Instr) -> bool {
    matches!(instr, Instr::Jump { .. } | Instr::JumpIf { .. } | Instr::Exit | Instr::Trap)
}

/// Which rows hold a value at the end of each block that may still be read.
#[derive(Debug)]
pub(super) struct Liveness {
    /// The fact of each row that occurs in more than one block, by row. The others live inside their block.
    facts: Vec<Option<usize>>,
    rows: Vec<u32>,
    entering: Vec<Bits>,
    out: Vec<Bits>,
}

impl Liveness {
    /// `None` where the program is too large for the analysis.
    pub(super) fn new(nodes: &mut [Node], tables: &mut Tables, rows: u32, flow: &Flow) -> Option<Self> {
        let (facts, shared) = shared_rows(nodes, tables, rows, flow);
        if !flow.affords(shared.len()) {
            return None;
        }
        let none = Bits::new(shared.len(), false);
        let mut read_first = vec![none.clone(); flow.count()];
        let mut written = vec![none.clone(); flow.count()];
        for block in 0..flow.count() {
            for at in flow.nodes(block) {
                let Some(Node::Instr(instr, _)) = nodes.get_mut(at) else { continue };
                each_row(instr, tables, |row, role| {
                    let Some(fact) = facts.get(index(row.0)).copied().flatten() else { return };
                    match role {
                        Role::Read if !written[block].get(fact) => read_first[block].set(fact, true),
                        Role::Read => {}
                        Role::Write => written[block].set(fact, true),
                    }
                });
            }
        }
        let mut entering = read_first.clone();
        let mut out = vec![none.clone(); flow.count()];
        loop {
            let mut changed = false;
            for block in (0..flow.count()).rev() {
                let mut leaving = none.clone();
                flow.successors(block)
                    .iter()
                    .filter_map(|&next| entering.get(next))
                    .for_each(|next| leaving.unite(next));
                changed |= entering[block].transfer(&leaving, &written[block], &read_first[block]);
                out[block] = leaving;
            }
            if !changed {
                break;
            }
        }
        Some(Self { facts, rows: shared, entering, out })
    }

    /// Whether a row may be read after the block.
    pub(super) fn is_live_after(&self, block: usize, row: Reg) -> bool {
        match self.facts.get(index(row.0)).copied().flatten() {
            Some(fact) => self.out.get(block).is_some_and(|out| out.get(fact)),
            None => false,
        }
    }

    /// Whether a row that lives across blocks may be read in the block or after it, before it is written.
    pub(super) fn is_live_before(&self, block: usize, row: Reg) -> bool {
        let fact = self.facts.get(index(row.0)).copied().flatten();
        fact.is_some_and(|fact| self.entering.get(block).is_some_and(|entering| entering.get(fact)))
    }

    /// Rows that are read before they are written on some path.
    pub(super) fn live_at_start(&self) -> impl Iterator<Item = Reg> {
        let facts = self.entering.first().into_iter().flat_map(Bits::iter);
        facts.filter_map(|fact| self.rows.get(fact).copied().map(Reg))
    }

    /// Rows that may be read after the block.
    pub(super) fn live_after(&self, block: usize) -> impl Iterator<Item = Reg> {
        let facts = self.out.get(block).into_iter().flat_map(Bits::iter);
        facts.filter_map(|fact| self.rows.get(fact).copied().map(Reg))
    }
}

/// Rows that occur in more than one block, or are read before they are written in the first, numbered.
fn shared_rows(nodes: &mut [Node], tables: &mut Tables, rows: u32, flow: &Flow) -> (Vec<Option<usize>>, Vec<u32>) {
    let mut home: Vec<Option<usize>> = vec![None; index(rows)];
    let mut facts: Vec<Option<usize>> = vec![None; index(rows)];
    let mut shared = Vec::new();
    for block in 0..flow.count() {
        for at in flow.nodes(block) {
            let Some(Node::Instr(instr, _)) = nodes.get_mut(at) else { continue };
            each_row(instr, tables, |row, role| {
                let (Some(home), Some(fact)) = (home.get_mut(index(row.0)), facts.get_mut(index(row.0))) else {
                    return;
                };
                // A row read before it is written lives around a loop, or from the start.
                let crosses = home.map_or(role == Role::Read, |home| home != block);
                home.get_or_insert(block);
                if crosses && fact.is_none() {
                    *fact = Some(shared.len());
                    shared.push(row.0);
                }
            });
        }
    }
    (facts, shared)
}

/// Calls `see` with every row of every operand: reads first.
pub(super) fn each_row(instr: &mut Instr, tables: &mut Tables, mut see: impl FnMut(Reg, Role)) {
    visit(instr, tables, &mut |first, rows, role| {
        (first.0..first.0.saturating_add(rows)).for_each(|row| see(Reg(row), role));
    });
}
