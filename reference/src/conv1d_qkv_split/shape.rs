//! Sizes and their limits.
//!
//! Sequences and tokens are counted in i32, the type of the index tensors; channels too. Every buffer must have byte
//! offsets that fit in a signed 64-bit integer, the type in which kernels compute them.

use std::ops::{Range, RangeInclusive};

use super::element::ElementType;
use super::error::ProblemError;
use super::tensor::Tensor;

/// Taps that a filter may have.
pub const WIDTHS: RangeInclusive<u32> = 2..=4;

/// Most channels of q, k and v together.
pub const CHANNELS_LIMIT: u32 = i32::MAX.cast_unsigned();

/// Most sequences of a call.
pub const SEQUENCES_LIMIT: u32 = i32::MAX.cast_unsigned();

/// Most tokens of all sequences.
pub const TOKENS_LIMIT: u32 = i32::MAX.cast_unsigned();

/// Largest byte length of a buffer.
pub const BYTES_LIMIT: u64 = i64::MAX.cast_unsigned();

/// Sizes as they are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sizes {
    /// Channels of q.
    pub q: u32,
    /// Channels of k.
    pub k: u32,
    /// Channels of v.
    pub v: u32,
    /// Taps of the filter.
    pub width: u32,
    /// Tokens of each sequence; 0 is allowed.
    pub lengths: Vec<u32>,
    /// Slots of `conv_state`.
    pub slots: u64,
    /// Elements from one token of x to the next; `None`: the tokens lie one after the other.
    pub stride: Option<u64>,
    /// Type of the data.
    pub element: ElementType,
    /// Whether a bias is added.
    pub bias: bool,
}

/// Checked sizes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    sizes: Sizes,
    dim: u32,
    stride: u64,
    /// `[B + 1]` first tokens of the sequences, and the number of tokens.
    starts: Vec<u32>,
}

impl Shape {
    /// The sizes, checked.
    ///
    /// # Errors
    /// When one is outside its limits, or a buffer would have more than [`BYTES_LIMIT`] bytes.
    pub fn new(sizes: Sizes) -> Result<Self, ProblemError> {
        let dim = check_channels(&sizes)?;
        if !WIDTHS.contains(&sizes.width) {
            return Err(ProblemError::Width { width: sizes.width });
        }
        check_sequences(sizes.lengths.len())?;
        let starts = starts(&sizes.lengths)?;
        if sizes.slots == 0 {
            return Err(ProblemError::NoSlots);
        }
        let stride = sizes.stride.unwrap_or(u64::from(dim));
        if stride < u64::from(dim) {
            return Err(ProblemError::StrideTooSmall { stride, dim });
        }
        if dim.is_multiple_of(2) && !stride.is_multiple_of(2) {
            return Err(ProblemError::StrideOdd { stride, dim });
        }
        let shape = Self { sizes, dim, stride, starts };
        shape.check_bytes()?;
        Ok(shape)
    }

    /// Every product of sizes that anybody forms later on fits, once these do: outputs are no larger than x.
    fn check_bytes(&self) -> Result<(), ProblemError> {
        for (buffer, factors) in [
            ("x", [u64::from(self.tokens()), self.stride, ElementType::BYTES]),
            ("weight", [u64::from(self.dim), u64::from(self.width()), ElementType::BYTES]),
            ("conv_state", [self.slots(), self.state_elements(), ElementType::BYTES]),
        ] {
            let bytes = factors.into_iter().try_fold(1, u64::checked_mul);
            if bytes.is_none_or(|bytes| bytes > BYTES_LIMIT) {
                return Err(ProblemError::BufferTooLarge { buffer, factors });
            }
        }
        Ok(())
    }

    /// The sizes as they were asked for.
    pub const fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Channels of q.
    pub const fn q(&self) -> u32 {
        self.sizes.q
    }

    /// Channels of k.
    pub const fn k(&self) -> u32 {
        self.sizes.k
    }

    /// Channels of v.
    pub const fn v(&self) -> u32 {
        self.sizes.v
    }

    /// Channels of x: those of q, then of k, then of v.
    pub const fn dim(&self) -> u32 {
        self.dim
    }

    /// The channels of x that become `tensor`.
    pub const fn channels(&self, tensor: Tensor) -> Range<u32> {
        match tensor {
            Tensor::Q => 0..self.sizes.q,
            Tensor::K => self.sizes.q..self.sizes.q + self.sizes.k,
            Tensor::V => self.sizes.q + self.sizes.k..self.dim,
        }
    }

    /// Where channel `channel` of x, which is below [`Shape::dim`], goes: the tensor and its column.
    pub const fn destination(&self, channel: u32) -> (Tensor, u32) {
        let (q, k) = (self.sizes.q, self.sizes.k);
        if channel < q {
            (Tensor::Q, channel)
        } else if channel < q + k {
            (Tensor::K, channel - q)
        } else {
            (Tensor::V, channel - q - k)
        }
    }

