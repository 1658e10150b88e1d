//! Sums over the 128 elements of a head, as the invocations of a workgroup add them.

use crate::delta_rule::ELEMENTS;
use crate::delta_rule::preparation::Vector;
use crate::numerics::{Numerics, Profile};

/// Invocations of a group, whose first hands its sum to the workgroup.
const GROUP: usize = 32;

/// Elements of K that a lane of a row takes at once.
const PIECE: usize = 4;

/// Lanes that share a row of the state.
pub(super) const LANES: usize = 4;

/// Roundings that a term passes through in [`workgroup_sum`]: its product, five additions in the group, three after it.
pub(super) const WORKGROUP_ROUNDINGS: u32 = 1 + GROUP.trailing_zeros() + (ELEMENTS / GROUP - 1) as u32;

/// Roundings that a term passes through in [`row_sum`]: its product, 32 additions in the lane, two after it.
pub(super) const ROW_ROUNDINGS: u32 = 1 + (ELEMENTS / LANES) as u32 + LANES.trailing_zeros();

/// The sum of one number of every invocation: in each group of 32 a butterfly over distances 1, 2, 4, 8, 16, then the
/// groups one after the other.
///
/// Addition commutes, so all invocations of a group hold the same bits in the end, and what is left to do at distance d is
/// done once for every 2 d invocations.
#[inline(always)]
pub(super) fn workgroup_sum<P: Profile>(n: Numerics<P>, mut x: Vector) -> f32 {
    let mut left = ELEMENTS;
    while left > ELEMENTS / GROUP {
        left /= 2;
        for pair in 0..left {
            x[pair] = n.add(x[2 * pair], x[2 * pair + 1]);
        }
    }
    x[1..left].iter().fold(x[0], |sum, &group| n.add(sum, group))
}

/// The workgroup's sum of products, each rounded by itself.
#[inline(always)]
pub(super) fn workgroup_dot<P: Profile>(n: Numerics<P>, a: &Vector, b: &Vector) -> f32 {
    workgroup_sum(n, std::array::from_fn(|i| n.mul(a[i], b[i])))
}

/// The sum of products over a row of the state: its lanes take pieces of 4 elements in turn and go through theirs by
/// multiply-adds, then a butterfly over distances 1 and 2.
#[inline(always)]
pub(super) fn row_sum<P: Profile>(n: Numerics<P>, row: &Vector, x: &Vector) -> f32 {
    let mut lanes = [0.0; LANES];
    for (row, x) in row.chunks_exact(LANES * PIECE).zip(x.chunks_exact(LANES * PIECE)) {
        for element in 0..PIECE {
            for (lane, sum) in lanes.iter_mut().enumerate() {
                let place = lane * PIECE + element;
                *sum = n.multiply_add(row[place], x[place], *sum);
            }
        }
    }
    let [a, b, c, d] = lanes;
    n.add(n.add(a, b), n.add(c, d))
}
