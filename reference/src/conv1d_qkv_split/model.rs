//! The kernels on the host, bit for bit: their order of operations and their rounding points.
//!
//! Every token and channel is on its own:
//!
//! ```text
//! sum    = bias, or 0
//! sum    = x_j * w_j + sum         one multiply-add for each tap, oldest first
//! output = rounded(silu_16(sum))
//! ```
//!
//! A product of two 16-bit numbers has at most 22 digits, so it is exact unless it is below 2^-126: devices whose
//! multiply-adds round once or twice differ in SiLU alone. The taps before a sequence without an initial state are zeros
//! and are multiplied like all others. New states are copies. The first contents of a slot are read, whoever writes it;
//! what a launch with broken indices does is not modelled.
//!
//! Loops go over arrays of channels, which `pulp` has compiled for the vector instructions that the machine has.
//! `plain.rs` is the same for reading.

use gridproof_launch::Arithmetic;
use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::element::ElementType;
use super::outputs::Outputs;
use super::problem::Problem;
use super::segment::{NewState, Segment, TOKENS, take_apart};
use super::shape::{Shape, WIDTHS};
use super::tensor::Tensor;
use crate::numerics::{Numerics, Profile};
use crate::with_profile;

/// Channels that are computed together.
const CHANNELS: usize = 128;

/// Most taps of a filter.
const TAPS: usize = *WIDTHS.end() as usize;

/// One number for each channel.
type Numbers = [f32; CHANNELS];

/// What a launch writes on a device with this arithmetic. The rows that it does not write are zeros.
pub fn run(problem: &Problem, arithmetic: Arithmetic) -> Outputs {
    let mut outputs = Outputs::default();
    run_into(problem, arithmetic, &mut outputs);
    outputs
}

/// As [`run`], into the memory of earlier outputs: the rows that a launch does not write stay as they are, as long as
/// the sizes are the same.
pub fn run_into(problem: &Problem, arithmetic: Arithmetic, outputs: &mut Outputs) {
    let tiles = tiles(problem);
    let (segments, states) = take_apart(problem, outputs);
    states.into_par_iter().for_each(NewState::copy);
    with_profile!(Numerics::new(arithmetic), |n| match problem.shape().element() {
        ElementType::Bf16 => all::<_, false>(n, &tiles, segments),
        ElementType::F16 => all::<_, true>(n, &tiles, segments),
    });
}

/// Runs all segments.
fn all<P: Profile, const HALF: bool>(numerics: Numerics<P>, tiles: &[Tile], segments: Vec<Segment<'_>>) {
    segments.into_par_iter().for_each(|segment| {
        pulp::Arch::new().dispatch(Task::<P, HALF> { numerics, tiles, segment });
    });
}

/// The filters of some neighbouring channels.
struct Tile {
    /// The first channel.
    channel: usize,
    /// How many channels; all others of the arrays are zeros.
    channels: usize,
    /// Oldest first.
    taps: Vec<Numbers>,
    bias: Numbers,
    /// Which of the channels go where.
    pieces: Vec<Piece>,
}

/// Neighbouring channels of a tile with one destination.
struct Piece {
    tensor: usize,
    /// Columns of the tensor.
    columns: usize,
    /// The first column.
    column: usize,
    /// The first channel of the tile.
    first: usize,
    channels: usize,
}

fn tiles(problem: &Problem) -> Vec<Tile> {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let (width, element) = (shape.width() as usize, shape.element());
    let tile = |channel: usize| {
        let channels = CHANNELS.min(shape.dim() as usize - channel);
        let numbers = |bits: &dyn Fn(usize) -> u16| -> Numbers {
            std::array::from_fn(|i| if i < channels { element.value(bits(channel + i)) } else { 0.0 })
        };
        Tile {
            channel,
            channels,
            taps: (0..width).map(|tap| numbers(&|channel| inputs.weight[channel * width + tap])).collect(),
            bias: if shape.bias() { numbers(&|channel| inputs.bias[channel]) } else { [0.0; CHANNELS] },
            pieces: pieces(shape, channel, channels),
        }
    };
    (0..shape.dim() as usize).step_by(CHANNELS).map(tile).collect()
}

fn pieces(shape: &Shape, channel: usize, channels: usize) -> Vec<Piece> {
    let piece = |(tensor, name): (usize, Tensor)| {
        let all = shape.channels(name);
        let (start, end) = ((all.start as usize).max(channel), (all.end as usize).min(channel + channels));
        (start < end).then(|| Piece {
            tensor,
            columns: all.len(),
            column: start - all.start as usize,
            first: start - channel,
            channels: end - start,
        })
    };
    Tensor::ALL.into_iter().enumerate().filter_map(piece).collect()
}

/// A segment, in one profile and over one type of data.
struct Task<'a, P: Profile, const HALF: bool> {
    numerics: Numerics<P>,
    tiles: &'a [Tile],
    segment: Segment<'a>,
}

impl<P: Profile, const HALF: bool> NullaryFnOnce for Task<'_, P, HALF> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (segment, mut window) = (self.segment, [[0.0; CHANNELS]; TOKENS + TAPS - 1]);
        for tile in self.tiles {
            let rows = segment.tokens + tile.taps.len() - 1;
            let mut bits = [0; CHANNELS];
            for (row, numbers) in (segment.first..).zip(&mut window[..rows]) {
                segment.reader.read(row, tile.channel, &mut bits[..tile.channels]);
                for i in 0..CHANNELS {
                    numbers[i] = element::<HALF>().value(bits[i]);
                }
            }
            for token in 0..segment.tokens {
                let mut sum = tile.bias;
                for (x, w) in window[token..].iter().zip(&tile.taps) {
                    for i in 0..CHANNELS {
                        sum[i] = self.numerics.multiply_add(x[i], w[i], sum[i]);
                    }
                }
                let mut bytes = [[0; 2]; CHANNELS];
                for i in 0..CHANNELS {
                    bytes[i] = element::<HALF>().rounded(self.numerics.silu_16(sum[i])).to_le_bytes();
                }
                for piece in &tile.pieces {
                    let row = segment.rows[piece.tensor].as_chunks_mut().0;
                    let first = token * piece.columns + piece.column;
                    row[first..][..piece.channels].copy_from_slice(&bytes[piece.first..][..piece.channels]);
                }
            }
        }
    }
}

#[inline(always)]
const fn element<const HALF: bool>() -> ElementType {
    if HALF { ElementType::F16 } else { ElementType::Bf16 }
}
