//! What a launch writes.

use std::collections::BTreeMap;

use super::tensor::Tensor;

/// What a launch writes, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// `[tokens, q]` elements. The rows of padded sequences are not written.
    pub q: Vec<u8>,
    /// `[tokens, k]` elements. The rows of padded sequences are not written.
    pub k: Vec<u8>,
    /// `[tokens, v]` elements. The rows of padded sequences are not written.
    pub v: Vec<u8>,
    /// By slot: the new `[width - 1, dim]` elements, for the slots of [`super::Problem::writers`].
    pub states: BTreeMap<u64, Vec<u8>>,
}

impl Outputs {
    /// The bytes of a tensor.
    pub fn tensor(&self, tensor: Tensor) -> &[u8] {
        match tensor {
            Tensor::Q => &self.q,
            Tensor::K => &self.k,
            Tensor::V => &self.v,
        }
    }

    /// The bytes of a tensor, to be written.
    pub fn tensor_mut(&mut self, tensor: Tensor) -> &mut Vec<u8> {
        match tensor {
            Tensor::Q => &mut self.q,
            Tensor::K => &mut self.k,
            Tensor::V => &mut self.v,
        }
    }
}
