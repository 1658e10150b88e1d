//! The problem: sizes, their limits, the tensors, and data from a seed.
//!
//! Limits come from intel/llm-scaler pull request 399 and from the kernel's 32-bit byte offsets. Upstream
//! silently drops the tail of a k that is no multiple of 512; here it is refused.

use rayon::prelude::*;

use crate::numerics::half::f32_to_f16;
use crate::q4_0;
use crate::random::Random;

/// The epsilon added to the mean square.
pub const EPSILON: f32 = 1e-6;

/// Elements per step of upstream's widest loop: k must be a multiple.
pub const K_STEP: u32 = 512;

/// Largest byte length of a tensor: offsets inside it fit in 32 bits.
pub const TENSOR_BYTES_LIMIT: u64 = (1 << 32) - 1;

/// Why a problem cannot be posed. Always the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// No output row.
    #[error("n = {n}: at least 1 output row is required")]
    NoRows {
        /// Output rows.
        n: u32,
    },
    /// No input element.
    #[error("k = {k}: at least {K_STEP} input elements are required")]
    NoElements {
        /// Input elements.
        k: u32,
    },
    /// A group of weights would have no scale of its own.
    #[error("k = {k} is not a multiple of 128: the last {} elements would be a partial weight group without a scale", k % 128)]
    PartialGroup {
        /// Input elements.
        k: u32,
    },
    /// Upstream's loop would drop the last elements.
    #[error("k = {k} is not a multiple of {K_STEP}: the last {} elements would be dropped by the {K_STEP}-wide loop", k % K_STEP)]
    DroppedTail {
        /// Input elements.
        k: u32,
    },
    /// A byte offset would not fit in 32 bits.
    #[error(
        "n = {n}, k = {k}: tensor `{tensor}` takes {bytes} bytes, more than the {TENSOR_BYTES_LIMIT} that 32-bit byte offsets reach"
    )]
    TensorTooLarge {
        /// Output rows.
        n: u32,
        /// Input elements.
        k: u32,
        /// The tensor's name.
        tensor: &'static str,
        /// Bytes it would take.
        bytes: u64,
    },
    /// A tensor is not as long as the sizes ask.
    #[error("tensor `{tensor}` has {actual} {unit}, but n = {n}, k = {k} ask for {expected}")]
    TensorLength {
        /// The tensor's name.
        tensor: &'static str,
        /// What is counted: elements, bytes or scales.
        unit: &'static str,
        /// Length given.
        actual: u64,
        /// Length the sizes ask for.
        expected: u64,
        /// Output rows.
        n: u32,
        /// Input elements.
        k: u32,
    },
}

/// Checked sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    n: u32,
    k: u32,
}

impl Shape {
    /// `n` output rows over `k` input elements.
    ///
    /// # Errors
    /// When n is 0, k is no multiple of 512, or a tensor would outgrow 32-bit byte offsets.
    pub fn new(n: u32, k: u32) -> Result<Self, ProblemError> {
        if n == 0 {
            return Err(ProblemError::NoRows { n });
        }
        if k == 0 {
            return Err(ProblemError::NoElements { k });
        }
        if !k.is_multiple_of(128) {
            return Err(ProblemError::PartialGroup { k });
        }
        if !k.is_multiple_of(K_STEP) {
            return Err(ProblemError::DroppedTail { k });
        }
        let (rows, elements) = (u64::from(n), u64::from(k));
        for (tensor, bytes) in [("hidden", 2 * elements), ("weight", rows * (elements / 2)), ("output", 4 * rows)] {
            if bytes > TENSOR_BYTES_LIMIT {
                return Err(ProblemError::TensorTooLarge { n, k, tensor, bytes });
            }
        }
        Ok(Self { n, k })
    }

    /// Output rows.
    pub const fn n(self) -> u32 {
        self.n
    }

    /// Input elements.
    pub const fn k(self) -> u32 {
        self.k
    }

    /// Output rows, as a length.
    pub const fn rows(self) -> usize {
        self.n as usize
    }

    /// Input elements, as a length.
    pub const fn elements(self) -> usize {
        self.k as usize
    }

    /// Bytes of one row of `weight`.
    pub const fn weight_row(self) -> usize {
        self.elements() / 2
    }

    /// Scales of one row.
    pub const fn scale_row(self) -> usize {
        self.elements() / q4_0::GROUP
    }

    /// 1 / k, rounded to f32: the kernel multiplies by it. (k itself is exact in f32 below 2^24 and
    /// rounded above.)
    #[expect(clippy::cast_precision_loss, reason = "documented")]
    pub fn reciprocal_k(self) -> f32 {
        1.0 / self.k as f32
    }

