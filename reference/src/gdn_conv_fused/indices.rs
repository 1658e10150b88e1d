//! The rules for `state_indices`.
//!
//! Where this refuses indices, workgroups of a launch would race on a slot or leave the pools.

use std::collections::BTreeMap;

use super::error::ProblemError;
use super::shape::Shape;

/// Checks the indices of all requests.
///
/// # Errors
/// The first index that is not below the pool; then the first slot with two requests.
pub(super) fn check(shape: Shape, indices: &[i32]) -> Result<(), ProblemError> {
    let slots = || (0_u32..).zip(indices).filter_map(|(request, &index)| Some((request, index, slot(index)?)));
    if let Some((request, index, _)) = slots().find(|&(_, _, slot)| slot >= shape.pool()) {
        return Err(ProblemError::BeyondPool { request, index, pool: shape.pool() });
    }
    let mut owners = BTreeMap::new();
    for (second, _, slot) in slots() {
        if let Some(first) = owners.insert(slot, second) {
            return Err(ProblemError::SharedSlot { first, second, slot });
        }
    }
    Ok(())
}

/// The slot that an index means; `None` for a request without a state.
pub(super) fn slot(index: i32) -> Option<u64> {
    u64::try_from(index).ok()
}
