//! Operations on vectors of 8 numbers or words, on any machine and with AVX2.
//!
//! The compiler makes such instructions of loops over arrays too, but takes vectors apart now and then to put them
//! together again. Both forms give the same bits, as the tests check.
//!
//! The transposition: four vectors of 8 words, of which each half holds 4 words of a lane, become four vectors of which each holds one word
//! of every lane; and back, for the operation is its own inverse.
//!
//! ```text
//! a0 a1 a2 a3 | e0 e1 e2 e3        a0 b0 c0 d0 | e0 f0 g0 h0
//! b0 b1 b2 b3 | f0 f1 f2 f3   ->   a1 b1 c1 d1 | e1 f1 g1 h1
//! c0 c1 c2 c3 | g0 g1 g2 g3        a2 b2 c2 d2 | e2 f2 g2 h2
//! d0 d1 d2 d3 | h0 h1 h2 h3        a3 b3 c3 d3 | e3 f3 g3 h3
//! ```

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256i, _CMP_UNORD_Q};

#[cfg(target_arch = "x86_64")]
use gridproof_launch::{Denormals, MultiplyAdd};
#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

use crate::numerics::half::f32_to_upper_bf16;
use crate::numerics::{Numerics, Profile};

/// 8 words.
pub(super) type Words = [u32; 8];

/// 8 numbers.
pub(super) type Numbers = [f32; 8];

/// Who computes.
pub(super) trait Vectors: Copy + Send + Sync {
    /// The transposed halves.
    fn transpose(self, rows: [Words; 4]) -> [Words; 4];

    /// The bf16 in the lower halves of the words.
    fn lower(self, words: Words) -> Numbers;

    /// The bf16 in the upper halves of the words.
    fn upper(self, words: Words) -> Numbers;

    /// Words with these numbers, rounded to bf16, in their lower and upper halves.
    fn pack(self, lower: Numbers, upper: Numbers) -> Words;

    /// Numbers of which each is the one at `distance` (1, 2 or 4) in `x`: its position with another bit.
    fn exchanged(self, x: Numbers, distance: usize) -> Numbers;

    /// The sums, as [`Numerics::add`].
    fn add<P: Profile>(self, n: Numerics<P>, a: Numbers, b: Numbers) -> Numbers;

    /// The products with `factor`, as [`Numerics::mul`].
    fn scale<P: Profile>(self, n: Numerics<P>, factor: f32, x: Numbers) -> Numbers;

    /// `a * b + c`, as [`Numerics::multiply_add`].
    fn multiply_add<P: Profile>(self, n: Numerics<P>, a: Numbers, b: Numbers, c: Numbers) -> Numbers;
}

/// On any machine.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Vectors for Portable {
    #[inline(always)]
    fn transpose(self, rows: [Words; 4]) -> [Words; 4] {
        let mut columns = [[0; 8]; 4];
        for (j, column) in columns.iter_mut().enumerate() {
            for half in [0, 4] {
                for (r, row) in rows.iter().enumerate() {
                    column[half + r] = row[half + j];
                }
            }
        }
        columns
    }

    #[inline(always)]
    fn lower(self, words: Words) -> Numbers {
        words.map(|word| f32::from_bits(word << 16))
    }

    #[inline(always)]
    fn upper(self, words: Words) -> Numbers {
        words.map(|word| f32::from_bits(word & 0xffff_0000))
    }

    #[inline(always)]
    fn pack(self, lower: Numbers, upper: Numbers) -> Words {
        std::array::from_fn(|i| f32_to_upper_bf16(lower[i]) >> 16 | f32_to_upper_bf16(upper[i]))
    }

    #[inline(always)]
    fn exchanged(self, x: Numbers, distance: usize) -> Numbers {
        std::array::from_fn(|i| x[i ^ distance])
    }

    #[inline(always)]
    fn add<P: Profile>(self, n: Numerics<P>, a: Numbers, b: Numbers) -> Numbers {
        std::array::from_fn(|i| n.add(a[i], b[i]))
    }

    #[inline(always)]
    fn scale<P: Profile>(self, n: Numerics<P>, factor: f32, x: Numbers) -> Numbers {
        std::array::from_fn(|i| n.mul(factor, x[i]))
    }

    #[inline(always)]
    fn multiply_add<P: Profile>(self, n: Numerics<P>, a: Numbers, b: Numbers, c: Numbers) -> Numbers {
        std::array::from_fn(|i| n.multiply_add(a[i], b[i], c[i]))
    }
}

