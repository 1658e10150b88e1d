//! The four binary floating-point formats taken apart and put together in integer arithmetic.
//!
//! [`Float::pack`] rounds any `magnitude * 2^exponent` to any format in any direction, once and exactly, so
//! conversions and scalings need no further care. The `half` crate is used where it is known to be exact or
//! rounds a single time (widening, f32 to f16 and bf16); its conversions from f64 go through f32 on some
//! hosts and round twice, so they are not.

use gridproof_launch::{Arithmetic, Denormals};
use half::{bf16, f16};

use crate::cast::{low, low16};
use crate::ir::Rounding;

/// A floating-point type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    F16,
    Bf16,
    F32,
    F64,
}

/// What a pattern of bits stands for, without its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Nan,
    Infinite,
    /// `magnitude * 2^exponent`, with at most 53 bits of magnitude.
    Finite {
        magnitude: u64,
        exponent: i32,
    },
}

impl Float {
    /// Bits of the fraction, without the implied one.
    pub const fn fraction_bits(self) -> u32 {
        match self {
            Self::F16 => 10,
            Self::Bf16 => 7,
            Self::F32 => 23,
            Self::F64 => 52,
        }
    }

    const fn exponent_bits(self) -> u32 {
        match self {
            Self::F16 => 5,
            Self::Bf16 | Self::F32 => 8,
            Self::F64 => 11,
        }
    }

    /// The exponent of the largest finite numbers.
    const fn largest_exponent(self) -> i32 {
        (1 << (self.exponent_bits() - 1)) - 1
    }

    /// The exponent of the smallest normal numbers.
    pub const fn smallest_exponent(self) -> i32 {
        1 - self.largest_exponent()
    }

    /// The sign bit.
    #[inline]
    pub const fn sign(self) -> u64 {
        1 << (self.fraction_bits() + self.exponent_bits())
    }

    /// Positive infinity.
    #[inline]
    pub const fn infinity(self) -> u64 {
        ((1 << self.exponent_bits()) - 1) << self.fraction_bits()
    }

    /// The NaN that operations give.
    #[inline]
    pub const fn nan(self) -> u64 {
        self.infinity() | (1 << (self.fraction_bits() - 1))
    }

    /// 1.
    #[inline]
    pub const fn one(self) -> u64 {
        self.infinity() >> (self.fraction_bits() + 1) << self.fraction_bits()
    }

    /// The bits without the sign.
    #[inline]
    pub const fn magnitude(self, bits: u64) -> u64 {
        bits & (self.sign() - 1)
    }

    #[inline]
    pub const fn is_negative(self, bits: u64) -> bool {
        bits & self.sign() != 0
    }

    #[inline]
    pub const fn is_nan(self, bits: u64) -> bool {
        self.magnitude(bits) > self.infinity()
    }

    /// The same bits, but for a NaN [`Self::nan`].
    #[inline]
    pub const fn canonical(self, bits: u64) -> u64 {
        if self.is_nan(bits) { self.nan() } else { bits }
    }

    /// A denormal f32 as the profile treats it; every other value as it is.
    #[inline]
    pub fn flush(self, bits: u64, arithmetic: Arithmetic) -> u64 {
        let denormal = self.magnitude(bits) < 1 << self.fraction_bits();
        if denormal && matches!(self, Self::F32) && arithmetic.denormals == Denormals::Flush {
            bits & self.sign()
        } else {
            bits
        }
    }

    /// The value as an f32: exact for all formats but f64.
    #[inline]
    pub fn to_f32(self, bits: u64) -> f32 {
        match self {
            Self::F16 => f16::from_bits(low16(low(bits))).to_f32(),
            Self::Bf16 => f32::from_bits(low(bits) << 16),
            Self::F32 => f32::from_bits(low(bits)),
            Self::F64 => nearest_f32(f64::from_bits(bits)),
        }
    }

    /// The value as an f64: exact.
    #[inline]
    pub fn to_f64(self, bits: u64) -> f64 {
        match self {
            Self::F16 | Self::Bf16 | Self::F32 => f64::from(self.to_f32(bits)),
            Self::F64 => f64::from_bits(bits),
        }
    }

    /// The nearest value of the format, ties to even.
    #[inline]
    pub fn nearest_to_f32(self, value: f32) -> u64 {
        self.canonical(match self {
            Self::F16 => u64::from(f16::from_f32(value).to_bits()),
            Self::Bf16 => u64::from(bf16::from_f32(value).to_bits()),
            Self::F32 => u64::from(value.to_bits()),
            Self::F64 => f64::from(value).to_bits(),
        })
    }

