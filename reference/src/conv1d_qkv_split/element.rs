//! The 16-bit types of the data.

use crate::numerics::half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};

/// Type of every tensor but the indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ElementType {
    /// bfloat16.
    Bf16,
    /// binary16.
    F16,
}

impl ElementType {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Bf16, Self::F16];

    /// Bytes of an element.
    pub const BYTES: u64 = 2;

    /// The value of an element. Exact.
    #[inline(always)]
    pub fn value(self, bits: u16) -> f32 {
        match self {
            Self::Bf16 => bf16_to_f32(bits),
            Self::F16 => f16_to_f32(bits),
        }
    }

    /// The element nearest to `x`, ties to even.
    #[inline(always)]
    pub fn rounded(self, x: f32) -> u16 {
        match self {
            Self::Bf16 => f32_to_bf16(x),
            Self::F16 => f32_to_f16(x),
        }
    }
}