#[cfg(target_arch = "x86_64")]
impl Vectors for V3 {
    #[inline(always)]
    fn transpose(self, rows: [Words; 4]) -> [Words; 4] {
        let avx2 = self.avx2;
        let vector = |row: Words| -> __m256i { bytemuck::cast(row) };
        let [a, b, c, d] = [vector(rows[0]), vector(rows[1]), vector(rows[2]), vector(rows[3])];
        let (ab_low, ab_high) = (avx2._mm256_unpacklo_epi32(a, b), avx2._mm256_unpackhi_epi32(a, b));
        let (cd_low, cd_high) = (avx2._mm256_unpacklo_epi32(c, d), avx2._mm256_unpackhi_epi32(c, d));
        [
            bytemuck::cast(avx2._mm256_unpacklo_epi64(ab_low, cd_low)),
            bytemuck::cast(avx2._mm256_unpackhi_epi64(ab_low, cd_low)),
            bytemuck::cast(avx2._mm256_unpacklo_epi64(ab_high, cd_high)),
            bytemuck::cast(avx2._mm256_unpackhi_epi64(ab_high, cd_high)),
        ]
    }

    #[inline(always)]
    fn lower(self, words: Words) -> Numbers {
        bytemuck::cast(self.avx2._mm256_slli_epi32::<16>(bytemuck::cast(words)))
    }

    #[inline(always)]
    fn upper(self, words: Words) -> Numbers {
        let mask = self.avx._mm256_set1_epi32(-0x1_0000);
        bytemuck::cast(self.avx2._mm256_and_si256(bytemuck::cast(words), mask))
    }

    #[inline(always)]
    fn pack(self, lower: Numbers, upper: Numbers) -> Words {
        let (lower, upper) = (upper_bf16(self, lower), upper_bf16(self, upper));
        let lower = self.avx2._mm256_srli_epi32::<16>(lower);
        bytemuck::cast(self.avx2._mm256_blend_epi16::<0b1010_1010>(lower, upper))
    }

    #[inline(always)]
    fn exchanged(self, x: Numbers, distance: usize) -> Numbers {
        let (avx, x) = (self.avx, bytemuck::cast(x));
        bytemuck::cast(match distance {
            1 => avx._mm256_permute_ps::<0b10_11_00_01>(x),
            2 => avx._mm256_permute_ps::<0b01_00_11_10>(x),
            _ => avx._mm256_permute2f128_ps::<1>(x, x),
        })
    }

    #[inline(always)]
    fn add<P: Profile>(self, n: Numerics<P>, a: Numbers, b: Numbers) -> Numbers {
        let (a, b) = (flushed(self, n, bytemuck::cast(a)), flushed(self, n, bytemuck::cast(b)));
        bytemuck::cast(flushed(self, n, self.avx._mm256_add_ps(a, b)))
    }

    #[inline(always)]
    fn scale<P: Profile>(self, n: Numerics<P>, factor: f32, x: Numbers) -> Numbers {
        let (factor, x) = (self.avx._mm256_set1_ps(factor), bytemuck::cast(x));
        let product = self.avx._mm256_mul_ps(flushed(self, n, factor), flushed(self, n, x));
        bytemuck::cast(flushed(self, n, product))
    }

    #[inline(always)]
    fn multiply_add<P: Profile>(self, n: Numerics<P>, a: Numbers, b: Numbers, c: Numbers) -> Numbers {
        let flush = |x| flushed(self, n, x);
        let (a, b, c) = (flush(bytemuck::cast(a)), flush(bytemuck::cast(b)), flush(bytemuck::cast(c)));
        bytemuck::cast(flush(match n.arithmetic().multiply_add {
            MultiplyAdd::Fused => self.fma._mm256_fmadd_ps(a, b, c),
            MultiplyAdd::Separate => self.avx._mm256_add_ps(flush(self.avx._mm256_mul_ps(a, b)), c),
        }))
    }
}

/// Zeros of their sign in place of denormals, where the profile flushes them.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn flushed<P: Profile>(simd: V3, n: Numerics<P>, x: __m256) -> __m256 {
    if n.arithmetic().denormals == Denormals::Keep {
        return x;
    }
    let (avx, avx2) = (simd.avx, simd.avx2);
    let bits: __m256i = bytemuck::cast(x);
    let exponent = avx2._mm256_and_si256(bits, avx._mm256_set1_epi32(0x7f80_0000));
    let denormal = avx2._mm256_cmpeq_epi32(exponent, avx._mm256_setzero_si256());
    let zero = avx2._mm256_and_si256(bits, avx._mm256_set1_epi32(i32::MIN));
    bytemuck::cast(avx2._mm256_blendv_epi8(bits, zero, denormal))
}

