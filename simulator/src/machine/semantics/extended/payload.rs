//! Which NaN a double-precision operation gives. The PTX ISA says that they keep payloads, but for the approximations of
//! reciprocals on high words; which of several, and the one where there was none, is what devices of the Hopper
//! generation give.

use crate::ir::FloatOp;

const QUIET: u64 = 1 << 51;
const MADE: u64 = 0xfff8_0000_0000_0000;
const INFINITY: u64 = 0x7ff0_0000_0000_0000;

/// The result of an f64 operation that is NaN.
pub(super) fn double(op: FloatOp, [a, b, c]: [u64; 3]) -> u64 {
    let order = match op {
        FloatOp::GrossReciprocal | FloatOp::GrossInverseSqrt => return 0x7fff_ffff_0000_0000,
        FloatOp::MultiplyAdd => [b, c, a],
        FloatOp::Add | FloatOp::Sub | FloatOp::Mul | FloatOp::Min | FloatOp::Max => [b, a, a],
        FloatOp::Div | FloatOp::DivApproximate => [a, b, b],
        _ => [a, a, a],
    };
    order.into_iter().find(|&bits| bits & !(1 << 63) > INFINITY).map_or(MADE, |bits| bits | QUIET)
}

/// A NaN of one format as one of another, given by the sign bit, the bits of infinity and the length of the fraction.
pub(super) fn convert(bits: u64, from: (u64, u64, u32), to: (u64, u64, u32)) -> u64 {
    let ((from_sign, _, from_fraction), (to_sign, to_infinity, to_fraction)) = (from, to);
    let payload = bits & ((1 << from_fraction) - 1);
    let payload = payload << to_fraction.saturating_sub(from_fraction) >> from_fraction.saturating_sub(to_fraction);
    let sign = if bits & from_sign == 0 { 0 } else { to_sign };
    sign | to_infinity | payload | 1 << (to_fraction - 1)
}