    /// Invocation groups that share a row in the fused kernel (upstream's `ks`).
    ///
    /// 8 for n <= 128 and k >= 2048, 4 for n <= 512 and k >= 2048, 2 for n <= 512 and k >= 512, else 1;
    /// halved while a group's share would not be a whole number of weight groups.
    pub const fn groups(self) -> u32 {
        let mut groups = match (self.n, self.k) {
            (..=128, 2048..) => 8,
            (..=512, 2048..) => 4,
            (..=512, 512..) => 2,
            _ => 1,
        };
        while groups > 1 && !self.k.is_multiple_of(groups * 128) {
            groups /= 2;
        }
        groups
    }
}

/// The tensors, as raw bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// `[k]` fp16 bits.
    pub hidden: Vec<u16>,
    /// `[k]` fp16 bits; updated in place by the kernel.
    pub residual: Vec<u16>,
    /// `[k]` fp16 bits, already 1 + w.
    pub norm_weight: Vec<u16>,
    /// `[n, k / 2]` bytes, two 4-bit elements each.
    pub weight: Vec<u8>,
    /// `[n, k / 128]` fp16 bits.
    pub scale: Vec<u16>,
}

/// A checked problem: sizes and tensors that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    shape: Shape,
    inputs: Inputs,
}

impl Problem {
    /// A problem over given tensors.
    ///
    /// # Errors
    /// When a tensor is not as long as `shape` asks.
    pub fn new(shape: Shape, inputs: Inputs) -> Result<Self, ProblemError> {
        let (rows, elements) = (shape.rows(), shape.elements());
        for (tensor, unit, actual, expected) in [
            ("hidden", "elements", inputs.hidden.len(), elements),
            ("residual", "elements", inputs.residual.len(), elements),
            ("norm_weight", "elements", inputs.norm_weight.len(), elements),
            ("weight", "bytes", inputs.weight.len(), rows * shape.weight_row()),
            ("scale", "scales", inputs.scale.len(), rows * shape.scale_row()),
        ] {
            if actual != expected {
                let (actual, expected) = (actual as u64, expected as u64);
                return Err(ProblemError::TensorLength { tensor, unit, actual, expected, n: shape.n, k: shape.k });
            }
        }
        Ok(Self { shape, inputs })
    }

    /// Data from a seed: hidden and residual from N(0, 1), norm_weight from 1 + 0.1 N(0, 1), weights from
    /// N(0, 1) and then quantised.
    pub fn from_seed(shape: Shape, seed: u64) -> Self {
        let (weight, scale) = quantised(shape, UnquantisedWeights::new(shape, seed));
        let normal = |name| half_tensor(shape, Random::new(seed, name), 0.0, 1.0);
        let inputs = Inputs {
            hidden: normal("hidden"),
            residual: normal("residual"),
            norm_weight: half_tensor(shape, Random::new(seed, "norm_weight"), 1.0, 0.1),
            weight,
            scale,
        };
        Self { shape, inputs }
    }

    /// The sizes.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The tensors.
    pub const fn inputs(&self) -> &Inputs {
        &self.inputs
    }
}

/// The weights of [`Problem::from_seed`] before quantisation, made again row by row.
#[derive(Clone, Copy, Debug)]
pub struct UnquantisedWeights {
    shape: Shape,
    stream: Random,
}

impl UnquantisedWeights {
    /// The weights of the problem with this shape and seed.
    pub fn new(shape: Shape, seed: u64) -> Self {
        Self { shape, stream: Random::new(seed, "weight") }
    }

    /// Row `n`: k numbers.
    pub fn row(self, n: usize) -> Vec<f32> {
        let elements = self.shape.elements();
        (0..elements).map(|element| self.element(n * elements + element)).collect()
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    fn element(self, position: usize) -> f32 {
        self.stream.normal(position as u64) as f32
    }
}

fn half_tensor(shape: Shape, stream: Random, mean: f64, deviation: f64) -> Vec<u16> {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    let element = |index| f32_to_f16((mean + deviation * stream.normal(index)) as f32);
    (0..u64::from(shape.k)).map(element).collect()
}

fn quantised(shape: Shape, weights: UnquantisedWeights) -> (Vec<u8>, Vec<u16>) {
    let mut packed = vec![0; shape.rows() * shape.weight_row()];
    let mut scales = vec![0; shape.rows() * shape.scale_row()];
    let groups = packed.par_chunks_exact_mut(q4_0::GROUP / 2).zip(&mut scales);
    groups.enumerate().for_each(|(position, (bytes, scale))| {
        let group = q4_0::quantise(&std::array::from_fn(|i| weights.element(position * q4_0::GROUP + i)));
        bytes.copy_from_slice(&group.packed);
        *scale = group.scale;
    });
    (packed, scales)
}