    /// Taps of the filter.
    pub const fn width(&self) -> u32 {
        self.sizes.width
    }

    /// Rows of a state: the tokens that a filter reaches back, `width - 1`.
    pub const fn history(&self) -> u32 {
        self.sizes.width - 1
    }

    /// Sequences (B).
    pub const fn sequences(&self) -> u32 {
        // Fits, as it was checked.
        self.sizes.lengths.len() as u32
    }

    /// Tokens of all sequences, rows of x and of the outputs.
    pub fn tokens(&self) -> u32 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Tokens of a sequence; 0 if there is no such sequence.
    pub fn length(&self, sequence: u32) -> u32 {
        self.sizes.lengths.get(sequence as usize).copied().unwrap_or(0)
    }

    /// The tokens of a sequence, among all; none behind all if there is no such sequence.
    pub fn rows(&self, sequence: u32) -> Range<u32> {
        let start = self.starts.get(sequence as usize).copied().unwrap_or(self.tokens());
        start..start + self.length(sequence)
    }

    /// The `query_start_loc` that belongs to these lengths: `[B + 1]`.
    pub fn query_start_loc(&self) -> Vec<i32> {
        self.starts.iter().map(|start| start.cast_signed()).collect()
    }

    /// Slots of `conv_state`.
    pub const fn slots(&self) -> u64 {
        self.sizes.slots
    }

    /// Elements from one token of x to the next.
    pub const fn stride(&self) -> u64 {
        self.stride
    }

    /// Whether the tokens of x lie one after the other.
    pub const fn is_dense(&self) -> bool {
        self.stride == self.dim as u64
    }

    /// Type of the data.
    pub const fn element(&self) -> ElementType {
        self.sizes.element
    }

    /// Whether a bias is added.
    pub const fn bias(&self) -> bool {
        self.sizes.bias
    }

    /// Elements of x, `[tokens, stride]`.
    pub fn x_elements(&self) -> usize {
        self.tokens() as usize * self.stride as usize
    }

    /// Elements of the weight, `[dim, width]`.
    pub const fn weight_elements(&self) -> usize {
        self.dim as usize * self.sizes.width as usize
    }

    /// Elements of an output, `[tokens, channels]`.
    pub fn output_elements(&self, tensor: Tensor) -> usize {
        self.tokens() as usize * self.channels(tensor).len()
    }

    /// Elements of a state, `[width - 1, dim]`.
    pub const fn state_elements(&self) -> u64 {
        self.history() as u64 * self.dim as u64
    }

    /// Bytes of a state.
    pub const fn state_bytes(&self) -> u64 {
        self.state_elements() * ElementType::BYTES
    }

    /// Bytes of the whole `conv_state`.
    pub const fn conv_state_bytes(&self) -> u64 {
        self.sizes.slots * self.state_bytes()
    }
}

/// All channels.
fn check_channels(sizes: &Sizes) -> Result<u32, ProblemError> {
    let &Sizes { q, k, v, .. } = sizes;
    if q == 0 || k == 0 || v == 0 {
        return Err(ProblemError::NoChannels { q, k, v });
    }
    let dim = u64::from(q) + u64::from(k) + u64::from(v);
    let fits = u32::try_from(dim).ok().filter(|&dim| dim <= CHANNELS_LIMIT);
    fits.ok_or(ProblemError::TooManyChannels { q, k, v, dim })
}

fn check_sequences(sequences: usize) -> Result<(), ProblemError> {
    match sequences {
        0 => Err(ProblemError::NoSequences),
        _ if sequences > SEQUENCES_LIMIT as usize => Err(ProblemError::TooManySequences { sequences }),
        _ => Ok(()),
    }
}

/// Where sequences of these lengths start, and the last one ends.
fn starts(lengths: &[u32]) -> Result<Vec<u32>, ProblemError> {
    let mut starts = Vec::with_capacity(lengths.len() + 1);
    let mut end = 0_u32;
    starts.push(end);
    for (sequence, &length) in (0..).zip(lengths) {
        let tokens = u64::from(end) + u64::from(length);
        let fits = u32::try_from(tokens).ok().filter(|&tokens| tokens <= TOKENS_LIMIT);
        end = fits.ok_or(ProblemError::TooManyTokens { tokens, sequence })?;
        starts.push(end);
    }
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_sequences_than_indices_can_count_are_refused() {
        assert_eq!(check_sequences(2_147_483_647), Ok(()));
        let refused = check_sequences(2_147_483_648).map_err(|error| error.to_string());
        assert_eq!(refused, Err("lengths has 2147483648 sequences, more than 2147483647".to_owned()));
    }
}
