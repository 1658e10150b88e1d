//! Four vectors of 8 words, of which each half holds 4 words of a lane, become four vectors of which each holds one word
//! of every lane; and back, for the operation is its own inverse.
//!
//! ```text
//! a0 a1 a2 a3 | e0 e1 e2 e3        a0 b0 c0 d0 | e0 f0 g0 h0
//! b0 b1 b2 b3 | f0 f1 f2 f3   ->   a1 b1 c1 d1 | e1 f1 g1 h1
//! c0 c1 c2 c3 | g0 g1 g2 g3        a2 b2 c2 d2 | e2 f2 g2 h2
//! d0 d1 d2 d3 | h0 h1 h2 h3        a3 b3 c3 d3 | e3 f3 g3 h3
//! ```

use crate::numerics::half::f32_to_upper_bf16;

/// 8 words.
pub(super) type Words = [u32; 8];

/// 8 numbers.
pub(super) type Numbers = [f32; 8];

/// Who transposes, and converts pairs of bf16.
pub(super) trait Transpose: Copy + Send + Sync {
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
}

/// On any machine.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Transpose for Portable {
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
}

#[cfg(target_arch = "x86_64")]
impl Transpose for pulp::x86::V3 {
    #[inline(always)]
    fn transpose(self, rows: [Words; 4]) -> [Words; 4] {
        use std::arch::x86_64::__m256i;
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
}

/// As [`f32_to_upper_bf16`], but for what is left in the lower halves.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn upper_bf16(simd: pulp::x86::V3, x: Numbers) -> std::arch::x86_64::__m256i {
    let (avx, avx2) = (simd.avx, simd.avx2);
    let bits = bytemuck::cast(x);
    let odd = avx2._mm256_and_si256(avx2._mm256_srli_epi32::<16>(bits), avx._mm256_set1_epi32(1));
    let rounded = avx2._mm256_add_epi32(bits, avx2._mm256_add_epi32(odd, avx._mm256_set1_epi32(0x7fff)));
    let magnitude = avx2._mm256_and_si256(bits, avx._mm256_set1_epi32(0x7fff_ffff));
    let is_nan = avx2._mm256_cmpgt_epi32(magnitude, avx._mm256_set1_epi32(0x7f80_0000));
    let nan = avx2._mm256_or_si256(bits, avx._mm256_set1_epi32(0x0040_0000));
    avx2._mm256_blendv_epi8(rounded, nan, is_nan)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Word `w` of row `r` is `8 r + w`.
    const ROWS: [Words; 4] = [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [8, 9, 10, 11, 12, 13, 14, 15],
        [16, 17, 18, 19, 20, 21, 22, 23],
        [24, 25, 26, 27, 28, 29, 30, 31],
    ];

    fn check(transpose: impl Transpose) {
        let columns = transpose.transpose(ROWS);
        assert_eq!(columns[0], [0, 8, 16, 24, 4, 12, 20, 28]);
        assert_eq!(columns[3], [3, 11, 19, 27, 7, 15, 23, 31]);
        assert_eq!(transpose.transpose(columns), ROWS);
    }

    #[test]
    fn the_picture_is_right() {
        check(Portable);
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            check(simd);
            assert_eq!(simd.transpose(ROWS), Portable.transpose(ROWS));
        }
    }
}
