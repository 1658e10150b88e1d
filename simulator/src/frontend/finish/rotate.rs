//! Tests a loop's condition at its end: `jump head` becomes the head's test again, jumping to the body.
//!
//! Only tests of a few pure instructions are repeated. One jump less per iteration, and nothing else changes:
//! the code keeps its order.

use std::collections::HashMap;

use super::dead::is_pure;
use super::{Label, Node};
use crate::ir::{Instr, Pc, SpanId};

/// Most instructions that are repeated, besides the jump.
const MAX_TEST: usize = 4;

/// What stands at the head of a loop.
struct Test {
    instrs: Vec<(Instr, SpanId)>,
    condition: crate::ir::Reg,
    when: bool,
    leave: Pc,
    span: SpanId,
    /// Where the body starts.
    body: Label,
    /// The node after the test.
    after: usize,
}

/// Rotates the loops.
pub(super) fn rotate(nodes: Vec<Node>) -> Vec<Node> {
    let mut next_label =
        nodes.iter().map(|node| if let Node::Label(label) = node { label.0 + 1 } else { 0 }).max().unwrap_or(0);
    let mut tests: HashMap<u32, Test> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        if let Node::Label(label) = node
            && let Some(test) = test_at(&nodes, at + 1, Label(next_label))
            && nodes.get(test.after..).unwrap_or_default().iter().any(|node| jumps_to(node, *label))
        {
            next_label += 1;
            tests.insert(label.0, test);
        }
    }
    let bodies: HashMap<usize, Label> = tests.values().map(|test| (test.after, test.body)).collect();
    let mut rotated = Vec::with_capacity(nodes.len() + tests.len() * 2);
    for (at, node) in nodes.iter().enumerate() {
        if let Some(&body) = bodies.get(&at) {
            rotated.push(Node::Label(body));
        }
        match node {
            Node::Instr(Instr::Jump { target }, _) if tests.get(&target.0).is_some_and(|test| test.after <= at) => {
                if let Some(test) = tests.get(&target.0) {
                    rotated.extend(test.instrs.iter().map(|&(instr, span)| Node::Instr(instr, span)));
                    let (condition, when, target) = (test.condition, !test.when, Pc(test.body.0));
                    rotated.push(Node::Instr(Instr::JumpIf { condition, when, target }, test.span));
                    rotated.push(Node::Instr(Instr::Jump { target: test.leave }, test.span));
                }
            }
            other => rotated.push(*other),
        }
    }
    rotated
}

fn jumps_to(node: &Node, label: Label) -> bool {
    matches!(node, Node::Instr(Instr::Jump { target }, _) if target.0 == label.0)
}

/// The test that starts at a node: pure instructions, then a jump forward.
fn test_at(nodes: &[Node], start: usize, body: Label) -> Option<Test> {
    let mut instrs = Vec::new();
    for (at, node) in nodes.iter().enumerate().skip(start).take(MAX_TEST + 1) {
        match *node {
            Node::Instr(Instr::JumpIf { condition, when, target }, span) => {
                let forward =
                    nodes.get(at..)?.iter().any(|node| matches!(node, Node::Label(label) if label.0 == target.0));
                let test = Test { instrs, condition, when, leave: target, span, body, after: at + 1 };
                return forward.then_some(test);
            }
            Node::Instr(instr, span) if is_pure(&instr) => instrs.push((instr, span)),
            _ => return None,
        }
    }
    None
}
