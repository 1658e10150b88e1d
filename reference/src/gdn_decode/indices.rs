//! The rules for `read_indices` and `write_indices`.
//!
//! Where this refuses indices, workgroups of a launch would race on a slot or leave the pool.

use std::collections::BTreeMap;

use super::error::{Index, ProblemError};
use super::problem::Slots;
use super::shape::{Shape, StateType};

/// Checks the indices of all requests, which are as many as the shape asks.
///
/// # Errors
/// The first index, by tensor and request, that breaks a rule; then the first slot written twice; then the first slot
/// that is read by one request and written by another.
pub(super) fn check(shape: Shape, slots: Slots<'_>) -> Result<(), ProblemError> {
    for (tensor, indices) in [(Index::Read, slots.read), (Index::Write, slots.write)] {
        for (request, &index) in (0..).zip(indices) {
            check_one(shape, tensor, request, index)?;
        }
    }
    check_conflicts(shape, slots)
}

fn check_one(shape: Shape, tensor: Index, request: u32, index: i32) -> Result<(), ProblemError> {
    let Ok(slot) = u64::try_from(index) else { return Ok(()) };
    if slot >= shape.pool() {
        return Err(ProblemError::BeyondPool { tensor, request, index, pool: shape.pool() });
    }
    if slot == 0 && shape.state() == StateType::Bf16 {
        return Err(ProblemError::NullSlot { tensor, request });
    }
    Ok(())
}

/// No slot but the null slot is written twice, or read by one request and written by another.
fn check_conflicts(shape: Shape, slots: Slots<'_>) -> Result<(), ProblemError> {
    let contested = |slot: &u64| !(shape.state() == StateType::Bf16 && *slot == 0);
    let mut writers = BTreeMap::new();
    for second in 0..shape.b() {
        let Some(slot) = slots.written(shape, second).filter(contested) else { continue };
        if let Some(first) = writers.insert(slot, second) {
            return Err(ProblemError::WrittenTwice { first, second, slot });
        }
    }
    for reader in 0..shape.b() {
        let Some(slot) = slots.read(shape, reader) else { continue };
        if let Some(&writer) = writers.get(&slot).filter(|&&writer| writer != reader) {
            return Err(ProblemError::ReadWhileWritten { reader, writer, slot });
        }
    }
    Ok(())
}
