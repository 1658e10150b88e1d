//! The exact values that tests and the sweep measure against.
//!
//! f64 formulas on the `libm` crate, whose own error (below 2 ulp of f64, 2^-28 ulp of f32) is neglected.
//! Shared by the unit tests and `examples/sweep.rs`; not part of the library.

/// The function of that WGSL name in f64, with denormal arguments already replaced by zeros.
pub fn exact(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "gp_reciprocal" => |x| 1.0 / x,
        "gp_rsqrt" => |x| 1.0 / x.sqrt(),
        "gp_exp" => libm::exp,
        "gp_log" => libm::log,
        "gp_log1p" => libm::log1p,
        "gp_sigmoid" => sigmoid,
        "gp_softplus" => |x| if x > 20.0 { x } else { libm::log1p(libm::exp(x)) },
        "gp_silu" => |x| if x == f64::NEG_INFINITY { -0.0 } else { x * sigmoid(x) },
        // 87 and beyond count as infinite.
        "gp_silu_16" => |x| if x <= -87.0 { -0.0 } else { x * sigmoid(x) },
        "gp_tanh" => libm::tanh,
        _ => return None,
    })
}

fn sigmoid(x: f64) -> f64 {
    let e = libm::exp(-x.abs());
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

/// `bits`, with a denormal replaced by a zero of its sign.
pub fn without_denormals(bits: u32) -> u32 {
    if bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits }
}

/// How far the f32 of these bits is from `exact`, in units of the last place of `exact`; infinite if one is
/// special (NaN, infinity, or a zero, which a value below 2^-126 must become) and the other is not.
pub fn error_in_ulp(bits: u32, exact: f64) -> f64 {
    // Half an ulp below 2^128, where rounding to nearest goes to infinity.
    const OVERFLOW: f64 = 340_282_356_779_733_661_637_539_395_458_142_568_448.0;
    const SMALLEST_NORMAL: f64 = f32::MIN_POSITIVE as f64;
    let verdict = |right: bool| if right { 0.0 } else { f64::INFINITY };
    let sign = if exact.is_sign_negative() { 0x8000_0000 } else { 0 };
    let magnitude = exact.abs();
    let value = f64::from(f32::from_bits(bits));
    if exact.is_nan() {
        verdict(bits == 0x7fc0_0000)
    } else if magnitude >= OVERFLOW {
        verdict(bits == 0x7f80_0000 | sign)
    } else if magnitude < SMALLEST_NORMAL {
        // A result that rounds up to 2^-126 may be either.
        let rounds_up = magnitude > SMALLEST_NORMAL * (1.0 - f64::from(f32::EPSILON));
        verdict(bits == sign || rounds_up && bits == 0x0080_0000 | sign)
    } else if !value.is_finite() || value == 0.0 {
        f64::INFINITY
    } else {
        let exponent = (magnitude.to_bits() >> 52).wrapping_sub(23);
        (value - exact).abs() / f64::from_bits(exponent << 52)
    }
}
