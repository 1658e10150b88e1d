//! The model written for reading: one token and one channel at a time. `model.rs` must give its bits.

use gridproof_launch::Arithmetic;

use super::oracle::{Oracle, seen};
use super::outputs::Outputs;
use super::problem::Problem;
use super::tensor::Tensor;
use crate::numerics::Numerics;

/// As [`super::model::run`].
pub(super) fn run(problem: &Problem, arithmetic: Arithmetic) -> Outputs {
    let shape = problem.shape();
    let mut outputs = Outputs::default();
    for tensor in Tensor::ALL {
        outputs.tensor_mut(tensor).resize(2 * shape.output_elements(tensor), 0);
    }
    for sequence in problem.computed() {
        for token in 0..shape.length(sequence) {
            let row = (shape.rows(sequence).start + token) as usize;
            for channel in 0..shape.dim() {
                let (tensor, column) = shape.destination(channel);
                let element = row * shape.channels(tensor).len() + column as usize;
                let bits = output(problem, arithmetic, sequence, token, channel);
                outputs.tensor_mut(tensor)[2 * element..][..2].copy_from_slice(&bits.to_le_bytes());
            }
        }
    }
    for (slot, state) in Oracle::states(problem) {
        outputs.states.insert(slot, state.iter().flat_map(|bits| bits.to_le_bytes()).collect());
    }
    outputs
}

fn output(problem: &Problem, arithmetic: Arithmetic, sequence: u32, token: u32, channel: u32) -> u16 {
    let (n, shape, inputs) = (Numerics::new(arithmetic), problem.shape(), problem.inputs());
    let element = shape.element();
    let mut sum = if shape.bias() { element.value(inputs.bias[channel as usize]) } else { 0.0 };
    for tap in 0..shape.width() {
        let position = i64::from(token) - i64::from(shape.history()) + i64::from(tap);
        let weight = inputs.weight[(channel * shape.width() + tap) as usize];
        sum = n.multiply_add(element.value(seen(problem, sequence, position, channel)), element.value(weight), sum);
    }
    element.rounded(n.silu_16(sum))
}
