//! What the operations of the table mean: the scalar instructions of the PTX ISA that the program's plain instructions
//! have no room for.
//!
//! # What is assumed where the ISA leaves it open
//!
//! * A NaN that an operation gives is the canonical one of its type: 0x7fff for f16 and bf16, 0x7fffffff for f32, 0x7fffe000
//!   for tf32, 0x7f for e4m3 and e5m2. Those of f64 keep a payload (`payload`).
//! * `.ftz` flushes operands, and results that are below the smallest normal number before they are rounded (after, for
//!   conversions), with their signs.
//! * Approximate functions are the correctly rounded ones, as far as the `libm` crate gives them.

mod bits;
mod convert;
mod float;
mod integer;
mod payload;
mod rounded;

pub(super) use self::convert::decode;
pub(super) use self::float::nan;
use crate::ir::ExtendedOp;
pub(super) use crate::ir::Format;

/// The results of an operation on up to four operands.
#[inline]
pub fn extended(op: ExtendedOp, sources: [u64; 4]) -> [u64; 2] {
    let [a, b, c, d] = sources;
    let one = match op {
        ExtendedOp::Lop3(table) => bits::lop3(table, a, b, c),
        ExtendedOp::Funnel { left, clamp } => bits::funnel(left, clamp, sources),
        ExtendedOp::Permute(mode) => bits::permute(mode, sources),
        ExtendedOp::FieldMask { clamp } => bits::field_mask(clamp, a, b),
        ExtendedOp::ExtendField { clamp, signed } => bits::extend_field(clamp, signed, a, b),
        ExtendedOp::ExtractField(ty) => bits::extract_field(ty, a, b, c),
        ExtendedOp::InsertField(ty) => bits::insert_field(ty, a, b, [c, d]),
        ExtendedOp::HighestBit { ty, shift } => bits::highest_bit(ty, shift, a),
        ExtendedOp::NthBit => bits::nth_bit(a, b, c),
        ExtendedOp::Integer(op, ty) => return integer::arithmetic(op, ty, sources),
        ExtendedOp::Halves(op, ty) => integer::halves(op, ty, a, b),
        ExtendedOp::DotProduct(product) => integer::dot_product(product, a, b, c),
        ExtendedOp::Float(operation) => float::operation(operation, [a, b, c]),
        ExtendedOp::Class(class, ty) => u64::from(float::is_of(class, ty, a)),
        ExtendedOp::Compare(comparison) => return float::compare(comparison, a, b),
        ExtendedOp::Convert(conversion) => convert::floats(conversion, a, b),
        ExtendedOp::ToInteger { from, to, rounding } => convert::to_integer(from, to, rounding, a),
        ExtendedOp::ClampInteger { from, to } => convert::clamp_integer(from, to, a),
        ExtendedOp::PackIntegers { from, bits, signed } => convert::pack_integers(from, bits, signed, [a, b, c]),
    };
    [one, 0]
}
