//! What block routing leaves where a block has channels of two tensors.
//!
//! The channels behind the end of a tensor go on in its next rows, where other workgroups, or other invocations of the
//! same one, write the right elements. Nothing is written to the columns of the next tensor before its first block.

use std::ops::Range;

use gridproof_launch::Language;
use gridproof_reference::conv1d_qkv_split::{Problem, Shape, Tensor};

use super::dispatcher::{BLOCK, CHUNK, block_routable};
use super::expectation::channels_of_invocation;
use crate::catalogue::{Outputs, SafeUnder};
use crate::expected::Found;

/// Adds what the launch is found to do wrong.
pub(super) fn add_misrouted(problem: &Problem, language: Language, found: &mut Found) {
    let shape = problem.shape();
    let rows = Rows::new(problem);
    let Some(last) = rows.last() else { return };
    if block_routable(shape.q(), shape.k(), shape.v()) {
        return;
    }
    // The last channels of a split block are missing where they belong.
    found.outputs = Outputs::Wrong;
    for tensor in Tensor::ALL {
        let Some(stored) = Stored::new(shape, tensor) else { continue };
        let end = u64::from(last) * u64::from(stored.channels) + u64::from(stored.columns.end);
        if end > u64::from(shape.tokens()) * u64::from(stored.channels) {
            found.add("GP0004", tensor.name(), Outputs::Wrong);
        }
        let races = stored.races(&rows, channels_of_invocation(language));
        for (rule, races) in [("GP0001", races.between_workgroups), ("GP0002", races.inside_workgroups)] {
            if races {
                found.add(rule, tensor.name(), Outputs::Wrong);
                found.safe_under = Some(SafeUnder::NotStated);
            }
        }
    }
}

/// The chunk of every row; none for the rows of padded sequences.
struct Rows(Vec<Option<u32>>);

/// Whether there are two rows as far apart as was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pairs {
    of_one_chunk: bool,
    of_two_chunks: bool,
}

impl Rows {
    fn new(problem: &Problem) -> Self {
        let shape = problem.shape();
        let mut rows = vec![None; shape.tokens() as usize];
        let mut chunk = 0;
        for sequence in problem.computed() {
            for (token, row) in (0..).zip(shape.rows(sequence)) {
                chunk += u32::from(token % CHUNK == 0);
                if let Some(row) = rows.get_mut(row as usize) {
                    *row = Some(chunk);
                }
            }
        }
        Self(rows)
    }

    /// The last row that is written.
    fn last(&self) -> Option<u32> {
        self.0.iter().rposition(Option::is_some).and_then(|row| u32::try_from(row).ok())
    }

    /// Whether there are two rows `apart` from each other, with `room` rows behind the later one.
    fn pairs(&self, apart: u32, room: u32) -> Pairs {
        let mut pairs = Pairs::default();
        let later = self.0.iter().skip(apart as usize);
        for chunks in self.0.iter().zip(later).rev().skip(room as usize) {
            let (Some(first), Some(second)) = chunks else { continue };
            match first == second {
                true => pairs.of_one_chunk = true,
                false => pairs.of_two_chunks = true,
            }
            if pairs.of_two_chunks && (pairs.of_one_chunk || apart >= CHUNK) {
                break;
            }
        }
        pairs
    }
}

/// What the blocks of a tensor store to it, per row.
struct Stored {
    /// The tensor's first channel, and how many it has.
    start: u32,
    channels: u32,
    /// The columns stored, which go on behind the last channel.
    columns: Range<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Races {
    between_workgroups: bool,
    inside_workgroups: bool,
}

impl Stored {
    /// `None`: no block begins in the tensor.
    fn new(shape: &Shape, tensor: Tensor) -> Option<Self> {
        let Range { start, end } = shape.channels(tensor);
        let first = start.next_multiple_of(BLOCK);
        let behind = end.next_multiple_of(BLOCK).min(shape.dim());
        (first < end).then(|| Self { start, channels: end - start, columns: first - start..behind - start })
    }

    /// Two rows, `apart` from each other, meet where a column of the later one is one of the earlier one, `apart` times
    /// the channels further on. There are fewer than a block of such columns. Behind the last row nobody meets.
    fn races(&self, rows: &Rows, channels_of_invocation: u32) -> Races {
        let mut races = Races::default();
        let meets = |apart: &u32| apart.saturating_mul(self.channels) < self.columns.end - self.columns.start;
        for apart in (1..).take_while(meets) {
            let further = apart * self.channels;
            let (mut room, mut pairs) = (0, rows.pairs(apart, 0));
            for column in self.columns.start..self.columns.end - further {
                if column / self.channels != room {
                    room = column / self.channels;
                    pairs = rows.pairs(apart, room);
                }
                let [(block, invocation), (other_block, other_invocation)] =
                    [column, column + further].map(|column| self.owner(column, channels_of_invocation));
                races.between_workgroups |= pairs.of_two_chunks || pairs.of_one_chunk && block != other_block;
                races.inside_workgroups |= pairs.of_one_chunk && block == other_block && invocation != other_invocation;
            }
        }
        races
    }

    /// The block and the invocation that store a column.
    const fn owner(&self, column: u32, channels_of_invocation: u32) -> (u32, u32) {
        let channel = self.start + column;
        (channel / BLOCK, channel % BLOCK / channels_of_invocation)
    }
}
