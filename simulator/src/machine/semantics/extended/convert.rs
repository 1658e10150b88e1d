//! Conversions (`cvt`) beyond those of the program's plain instruction.
//!
//! A float that becomes an integer saturates. NaN becomes 0 where neither the source is an f64 nor the result has 64
//! bits, and else only the top bit of the result, as the ISA says under `cvt`.

use super::super::format::{Float, Number};
use super::bits::integer;
use super::float::{clamp, flush, format};
use super::payload;
use crate::cast::low;
use crate::ir::{Clamp, Conversion, Format, Lanes, Rounding, Scalar};

/// A format as the conversions see it.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Bits of the fraction.
    fraction: u32,
    /// The exponent of the smallest normal number.
    smallest: i32,
    /// The bits of the largest finite number.
    largest: u64,
    /// The sign bit.
    sign: u64,
    /// What NaN becomes.
    nan: u64,
}

impl Layout {
    const fn of(format: Format) -> Self {
        let (fraction, smallest, largest, sign, nan) = match format {
            Format::F16 => (10, -14, 0x7bff, 0x8000, 0x7fff),
            Format::Bf16 => (7, -126, 0x7f7f, 0x8000, 0x7fff),
            Format::F32 => (23, -126, 0x7f7f_ffff, 0x8000_0000, 0x7fff_ffff),
            // What NaN becomes here keeps a payload.
            Format::F64 => (52, -1022, 0x7fef_ffff_ffff_ffff, 1 << 63, 0),
            // Without the 13 bits below, which are zeros.
            Format::Tf32 => (10, -126, 0x3_fbff, 0x4_0000, 0x3_ffff),
            Format::E4m3 => (3, -6, 0x7e, 0x80, 0x7f),
            Format::E5m2 => (2, -14, 0x7b, 0x80, 0x7f),
            // These have no NaN: it becomes the largest number.
            Format::E2m3 => (3, 0, 0x1f, 0x20, 0x1f),
            Format::E3m2 => (2, -2, 0x1f, 0x20, 0x1f),
            Format::E2m1 => (1, 0, 0x7, 0x8, 0x7),
        };
        Self { fraction, smallest, largest, sign, nan }
    }
}

/// The converted operand, or both.
pub(super) fn floats(conversion: Conversion, a: u64, b: u64) -> u64 {
    let (from, to) = (conversion.from.stride(), conversion.to.stride());
    let part = |index: u32| a >> (index * from) & (u64::MAX >> (64 - from));
    match conversion.lanes {
        Lanes::One => one(conversion, a),
        Lanes::Join => one(conversion, a) << to | one(conversion, b),
        Lanes::Each => one(conversion, part(1)) << to | one(conversion, part(0)),
    }
}

fn one(conversion: Conversion, bits: u64) -> u64 {
    let flushes = |format: Format| conversion.flush && format == Format::F32;
    let bits = if flushes(conversion.from) { flush(Float::F32, bits) } else { bits };
    let (negative, number) = decode(conversion.from, bits);
    let to = Layout::of(conversion.to);
    let result = match number {
        Number::Nan if conversion.clamp == Clamp::Unit => 0,
        Number::Nan => return not_a_number(conversion, to, bits),
        _ if negative && conversion.clamp != Clamp::Free => 0,
        Number::Infinite if conversion.finite => signed(to, negative, to.largest),
        Number::Infinite => signed(to, negative, to.largest + 1),
        Number::Finite { magnitude, exponent } => encode(conversion, to, negative, (magnitude, exponent)),
    };
    let result = if conversion.to == Format::Tf32 { result << 13 } else { result };
    let result = if flushes(conversion.to) { flush(Float::F32, result) } else { result };
    match (conversion.clamp, float_of(conversion.to)) {
        (Clamp::Unit, Some(ty)) => clamp(ty, Clamp::Unit, Some(result)),
        _ => result,
    }
}

/// What a NaN becomes.
fn not_a_number(conversion: Conversion, to: Layout, bits: u64) -> u64 {
    match (conversion.from, conversion.to) {
        // The rounding to nearest with ties away only looks at bits, and `.satfinite` takes the last one off.
        (_, Format::Tf32) if conversion.ties_away => (bits & !0x1fff) - if conversion.finite { 0x2000 } else { 0 },
        (_, Format::Tf32) => to.nan << 13,
        (Format::F64, _) | (_, Format::F64) => {
            let from = Layout::of(conversion.from);
            let bits = if conversion.flush && conversion.from == Format::F32 { from.nan } else { bits };
            let parts = |layout: Layout| (layout.sign, layout.largest + 1, layout.fraction);
            payload::convert(bits, parts(from), parts(to))
        }
        _ => to.nan,
    }
}

