//! Logic, shifts and bit fields (PTX ISA, sections "Logic and Shift Instructions" and "Integer Arithmetic").

use super::super::integer::Integer;
use crate::cast::low;
use crate::ir::{Permute, Scalar};

const WORD: u64 = 0xffff_ffff;

/// An integer type's rules; unsigned for anything else.
pub(super) const fn integer(ty: Scalar) -> Integer {
    Integer { bits: ty.bits(), signed: ty.is_signed() }
}

pub(super) fn lop3(table: u8, a: u64, b: u64, c: u64) -> u64 {
    (0..8_u32).filter(|row| table >> row & 1 == 1).fold(0, |bits, row| {
        let pick = |value: u64, bit: u32| if row >> bit & 1 == 1 { value } else { !value };
        bits | pick(a, 2) & pick(b, 1) & pick(c, 0)
    }) & WORD
}

pub(super) fn funnel(left: bool, clamp: bool, [a, b, count, _]: [u64; 4]) -> u64 {
    let count = if clamp { count.min(32) } else { count & 31 };
    let pair = b << 32 | a;
    // A left shift by 32 of the pair leaves its low word on top.
    if left { pair.unbounded_shl(low(count)) >> 32 } else { pair >> count & WORD }
}

pub(super) fn permute(mode: Permute, [a, b, control, _]: [u64; 4]) -> u64 {
    let bytes = b << 32 | a;
    let c = low(control & 3);
    (0..4_u32).fold(0, |word, place| {
        let selection = match mode {
            Permute::Any => low(control >> (4 * place)) & 15,
            Permute::Forward => c + place,
            Permute::Backward => (c + 8 - place) & 7,
            Permute::Replicate8 => c,
            Permute::EdgeLeft => place.max(c),
            Permute::EdgeRight => place.min(c),
            Permute::Replicate16 => (c & 1) * 2 + (place & 1),
        };
        let byte = bytes >> (8 * (selection & 7)) & 0xff;
        let byte = if selection & 8 == 0 { byte } else { (byte >> 7) * 0xff };
        word | byte << (8 * place)
    })
}

pub(super) fn field_mask(clamp: bool, position: u64, width: u64) -> u64 {
    if clamp && position >= 32 {
        return 0;
    }
    let from = position & 31;
    let width = if clamp { width.min(32) } else { width & 31 };
    let end = (from + width).min(32);
    ((1 << end) - 1) & !((1 << from) - 1)
}

pub(super) fn extend_field(clamp: bool, signed: bool, a: u64, width: u64) -> u64 {
    if clamp && width >= 32 {
        return a;
    }
    match low(width & 31) {
        0 => 0,
        bits => Integer { bits, signed }.extend(a) & WORD,
    }
}

/// Place and length of a bit field. PTX gives them a meaning up to 255; devices look at 8 bits for 32-bit operands, and at
/// all of them for 64-bit ones (seen on an H200).
const fn field_of(ty: Integer, position: u64, length: u64) -> (u32, u32) {
    let mask = if ty.bits == 64 { WORD } else { 0xff };
    (low(position & mask), low(length & mask))
}

pub(super) fn extract_field(ty: Scalar, a: u64, position: u64, length: u64) -> u64 {
    let ty = integer(ty);
    let (position, length) = field_of(ty, position, length);
    if length == 0 {
        return 0;
    }
    // Past the top, the field continues with the sign (or zeros).
    let shifted = if ty.signed {
        (ty.extend(a).cast_signed() >> position.min(63)).cast_unsigned()
    } else {
        ty.wrap(a).unbounded_shr(position)
    };
    // The sign of a field that leaves the operand is the operand's, which the shift has brought along.
    ty.wrap(Integer { bits: length.min(ty.bits), signed: ty.signed }.extend(shifted))
}

pub(super) fn insert_field(ty: Scalar, new: u64, base: u64, [position, length]: [u64; 2]) -> u64 {
    let ty = integer(ty);
    let (position, length) = field_of(ty, position, length);
    let field = ty.wrap(1_u64.unbounded_shl(length).wrapping_sub(1).unbounded_shl(position));
    (base & !field) | (new.unbounded_shl(position) & field)
}

pub(super) fn highest_bit(ty: Scalar, shift: bool, a: u64) -> u64 {
    let ty = integer(ty);
    let extended = ty.extend(a);
    let magnitude = if ty.is_negative(extended) { !extended } else { extended };
    match magnitude.checked_ilog2() {
        None => WORD,
        Some(bit) if shift => u64::from(ty.bits - 1 - bit),
        Some(bit) => u64::from(bit),
    }
}

/// A base above 31 is undefined in PTX; nothing is found there.
pub(super) fn nth_bit(mask: u64, base: u64, offset: u64) -> u64 {
    let base = low(base);
    let offset = low(offset).cast_signed();
    let is_one = |bit: &u32| mask >> bit & 1 == 1;
    if base > 31 {
        return WORD;
    }
    let count = usize::try_from(offset.unsigned_abs().saturating_sub(1)).unwrap_or(usize::MAX);
    let found = match offset {
        0 => Some(base).filter(is_one),
        1.. => (base..32).filter(is_one).nth(count),
        _ => (0..=base).rev().filter(is_one).nth(count),
    };
    found.map_or(WORD, u64::from)
}
