//! What an atomic makes of the old value.

use gridproof_launch::Arithmetic;

use super::semantics;
use crate::ir::{AtomicOp, BinaryOp, Scalar};

/// The value to store, or `None` where nothing is stored.
pub fn new_value(
    op: AtomicOp,
    ty: Scalar,
    old: u64,
    operand: u64,
    expected: u64,
    arithmetic: Arithmetic,
) -> Option<u64> {
    let combined = |op| Some(semantics::binary(op, ty, old, operand, arithmetic));
    match op {
        AtomicOp::Load => None,
        AtomicOp::Store | AtomicOp::Exchange => Some(operand),
        AtomicOp::Add => combined(BinaryOp::Add),
        AtomicOp::Sub => combined(BinaryOp::Sub),
        AtomicOp::And => combined(BinaryOp::And),
        AtomicOp::Or => combined(BinaryOp::Or),
        AtomicOp::Xor => combined(BinaryOp::Xor),
        AtomicOp::Min => combined(BinaryOp::Min),
        AtomicOp::Max => combined(BinaryOp::Max),
        AtomicOp::Increment => Some(if old >= operand { 0 } else { old + 1 }),
        AtomicOp::Decrement => Some(if old == 0 || old > operand { operand } else { old - 1 }),
        AtomicOp::CompareExchange => (old == expected).then_some(operand),
    }
}
