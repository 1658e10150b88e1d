//! Vector forms of what PTX does all the time: 64-bit addresses, halves, small integers.
//!
//! Each closure is the meaning in [`semantics`] for one operation and type, so that the compiler sees through it.

use gridproof_launch::Arithmetic;

use super::registers::{Mask, Registers};
use super::semantics;
use crate::cast::low;
use crate::ir::{BinaryOp, Clamp, Conversion, ExtendedOp, Format, Lanes, Operand, Reg, Rounding, Scalar, TernaryOp};

const ARITHMETIC: Arithmetic = Arithmetic::FUSED;

/// `dst <- a op b` for 64-bit types; whether there is a vector form.
#[inline(always)]
pub fn binary_wide(r: &mut Registers, m: &Mask, op: BinaryOp, ty: Scalar, [dst, a, b]: [Reg; 3]) -> bool {
    macro_rules! forms {
        ($($ty:ident: [$($op:ident),*] [$($shift:ident),*] [$($truth:ident),*];)*) => {
            match (op, ty) {
                $(
                    $((BinaryOp::$op, Scalar::$ty) => r.map_values(m, (dst, 2), [(a, 2), (b, 2)], |[x, y]| {
                        semantics::binary(BinaryOp::$op, Scalar::$ty, x, y, ARITHMETIC)
                    }),)*
                    $((BinaryOp::$shift, Scalar::$ty) => r.map_values(m, (dst, 2), [(a, 2), (b, 1)], |[x, y]| {
                        semantics::binary(BinaryOp::$shift, Scalar::$ty, x, y, ARITHMETIC)
                    }),)*
                    $((BinaryOp::$truth, Scalar::$ty) => r.map_values(m, (dst, 1), [(a, 2), (b, 2)], |[x, y]| {
                        semantics::binary(BinaryOp::$truth, Scalar::$ty, x, y, ARITHMETIC)
                    }),)*
                )*
                _ => return false,
            }
        };
    }
    forms! {
        U64: [Add, Sub, Mul, And, Or, Xor, Min, Max] [Shl, Shr, ShlClamp, ShrClamp] [Eq, Ne, Lt, Le, Gt, Ge];
        I64: [Add, Sub, Mul, And, Or, Xor, Min, Max] [Shl, Shr, ShlClamp, ShrClamp] [Eq, Ne, Lt, Le, Gt, Ge];
        F64: [Add, Sub, Mul, Div] [] [Eq, Ne, Lt, Le, Gt, Ge];
    }
    true
}

/// `dst <- a * b`, the whole product of two words.
#[inline(always)]
pub fn multiply_wide(r: &mut Registers, m: &Mask, ty: Scalar, [dst, a, b]: [Reg; 3]) -> bool {
    match ty {
        Scalar::U32 => r.map_values(m, (dst, 2), [(a, 1), (b, 1)], |[x, y]| x * y),
        Scalar::I32 => {
            r.map_values(m, (dst, 2), [(a, 1), (b, 1)], |[x, y]| {
                (i64::from(low(x).cast_signed()) * i64::from(low(y).cast_signed())).cast_unsigned()
            });
        }
        _ => return false,
    }
    true
}

/// `dst <- a * b + c` for 64-bit types.
#[inline(always)]
pub fn multiply_add_wide(r: &mut Registers, m: &Mask, ty: Scalar, dst: Reg, [a, b, c]: [Reg; 3]) -> bool {
    let rows = [(a, 2), (b, 2), (c, 2)];
    match ty {
        Scalar::U64 | Scalar::I64 => r.map_values(m, (dst, 2), rows, |[x, y, z]| x.wrapping_mul(y).wrapping_add(z)),
        Scalar::F64 => r.map_values(m, (dst, 2), rows, |[x, y, z]| {
            semantics::ternary(TernaryOp::MultiplyAdd, Scalar::F64, x, y, z, ARITHMETIC)
        }),
        _ => return false,
    }
    true
}

