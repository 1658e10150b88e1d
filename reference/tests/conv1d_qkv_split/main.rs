//! `conv1d_qkv_split`: what a problem may be, the oracle, the derived bound, and properties of the model.

mod oracle;
mod problem;
mod properties;
mod tolerance;

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};
use gridproof_reference::conv1d_qkv_split::{ElementType, Inputs, Problem, Shape, Sizes};

const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Flush },
    Arithmetic { multiply_add: MultiplyAdd::Separate, denormals: Denormals::Flush },
];

/// 3 sequences of 3, 8 and 17 tokens, 6 + 4 + 10 channels, 4 taps, 8 slots, dense, bf16 with a bias.
fn sizes() -> Sizes {
    Sizes {
        q: 6,
        k: 4,
        v: 10,
        width: 4,
        lengths: vec![3, 8, 17],
        slots: 8,
        stride: None,
        element: ElementType::Bf16,
        bias: true,
    }
}

fn shape(sizes: Sizes) -> Shape {
    Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"))
}

fn seeded(sizes: Sizes, cache_indices: &[i32], has_initial_state: &[i32], seed: u64) -> Problem {
    let problem = Problem::from_seed(shape(sizes), cache_indices, has_initial_state, seed);
    problem.unwrap_or_else(|error| panic!("{error}"))
}

/// `problem` with other inputs.
fn changed(problem: &Problem, change: impl FnOnce(&mut Inputs)) -> Problem {
    resized(problem, |_| {}, change)
}

/// `problem` with other sizes and inputs.
fn resized(problem: &Problem, resize: impl FnOnce(&mut Sizes), change: impl FnOnce(&mut Inputs)) -> Problem {
    let (mut sizes, mut inputs) = (problem.shape().sizes().clone(), problem.inputs().clone());
    resize(&mut sizes);
    change(&mut inputs);
    Problem::new(shape(sizes), inputs).unwrap_or_else(|error| panic!("{error}"))
}
