//! Arithmetic on known integers and truth values, so that overrides and inlined literals cost nothing at run time.
//!
//! Floats are never folded: what they give depends on the arithmetic profile of the run. An integer operation
//! that would wrap is left to the machine, which watches for wrapped addresses.

use crate::ir::{BinaryOp, Scalar};

/// The result of `a op b` on 32-bit integers or truth values, where it is known and did not wrap.
pub(super) fn binary(op: BinaryOp, ty: Scalar, a: u32, b: u32) -> Option<u32> {
    match ty {
        Scalar::Bool => logical(op, a, b),
        Scalar::U32 => unsigned(op, a, b).or_else(|| bits(op, a, b)),
        Scalar::I32 => signed(op, a.cast_signed(), b.cast_signed()).or_else(|| bits(op, a, b)),
        _ => None,
    }
}

fn logical(op: BinaryOp, a: u32, b: u32) -> Option<u32> {
    Some(match op {
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Eq => u32::from(a == b),
        BinaryOp::Ne => u32::from(a != b),
        _ => return None,
    })
}

fn bits(op: BinaryOp, a: u32, b: u32) -> Option<u32> {
    Some(match op {
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Eq => u32::from(a == b),
        BinaryOp::Ne => u32::from(a != b),
        _ => return None,
    })
}

fn unsigned(op: BinaryOp, a: u32, b: u32) -> Option<u32> {
    match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        BinaryOp::Div => a.checked_div(b),
        BinaryOp::Rem => a.checked_rem(b),
        BinaryOp::Min => Some(a.min(b)),
        BinaryOp::Max => Some(a.max(b)),
        BinaryOp::Shl if b < 32 && a.leading_zeros() >= b => Some(a << b),
        BinaryOp::Shr if b < 32 => Some(a >> b),
        BinaryOp::Lt => Some(u32::from(a < b)),
        BinaryOp::Le => Some(u32::from(a <= b)),
        BinaryOp::Gt => Some(u32::from(a > b)),
        BinaryOp::Ge => Some(u32::from(a >= b)),
        _ => None,
    }
}

fn signed(op: BinaryOp, a: i32, b: i32) -> Option<u32> {
    let number = |value: Option<i32>| value.map(i32::cast_unsigned);
    match op {
        BinaryOp::Add => number(a.checked_add(b)),
        BinaryOp::Sub => number(a.checked_sub(b)),
        BinaryOp::Mul => number(a.checked_mul(b)),
        BinaryOp::Div => number(a.checked_div(b)),
        BinaryOp::Rem => number(a.checked_rem(b)),
        BinaryOp::Min => number(Some(a.min(b))),
        BinaryOp::Max => number(Some(a.max(b))),
        BinaryOp::Shr => number(u32::try_from(b).ok().and_then(|b| a.checked_shr(b))),
        BinaryOp::Lt => Some(u32::from(a < b)),
        BinaryOp::Le => Some(u32::from(a <= b)),
        BinaryOp::Gt => Some(u32::from(a > b)),
        BinaryOp::Ge => Some(u32::from(a >= b)),
        _ => None,
    }
}

/// Which operand `a op b` is equal to whatever the other one's value, one of them being known: `x + 0` is `x`.
pub(super) fn identity(op: BinaryOp, ty: Scalar, a: Option<u32>, b: Option<u32>) -> Option<Side> {
    if ty == Scalar::Bool {
        return match (op, a, b) {
            (BinaryOp::And, Some(1), _) | (BinaryOp::Or, Some(0), _) | (BinaryOp::And, _, Some(0)) => Some(Side::Right),
            (BinaryOp::And, _, Some(1)) | (BinaryOp::Or, _, Some(0)) | (BinaryOp::And, Some(0), _) => Some(Side::Left),
            (BinaryOp::Or, Some(1), _) => Some(Side::Left),
            (BinaryOp::Or, _, Some(1)) => Some(Side::Right),
            _ => None,
        };
    }
    if !matches!(ty, Scalar::U32 | Scalar::I32) {
        return None;
    }
    match (op, a, b) {
        (BinaryOp::Add | BinaryOp::Or | BinaryOp::Xor, Some(0), _) | (BinaryOp::Mul, Some(1), _) => Some(Side::Right),
        (BinaryOp::Mul | BinaryOp::And, _, Some(0)) => Some(Side::Right),
        (BinaryOp::Add | BinaryOp::Sub | BinaryOp::Or | BinaryOp::Xor | BinaryOp::Shl | BinaryOp::Shr, _, Some(0)) => {
            Some(Side::Left)
        }
        (BinaryOp::Mul | BinaryOp::Div, _, Some(1)) | (BinaryOp::Mul | BinaryOp::And, Some(0), _) => Some(Side::Left),
        _ => None,
    }
}

/// One of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_is_left_to_the_machine() {
        assert_eq!(binary(BinaryOp::Add, Scalar::U32, u32::MAX, 1), None);
        assert_eq!(binary(BinaryOp::Mul, Scalar::I32, 1 << 30, 2), None);
        assert_eq!(binary(BinaryOp::Shl, Scalar::U32, 1 << 30, 2), None);
        assert_eq!(binary(BinaryOp::Sub, Scalar::I32, 1, 2), Some(u32::MAX));
    }

    #[test]
    fn floats_are_not_folded() {
        assert_eq!(binary(BinaryOp::Add, Scalar::F32, 0, 0), None);
        assert_eq!(identity(BinaryOp::Add, Scalar::F32, Some(0), None), None);
    }

    #[test]
    fn signs_count() {
        assert_eq!(binary(BinaryOp::Lt, Scalar::I32, u32::MAX, 0), Some(1));
        assert_eq!(binary(BinaryOp::Lt, Scalar::U32, u32::MAX, 0), Some(0));
        assert_eq!(binary(BinaryOp::Shr, Scalar::I32, u32::MAX, 4), Some(u32::MAX));
    }
}