/// Integers of 8 and 16 bits, which are kept zero-extended.
#[inline(always)]
pub fn binary_small(r: &mut Registers, m: &Mask, op: BinaryOp, ty: Scalar, [dst, a, b]: [Reg; 3]) -> bool {
    macro_rules! forms {
        ($($ty:ident: [$($op:ident),*];)*) => {
            match (op, ty) {
                $($((BinaryOp::$op, Scalar::$ty) => r.map2(m, dst, a, b, |x, y| {
                    low(semantics::binary(BinaryOp::$op, Scalar::$ty, u64::from(x), u64::from(y), ARITHMETIC))
                }),)*)*
                _ => return false,
            }
        };
    }
    forms! {
        U16: [Add, Sub, Mul, And, Or, Xor, Eq, Ne, Lt, Le, Gt, Ge];
        I16: [Add, Sub, Mul, And, Or, Xor, Eq, Ne, Lt, Le, Gt, Ge];
    }
    true
}

/// Conversions that lose nothing, or only high bits.
#[inline(always)]
pub fn convert(r: &mut Registers, m: &Mask, from: Scalar, to: Scalar, [dst, src]: [Reg; 2], nan: u32) -> bool {
    use Scalar::{Bf16, Bool, F16, F32, I8, I16, I32, I64, U8, U16, U32, U64};
    match (from, to) {
        (Bool | U8 | U16 | U32, U64 | I64) => {
            r.map_values(m, (dst, 2), [(src, 1)], |[x]| x);
        }
        (I32, U64 | I64) => {
            r.map_values(m, (dst, 2), [(src, 1)], |[x]| i64::from(low(x).cast_signed()).cast_unsigned());
        }
        (U64 | I64, U32 | I32) => r.map1(m, dst, src, |x| x),
        (U64 | I64, U16 | I16) | (U32 | I32, U16 | I16) => r.map1(m, dst, src, |x| x & 0xffff),
        (U64 | I64, U8 | I8) | (U32 | I32 | U16 | I16, U8 | I8) => r.map1(m, dst, src, |x| x & 0xff),
        (U8 | U16, U16 | I16 | U32 | I32) => r.map1(m, dst, src, |x| x),
        (I16, U32 | I32) => {
            r.map1(m, dst, src, |x| (x << 16).cast_signed().wrapping_shr(16).cast_unsigned());
        }
        (I8, U32 | I32) => r.map1(m, dst, src, |x| (x << 24).cast_signed().wrapping_shr(24).cast_unsigned()),
        (F16, F32) => r.map1(m, dst, src, |x| f16_to_f32(x, nan)),
        (Bf16, F32) => r.map1(m, dst, src, |x| if x << 17 > 0xff00_0000 { nan } else { x << 16 }),
        _ => return false,
    }
    true
}

#[inline(always)]
fn f16_to_f32(half: u32, nan: u32) -> u32 {
    let (sign, magnitude) = ((half & 0x8000) << 16, half & 0x7fff);
    // Exponents are moved by a product, so that denormals need no case of their own.
    let scaled = (f32::from_bits(magnitude << 13) * f32::from_bits(0x7780_0000)).to_bits();
    let finite = sign | scaled;
    match magnitude {
        0x7c01.. => nan,
        0x7c00 => sign | 0x7f80_0000,
        _ => finite,
    }
}

/// To nearest, ties to even; NaN is `0x7fff`.
#[inline(always)]
fn f32_to_f16(word: u32) -> u32 {
    let (sign, magnitude) = (word >> 16 & 0x8000, word & 0x7fff_ffff);
    let normal = magnitude.wrapping_add(0xc800_0fff).wrapping_add(magnitude >> 13 & 1) >> 13;
    let half = f32::from_bits(0x3f00_0000);
    let denormal = (f32::from_bits(magnitude) + half).to_bits().wrapping_sub(half.to_bits());
    match magnitude {
        0x7f80_0001.. => 0x7fff,
        0x4780_0000.. => sign | 0x7c00,
        ..0x3880_0000 => sign | denormal,
        _ => sign | normal,
    }
}

/// To nearest, ties to even; NaN is `0x7fff`.
#[inline(always)]
const fn f32_to_bf16(word: u32) -> u32 {
    let rounded = word.wrapping_add(0x7fff).wrapping_add(word >> 16 & 1) >> 16;
    if word & 0x7fff_ffff > 0x7f80_0000 { 0x7fff } else { rounded }
}

