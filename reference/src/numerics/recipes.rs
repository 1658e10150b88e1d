//! Every function under its WGSL name: what a conformance test compares and what the sweep measures.
//!
//! The place in [`RECIPES`] is the value of the override `FUNCTION` of `kernels/wgsl/numerics_probe.wgsl`.
//! Arguments and results are 32-bit words: the bits of an f32, or an f16 or bf16 in the low half.

use super::{Numerics, half};
use crate::with_profile;
use gridproof_launch::Arithmetic;

/// One function of `numerics`, in Rust and in WGSL.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Its WGSL name in `numerics.wgsl`.
    pub name: &'static str,
    /// Applies it to every word of a slice, in place, in the given profile.
    pub apply: fn(Arithmetic, &mut [u32]),
    /// How far from the exact result it may be, in ulp: documented, asserted on a sample by the tests and
    /// on all arguments by the sweep. 0 for the conversions, which are exact or correctly rounded.
    pub worst_ulp: f64,
}

/// An f32 function in a profile fixed outside the loop.
macro_rules! float {
    ($name:literal, $method:ident, $worst_ulp:literal) => {
        Recipe {
            name: $name,
            apply: |arithmetic, words| {
                with_profile!(Numerics::new(arithmetic), |n| for word in words {
                    *word = n.$method(f32::from_bits(*word)).to_bits();
                })
            },
            worst_ulp: $worst_ulp,
        }
    };
}

/// A conversion, the same in every profile.
macro_rules! conversion {
    ($name:literal, $convert:expr) => {
        Recipe {
            name: $name,
            apply: |_, words| words.iter_mut().for_each(|word| *word = $convert(*word)),
            worst_ulp: 0.0,
        }
    };
}

/// All functions, in the order of the probe kernel.
pub const RECIPES: [Recipe; 14] = [
    float!("gp_reciprocal", reciprocal, 0.51),
    float!("gp_rsqrt", rsqrt, 0.51),
    float!("gp_exp", exp, 0.71),
    float!("gp_log", log, 0.98),
    float!("gp_log1p", log1p, 1.04),
    float!("gp_sigmoid", sigmoid, 0.7),
    float!("gp_softplus", softplus, 1.7),
    float!("gp_silu", silu, 1.6),
    float!("gp_tanh", tanh, 0.9),
    conversion!("gp_f16_to_f32", |word: u32| half::f16_to_f32((word & 0xffff) as u16).to_bits()),
    conversion!("gp_f32_to_f16", |word| u32::from(half::f32_to_f16(f32::from_bits(word)))),
    conversion!("gp_bf16_to_f32", |word: u32| half::bf16_to_f32((word & 0xffff) as u16).to_bits()),
    conversion!("gp_f32_to_bf16", |word| u32::from(half::f32_to_bf16(f32::from_bits(word)))),
    float!("gp_silu_16", silu_16, 3500.0),
];
