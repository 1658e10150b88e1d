//! Integer arithmetic that saturates, carries, or works on parts of a register.

use super::super::integer::{binary, high_product};
use super::bits::integer;
use crate::ir::{BinaryOp, DotProduct, IntegerOp, Scalar};

pub(super) fn arithmetic(op: IntegerOp, ty: Scalar, [a, b, c, carry]: [u64; 4]) -> [u64; 2] {
    let ty = integer(ty);
    let (x, y) = (ty.extend(a), ty.extend(b));
    let one = match op {
        IntegerOp::AddSaturate => saturate(i128::from(x.cast_signed()) + i128::from(y.cast_signed())),
        IntegerOp::SubSaturate => saturate(i128::from(x.cast_signed()) - i128::from(y.cast_signed())),
        IntegerOp::AddCarry => return add_carry(ty.bits, ty.wrap(a), ty.wrap(b), c),
        IntegerOp::SubBorrow => return sub_borrow(ty.bits, ty.wrap(a), ty.wrap(b), c),
        IntegerOp::MultiplyLowCarry => {
            return add_carry(ty.bits, ty.wrap(x.wrapping_mul(y)), ty.wrap(c), carry);
        }
        IntegerOp::MultiplyHighCarry => {
            return add_carry(ty.bits, ty.wrap(high_product(ty, x, y)), ty.wrap(c), carry);
        }
        IntegerOp::Multiply24Low => product24(ty.signed, a, b),
        IntegerOp::Multiply24High => product24(ty.signed, a, b) >> 16,
        IntegerOp::AbsoluteDifference => {
            let smaller = if ty.signed { x.cast_signed() < y.cast_signed() } else { x < y };
            let difference = if smaller { y.wrapping_sub(x) } else { x.wrapping_sub(y) };
            c.wrapping_add(difference)
        }
    };
    [ty.wrap(one), 0]
}

/// The sum and its carry; `carry` is 0 or 1.
fn add_carry(bits: u32, a: u64, b: u64, carry: u64) -> [u64; 2] {
    let sum = u128::from(a) + u128::from(b) + u128::from(carry & 1);
    [low(sum, bits), low(sum >> bits, 1)]
}

/// The difference and its borrow; `borrow` is 0 or 1.
fn sub_borrow(bits: u32, a: u64, b: u64, borrow: u64) -> [u64; 2] {
    let subtrahend = u128::from(b) + u128::from(borrow & 1);
    let difference = u128::from(a).wrapping_sub(subtrahend);
    [low(difference, bits), u64::from(u128::from(a) < subtrahend)]
}

fn low(value: u128, bits: u32) -> u64 {
    u64::try_from(value & ((1 << bits) - 1)).unwrap_or(0)
}

/// Clamped to an i32, which is the only type that saturates.
fn saturate(value: i128) -> u64 {
    let clamped = value.clamp(i128::from(i32::MIN), i128::from(i32::MAX));
    i64::try_from(clamped).unwrap_or(0).cast_unsigned()
}

/// The product of the low 24 bits of both, 48 bits with their sign extended.
fn product24(signed: bool, a: u64, b: u64) -> u64 {
    let part = super::super::integer::Integer { bits: 24, signed };
    part.extend(a).wrapping_mul(part.extend(b))
}

/// `op` on each half.
pub(super) fn halves(op: BinaryOp, ty: Scalar, a: u64, b: u64) -> u64 {
    let ty = integer(ty);
    let one = |shift: u32| binary(op, ty, a >> shift & 0xffff, b >> shift & 0xffff);
    one(16) << 16 | one(0)
}

pub(super) fn dot_product(product: DotProduct, a: u64, b: u64, c: u64) -> u64 {
    use super::super::integer::Integer;
    let width = 32 / product.parts.max(1);
    let left = Integer { bits: width, signed: product.a_signed };
    let right = Integer { bits: 8, signed: product.b_signed };
    let sum = (0..product.parts).fold(c, |sum, part| {
        let x = left.extend(a >> (width * part));
        let y = right.extend(b >> (8 * (product.first + part)));
        sum.wrapping_add(x.wrapping_mul(y))
    });
    sum & 0xffff_ffff
}
