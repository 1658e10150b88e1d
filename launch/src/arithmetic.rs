//! The arithmetic profile: the two things about f32 arithmetic in which correct devices differ.

use std::fmt;

/// How a multiply-add rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MultiplyAdd {
    /// Once, after the exact sum (IEEE 754 fusedMultiplyAdd).
    #[default]
    Fused,
    /// Twice: the product, then the sum.
    Separate,
}

/// What happens to denormal f32 numbers, as inputs and as results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Denormals {
    /// Kept, as IEEE 754 asks.
    #[default]
    Keep,
    /// Replaced by a zero of the same sign.
    Flush,
}

/// One arithmetic profile. Everything else about f32 `+ - *` is the same on every device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arithmetic {
    /// How a multiply-add rounds.
    pub multiply_add: MultiplyAdd,
    /// What happens to denormals.
    pub denormals: Denormals,
}

impl Arithmetic {
    /// Multiply-add rounded once, denormals kept.
    pub const FUSED: Self = Self { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Keep };
    /// Multiply-add rounded twice, denormals kept.
    pub const SEPARATE: Self = Self { multiply_add: MultiplyAdd::Separate, denormals: Denormals::Keep };
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.multiply_add {
            MultiplyAdd::Fused => "fused",
            MultiplyAdd::Separate => "separate",
        })?;
        match self.denormals {
            Denormals::Keep => Ok(()),
            Denormals::Flush => f.write_str(",flush"),
        }
    }
}