/// As [`f32_to_upper_bf16`], but for what is left in the lower halves.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn upper_bf16(simd: V3, x: Numbers) -> __m256i {
    let (avx, avx2) = (simd.avx, simd.avx2);
    let bits = bytemuck::cast(x);
    let odd = avx2._mm256_and_si256(avx2._mm256_srli_epi32::<16>(bits), avx._mm256_set1_epi32(1));
    let rounded = avx2._mm256_add_epi32(bits, avx2._mm256_add_epi32(odd, avx._mm256_set1_epi32(0x7fff)));
    let numbers = bytemuck::cast(x);
    let is_nan = bytemuck::cast(avx._mm256_cmp_ps::<_CMP_UNORD_Q>(numbers, numbers));
    let nan = avx2._mm256_or_si256(bits, avx._mm256_set1_epi32(0x0040_0000));
    avx2._mm256_blendv_epi8(rounded, nan, is_nan)
}

#[cfg(test)]
mod tests {
    use gridproof_launch::Arithmetic;

    use super::*;
    use crate::random::Random;

    /// Word `w` of row `r` is `8 r + w`.
    const ROWS: [Words; 4] = [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [8, 9, 10, 11, 12, 13, 14, 15],
        [16, 17, 18, 19, 20, 21, 22, 23],
        [24, 25, 26, 27, 28, 29, 30, 31],
    ];

    fn check_picture(vectors: impl Vectors) {
        let columns = vectors.transpose(ROWS);
        assert_eq!(columns[0], [0, 8, 16, 24, 4, 12, 20, 28]);
        assert_eq!(columns[3], [3, 11, 19, 27, 7, 15, 23, 31]);
        assert_eq!(vectors.transpose(columns), ROWS);
        for distance in [1, 2, 4] {
            let expected: [usize; 8] = std::array::from_fn(|i| i ^ distance);
            let numbers = vectors.exchanged(std::array::from_fn(|i| i as f32), distance);
            assert_eq!(numbers, expected.map(|i| i as f32));
        }
    }

    /// Bits that are numbers of all sizes, denormals, infinities or NaN.
    fn words(round: u64, vector: u64) -> Words {
        const SPECIAL: [u32; 8] = [0, 0x8000_0000, 1, 0x807f_ffff, 0x0080_0000, 0x7f7f_ffff, 0xff80_0000, 0x7fc0_1234];
        let stream = Random::new(round, "words");
        std::array::from_fn(|i| {
            let bits = stream.bits(vector * 8 + i as u64);
            if bits.is_multiple_of(8) { SPECIAL[(bits >> 3) as usize % 8] } else { (bits >> 32) as u32 }
        })
    }

    /// The bits, with one NaN for all: which payload an operation gives is not specified.
    fn bits(x: Numbers) -> Words {
        x.map(|x| if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() })
    }

    fn check_same(a: impl Vectors, b: impl Vectors) {
        for round in 0..2000 {
            let [x, y, z] = [0, 1, 2].map(|vector| words(round, vector));
            assert_eq!(a.lower(x).map(f32::to_bits), b.lower(x).map(f32::to_bits));
            assert_eq!(a.upper(x).map(f32::to_bits), b.upper(x).map(f32::to_bits));
            let [x, y, z] = [x, y, z].map(|words| words.map(f32::from_bits));
            assert_eq!(a.pack(x, y), b.pack(x, y));
            for multiply_add in [MultiplyAdd::Fused, MultiplyAdd::Separate] {
                for denormals in [Denormals::Keep, Denormals::Flush] {
                    let n = Numerics::new(Arithmetic { multiply_add, denormals });
                    assert_eq!(bits(a.add(n, x, y)), bits(b.add(n, x, y)));
                    assert_eq!(bits(a.scale(n, x[0], y)), bits(b.scale(n, x[0], y)));
                    assert_eq!(bits(a.multiply_add(n, x, y, z)), bits(b.multiply_add(n, x, y, z)));
                }
            }
        }
    }

    #[test]
    fn both_forms_do_what_is_said() {
        check_picture(Portable);
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = V3::try_new() {
            check_picture(simd);
            check_same(Portable, simd);
        }
    }
}
