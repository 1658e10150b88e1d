//! Gives labels their program counters and leaves out jumps to the next instruction.

use std::collections::HashMap;

use super::{Finished, Label, Node, Unfinished};
use crate::ir::{Instr, Pc, SpanId};

/// Lays the code out.
pub(super) fn place(program: Unfinished) -> Finished {
    let finals = forwarding(&program.nodes);
    let mut code: Vec<Instr> = Vec::with_capacity(program.nodes.len());
    let mut span_of: Vec<SpanId> = Vec::with_capacity(program.nodes.len());
    let mut places = HashMap::new();
    for (at, node) in program.nodes.iter().enumerate() {
        match *node {
            Node::Label(label) => {
                places.insert(label.0, Pc(u32::try_from(code.len()).unwrap_or(u32::MAX)));
            }
            Node::Instr(instr, span) => {
                let instr = retarget(instr, |target| finals.get(&target.0).copied().unwrap_or(target));
                let skipped = matches!(instr, Instr::Jump { target } if leads_to(&program.nodes, at + 1, target));
                if !skipped {
                    code.push(instr);
                    span_of.push(span);
                }
            }
        }
    }
    if !matches!(code.last(), Some(Instr::Exit | Instr::Jump { .. } | Instr::Trap)) {
        code.push(Instr::Exit);
        span_of.push(span_of.last().copied().unwrap_or(SpanId(0)));
    }
    for instr in &mut code {
        *instr = retarget(*instr, |target| places.get(&target.0).copied().unwrap_or(target));
    }
    Finished { code, span_of, rows: program.rows, constants: program.constants, tables: program.tables }
}

fn retarget(instr: Instr, find: impl FnOnce(Pc) -> Pc) -> Instr {
    match instr {
        Instr::Jump { target } => Instr::Jump { target: find(target) },
        Instr::JumpIf { condition, when, target } => Instr::JumpIf { condition, when, target: find(target) },
        other => other,
    }
}

/// Whether only labels, one of them `target`, follow.
fn leads_to(nodes: &[Node], from: usize, target: Pc) -> bool {
    let following = nodes.get(from..).unwrap_or_default().iter();
    following
        .map_while(|node| match node {
            Node::Label(Label(label)) => Some(*label),
            Node::Instr(..) => None,
        })
        .any(|label| label == target.0)
}

/// Where a jump to a label ends up when the label leads to another jump.
fn forwarding(nodes: &[Node]) -> HashMap<u32, Pc> {
    let mut direct = HashMap::new();
    let mut pending: Vec<u32> = Vec::new();
    for node in nodes {
        match node {
            Node::Label(Label(label)) => pending.push(*label),
            Node::Instr(Instr::Jump { target }, _) => pending.drain(..).for_each(|label| {
                direct.insert(label, *target);
            }),
            Node::Instr(..) => pending.clear(),
        }
    }
    let follow = |&start: &u32| {
        let mut at = start;
        // As many steps as there are links, so that an endless loop of jumps stays what it is.
        for _ in 0..direct.len().min(64) {
            match direct.get(&at) {
                Some(next) if next.0 != start => at = next.0,
                _ => break,
            }
        }
        (start, Pc(at))
    };
    direct.keys().map(follow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Tables;

    fn jump(label: u32) -> Node {
        Node::Instr(Instr::Jump { target: Pc(label) }, SpanId(0))
    }

    fn placed(nodes: Vec<Node>) -> Vec<Instr> {
        let program =
            Unfinished { nodes, rows: 0, constants: Vec::new(), variables: Vec::new(), tables: Tables::default() };
        let code = place(program).code;
        for instr in &code {
            if let Instr::Jump { target } = instr {
                assert!(super::super::index(target.0) < code.len(), "{code:?}");
            }
        }
        code
    }

    #[test]
    fn a_jump_to_what_follows_is_left_out() {
        assert_eq!(placed(vec![jump(0), Node::Label(Label(1)), Node::Label(Label(0))]), [Instr::Exit]);
    }

    #[test]
    fn a_jump_to_a_jump_goes_there_at_once() {
        let exit = Node::Instr(Instr::Exit, SpanId(0));
        let nodes = vec![jump(0), exit, Node::Label(Label(0)), jump(1), exit, Node::Label(Label(1)), exit];
        assert_eq!(placed(nodes)[0], Instr::Jump { target: Pc(4) });
    }

    #[test]
    fn an_endless_loop_stays() {
        assert_eq!(placed(vec![Node::Label(Label(0)), jump(0)]), [Instr::Jump { target: Pc(0) }]);
    }
}
