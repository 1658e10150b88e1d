//! 1 / (1 + e^-x), and x times that.
//!
//! Method: with e = e^-|x| in (0, 1] the two sides are 1 / (1 + e) and e / (1 + e). The exponential and the
//! reciprocal stay sums of two parts: what the rounding of 1 + e loses goes into the residual of the
//! reciprocal, and the products are split after Dekker (1971). On the negative side the power of two of e is put in last, so that
//! `silu` stays exact to the last bits where e itself is already below 2^-126.
//!
//! `silu_16` is for results that are rounded to 16 bits, where a kernel has no time for the last bits: x - |x| g right of 0,
//! and -|x| g left of it, with the gate g = 1 / (1 + e^|x|). Below 16, g is a cubic polynomial in |x|, another one on each half
//! (relative error at most 1.8 10^-5); its coefficients are those of the powers of |x| itself, so that next to the row's number
//! nothing has to be computed first, and its terms cancel the more, the larger |x| is. From 16 on, g is e - e^2; e is 2^(n + r)
//! with a polynomial of degree 4 in r (relative error 2.9 10^-6 on [-1/2, 1/2]). At 0 the gate is exactly 1/2.

use super::exponential::{LIMIT, power_of_two, scaled};
use super::{INFINITY, MAGNITUDE, NAN, Numerics, Profile, SIGN, SMALLEST_NORMAL, upper};

/// 3 * 2^22: a number below 2^22 is rounded to an integer when this is added.
const ROUND: f32 = 12_582_912.0;
/// 2^-60: below this the gate is 1/2, and products with its second part could become denormal.
const TINY: u32 = 0x2180_0000;
/// 87: from here on `silu_16` is 0 or its argument. 87 e^-87 is 1.5 10^-36.
const FAR: u32 = 0x42ae_0000;
/// 3 * 2^17: a number below 16 to which this is added ends with its 32nds.
const ROWS: f32 = 393_216.0;
/// 2^-125: below this x/2 is no longer a normal number.
const HALVES_TO_DENORMAL: u32 = 0x0100_0000;

/// The gate 1 / (1 + e^a) on each half from 0 to 16: the coefficients of a cubic polynomial in a, the constant one first.
#[rustfmt::skip]
const GATE: [[f32; 4]; 32] = [
    [0.5, -0.250_047_77, 5.045_519e-4, 0.019_527_048],
    [0.501_240_43, -0.256_828_16, 0.013_185_568, 0.011_348_415],
    [0.511_021_26, -0.286_076_9, 0.042_638_417, 0.001_359_130_6],
    [0.530_934, -0.326_633_72, 0.070_299_47, -0.004_957_475_2],
    [0.544_527_95, -0.347_867_73, 0.081_373_25, -0.006_885_324_6],
    [0.533_174_75, -0.334_708_87, 0.076_289_99, -0.006_230_842_3],
    [0.492_438_05, -0.294_045_33, 0.062_744_87, -0.004_725_190_3],
    [0.430_512_16, -0.240_820_17, 0.047_482_98, -0.003_265_211_1],
    [0.359_513_04, -0.187_356_02, 0.034_054_283, -0.002_140_177_2],
    [0.289_443_7, -0.140_439_21, 0.023_577_43, -0.001_359_926_4],
    [0.226_396_16, -0.102_446_33, 0.015_942_669, -8.483_070_4e-4],
    [0.173_055_37, -0.073_229_514, 0.010_606_445, -5.233_231_3e-4],
    [0.129_841_67, -0.051_536_63, 0.006_975_524, -3.206_858_5e-4],
    [0.095_932_29, -0.035_827_205, 0.004_548_994, -1.957_187_9e-4],
    [0.069_966_435, -0.024_659_397, 0.002_947_580_3, -1.191_575_65e-4],
    [0.050_464_753, -0.016_832_504, 0.001_900_294_9, -7.243_8e-5],
    [0.036_047_883, -0.011_408_981, 0.001_220_088_3, -4.399_676_3e-5],
    [0.025_530_301, -0.007_685_696, 7.806_709e-4, -2.670_781e-5],
    [0.017_943_809, -0.005_149_617, 4.980_407_5e-4, -1.620_736e-5],
    [0.012_525_211, -0.003_433_809_4, 3.169_157_7e-4, -9.833_298_5e-6],
    [0.008_688_475, -0.002_279_790_6, 2.012_014_3e-4, -5.965_314_4e-6],
    [0.005_992_755_8, -0.001_507_667_5, 1.274_759_3e-4, -3.618_557_5e-6],
    [0.004_111_864, -9.934_735e-4, 8.061_554e-5, -2.194_917_2e-6],
    [0.002_807_750_4, -6.524_914e-4, 5.089_476_7e-5, -1.331_340_3e-6],
    [0.001_908_726, -4.272_409_4e-4, 3.208_127e-5, -8.075_192e-7],
    [0.001_292_211_5, -2.789_643_2e-4, 2.019_325e-5, -4.897_927e-7],
    [8.714_724e-4, -1.816_726e-4, 1.269_355e-5, -2.970_770_4e-7],
    [5.856_2e-4, -1.180_248e-4, 7.969_351e-6, -1.801_873_6e-7],
    [3.922_126e-4, -7.650_153e-5, 4.997_606e-6, -1.092_895_3e-7],
    [2.618_558e-4, -4.948_153_6e-5, 3.130_638_8e-6, -6.628_759e-8],
    [1.743_095_3e-4, -3.194_108_6e-5, 1.959_139e-6, -4.020_550_6e-8],
    [1.157_109_1e-4, -2.057_983_1e-5, 1.224_857_6e-6, -2.438_589e-8],
];

