//! Sizes and their limits.
//!
//! Limits come from flashinfer pull requests 3147 and 3145: heads of 128 by 128, 1 to 8 tokens a call, rows of
//! intermediate states for at least as many steps as there are tokens. Every buffer must have byte offsets that fit in
//! a signed 64-bit integer, the type in which kernels compute them.

use super::error::ProblemError;
pub use crate::delta_rule::HEAD;

/// Most tokens of one call.
pub const MOST_TOKENS: u32 = 8;

/// Elements by which a slot stride must be divisible: lanes load 16 bytes of 16-bit elements.
pub const STRIDE_STEP: u64 = 8;

/// Largest byte length of a buffer.
pub const BYTES_LIMIT: u64 = i64::MAX.cast_unsigned();

/// Type of the elements of the pool and of the intermediate states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StateType {
    /// bfloat16. Slot 0 of the pool is the null slot.
    Bf16,
    /// f32. Slot 0 is a slot like any other.
    F32,
}

impl StateType {
    /// Bytes of an element.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Bf16 => 2,
            Self::F32 => 4,
        }
    }
}

/// Sizes as they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sizes {
    /// Requests.
    pub b: u32,
    /// Tokens of every request.
    pub t: u32,
    /// Key heads.
    pub h: u32,
    /// Value heads.
    pub hv: u32,
    /// Elements of a key head.
    pub k: u32,
    /// Elements of a value head.
    pub v: u32,
    /// Slots of the pool.
    pub pool: u64,
    /// Elements from one slot to the next; `None`: the slots lie one after the other.
    pub stride: Option<u64>,
    /// Rows of `intermediate_states` per request; `None`: one per token.
    pub steps: Option<u32>,
    /// Type of the states.
    pub state: StateType,
    /// Whether final states are written to the pool.
    pub update: bool,
    /// Whether the state after every token is written to `intermediate_states`.
    pub cache_intermediate: bool,
}

/// Checked sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    sizes: Sizes,
    stride: u64,
    steps: u32,
}

impl Shape {
    /// The sizes, checked.
    ///
    /// # Errors
    /// When one is outside its limits, or a buffer would have more than [`BYTES_LIMIT`] bytes.
    pub fn new(sizes: Sizes) -> Result<Self, ProblemError> {
        let Sizes { b, t, h, hv, k, v, pool, .. } = sizes;
        if b == 0 {
            return Err(ProblemError::NoRequests);
        }
        if t == 0 || t > MOST_TOKENS {
            return Err(ProblemError::Tokens { t });
        }
        if h == 0 || hv == 0 {
            return Err(ProblemError::NoHeads { h, hv });
        }
        if !hv.is_multiple_of(h) {
            return Err(ProblemError::UnequalGroups { h, hv });
        }
        if k != HEAD || v != HEAD {
            return Err(ProblemError::HeadSize { b, t, h, hv, k, v });
        }
        if pool == 0 {
            return Err(ProblemError::NoSlots);
        }
        let slot = u64::from(hv) * u64::from(HEAD * HEAD);
        let stride = sizes.stride.unwrap_or(slot);
        if stride < slot {
            return Err(ProblemError::StrideTooSmall { stride, slot, hv });
        }
        if !stride.is_multiple_of(STRIDE_STEP) {
            return Err(ProblemError::StrideUnaligned { stride });
        }
        let steps = sizes.steps.unwrap_or(t);
        if steps < t {
            return Err(ProblemError::TooFewSteps { steps, t });
        }
        let shape = Self { sizes, stride, steps };
        shape.check_bytes()?;
        Ok(shape)
    }

    /// Every product of sizes that anybody forms later on fits, once these do.
    fn check_bytes(&self) -> Result<(), ProblemError> {
        let Sizes { b, t, h, hv, pool, state, .. } = self.sizes;
        let slot = u64::from(hv) * u64::from(HEAD * HEAD);
        let tokens = u64::from(b) * u64::from(t);
        let element = u64::from(state.bytes());
        for (buffer, factors) in [
            ("q", [tokens, u64::from(h), 2 * u64::from(HEAD)]),
            ("v", [tokens, u64::from(hv), 2 * u64::from(HEAD)]),
            ("state_pool", [pool, self.stride, element]),
            ("intermediate_states", [u64::from(b) * u64::from(self.steps), slot, element]),
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

    /// Requests (B).
    pub const fn b(self) -> u32 {
        self.sizes.b
    }

    /// Tokens of every request (T).
    pub const fn t(self) -> u32 {
        self.sizes.t
    }

    /// Key heads (H).
    pub const fn h(self) -> u32 {
        self.sizes.h
    }

    /// Value heads (HV).
    pub const fn hv(self) -> u32 {
        self.sizes.hv
    }

    /// Slots of the pool.
    pub const fn pool(self) -> u64 {
        self.sizes.pool
    }

    /// Elements from one slot to the next.
    pub const fn stride(self) -> u64 {
        self.stride
    }

    /// Whether the slots lie one after the other.
    pub const fn is_dense(self) -> bool {
        self.stride == self.slot_elements()
    }

    /// Rows of `intermediate_states` per request.
    pub const fn steps(self) -> u32 {
        self.steps
    }

    /// Type of the states.
    pub const fn state(self) -> StateType {
        self.sizes.state
    }

    /// Whether final states are written to the pool.
    pub const fn update(self) -> bool {
        self.sizes.update
    }

    /// Whether the state after every token is written to `intermediate_states`.
    pub const fn cache_intermediate(self) -> bool {
        self.sizes.cache_intermediate
    }

    /// The key head of value head `hv`: neighbours share one.
    pub const fn key_head(self, hv: u32) -> u32 {
        hv / (self.sizes.hv / self.sizes.h)
    }

    /// Elements of the state of one request: HV * V * K.
    pub const fn slot_elements(self) -> u64 {
        self.sizes.hv as u64 * (HEAD * HEAD) as u64
    }

    /// Bytes of the state of one request, without padding.
    pub const fn slot_bytes(self) -> u64 {
        self.slot_elements() * self.sizes.state.bytes() as u64
    }

    /// Bytes from one slot to the next.
    pub const fn stride_bytes(self) -> u64 {
        self.stride * self.sizes.state.bytes() as u64
    }

    /// Bytes of the whole pool, padding included.
    pub const fn pool_bytes(self) -> u64 {
        self.sizes.pool * self.stride_bytes()
    }

    /// Bytes of `intermediate_states`, `[B, steps, HV, V, K]`, whether it is cached or not.
    pub const fn intermediate_bytes(self) -> u64 {
        self.sizes.b as u64 * self.steps as u64 * self.slot_bytes()
    }

    /// Elements of `q`, and of `k`: B * T * H * 128.
    pub const fn key_elements(self) -> usize {
        self.sizes.b as usize * self.sizes.t as usize * self.sizes.h as usize * HEAD as usize
    }

    /// Elements of `a`, and of `b`: B * T * HV.
    pub const fn gates(self) -> usize {
        self.sizes.b as usize * self.sizes.t as usize * self.sizes.hv as usize
    }

    /// Elements of `v`, and of the output: B * T * HV * 128.
    pub const fn value_elements(self) -> usize {
        self.gates() * HEAD as usize
    }
}