/// An operation of the table; whether it has a vector form.
#[inline(never)]
pub fn extended(r: &mut Registers, m: &Mask, op: ExtendedOp, sources: &[Operand], results: &[Operand]) -> bool {
    let [Operand { reg: dst, .. }] = *results else { return false };
    match (op, sources) {
        (ExtendedOp::Convert(conversion), &[a]) if conversion.lanes == Lanes::One && is_plain(conversion) => {
            match conversion.to {
                Format::F16 => r.map1(m, dst, a.reg, f32_to_f16),
                Format::Bf16 => r.map1(m, dst, a.reg, f32_to_bf16),
                _ => return false,
            }
        }
        (ExtendedOp::Convert(conversion), &[a, b]) if conversion.lanes == Lanes::Join && is_plain(conversion) => {
            match conversion.to {
                Format::F16 => r.map2(m, dst, a.reg, b.reg, |x, y| f32_to_f16(x) << 16 | f32_to_f16(y)),
                Format::Bf16 => r.map2(m, dst, a.reg, b.reg, |x, y| f32_to_bf16(x) << 16 | f32_to_bf16(y)),
                _ => return false,
            }
        }
        (ExtendedOp::ExtractField(ty @ (Scalar::U32 | Scalar::I32)), &[a, b, c]) => {
            let signed = ty == Scalar::I32;
            r.map3(m, dst, [a.reg, b.reg, c.reg], |a, b, c| extract(a, b & 0xff, c & 0xff, signed));
        }
        _ => return false,
    }
    true
}

/// From f32, to nearest, nothing else.
fn is_plain(conversion: Conversion) -> bool {
    let Conversion { from, rounding, ties_away, flush, clamp, finite, .. } = conversion;
    let special = ties_away || flush || finite || clamp != Clamp::Free;
    from == Format::F32 && rounding == Rounding::NearestEven && !special
}

#[inline(always)]
const fn extract(a: u32, position: u32, length: u32, signed: bool) -> u32 {
    if length == 0 {
        return 0;
    }
    let past = position > 31;
    let shifted = if signed {
        (a.cast_signed() >> if past { 31 } else { position }).cast_unsigned()
    } else if past {
        0
    } else {
        a >> position
    };
    if length >= 32 {
        return shifted;
    }
    let unused = 32 - length;
    if signed { ((shifted << unused).cast_signed() >> unused).cast_unsigned() } else { shifted << unused >> unused }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversion(to: Format) -> ExtendedOp {
        ExtendedOp::Convert(Conversion {
            from: Format::F32,
            to,
            lanes: Lanes::One,
            rounding: Rounding::NearestEven,
            ties_away: false,
            flush: false,
            clamp: Clamp::Free,
            finite: false,
        })
    }

    #[test]
    fn narrowing_is_that_of_the_scalar_meaning() {
        // Every exponent and sign, with fractions around every tie of both formats.
        let fractions = (0..0x800_u32).flat_map(|high| [0, 1, 0x7ff, 0x800, 0x801, 0xfff].map(|low| high << 12 | low));
        for fraction in fractions.chain([0x7f_ffff]) {
            for top in 0..512 {
                let word = top << 23 | fraction & 0x7f_ffff;
                for (to, result) in [(Format::F16, f32_to_f16(word)), (Format::Bf16, f32_to_bf16(word))] {
                    let [wanted, ..] = semantics::extended(conversion(to), [u64::from(word), 0, 0, 0]);
                    assert_eq!(u64::from(result), wanted, "{word:#x} to {to:?}");
                }
            }
        }
    }

    #[test]
    fn fields_are_those_of_the_scalar_meaning() {
        for a in [0, 1, 0x8000_0000, 0x7fff_ffff, 0xffff_ffff, 0x1234_5678, 0xdead_beef] {
            for (position, length) in (0..70).flat_map(|position| (0..70).map(move |length| (position, length))) {
                for ty in [Scalar::U32, Scalar::I32] {
                    let sources = [u64::from(a), u64::from(position), u64::from(length), 0];
                    let [wanted, ..] = semantics::extended(ExtendedOp::ExtractField(ty), sources);
                    let result = extract(a, position, length, ty == Scalar::I32);
                    assert_eq!(u64::from(result), wanted, "{a:#x} {position} {length} {ty:?}");
                }
            }
        }
    }
}