impl<P: Profile> Numerics<P> {
    /// `1 / (1 + e^-x)`, within 0.7 ulp in either profile.
    ///
    /// 1 and 0 at the infinities, 1/2 at zeros and denormals, zero below -87.33655, NaN for NaN.
    #[inline(always)]
    pub fn sigmoid(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let gate = self.gate(magnitude);
        let right = self.add(gate.inverse.0, gate.inverse.1).to_bits();
        let left = scaled(self.product(gate.power, gate.inverse), gate.exponent).to_bits();
        let ordered = if bits == magnitude { right } else { left };
        f32::from_bits(if magnitude > INFINITY { NAN } else { ordered })
    }

    /// `x / (1 + e^-x)`, within 1.6 ulp in either profile.
    ///
    /// Infinity gives infinity; -infinity, like all below about -91.9, gives -0; zeros, denormals and
    /// `|x|` below 2^-125 give a zero of their sign; NaN gives NaN.
    #[inline(always)]
    pub fn silu(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let magnitude = bits & MAGNITUDE;
        let gate = self.gate(magnitude);
        let negative = bits != magnitude;
        let limited = f32::from_bits(magnitude.min(LIMIT));
        let (high, low, exponent) = if negative { (gate.power.0, gate.power.1, gate.exponent) } else { (1.0, 0.0, 0) };
        let factor = (self.mul(limited, high), self.mul(limited, low));
        let product = scaled(self.product(factor, gate.inverse), exponent).to_bits();
        // From 104 on the gate is 1.
        let far = if magnitude > LIMIT && !negative { magnitude } else { product };
        let half = if magnitude < HALVES_TO_DENORMAL { 0 } else { magnitude.wrapping_sub(SMALLEST_NORMAL) };
        let ordered = if magnitude < TINY { half } else { far };
        f32::from_bits(if magnitude > INFINITY { NAN } else { ordered | (bits & SIGN) })
    }

    /// `x / (1 + e^-x)` for a result that is rounded to 16 bits, in either profile: right of 0 within 70 ulp (5e-6 of itself),
    /// from -4 up within 230 (1.9e-5), from -8 up within 700 (5.4e-5), below within 3500 (2.7e-4). That is less than a sixth of
    /// a unit in the last place of f16.
    ///
    /// From 87 on the result is `x`, down from -87 it is -0 (and off by at most 1.5e-36); zeros, denormals and `|x|` below
    /// 2^-125 give a zero of their sign; NaN gives NaN.
    #[inline(always)]
    pub fn silu_16(self, x: f32) -> f32 {
        let bits = x.to_bits();
        let (magnitude, sign) = (bits & MAGNITUDE, bits & SIGN);
        let a = f32::from_bits(magnitude);
        let number = self.add(a, ROWS).to_bits();
        let row = GATE[(number >> 4 & 31) as usize];
        let near = self.multiply_add(a, row[3], row[2]);
        let near = self.multiply_add(a, near, row[1]);
        let near = self.multiply_add(a, near, row[0]);
        let gate = if number & !511 == 0x48c0_0000 { near } else { self.far_gate(a) };
        let above = f32::from_bits(if sign == 0 { bits } else { SIGN });
        let gated = self.multiply_add(-a, gate, above).to_bits();
        let half = if magnitude < HALVES_TO_DENORMAL { sign } else { bits.wrapping_sub(SMALLEST_NORMAL) };
        let ordered = if magnitude < TINY { half } else { gated };
        let all = if magnitude < FAR { ordered } else { above.to_bits() };
        f32::from_bits(if magnitude > INFINITY { NAN } else { all })
    }

    /// The gate of -a for `silu_16`, from 16 to 87.
    #[inline(always)]
    fn far_gate(self, a: f32) -> f32 {
        let scaled = self.mul(a, -std::f32::consts::LOG2_E);
        let rounded = self.add(scaled, ROUND);
        let r = self.sub(scaled, self.sub(rounded, ROUND));
        let p = self.multiply_add(r, 0.009_582_853, 0.055_906_426);
        let p = self.multiply_add(r, p, 0.240_240_99);
        let p = self.multiply_add(r, p, 0.693_124_2);
        let p = self.multiply_add(r, p, 1.0);
        let e = f32::from_bits(p.to_bits().wrapping_add(rounded.to_bits() << 23));
        self.multiply_add(-e, e, e)
    }

    /// The parts of the gate for the argument of these bits, taken as at most 104.
    #[inline(always)]
    fn gate(self, magnitude: u32) -> Gate {
        let a = f32::from_bits(if magnitude < SMALLEST_NORMAL { 0 } else { magnitude.min(LIMIT) });
        let (high, low, exponent) = self.exponential(-a);
        // Beside 1, all below 2^-25 is alike.
        let factor = power_of_two(exponent);
        let (e_high, e_low) = (self.mul(high, factor), self.mul(low, factor));
        let sum = self.add(1.0, e_high);
        let lost = self.sub(e_high, self.sub(sum, 1.0));
        Gate { power: (high, low), exponent, inverse: self.inverse(sum, self.add(lost, e_low)) }
    }

    /// The product of two sums, rounded about once; the first part of `b` has 12 significant bits.
    #[inline(always)]
    fn product(self, a: (f32, f32), b: (f32, f32)) -> f32 {
        let high = upper(a.0);
        let low = self.sub(a.0, high);
        let rest = self.multiply_add(a.1, b.0, self.mul(a.0, b.1));
        let rest = self.multiply_add(low, b.0, rest);
        self.multiply_add(high, b.0, rest)
    }
}

/// For some a >= 0: e^-a is the sum `power` times 2^exponent, 1 / (1 + e^-a) is the sum `inverse`.
struct Gate {
    power: (f32, f32),
    exponent: i32,
    inverse: (f32, f32),
}
