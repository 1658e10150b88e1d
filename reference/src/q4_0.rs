//! q4_0: 4-bit weights in groups of 128 that share one fp16 scale.
//!
//! Byte `b` of a row holds element `2b` in its low nibble and `2b + 1` in its high nibble; the value of
//! an element is `(q - 8) * s`. Source: intel/llm-scaler pull request 399 (group 128), after GGML's q4_0
//! (group 32). All arithmetic is f32, rounded to nearest.
//!
//! Not caught here: a NaN or an infinity among the weights gives a meaningless scale, as upstream.

use crate::numerics::half::{f16_to_f32, f32_to_f16};

/// Elements that share a scale.
pub const GROUP: usize = 128;

/// One quantised group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The nibbles, two elements a byte.
    pub packed: [u8; GROUP / 2],
    /// fp16 bits of the scale.
    pub scale: u16,
}

/// Quantises one group: d is the (first) element of largest magnitude, with its sign, over -8; the scale
/// is d rounded to fp16, but elements are divided by the unrounded d.
pub fn quantise(elements: &[f32; GROUP]) -> Group {
    let divisor = largest(elements) / -8.0;
    let mut packed = [0; GROUP / 2];
    for (byte, pair) in packed.iter_mut().zip(elements.chunks_exact(2)) {
        *byte = quantum(pair[0], divisor) | (quantum(pair[1], divisor) << 4);
    }
    Group { packed, scale: f32_to_f16(divisor) }
}

/// The element of largest magnitude, the first of several.
fn largest(elements: &[f32; GROUP]) -> f32 {
    elements.iter().fold(0.0, |best: f32, &element| if element.abs() > best.abs() { element } else { best })
}

/// `clamp(trunc(x / d + 8.5), 0, 15)`, and 0 where d is 0.
fn quantum(x: f32, divisor: f32) -> u8 {
    if divisor == 0.0 {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=15")]
    let quantum = (x / divisor + 8.5).clamp(0.0, 15.0) as u8;
    quantum
}

/// Value of element `index` of a row of nibbles and fp16 scales: exact, since a 4-bit integer times an
/// 11-bit significand fits in f32.
pub fn value(packed: &[u8], scales: &[u16], index: usize) -> f32 {
    let byte = packed[index / 2];
    let quantum = if index.is_multiple_of(2) { byte & 15 } else { byte >> 4 };
    (f32::from(quantum) - 8.0) * f16_to_f32(scales[index / GROUP])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn group_of(values: &[f32]) -> [f32; GROUP] {
        let mut elements = [0.0; GROUP];
        elements[..values.len()].copy_from_slice(values);
        elements
    }

    #[test]
    fn hand_made_values_follow_the_rule() {
        // Largest magnitude -8: d = 1, so an element x becomes trunc(x + 8.5), at most 15.
        let group = quantise(&group_of(&[-8.0, 7.0, 7.6, 0.0, 0.49, 0.5, -0.5, -0.51]));
        assert_eq!(group.scale, 0x3c00);
        assert_eq!(group.packed[..4], [0xf0, 0x8f, 0x98, 0x78]);
        assert_eq!(group.packed[4..], [0x88; 60]);
    }

    #[test]
    fn a_positive_extreme_has_a_negative_scale_and_the_first_of_two_extremes_wins() {
        let group = quantise(&group_of(&[4.0, -4.0, 2.0]));
        assert_eq!(group.scale, 0xb800);
        assert_eq!(group.packed[..2], [0xf0, 0x84]);
        assert_eq!(value(&group.packed, &[group.scale], 0).to_bits(), 4.0_f32.to_bits());
        assert_eq!(value(&group.packed, &[group.scale], 1).to_bits(), (-3.5_f32).to_bits());
        assert_eq!(quantise(&group_of(&[-4.0, 4.0])).scale, 0x3800);
    }

    #[test]
    fn a_group_of_zeros_is_zero() {
        let group = quantise(&[0.0; GROUP]);
        assert_eq!(group.packed, [0; GROUP / 2]);
        assert_eq!(value(&group.packed, &[group.scale], 5).abs().to_bits(), 0);
    }

    #[test]
    fn elements_are_divided_by_the_unrounded_scale() {
        // d = 2049 / 2048 rounds to 1 in fp16. Dividing by 1 would give trunc(2.5002 + 8.5) = 11.
        let divisor = 2049.0 / 2048.0;
        let group = quantise(&group_of(&[-8.0 * divisor, 2.5002]));
        assert_eq!(group.scale, 0x3c00);
        assert_eq!(group.packed[0], 0xa0);
    }

    #[test]
    fn values_come_back_within_half_a_step_except_at_the_clamped_end() {
        let stream = Random::new(7, "q4_0");
        for round in 0..200 {
            let elements: [f32; GROUP] = std::array::from_fn(|i| stream.normal(round * 128 + i as u64) as f32);
            let group = quantise(&elements);
            let scale = f16_to_f32(group.scale);
            for (index, &x) in elements.iter().enumerate() {
                let error = (value(&group.packed, &[group.scale], index) - x).abs();
                // x / d lies in [-8, 8]; above 7.5 it clamps to 7, otherwise it rounds to nearest; the
                // scale itself is off by 2^-11.
                let steps = if x / scale > 7.49 { 1.0 } else { 0.5 };
                assert!(error <= scale.abs() * (steps + 8.0 / 2048.0 + 1e-4), "element {index} is off by {error}");
            }
        }
    }
}
