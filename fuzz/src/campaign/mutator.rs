//! A mutation that respects how choices are drawn: one word, one choice.

use std::borrow::Cow;
use std::num::NonZeroUsize;

use libafl::Error;
use libafl::corpus::CorpusId;
use libafl::inputs::BytesInput;
use libafl::mutators::{MutationResult, Mutator};
use libafl::state::HasRand;
use libafl_bolts::Named;
use libafl_bolts::rands::Rand;

/// Gives one choice of an input another value: any, a small one, or one next to it.
#[derive(Debug, Default)]
pub struct ChoiceMutator;

impl Named for ChoiceMutator {
    fn name(&self) -> &Cow<'static, str> {
        &Cow::Borrowed("ChoiceMutator")
    }
}

/// Values that a small choice may get.
const SMALL: NonZeroUsize = NonZeroUsize::new(64).expect("not 0");

/// Ways to change a choice.
const WAYS: NonZeroUsize = NonZeroUsize::new(4).expect("not 0");

impl<S: HasRand> Mutator<BytesInput, S> for ChoiceMutator {
    fn mutate(&mut self, state: &mut S, input: &mut BytesInput) -> Result<MutationResult, Error> {
        let bytes: &mut Vec<u8> = input.as_mut();
        let Some(choices) = NonZeroUsize::new(bytes.len() / 4) else { return Ok(MutationResult::Skipped) };
        let start = 4 * state.rand_mut().below(choices);
        let Some(word) = bytes.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<4>()) else {
            return Ok(MutationResult::Skipped);
        };
        let old = u32::from_le_bytes(*word);
        let new = match state.rand_mut().below(WAYS) {
            0 => (state.rand_mut().next() & u64::from(u32::MAX)) as u32,
            1 => state.rand_mut().below(SMALL) as u32,
            2 => old.wrapping_add(1),
            _ => old.wrapping_sub(1),
        };
        *word = new.to_le_bytes();
        Ok(MutationResult::Mutated)
    }

    fn post_exec(&mut self, _state: &mut S, _new: Option<CorpusId>) -> Result<(), Error> {
        Ok(())
    }
}
