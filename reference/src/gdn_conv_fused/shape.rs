//! Sizes, their limits, and where things lie in the rows of a tensor.
//!
//! Heads of 128 by 128 and a convolution over 4 tokens come from intel/llm-scaler pull request 356. Every buffer must
//! have byte offsets that fit in a signed 64-bit integer, the type in which kernels compute them.

use super::error::ProblemError;
pub use crate::delta_rule::HEAD;

/// Taps of the convolution: a token and the three before it.
pub const TAPS: u32 = 4;

/// Rows of a convolution state: the tokens before, oldest first.
pub const ROWS: u32 = TAPS - 1;

/// Largest byte length of a buffer.
pub const BYTES_LIMIT: u64 = i64::MAX.cast_unsigned();

/// Bytes of an f16.
const ELEMENT: u64 = 2;

const HEAD_64: u64 = HEAD as u64;

/// The order of the columns of `qkvz` and `ba`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layout {
    /// `qkvz`: q of all key heads, k of all key heads, v of all value heads, z of all value heads. `ba`: b of all value
    /// heads, a of all value heads.
    Sequential,
    /// For each key head. `qkvz`: its q, its k, v of its value heads, z of its value heads. `ba`: b of its value heads,
    /// a of its value heads.
    Interleaved,
}

/// Sizes as they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sizes {
    /// Requests, of one token each.
    pub n: u32,
    /// Key heads.
    pub h: u32,
    /// Value heads.
    pub hv: u32,
    /// Elements of a key head.
    pub k: u32,
    /// Elements of a value head.
    pub v: u32,
    /// Slots of both pools of states.
    pub pool: u64,
    /// Order of the columns of the projections.
    pub layout: Layout,
}

/// Checked sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    sizes: Sizes,
}

impl Shape {
    /// The sizes, checked.
    ///
    /// # Errors
    /// When one is outside its limits, or a buffer would have more than [`BYTES_LIMIT`] bytes.
    pub fn new(sizes: Sizes) -> Result<Self, ProblemError> {
        let Sizes { n, h, hv, k, v, pool, .. } = sizes;
        if n == 0 {
            return Err(ProblemError::NoRequests);
        }
        if h == 0 || hv == 0 {
            return Err(ProblemError::NoHeads { h, hv });
        }
        if !hv.is_multiple_of(h) {
            return Err(ProblemError::UnequalGroups { h, hv });
        }
        if k != HEAD || v != HEAD {
            return Err(ProblemError::HeadSize { n, h, hv, k, v });
        }
        if pool == 0 {
            return Err(ProblemError::NoSlots);
        }
        let shape = Self { sizes };
        shape.check_bytes()?;
        Ok(shape)
    }

    /// Every product of sizes that anybody forms later on fits, once these do. Those of one slot always fit.
    fn check_bytes(&self) -> Result<(), ProblemError> {
        for (buffer, factors) in [
            ("qkvz", [u64::from(self.n()), self.qkvz_columns(), ELEMENT]),
            ("conv_state", [self.pool(), self.conv_slot_elements(), ELEMENT]),
            ("ssm_state", [self.pool(), self.ssm_slot_elements(), ELEMENT]),
        ] {
            let bytes = factors.into_iter().try_fold(1, u64::checked_mul);
            if bytes.is_none_or(|bytes| bytes > BYTES_LIMIT) {
                return Err(ProblemError::BufferTooLarge { buffer, factors });
            }
        }
        Ok(())
    }

    /// The sizes as they were asked for.
    pub const fn sizes(self) -> Sizes {
        self.sizes
    }

    /// Requests (N).
    pub const fn n(self) -> u32 {
        self.sizes.n
    }

    /// Key heads (H).
    pub const fn h(self) -> u32 {
        self.sizes.h
    }

    /// Value heads (HV).
    pub const fn hv(self) -> u32 {
        self.sizes.hv
    }

    /// Slots of both pools.
    pub const fn pool(self) -> u64 {
        self.sizes.pool
    }

    /// Order of the columns of `qkvz` and `ba`.
    pub const fn layout(self) -> Layout {
        self.sizes.layout
    }

    /// Value heads that share a key head (R): HV / H.
    pub const fn group(self) -> u32 {
        self.sizes.hv / self.sizes.h
    }

    /// The key head of value head `hv`: neighbours share one.
    pub const fn key_head(self, hv: u32) -> u32 {
        hv / self.group()
    }

    /// Channels of the convolution: q, k and v of all heads. Always even.
    pub const fn dim(self) -> u64 {
        (2 * self.sizes.h as u64 + self.sizes.hv as u64) * HEAD_64
    }

