//! The sum over the lanes of a group: every lane adds the lane at distance LANES/2, ..., 2, 1.
//!
//! Addition commutes, so all lanes hold the same bits in the end and half of them suffice at each step. (Which of two
//! NaN is passed on is not specified, in any profile.)

use crate::numerics::{Numerics, Profile};

/// What every lane holds after the butterfly. `LANES` is a power of two.
#[inline(always)]
pub(crate) fn butterfly<P: Profile, const LANES: usize>(n: Numerics<P>, mut lanes: [f32; LANES]) -> f32 {
    let mut distance = LANES / 2;
    while distance > 0 {
        for lane in 0..distance {
            lanes[lane] = n.add(lanes[lane], lanes[lane + distance]);
        }
        distance /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use gridproof_launch::Arithmetic;

    use super::*;
    use crate::random::Random;

    #[test]
    fn half_the_lanes_give_what_all_lanes_hold() {
        let n = Numerics::new(Arithmetic::FUSED);
        let stream = Random::new(1, "butterfly");
        for round in 0..1000 {
            let start: [f32; 16] = std::array::from_fn(|lane| stream.normal(round * 16 + lane as u64) as f32);
            let mut lanes = start;
            for distance in [8, 4, 2, 1] {
                let before = lanes;
                lanes = std::array::from_fn(|lane| n.add(before[lane], before[lane ^ distance]));
            }
            let sum = butterfly(n, start).to_bits();
            assert_eq!(lanes.map(f32::to_bits), [sum; 16]);
        }
    }
}
