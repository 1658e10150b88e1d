//! binary16 and bfloat16, converted to and from f32 by bits.
//!
//! Rounding is to nearest even, overflow goes to infinity, a NaN stays a NaN of its sign with the payload
//! bits that fit. f32 holds every f16 as a zero or a normal number, so no denormal f32 is made on the way;
//! a bf16 denormal *is* an f32 denormal and passes through as bits.
//!
//! Method: rebias the exponent with an integer addition. f16 denormals become normal numbers by putting
//! their digits behind the leading 1 of 2^-14 and subtracting 2^-14, which is exact; in the other direction
//! adding 0.5 lets the f32 addition round to a multiple of 2^-24 (the "magic number" of Fabian Giesen,
//! "half to float done quick", used here only with normal numbers).
//!
//! Limits: [`bf16_to_f32`] leaves a signalling NaN signalling; the other three make it quiet.
//! Equal to the `half` crate on every input, apart from that bit.

/// The sign bit of an f32.
const SIGN: u32 = 0x8000_0000;
/// 2^-14, the smallest normal f16.
const F16_SMALLEST_NORMAL: u32 = 0x3880_0000;
/// 2^16, the first power of two beyond f16.
const F16_OVERFLOW: u32 = 0x4780_0000;
/// f32 infinity.
const INFINITY: u32 = 0x7f80_0000;

/// The value of a binary16. Exact.
#[inline(always)]
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = (u32::from(bits) << 16) & SIGN;
    let digits = (u32::from(bits) << 13) & 0x0fff_e000;
    let normal = digits + 0x3800_0000;
    let denormal = (f32::from_bits(digits + F16_SMALLEST_NORMAL) - f32::from_bits(F16_SMALLEST_NORMAL)).to_bits();
    let quiet = if digits > 0x0f80_0000 { 0x0040_0000 } else { 0 };
    let special = (digits + 0x7000_0000) | quiet;
    let finite = if digits < 0x0080_0000 { denormal } else { normal };
    f32::from_bits(sign | if digits < 0x0f80_0000 { finite } else { special })
}

/// The binary16 nearest to `x`.
#[inline(always)]
pub fn f32_to_f16(x: f32) -> u16 {
    let bits = x.to_bits();
    let magnitude = bits & !SIGN;
    let odd = (magnitude >> 13) & 1;
    let normal = magnitude.wrapping_add(odd).wrapping_sub(0x3800_0000 - 0x0fff) >> 13;
    // Only meant below 2^-14; the clamp keeps NaN and large numbers out of the addition.
    let small = f32::from_bits(magnitude.min(F16_SMALLEST_NORMAL));
    let denormal = (small + 0.5).to_bits() - 0.5f32.to_bits();
    let nan = 0x7e00 | ((magnitude >> 13) & 0x03ff);
    let special = if magnitude > INFINITY { nan } else { 0x7c00 };
    let finite = if magnitude < F16_SMALLEST_NORMAL { denormal } else { normal };
    let rounded = if magnitude < F16_OVERFLOW { finite } else { special };
    low_half(((bits & SIGN) >> 16) | rounded)
}

/// The value of a bfloat16. Exact; NaN payloads are kept as they are.
#[inline(always)]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The bfloat16 nearest to `x`.
#[inline(always)]
pub fn f32_to_bf16(x: f32) -> u16 {
    low_half(f32_to_upper_bf16(x) >> 16)
}

/// The bits of the bfloat16 nearest to `x`, in the upper half of a word; the lower half is 0.
#[inline(always)]
pub(crate) fn f32_to_upper_bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    let nan = bits | 0x0040_0000;
    (if bits & !SIGN > INFINITY { nan } else { rounded }) & 0xffff_0000
}

/// The low 16 bits.
#[inline(always)]
fn low_half(word: u32) -> u16 {
    (word & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn every_f16_has_the_value_that_the_half_crate_gives_it() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (f16_to_f32(bits), f16::from_bits(bits).to_f32());
            assert_eq!(ours.to_bits(), theirs.to_bits(), "{bits:#06x}");
            assert!(ours == 0.0 || !ours.is_subnormal(), "{bits:#06x}");
        }
    }

    #[test]
    fn every_bf16_has_the_value_that_the_half_crate_gives_it() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (bf16_to_f32(bits), bf16::from_bits(bits).to_f32());
            let quiet = if ours.is_nan() { 0x0040_0000 } else { 0 };
            assert_eq!(ours.to_bits() | quiet, theirs.to_bits(), "{bits:#06x}");
        }
    }

    #[test]
    fn conversions_are_inverse() {
        for bits in 0..=u16::MAX {
            if !f16::from_bits(bits).is_nan() {
                assert_eq!(f32_to_f16(f16_to_f32(bits)), bits);
            }
            if !bf16::from_bits(bits).is_nan() {
                assert_eq!(f32_to_bf16(bf16_to_f32(bits)), bits);
            }
        }
    }

    #[test]
    fn rounding_equals_the_half_crate_on_a_dense_sample() {
        // Every upper half with the lower halves that decide the rounding, and a stride through the rest.
        let tails = [0, 1, 0x0fff, 0x1000, 0x1001, 0x1fff, 0x2000, 0x3000, 0x7fff, 0x8000, 0x8001, 0xffff];
        let dense = (0..=0xffff_u32).flat_map(|high| tails.map(|low| high << 16 | low));
        for bits in dense.chain((0..=u32::MAX).step_by(509)) {
            let x = f32::from_bits(bits);
            assert_eq!(f32_to_f16(x), f16::from_f32(x).to_bits(), "f16 of {bits:#010x}");
            assert_eq!(f32_to_bf16(x), bf16::from_f32(x).to_bits(), "bf16 of {bits:#010x}");
        }
    }
}
