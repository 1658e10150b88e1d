//! The rules for `cache_indices`.
//!
//! Where this refuses indices, workgroups of a launch would race on a slot or leave `conv_state`.

use std::collections::BTreeMap;

use super::error::ProblemError;
use super::shape::Shape;

/// What a padded sequence has in place of a slot.
const PADDED: i32 = -1;

/// Checks the indices of all sequences, which are as many as the shape asks.
///
/// # Errors
/// The first index that names no slot; then the first slot that two sequences have.
pub(super) fn check(shape: &Shape, cache_indices: &[i32]) -> Result<(), ProblemError> {
    let named = || (0..).zip(cache_indices).filter(|&(_, &index)| index != PADDED);
    for (sequence, &index) in named() {
        match u64::try_from(index) {
            Err(_) => return Err(ProblemError::NegativeIndex { sequence, index }),
            Ok(slot) if slot >= shape.slots() => {
                return Err(ProblemError::BeyondSlots { sequence, index, slots: shape.slots() });
            }
            Ok(_) => (),
        }
    }
    let mut owners = BTreeMap::new();
    for (second, &index) in named() {
        let slot = u64::from(index.unsigned_abs());
        if let Some(first) = owners.insert(slot, second) {
            return Err(ProblemError::SharedSlot { first, second, slot });
        }
    }
    Ok(())
}
