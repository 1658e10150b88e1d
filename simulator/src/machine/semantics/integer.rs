//! Integers of 8 to 64 bits, by the rules of WGSL.
//!
//! One implementation serves all widths: operands are extended to 64 bits by their sign, and results keep
//! their low bits. That is right for every operation that is linear modulo powers of two, and the others
//! (quotients, shifts to the right, comparisons) see the extended value itself.

use crate::cast::low;
use crate::ir::{BinaryOp, TernaryOp, UnaryOp};

/// An integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Integer {
    /// 8, 16, 32 or 64.
    pub bits: u32,
    /// Two's complement.
    pub signed: bool,
}

impl Integer {
    /// The low bits, zero-extended.
    #[inline]
    pub const fn wrap(self, value: u64) -> u64 {
        value & (u64::MAX >> (u64::BITS - self.bits))
    }

    /// The value in 64 bits, extended by its sign where the type has one.
    #[inline]
    pub const fn extend(self, value: u64) -> u64 {
        if self.signed { sign_extend(value, self.bits).cast_unsigned() } else { self.wrap(value) }
    }

    /// Whether the extended value is below zero.
    #[inline]
    pub const fn is_negative(self, extended: u64) -> bool {
        self.signed && extended.cast_signed() < 0
    }
}

pub(super) fn unary(op: UnaryOp, ty: Integer, a: u64) -> u64 {
    let extended = ty.extend(a);
    let bits = ty.wrap(a);
    let unused = u64::BITS - ty.bits;
    ty.wrap(match op {
        UnaryOp::Neg => extended.wrapping_neg(),
        UnaryOp::Not => !extended,
        UnaryOp::Abs if ty.is_negative(extended) => extended.wrapping_neg(),
        UnaryOp::Abs => extended,
        UnaryOp::Sign if ty.is_negative(extended) => u64::MAX,
        UnaryOp::Sign => extended.min(1),
        UnaryOp::CountOnes => u64::from(bits.count_ones()),
        UnaryOp::LeadingZeros => u64::from(bits.leading_zeros() - unused),
        UnaryOp::TrailingZeros => u64::from(bits.trailing_zeros().min(ty.bits)),
        UnaryOp::ReverseBits => bits.reverse_bits() >> unused,
        UnaryOp::FirstLeadingBit if ty.is_negative(extended) => highest_one(!extended),
        UnaryOp::FirstLeadingBit => highest_one(extended),
        UnaryOp::FirstTrailingBit if bits == 0 => u64::MAX,
        UnaryOp::FirstTrailingBit => u64::from(bits.trailing_zeros()),
        _ => 0,
    })
}

#[inline(always)]
pub(super) fn binary(op: BinaryOp, ty: Integer, a: u64, b: u64) -> u64 {
    let (x, y) = (ty.extend(a), ty.extend(b));
    let (i, j) = (x.cast_signed(), y.cast_signed());
    let count = low(b) % ty.bits;
    let order = |signed: bool, unsigned: bool| u64::from(if ty.signed { signed } else { unsigned });
    ty.wrap(match op {
        BinaryOp::Add => x.wrapping_add(y),
        BinaryOp::Sub => x.wrapping_sub(y),
        BinaryOp::Mul => x.wrapping_mul(y),
        BinaryOp::MulHigh => high_product(ty, x, y),
        BinaryOp::Div if y == 0 => x,
        BinaryOp::Div if ty.signed => i.wrapping_div(j).cast_unsigned(),
        BinaryOp::Div => x / y,
        BinaryOp::Rem if y == 0 => 0,
        BinaryOp::Rem if ty.signed => i.wrapping_rem(j).cast_unsigned(),
        BinaryOp::Rem => x % y,
        BinaryOp::Min if ty.signed => i.min(j).cast_unsigned(),
        BinaryOp::Min => x.min(y),
        BinaryOp::Max if ty.signed => i.max(j).cast_unsigned(),
        BinaryOp::Max => x.max(y),
        BinaryOp::And => x & y,
        BinaryOp::Or => x | y,
        BinaryOp::Xor => x ^ y,
        BinaryOp::Shl => x << count,
        BinaryOp::Shr if ty.signed => (i >> count).cast_unsigned(),
        BinaryOp::Shr => x >> count,
        BinaryOp::ShlClamp if low(b) >= ty.bits => 0,
        BinaryOp::ShlClamp => x << low(b),
        BinaryOp::ShrClamp if ty.signed => (i >> low(b).min(ty.bits - 1)).cast_unsigned(),
        BinaryOp::ShrClamp if low(b) >= ty.bits => 0,
        BinaryOp::ShrClamp => x >> low(b),
        BinaryOp::MulWide => return x.wrapping_mul(y),
        BinaryOp::Eq => u64::from(x == y),
        BinaryOp::Ne => u64::from(x != y),
        BinaryOp::Lt => order(i < j, x < y),
        BinaryOp::Le => order(i <= j, x <= y),
        BinaryOp::Gt => order(i > j, x > y),
        BinaryOp::Ge => order(i >= j, x >= y),
        BinaryOp::Pow | BinaryOp::Atan2 | BinaryOp::Step | BinaryOp::Ldexp => 0,
    })
}

pub(super) fn ternary(op: TernaryOp, ty: Integer, a: u64, b: u64, c: u64) -> u64 {
    match op {
        TernaryOp::MultiplyAdd => ty.wrap(a.wrapping_mul(b).wrapping_add(c)),
        TernaryOp::Clamp => binary(BinaryOp::Min, ty, binary(BinaryOp::Max, ty, a, b), c),
        TernaryOp::ExtractBits => extract_bits(ty, a, low(b), low(c)),
    }
}

fn extract_bits(ty: Integer, a: u64, offset: u32, count: u32) -> u64 {
    let offset = offset.min(ty.bits);
    let count = count.min(ty.bits - offset);
    if count == 0 {
        return 0;
    }
    let field = Integer { bits: count, signed: ty.signed };
    ty.wrap(field.extend(ty.wrap(a) >> offset))
}

/// The high half of the product of two extended values.
pub(super) fn high_product(ty: Integer, x: u64, y: u64) -> u64 {
    let product = if ty.signed {
        (i128::from(x.cast_signed()) * i128::from(y.cast_signed())).cast_unsigned()
    } else {
        u128::from(x) * u128::from(y)
    };
    low64(product >> ty.bits)
}

/// The low 64 bits.
#[inline]
#[expect(clippy::as_conversions, reason = "truncation is the purpose")]
const fn low64(value: u128) -> u64 {
    value as u64
}

/// Position of the highest one bit; all ones if there is none.
fn highest_one(value: u64) -> u64 {
    value.checked_ilog2().map_or(u64::MAX, u64::from)
}

/// The low `bits` bits as a signed value.
#[inline]
const fn sign_extend(value: u64, bits: u32) -> i64 {
    let unused = u64::BITS - bits;
    (value << unused).cast_signed() >> unused
}
