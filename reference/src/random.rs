//! Test data from a seed: a counter-based generator of uniform and normal numbers.
//!
//! Number `i` of a stream is a function of (seed, stream name, i) alone, so that data can be made in any
//! order, in parallel, or row by row without being kept. Only integer operations and IEEE f64
//! `+ - * / sqrt` are used: the numbers are the same on every machine.
//!
//! Sources: the mixing function is SplitMix64's finaliser (Steele, Lea and Flood, "Fast splittable
//! pseudorandom number generators", OOPSLA 2014); the inverse of the normal distribution function is
//! PPND7 of Wichura's algorithm AS 241 (Applied Statistics 37(3), 1988), good to one part in 10^7.
//!
//! Not for cryptography, and not for statistics that look past 10^-7. Rejected: the polar and ziggurat
//! methods (a value would need an unknown number of draws, or tables made with a library's `exp`) and
//! every crate (its stream may change with its version).

/// A stream of numbers addressed by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    key: u64,
}

impl Random {
    /// The stream called `stream` of `seed`. Streams of different names or seeds are unrelated.
    pub fn new(seed: u64, stream: &str) -> Self {
        Self { key: mix(mix(seed.wrapping_add(GOLDEN)) ^ fnv1a(stream)) }
    }

    /// 64 random bits.
    pub const fn bits(self, index: u64) -> u64 {
        mix(self.key.wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN)))
    }

    /// Uniform in the open interval (0, 1): an odd multiple of 2^-53.
    pub fn uniform(self, index: u64) -> f64 {
        let mantissa = self.bits(index) >> 12;
        #[expect(clippy::cast_precision_loss, reason = "52 bits fit")]
        let value = mantissa as f64;
        (value + 0.5) * (1.0 / 4_503_599_627_370_496.0)
    }

    /// Normal with mean 0 and standard deviation 1.
    pub fn normal(self, index: u64) -> f64 {
        normal_quantile(self.uniform(index))
    }
}

/// 2^64 divided by the golden ratio, made odd: SplitMix64's increment.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The x with P(X <= x) = `p` for a standard normal X, for 0 < `p` < 1 (AS 241, PPND7).
fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        let above = ((59.109_374_72 * r + 159.291_132_02) * r + 50.434_271_938) * r + 3.387_132_717_9;
        let below = ((67.187_563_6 * r + 78.757_757_664) * r + 17.895_169_469) * r + 1.0;
        return q * above / below;
    }
    let tail = (-natural_logarithm(if q < 0.0 { p } else { 1.0 - p })).sqrt();
    let magnitude = if tail <= 5.0 {
        let r = tail - 1.6;
        let above = ((0.170_238_211_03 * r + 1.306_728_481_6) * r + 2.756_815_39) * r + 1.423_437_277_7;
        above / ((0.120_211_329_75 * r + 0.737_001_642_5) * r + 1.0)
    } else {
        let r = tail - 5.0;
        let above = ((0.017_337_203_997 * r + 0.428_682_943_37) * r + 3.081_226_386) * r + 6.657_905_115;
        above / ((0.012_258_202_635 * r + 0.241_978_942_25) * r + 1.0)
    };
    if q < 0.0 { -magnitude } else { magnitude }
}

/// ln of a positive normal number by 2 artanh((m - 1) / (m + 1)) on a significand m in [1/sqrt 2, sqrt 2);
/// the series stops where a term falls below 10^-16.
pub(crate) fn natural_logarithm(x: f64) -> f64 {
    const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let exponent = shifted.cast_signed() >> 52;
    let significand = f64::from_bits(x.to_bits().wrapping_sub(exponent.cast_unsigned() << 52));
    let z = (significand - 1.0) / (significand + 1.0);
    let square = z * z;
    let series = (0..10).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 1));
    #[expect(clippy::cast_precision_loss, reason = "an exponent has 11 bits")]
    let exponent = exponent as f64;
    exponent * std::f64::consts::LN_2 + 2.0 * z * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_never_change() {
        let stream = Random::new(1, "hidden");
        let bits: Vec<u64> = (0..3).map(|index| stream.bits(index)).collect();
        assert_eq!(bits, KNOWN);
    }

    /// From a second implementation, in Python.
    const KNOWN: [u64; 3] = [0x57b5_95d2_4038_8a0a, 0x0684_2cae_304d_937f, 0x1306_525f_8549_d90d];

    #[test]
    fn streams_and_seeds_differ() {
        let first = Random::new(1, "hidden").bits(0);
        assert_ne!(first, Random::new(2, "hidden").bits(0));
        assert_ne!(first, Random::new(1, "residual").bits(0));
    }

    #[test]
    fn the_logarithm_agrees_with_the_library() {
        let stream = Random::new(3, "logarithm");
        for index in 0..100_000 {
            let x = stream.uniform(index);
            let error = (natural_logarithm(x) - x.ln()).abs();
            assert!(error <= 1e-15 + 4e-16 * x.ln().abs(), "ln({x}) is off by {error}");
        }
    }

    #[test]
    fn quantiles_match_the_tables() {
        for (p, x) in [
            (0.5, 0.0),
            (0.6, 0.253_347_103_135_799_7),
            (0.975, 1.959_963_984_540_054),
            (0.001, -3.090_232_306_167_813_6),
            (1e-9, -5.997_807_015_007_687),
            (1e-13, -7.348_796_102_800_678),
        ] {
            let error = (normal_quantile(p) - x).abs();
            assert!(error <= 2e-7 * x.abs().max(1.0), "quantile of {p} is off by {error}");
        }
    }

    #[test]
    fn a_million_numbers_have_the_moments_of_the_normal_distribution() {
        let stream = Random::new(4, "moments");
        let (mut mean, mut square, mut fourth) = (0.0, 0.0, 0.0);
        for index in 0..1_000_000 {
            let x = stream.normal(index);
            mean += x * 1e-6;
            square += x * x * 1e-6;
            fourth += x.powi(4) * 1e-6;
        }
        assert!(mean.abs() < 0.005 && (square - 1.0).abs() < 0.01 && (fourth - 3.0).abs() < 0.06);
    }
}