    /// The nearest value of the format, ties to even, in one rounding.
    #[inline]
    pub fn nearest_to_f64(self, value: f64) -> u64 {
        match self {
            Self::F16 | Self::Bf16 => self.repack(Self::F64, value.to_bits(), Rounding::NearestEven),
            Self::F32 => self.canonical(u64::from(nearest_f32(value).to_bits())),
            Self::F64 => self.canonical(value.to_bits()),
        }
    }

    /// A value of another format, rounded to this one.
    pub fn repack(self, from: Self, bits: u64, rounding: Rounding) -> u64 {
        let negative = from.is_negative(bits);
        match from.unpack(bits) {
            Number::Nan => self.nan(),
            Number::Infinite => self.signed(negative, self.infinity()),
            Number::Finite { magnitude, exponent } => self.pack(negative, magnitude, exponent, rounding),
        }
    }

    /// The parts of a value.
    pub fn unpack(self, bits: u64) -> Number {
        let magnitude = self.magnitude(bits);
        if magnitude > self.infinity() {
            return Number::Nan;
        }
        if magnitude == self.infinity() {
            return Number::Infinite;
        }
        let hidden = 1 << self.fraction_bits();
        let fraction = magnitude & (hidden - 1);
        let field = low(magnitude >> self.fraction_bits()).cast_signed();
        let unit = self.smallest_exponent() - self.fraction_bits().cast_signed();
        if field == 0 {
            Number::Finite { magnitude: fraction, exponent: unit }
        } else {
            Number::Finite { magnitude: fraction | hidden, exponent: unit + (field - 1) }
        }
    }

    /// `magnitude * 2^exponent` with a sign, rounded once. `exponent` must stay within a few thousands of
    /// zero.
    pub fn pack(self, negative: bool, magnitude: u64, exponent: i32, rounding: Rounding) -> u64 {
        let Some(top) = magnitude.checked_ilog2() else {
            return self.signed(negative, 0);
        };
        let scale = (exponent + top.cast_signed()).max(self.smallest_exponent());
        if scale > self.largest_exponent() {
            let largest = self.infinity() - 1;
            let away = matches!(rounding, Rounding::NearestEven) || rounds_away(rounding, negative);
            return self.signed(negative, if away { self.infinity() } else { largest });
        }
        // Bits of the magnitude below the last place of the result.
        let extra = scale - self.fraction_bits().cast_signed() - exponent;
        let kept = if extra > 0 {
            round(magnitude, extra.unsigned_abs(), rounding, negative)
        } else {
            magnitude << extra.unsigned_abs()
        };
        // `kept` has the implied one of a normal number, which counts as one exponent; a carry out of the
        // rounding counts as one more, up to infinity.
        let steps = u64::from((scale - self.smallest_exponent()).unsigned_abs());
        self.signed(negative, (steps << self.fraction_bits()) + kept)
    }

    #[inline]
    pub const fn signed(self, negative: bool, magnitude: u64) -> u64 {
        if negative { magnitude | self.sign() } else { magnitude }
    }
}

/// `magnitude / 2^extra`, rounded to an integer.
fn round(magnitude: u64, extra: u32, rounding: Rounding, negative: bool) -> u64 {
    let (kept, rest, half) = match extra {
        0 => return magnitude,
        1..64 => (magnitude >> extra, magnitude & (u64::MAX >> (64 - extra)), 1 << (extra - 1)),
        // Only floats come here, with 53 bits at most: all of the magnitude is less than a half, as 1 is of 4.
        _ => (0, magnitude.min(1), 2),
    };
    let up = match rounding {
        Rounding::NearestEven => rest > half || (rest == half && kept & 1 == 1),
        Rounding::TowardsZero | Rounding::Down | Rounding::Up => rest != 0 && rounds_away(rounding, negative),
    };
    kept + u64::from(up)
}

/// Whether a directed rounding goes away from zero.
const fn rounds_away(rounding: Rounding, negative: bool) -> bool {
    match rounding {
        Rounding::NearestEven | Rounding::TowardsZero => false,
        Rounding::Down => negative,
        Rounding::Up => !negative,
    }
}

#[inline]
#[expect(clippy::as_conversions, reason = "rounds to nearest, ties to even, as wanted")]
const fn nearest_f32(value: f64) -> f32 {
    value as f32
}
