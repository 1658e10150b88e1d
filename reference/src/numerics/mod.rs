//! Functions that give the same bits on every engine: in Rust, in the simulator and on any GPU.
//!
//! Built from f32 `+ - *`, the multiply-add of the profile ([`Arithmetic`](gridproof_launch::Arithmetic)),
//! integer operations on the bits, comparisons of integers and selection, and nothing else: no division,
//! no square root, no library function, no driver builtin. `kernels/wgsl/numerics.wgsl` holds the same
//! recipes, operation for operation.
//!
//! The contract of every function:
//!
//! * Denormals do not exist: a denormal argument counts as a zero of its sign, and a result below 2^-126 is
//!   a zero of its sign. So the bits do not depend on whether a device keeps denormals, and depend on the
//!   profile only through its multiply-add. (The conversions in [`half`] keep denormals: they move bits.)
//! * Zeros, infinities and NaN are recognised and made as integers. A NaN result is always 0x7fc00000.
//! * For normal arguments every intermediate value is a normal number, or so small beside its partner that
//!   flushing it changes nothing.
//! * The error is stated in ulp of the exact result, as found over all 2^32 arguments by
//!   `cargo run --release -p gridproof-reference --example sweep`.
//!
//! Polynomials are our own, fitted by Remez exchange; each file says over what and how well.

pub mod half;

mod exponential;
mod logarithm;
mod profile;
mod recipes;
mod reciprocal;
mod rsqrt;
mod sigmoid;
mod softplus;
mod tanh;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod truth;

pub use profile::{Fixed, Numerics, Profile};
pub use recipes::{RECIPES, Recipe};

/// The sign bit.
const SIGN: u32 = 0x8000_0000;
/// Everything but the sign bit.
const MAGNITUDE: u32 = 0x7fff_ffff;
/// Infinity; more than this is NaN.
const INFINITY: u32 = 0x7f80_0000;
/// The one NaN that the functions make.
const NAN: u32 = 0x7fc0_0000;
/// 1.0
const ONE: u32 = 0x3f80_0000;
/// 2^-126, the smallest normal number.
const SMALLEST_NORMAL: u32 = 0x0080_0000;
/// The sign, the exponent and the upper 11 stored digits: what is left has 12 significant bits, so the
/// product of two such numbers is exact.
const UPPER: u32 = 0xffff_f000;

/// `x` cut to 12 significant bits.
#[inline(always)]
fn upper(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & UPPER)
}