/// The wide format of the same bits.
const fn float_of(format: Format) -> Option<Float> {
    match format {
        Format::F16 => Some(Float::F16),
        Format::Bf16 => Some(Float::Bf16),
        Format::F32 | Format::Tf32 => Some(Float::F32),
        Format::F64 => Some(Float::F64),
        Format::E4m3 | Format::E5m2 | Format::E2m3 | Format::E3m2 | Format::E2m1 => None,
    }
}

/// The sign and the value of bits.
pub(in super::super) fn decode(format: Format, bits: u64) -> (bool, Number) {
    if let Some(ty) = float_of(format) {
        return (ty.is_negative(bits), ty.unpack(bits));
    }
    let layout = Layout::of(format);
    let magnitude = bits & (layout.sign - 1);
    let hidden = 1 << layout.fraction;
    let (fraction, field) = (magnitude & (hidden - 1), low(magnitude >> layout.fraction).cast_signed());
    let unit = layout.smallest - layout.fraction.cast_signed();
    let number = match magnitude {
        0x7c if format == Format::E5m2 => Number::Infinite,
        _ if magnitude > layout.largest => Number::Nan,
        _ if field == 0 => Number::Finite { magnitude: fraction, exponent: unit },
        _ => Number::Finite { magnitude: fraction | hidden, exponent: unit + field - 1 },
    };
    (bits & layout.sign != 0, number)
}

fn encode(conversion: Conversion, to: Layout, negative: bool, (magnitude, exponent): (u64, i32)) -> u64 {
    let Some(top) = magnitude.checked_ilog2() else { return signed(to, negative, 0) };
    let scale = (exponent + top.cast_signed()).max(to.smallest);
    let extra = scale - to.fraction.cast_signed() - exponent;
    let kept = if extra > 0 {
        round(conversion, magnitude, extra.unsigned_abs(), negative)
    } else {
        magnitude << extra.unsigned_abs()
    };
    let steps = u64::from((scale - to.smallest).unsigned_abs());
    let code = (steps << to.fraction) + kept;
    let overflows = code > to.largest;
    let stops = conversion.finite || !rounds_out(conversion.rounding, negative);
    signed(
        to,
        negative,
        match (overflows, stops) {
            (false, _) => code,
            (true, true) => to.largest,
            (true, false) => to.largest + 1,
        },
    )
}

/// Whether what is too large becomes infinite.
fn rounds_out(rounding: Rounding, negative: bool) -> bool {
    match rounding {
        Rounding::NearestEven => true,
        Rounding::TowardsZero => false,
        Rounding::Down => negative,
        Rounding::Up => !negative,
    }
}

/// `magnitude / 2^extra` as an integer; a magnitude has 53 bits at most.
fn round(conversion: Conversion, magnitude: u64, extra: u32, negative: bool) -> u64 {
    let extra = extra.min(60);
    let (kept, rest, half) = (magnitude >> extra, magnitude & ((1 << extra) - 1), 1_u64 << (extra - 1));
    let up = match conversion.rounding {
        Rounding::NearestEven => rest > half || (rest == half && (conversion.ties_away || kept & 1 == 1)),
        directed => rest != 0 && rounds_out(directed, negative),
    };
    kept + u64::from(up)
}

const fn signed(layout: Layout, negative: bool, magnitude: u64) -> u64 {
    if negative { magnitude | layout.sign } else { magnitude }
}

/// A float as an integer.
pub(super) fn to_integer(from: Scalar, to: Scalar, rounding: Rounding, a: u64) -> u64 {
    let zero = from != Scalar::F64 && to.bits() != 64;
    if format(from).is_nan(a) {
        return if zero { 0 } else { 1 << (to.bits() - 1) };
    }
    super::super::convert(from, to, rounding, a, gridproof_launch::Arithmetic::FUSED)
}

/// The nearest value of another integer type.
pub(super) fn clamp_integer(from: Scalar, to: Scalar, a: u64) -> u64 {
    let (from, to) = (integer(from), integer(to));
    to.wrap(nearest(extended(from.extend(a), from.signed), to.bits, to.signed))
}

fn extended(value: u64, signed: bool) -> i128 {
    if signed { i128::from(value.cast_signed()) } else { i128::from(value) }
}

/// The nearest integer of some bits, in two's complement.
fn nearest(value: i128, bits: u32, signed: bool) -> u64 {
    let (least, most) = if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
    u64::try_from(value.clamp(least, most) & i128::from(u64::MAX)).unwrap_or(0)
}

/// `cvt.pack`.
pub(super) fn pack_integers(from: Scalar, bits: u32, signed: bool, [a, b, c]: [u64; 3]) -> u64 {
    let from = integer(from);
    let part = |value: u64| nearest(extended(from.extend(value), from.signed), bits, signed) & ((1 << bits) - 1);
    (c << (2 * bits) | part(a) << bits | part(b)) & 0xffff_ffff
}