    /// Columns of `qkvz`: the channels, and z of all value heads.
    pub const fn qkvz_columns(self) -> u64 {
        self.dim() + self.sizes.hv as u64 * HEAD_64
    }

    /// Columns of `ba`: two gates for every value head.
    pub const fn ba_columns(self) -> u64 {
        2 * self.sizes.hv as u64
    }

    /// Elements of the convolution state of one request: 3 rows of all channels.
    pub const fn conv_slot_elements(self) -> u64 {
        ROWS as u64 * self.dim()
    }

    /// Bytes of the convolution state of one request.
    pub const fn conv_slot_bytes(self) -> u64 {
        self.conv_slot_elements() * ELEMENT
    }

    /// Bytes of the pool of convolution states.
    pub const fn conv_pool_bytes(self) -> u64 {
        self.sizes.pool * self.conv_slot_bytes()
    }

    /// Elements of the recurrent state of one request: HV * V * K.
    pub const fn ssm_slot_elements(self) -> u64 {
        self.sizes.hv as u64 * HEAD_64 * HEAD_64
    }

    /// Bytes of the recurrent state of one request.
    pub const fn ssm_slot_bytes(self) -> u64 {
        self.ssm_slot_elements() * ELEMENT
    }

    /// Bytes of the pool of recurrent states.
    pub const fn ssm_pool_bytes(self) -> u64 {
        self.sizes.pool * self.ssm_slot_bytes()
    }

    /// Elements of `qkvz`.
    pub const fn qkvz_elements(self) -> usize {
        self.sizes.n as usize * self.qkvz_columns() as usize
    }

    /// Elements of `ba`.
    pub const fn ba_elements(self) -> usize {
        self.sizes.n as usize * self.ba_columns() as usize
    }

    /// Elements of the output, and of `z_out`: N * HV * 128.
    pub const fn output_elements(self) -> usize {
        self.sizes.n as usize * self.sizes.hv as usize * HEAD as usize
    }

    /// The first channel of q of key head `h`; 128 follow each other.
    pub const fn q_channel(self, h: u32) -> u64 {
        h as u64 * HEAD_64
    }

    /// The first channel of k of key head `h`.
    pub const fn k_channel(self, h: u32) -> u64 {
        (self.sizes.h as u64 + h as u64) * HEAD_64
    }

    /// The first channel of v of value head `hv`.
    pub const fn v_channel(self, hv: u32) -> u64 {
        (2 * self.sizes.h as u64 + hv as u64) * HEAD_64
    }

    /// The column of `qkvz` that holds channel `channel`, which is less than `dim`. The 128 channels of a head lie in
    /// neighbouring columns.
    pub const fn channel_column(self, channel: u64) -> u64 {
        let (head, element) = (channel / HEAD_64, channel % HEAD_64);
        let (keys, group) = (self.sizes.h as u64, self.group() as u64);
        match self.sizes.layout {
            Layout::Sequential => channel,
            Layout::Interleaved if head < keys => head * self.interval() + element,
            Layout::Interleaved if head < 2 * keys => (head - keys) * self.interval() + HEAD_64 + element,
            Layout::Interleaved => {
                let hv = head - 2 * keys;
                hv / group * self.interval() + (2 + hv % group) * HEAD_64 + element
            }
        }
    }

    /// The column of `qkvz` with the first of the 128 elements of z of value head `hv`.
    pub const fn z_column(self, hv: u32) -> u64 {
        match self.sizes.layout {
            Layout::Sequential => self.dim() + hv as u64 * HEAD_64,
            Layout::Interleaved => self.channel_column(self.v_channel(hv)) + self.group() as u64 * HEAD_64,
        }
    }

    /// Columns of `qkvz` from one key head to the next, where they are interleaved.
    const fn interval(self) -> u64 {
        (2 + 2 * self.group() as u64) * HEAD_64
    }

    /// The column of `ba` with b, the argument of the gate for writing, of value head `hv`.
    pub const fn b_column(self, hv: u32) -> u64 {
        match self.sizes.layout {
            Layout::Sequential => hv as u64,
            Layout::Interleaved => hv as u64 + (hv / self.group()) as u64 * self.group() as u64,
        }
    }

    /// The column of `ba` with a, the argument of the decay, of value head `hv`.
    pub const fn a_column(self, hv: u32) -> u64 {
        match self.sizes.layout {
            Layout::Sequential => self.sizes.hv as u64 + hv as u64,
            Layout::Interleaved => self.b_column(hv) + self.group() as u64,
        }
    }
}
