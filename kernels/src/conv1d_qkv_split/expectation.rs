//! What a launch must be reported as, from the problem alone.

use std::collections::BTreeSet;

use gridproof_launch::Language;
use gridproof_reference::conv1d_qkv_split::Problem;

use super::dispatcher::{BLOCK, Path, choose};
use super::misrouted::add_misrouted;
use super::variant::Variant;
use crate::catalogue::{Expectation, Outputs, SafeUnder};
use crate::expected::Found;

/// Channels of an invocation: those of a language's workgroups share 256.
pub(super) const fn channels_of_invocation(language: Language) -> u32 {
    match language {
        Language::Wgsl => 2,
        Language::Cuda => 4,
    }
}

/// What the launch of a variant must be reported as. A slot that `conv_state` does not have has to
/// be less than 2^39 bytes away: of what is farther, the simulator does not say which buffer was meant.
pub fn expectation(problem: &Problem, variant: Variant, language: Language) -> Expectation {
    let mut found = Found::default();
    sequences_meet(problem, &mut found);
    beyond_slots(problem, &mut found);
    if choose(problem.shape(), variant) == Path::BlockRouted {
        add_misrouted(problem, language, &mut found);
    }
    if variant == Variant::NoStateBarrier {
        no_state_barrier(problem, language, &mut found);
    }
    found.expectation()
}

/// The sequences whose state is rewritten, with their slots.
fn written(problem: &Problem) -> impl Iterator<Item = (u32, u64)> {
    let sequences = problem.computed().filter(|&sequence| problem.shape().length(sequence) > 0);
    sequences.filter_map(|sequence| Some((sequence, problem.slot(sequence)?)))
}

/// Two sequences on one slot: only where the caller's check was off. Each writes its own last token there.
fn sequences_meet(problem: &Problem, found: &mut Found) {
    let mut seen = BTreeSet::new();
    let mut inside = written(problem).filter(|(_, slot)| *slot < problem.shape().slots());
    if inside.any(|(_, slot)| !seen.insert(slot)) {
        found.add("GP0001", "conv_state", Outputs::NotStated);
        found.safe_under = Some(SafeUnder::NotStated);
    }
}

/// A slot that `conv_state` does not have: only where the caller's check was off.
fn beyond_slots(problem: &Problem, found: &mut Found) {
    if written(problem).any(|(_, slot)| slot >= problem.shape().slots()) {
        found.add("GP0004", "conv_state", Outputs::NotStated);
    }
}

/// Invocation 1 reads the taps of its channels from row 0 of the state, which invocation 0 stores, if there are so many
/// channels; and another invocation than the first stores row 1, if there is one. A sequence without an initial state reads nothing of it.
fn no_state_barrier(problem: &Problem, language: Language, found: &mut Found) {
    let shape = problem.shape();
    if shape.dim() <= channels_of_invocation(language) && shape.history() == 1 {
        return;
    }
    let reads = |&(sequence, slot): &(u32, u64)| slot < shape.slots() && problem.has_initial_state(sequence);
    if !written(problem).any(|one| reads(&one)) {
        return;
    }
    found.add("GP0002", "conv_state", Outputs::NotStated);
    // In step, all taps are read before anything is stored, if every subgroup has taps to read. Those who copy rows of
    // the old state may still be overtaken.
    let shifted = written(problem).filter(reads).any(|(sequence, _)| shape.length(sequence) < shape.history());
    let in_step = shape.dim().is_multiple_of(BLOCK) && !shifted;
    found.safe_under.get_or_insert(if in_step { SafeUnder::LockstepWaves { slots: 1 } } else { SafeUnder::NotStated });
}
