//! Which conditions of a program are guards: branches that decide whether memory is touched at all.
//!
//! A branch splits control flow until it meets again (at the branch's immediate post-dominator). Where only one of the
//! two ways there touches storage or workgroup memory, the branch guards those accesses, whichever way the source
//! words it: `if (i < n) { a[i] = x; }` and `if (i >= n) { return; }` are the same. The test of a loop is none: one
//! way comes back to it.

use petgraph::algo::dominators::simple_fast;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::cast::{at, narrow};
use crate::ir::{Base, Instr, Pc, Program, Transfer};

/// What a branch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branch {
    /// A guard; the accesses lie this way.
    Guard {
        /// Whether it is the way of those that jump.
        jumps: bool,
    },
    /// The test of a loop.
    Loop,
    /// Anything else.
    Other,
}

/// The branches of a program, by program counter.
pub(super) fn branches(program: &Program) -> Vec<(Pc, Branch)> {
    let code = &program.code;
    let places = code.iter().enumerate().filter(|(_, instr)| matches!(instr, Instr::JumpIf { .. }));
    let places: Vec<usize> = places.map(|(pc, _)| pc).collect();
    if places.is_empty() {
        return Vec::new();
    }
    let meeting = meetings(code);
    places.into_iter().map(|pc| (Pc(narrow(pc)), branch(program, pc, meeting(pc)))).collect()
}

/// Where the ways from each instruction meet again; `None` where some never do, or only at the end.
fn meetings(code: &[Instr]) -> impl Fn(usize) -> Option<usize> {
    let mut graph: DiGraph<(), ()> = DiGraph::new();
    let nodes: Vec<NodeIndex> = (0..=code.len()).map(|_| graph.add_node(())).collect();
    let end = code.len();
    for (pc, instr) in code.iter().enumerate() {
        let next = successors(code, pc, instr);
        // Backwards: what dominates there post-dominates here.
        let leaving = next.into_iter().flatten().chain(next.iter().all(Option::is_none).then_some(end));
        leaving.for_each(|to| {
            graph.add_edge(nodes[to], nodes[pc], ());
        });
    }
    let dominators = simple_fast(&graph, nodes[end]);
    move |pc| dominators.immediate_dominator(nodes[pc]).map(NodeIndex::index).filter(|&meeting| meeting != end)
}

/// Where an instruction may go on: at the next one, and where it jumps to.
fn successors(code: &[Instr], pc: usize, instr: &Instr) -> [Option<usize>; 2] {
    let inside = |pc: usize| Some(pc).filter(|&pc| pc < code.len());
    match *instr {
        Instr::Jump { target } => [None, inside(at(target.0))],
        Instr::JumpIf { target, .. } => [inside(pc + 1), inside(at(target.0))],
        Instr::Exit | Instr::Trap => [None, None],
        _ => [inside(pc + 1), None],
    }
}

fn branch(program: &Program, pc: usize, meeting: Option<usize>) -> Branch {
    let [next, target] = successors(&program.code, pc, &program.code[pc]);
    let ways = [next, target].map(|way| way.map(|way| Way::from(program, way, (pc, meeting))));
    let [Some(next), Some(target)] = ways else { return Branch::Other };
    match (next.returns || target.returns, next.touches, target.touches) {
        (true, ..) => Branch::Loop,
        (false, true, false) => Branch::Guard { jumps: false },
        (false, false, true) => Branch::Guard { jumps: true },
        (false, ..) => Branch::Other,
    }
}

/// What happens on one way from a branch to where the ways meet.
struct Way {
    /// Whether memory is touched that others can see.
    touches: bool,
    /// Whether it comes back to the branch.
    returns: bool,
}

impl Way {
    fn from(program: &Program, first: usize, (branch, meeting): (usize, Option<usize>)) -> Self {
        let mut way = Self { touches: false, returns: false };
        let mut seen = vec![false; program.code.len()];
        let mut open = vec![first];
        while let Some(pc) = open.pop() {
            if Some(pc) == meeting || seen[pc] {
                continue;
            }
            if pc == branch {
                way.returns = true;
                continue;
            }
            seen[pc] = true;
            way.touches |= touches(program, &program.code[pc]);
            open.extend(successors(&program.code, pc, &program.code[pc]).into_iter().flatten());
        }
        way
    }
}

/// Whether an instruction reads or writes memory that is not its invocation's own.
fn touches(program: &Program, instr: &Instr) -> bool {
    match *instr {
        Instr::Access(id) => {
            program.tables.accesses.get(at(id.0)).is_some_and(|access| access.address.base != Base::Private)
        }
        Instr::Transfer(id) => {
            matches!(program.tables.transfers.get(at(id.0)), Some(Transfer::Copy { .. }))
        }
        _ => false,
    }
}
