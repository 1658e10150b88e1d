//! The few lossless or deliberately truncating casts that the standard library has no name for.
//! Everywhere else in this crate `as` is refused by lint, because silent casts are what the tool hunts.

/// A 32-bit index as a slice index. Lossless: this crate needs pointers of 32 bits or more.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "usize has at least 32 bits on every supported target")]
pub const fn at(index: u32) -> usize {
    index as usize
}

/// A 64-bit length as a slice index, saturating.
#[inline(always)]
pub fn at64(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// A slice length as 64 bits. Lossless.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "usize has at most 64 bits on every supported target")]
pub const fn wide(length: usize) -> u64 {
    length as u64
}

/// A slice length as 32 bits, saturating.
#[inline(always)]
pub fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The low 32 bits.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "truncation is the purpose")]
pub const fn low(value: u64) -> u32 {
    value as u32
}

/// The high 32 bits.
#[inline(always)]
pub const fn high(value: u64) -> u32 {
    low(value >> 32)
}

/// The low 16 bits.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "truncation is the purpose")]
pub const fn low16(value: u32) -> u16 {
    value as u16
}

/// A float as an unsigned integer: towards zero, saturating, NaN to 0.
#[inline(always)]
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturation is the meaning"
)]
pub const fn f32_to_u32(value: f32) -> u32 {
    value as u32
}

/// A float as a signed integer: towards zero, saturating, NaN to 0.
#[inline(always)]
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "saturation is the meaning")]
pub const fn f32_to_i32(value: f32) -> i32 {
    value as i32
}

/// An unsigned integer as the nearest float, ties to even.
#[inline(always)]
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "rounding is the meaning")]
pub const fn u32_to_f32(value: u32) -> f32 {
    value as f32
}

/// A signed integer as the nearest float, ties to even.
#[inline(always)]
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "rounding is the meaning")]
pub const fn i32_to_f32(value: i32) -> f32 {
    value as f32
}

/// A double as the nearest float, ties to even.
#[inline(always)]
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounding is the meaning")]
pub const fn f64_to_f32(value: f64) -> f32 {
    value as f32
}

/// A count as a float, to the nearest.
#[expect(clippy::as_conversions, reason = "rounds to nearest, which is meant")]
pub const fn u64_to_f64(value: u64) -> f64 {
    value as f64
}
