//! What a launch must be reported as, from the problem alone.

use std::collections::BTreeMap;

use gridproof_reference::gdn_conv_fused::{Layout, Problem, Shape};

use super::dispatcher::{Choice, Shift, choose};
use super::variant::Variant;
use crate::catalogue::{Expectation, Outputs, SafeUnder};
use crate::expected::Found;

/// Elements of a row of the convolution's state, as `inline_all` has it.
const WRONG_ROW_STRIDE: u64 = 2048;

/// What the launch of a variant must be reported as, in either language. Where there is no launch, as the launch of
/// `split`.
pub fn expectation(problem: &Problem, variant: Variant) -> Expectation {
    let mut found = Found::default();
    let slots = Slots::of(problem);
    beyond_pool(&slots, &mut found);
    requests_meet(&slots, &mut found);
    if let Ok(choice) = choose(problem.shape(), variant) {
        match choice.shift {
            Shift::Separate => {}
            Shift::FirstHead => first_head(problem.shape(), &slots, &mut found),
            Shift::EveryHead => every_head(problem.shape(), &slots, &mut found),
        }
        if choice.surplus {
            surplus(problem.shape(), choice, &slots, &mut found);
        }
    }
    found.expectation()
}

/// Who uses which slot.
struct Slots {
    /// The requests of each slot that the pools have.
    owners: BTreeMap<u64, Vec<u32>>,
    /// Whether a request has a slot that the pools do not have: only where the caller's check was off.
    beyond: bool,
}

impl Slots {
    fn of(problem: &Problem) -> Self {
        let mut slots = Self { owners: BTreeMap::new(), beyond: false };
        for request in 0..problem.shape().n() {
            match problem.slot(request) {
                Some(slot) if slot < problem.shape().pool() => slots.owners.entry(slot).or_default().push(request),
                Some(_) => slots.beyond = true,
                None => {}
            }
        }
        slots
    }

    fn are_shared(&self) -> bool {
        self.owners.values().any(|owners| owners.len() > 1)
    }

    /// Whether a request that touches `elements` from the beginning of its slot on comes to the slot of another.
    fn are_reached(&self, shape: Shape, elements: u64) -> bool {
        let mut neighbours = self.owners.keys().zip(self.owners.keys().skip(1));
        neighbours.any(|(slot, next)| (next - slot).saturating_mul(shape.conv_slot_elements()) < elements)
    }

    /// Whether such a request leaves the pool.
    fn are_left(&self, shape: Shape, elements: u64) -> bool {
        let last = self.owners.last_key_value().map(|(slot, _)| shape.pool() - slot);
        last.is_some_and(|slots| slots.saturating_mul(shape.conv_slot_elements()) < elements)
    }
}

fn beyond_pool(slots: &Slots, found: &mut Found) {
    if slots.beyond {
        found.add("GP0004", "conv_state", Outputs::NotStated);
        found.add("GP0004", "ssm_state", Outputs::NotStated);
    }
}

/// Two requests on one slot: only where the caller's check was off.
fn requests_meet(slots: &Slots, found: &mut Found) {
    if slots.are_shared() {
        found.add("GP0001", "conv_state", Outputs::Right);
        found.add("GP0001", "ssm_state", Outputs::Right);
        found.safe_under = Some(SafeUnder::NotStated);
    }
}

/// The workgroup of value head 0 writes what the others of its request read. Nobody is late where all workgroups of a
/// request are in one wave. With fewer slots than stated, that can be so again where the waves end between requests.
fn first_head(shape: Shape, slots: &Slots, found: &mut Found) {
    let last = slots.owners.values().flatten().max();
    let Some(last) = last.filter(|_| shape.hv() > 1) else { return };
    found.add("GP0001", "conv_state", Outputs::Right);
    let needed = u32::try_from((u64::from(*last) + 1).saturating_mul(u64::from(shape.hv())));
    let label = match needed {
        Ok(slots) => SafeUnder::LockstepWaves { slots },
        Err(_) => SafeUnder::NotStated,
    };
    found.safe_under.get_or_insert(label);
}

/// Every workgroup reads and writes rows at their wrong places, which are the right ones for rows of 2,048 elements.
fn every_head(shape: Shape, slots: &Slots, found: &mut Found) {
    if slots.owners.is_empty() {
        return;
    }
    let outputs = if shape.dim() == WRONG_ROW_STRIDE { Outputs::Right } else { Outputs::Wrong };
    let touched = 2 * WRONG_ROW_STRIDE + shape.dim();
    // With one value head there are 384 channels. The three rows are then so far apart that they lie in four slots, but
    // leave none of them out.
    if shape.hv() > 1 || slots.are_reached(shape, touched) {
        found.add("GP0001", "conv_state", outputs);
        found.safe_under = Some(SafeUnder::NotStated);
    }
    // What is behind the first 2,048 channels of a row belongs to the next row too, of which other teams take care.
    if shape.dim() > WRONG_ROW_STRIDE {
        found.add("GP0002", "conv_state", outputs);
    }
    if slots.are_left(shape, touched) {
        found.add("GP0004", "conv_state", outputs);
    }
    if outputs == Outputs::Wrong && found.outputs == Outputs::Right {
        found.outputs = outputs;
    }
}

/// Teams take blocks of value heads that are not there: channels behind the last of each row.
fn surplus(shape: Shape, choice: Choice, slots: &Slots, found: &mut Found) {
    let channels = choice.blocks.surplus_channels();
    if channels == 0 {
        return;
    }
    found.safe_under = Some(SafeUnder::NotStated);
    found.outputs = Outputs::NotStated;
    // The z behind that of the last request: all workgroups of that request copy it.
    found.add("GP0004", "qkvz", Outputs::NotStated);
    found.add("GP0004", "z_out", Outputs::NotStated);
    // Behind that of another request comes that of the next one. Interleaved inputs have its z there, which is the same
    // bytes then; sequential ones have its query.
    if shape.n() > 1 && shape.layout() == Layout::Sequential {
        found.add("GP0001", "z_out", Outputs::NotStated);
    }
    if slots.owners.is_empty() {
        return;
    }
    // What is behind a row is the next row, of which other teams take care.
    found.add("GP0002", "conv_state", Outputs::NotStated);
    let touched = shape.conv_slot_elements() + channels;
    if slots.are_reached(shape, touched) {
        found.add("GP0001", "conv_state", Outputs::NotStated);
    }
    if slots.are_left(shape, touched) {
        found.add("GP0004", "conv_state", Outputs::NotStated);
    }
}
