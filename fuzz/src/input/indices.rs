//! Lists of slots: in a row, scattered, in the upper half of the pool, twice the same, negative, outside.

use crate::draw::Draw;

/// How the slots of a list are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    /// One after the other, from a slot on.
    Row,
    /// Anywhere in the pool.
    Scattered,
    /// In its upper half.
    UpperHalf,
    /// Of very few slots, so that some are the same.
    Aliased,
    /// Some of them negative.
    Negative,
    /// Some of them at the end of the pool or behind it.
    Outside,
}

/// `count` slots of a pool of `pool`, as `--shape` takes them.
pub fn slots(draw: &mut Draw<'_, '_>, count: u32, pool: u64) -> String {
    let pattern = draw.pick(&[
        Pattern::Row,
        Pattern::Row,
        Pattern::Scattered,
        Pattern::UpperHalf,
        Pattern::Aliased,
        Pattern::Negative,
        Pattern::Outside,
    ]);
    let pool = u32::try_from(pool.min(i32::MAX.unsigned_abs().into())).unwrap_or(1).max(1);
    let first = draw.below(pool);
    let one = |draw: &mut Draw<'_, '_>, position: u32| -> i64 {
        let slot = match pattern {
            Pattern::Row => first.saturating_add(position) % pool,
            Pattern::Scattered => draw.below(pool),
            Pattern::UpperHalf => pool / 2 + draw.below(pool.div_ceil(2)),
            Pattern::Aliased => (first + draw.below(2)) % pool,
            Pattern::Negative => {
                return if draw.one_in(2) { -1 - i64::from(draw.below(3)) } else { i64::from(draw.below(pool)) };
            }
            Pattern::Outside => pool.saturating_sub(1).saturating_add(draw.below(3)),
        };
        i64::from(slot).min(i64::from(i32::MAX))
    };
    let listed: Vec<String> = (0..count).map(|position| one(draw, position).to_string()).collect();
    // A list of one would be the first of a row.
    listed.join("+")
}
