//! Numbers as a launch file writes them, and their bits as an element type stores them.

use std::fmt;

use gridproof_launch::DType;
use half::{bf16, f16};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A number of a launch file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i128),
    Float(f64),
    Bool(bool),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => fmt::Debug::fmt(value, f),
            Self::Bool(value) => value.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;
        impl Visitor<'_> for AnyNumber {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number::Int(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number::Int(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number::Float(value))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Number, E> {
                Ok(Number::Bool(value))
            }
        }
        deserializer.deserialize_any(AnyNumber)
    }
}

impl Number {
    /// The bits of this number as one element of `dtype`, low bits first, or what it must be instead.
    pub fn bits(self, dtype: DType) -> Result<u64, String> {
        match self {
            Self::Bool(_) => Err(format!("a {dtype} element is a number")),
            Self::Float(value) if is_float(dtype) => float_bits(value, dtype),
            Self::Float(_) => Err(format!("a {dtype} element is an integer")),
            #[expect(clippy::cast_precision_loss, reason = "the nearest f64 is what a decimal number would give too")]
            Self::Int(value) if is_float(dtype) => float_bits(value as f64, dtype),
            Self::Int(value) => int_bits(value, dtype),
        }
    }

    /// This number as a non-negative integer below 2^64.
    pub fn natural(self) -> Option<u64> {
        match self {
            Self::Int(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// This number as the nearest f64; `None` for a truth value.
    pub fn real(self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "the nearest f64 is meant")]
            Self::Int(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            Self::Bool(_) => None,
        }
    }
}

/// Whether elements of `dtype` are floating-point numbers.
pub(super) const fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::Bf16 | DType::F32 | DType::F64)
}

/// The smallest and largest integer of an integer type.
pub(super) fn int_range(dtype: DType) -> (i128, i128) {
    let signed = matches!(dtype, DType::I8 | DType::I16 | DType::I32 | DType::I64);
    let bits = dtype.bits();
    if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

/// The bits of `value` as an integer element.
pub(super) fn int_bits(value: i128, dtype: DType) -> Result<u64, String> {
    let (low, high) = int_range(dtype);
    if value < low || value > high {
        return Err(format!("a {dtype} element lies in {low}..={high}"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low bits are meant")]
    Ok((value as u64) & mask(dtype))
}

/// The bits of `value` rounded to nearest even in a floating-point type; a finite value must stay finite.
pub(super) fn float_bits(value: f64, dtype: DType) -> Result<u64, String> {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    let (bits, infinite) = match dtype {
        DType::F16 => (u64::from(f16::from_f64(value).to_bits()), f16::from_f64(value).is_infinite()),
        DType::Bf16 => (u64::from(bf16::from_f64(value).to_bits()), bf16::from_f64(value).is_infinite()),
        DType::F32 => (u64::from((value as f32).to_bits()), (value as f32).is_infinite()),
        _ => (value.to_bits(), value.is_infinite()),
    };
    if infinite && value.is_finite() {
        return Err(format!("is too large for {dtype}"));
    }
    Ok(bits)
}

const fn mask(dtype: DType) -> u64 {
    if dtype.bits() == 64 { u64::MAX } else { (1 << dtype.bits()) - 1 }
}

/// Elements packed as memory holds them: little-endian, and two nibbles a byte for `u4`.
pub(super) struct Packed {
    dtype: DType,
    bytes: Vec<u8>,
}

impl Packed {
    /// Zero bytes for `elements` elements; the caller has checked the size.
    pub fn zeroed(dtype: DType, bytes: usize) -> Self {
        Self { dtype, bytes: vec![0; bytes] }
    }

    /// Stores one element's bits at its position.
    pub fn set(&mut self, element: usize, bits: u64) {
        if self.dtype == DType::U4 {
            let shift = (element % 2) * 4;
            let byte = &mut self.bytes[element / 2];
            *byte = *byte & !(0xf << shift) | (bits.to_le_bytes()[0] & 0xf) << shift;
            return;
        }
        let size = usize::try_from(self.dtype.bits() / 8).unwrap_or(8);
        let start = element * size;
        self.bytes[start..start + size].copy_from_slice(&bits.to_le_bytes()[..size]);
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The byte that every byte of memory holds when every element has these bits, if there is one.
pub(super) fn uniform_byte(bits: u64, dtype: DType) -> Option<u8> {
    if dtype == DType::U4 {
        let nibble = bits.to_le_bytes()[0] & 0xf;
        return Some(nibble | nibble << 4);
    }
    let bytes = bits.to_le_bytes();
    let used = &bytes[..usize::try_from(dtype.bits() / 8).unwrap_or(8)];
    used.iter().all(|byte| *byte == used[0]).then_some(used[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_to_their_element_type_or_are_refused() {
        assert_eq!(Number::Float(1.0).bits(DType::F16), Ok(0x3c00));
        assert_eq!(Number::Int(-1).bits(DType::I8), Ok(0xff));
        assert_eq!(Number::Int(-1).bits(DType::I64), Ok(u64::MAX));
        assert_eq!(Number::Int(15).bits(DType::U4), Ok(15));
        assert_eq!(Number::Float(f64::INFINITY).bits(DType::Bf16), Ok(0x7f80));
        for (number, dtype) in [
            (Number::Int(16), DType::U4),
            (Number::Int(-129), DType::I8),
            (Number::Int(1 << 64), DType::U64),
            (Number::Float(0.5), DType::U32),
            (Number::Float(65536.0), DType::F16),
            (Number::Float(1e39), DType::F32),
            (Number::Bool(true), DType::U8),
        ] {
            assert!(number.bits(dtype).is_err(), "{number} as {dtype}");
        }
    }

    #[test]
    fn nibbles_are_packed_low_first() {
        let mut packed = Packed::zeroed(DType::U4, 2);
        for (element, bits) in [(0, 1), (1, 2), (2, 15)] {
            packed.set(element, bits);
        }
        assert_eq!(packed.into_bytes(), [0x21, 0x0f]);
    }

    #[test]
    fn only_values_of_equal_bytes_are_uniform() {
        assert_eq!(uniform_byte(0, DType::F32), Some(0));
        assert_eq!(uniform_byte(0xffff_ffff, DType::I32), Some(0xff));
        assert_eq!(uniform_byte(0x3c00, DType::F16), None);
        assert_eq!(uniform_byte(7, DType::U4), Some(0x77));
    }
}
