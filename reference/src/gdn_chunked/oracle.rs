//! The answer in f64, one token after the other, written for reading: what the outputs would be without any rounding.
//!
//! The recurrence is that of [`crate::delta_rule::oracle`]. Chunks do not exist here. The convolution's state is only
//! copied, so there is nothing to say of it.

use rayon::prelude::*;

use super::problem::Problem;
use super::sequence::{Sequence, Taps, gate_weights};
use crate::delta_rule::ELEMENTS;
pub use crate::delta_rule::oracle::L2Norm;
use crate::delta_rule::oracle::{Arguments, Token, Vector, recurrence};

/// The unrounded outputs of a problem.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Oracle {
    /// `[tokens, HV, 128]`
    pub output: Vec<f64>,
    /// `[tokens, HV, 128]` before norm and gate.
    pub core: Vec<f64>,
    /// `[sequences, HV, V, K]` after the last token.
    pub state: Vec<f64>,
}

impl Oracle {
    /// The answer to `problem`, with queries and keys normed in the given way.
    pub fn new(problem: &Problem, norm: L2Norm) -> Self {
        let shape = problem.shape();
        let zeros = vec![0.0; shape.head_elements()];
        let mut oracle = Self { output: zeros.clone(), core: zeros, state: vec![] };
        for number in 0..shape.sequences() {
            let sequence = Sequence::new(problem, number);
            let heads = (0..shape.hv()).into_par_iter().map(|hv| Head::new(problem, &sequence, hv, norm));
            for (hv, head) in (0..).zip(heads.collect::<Vec<Head>>()) {
                for (token, (core, output)) in head.core.iter().zip(&head.output).enumerate() {
                    let place = sequence.position(token, hv) * ELEMENTS;
                    oracle.core[place..][..ELEMENTS].copy_from_slice(core);
                    oracle.output[place..][..ELEMENTS].copy_from_slice(output);
                }
                oracle.state.extend(head.state);
            }
        }
        oracle
    }
}

/// One value head of one sequence.
struct Head {
    core: Vec<Vector>,
    output: Vec<Vector>,
    state: Vec<f64>,
}

impl Head {
    fn new(problem: &Problem, sequence: &Sequence<'_>, hv: u32, norm: L2Norm) -> Self {
        let arguments = (0..sequence.length()).map(|token| arguments(problem, sequence, token, hv));
        let tokens: Vec<Token> = arguments.map(|arguments| Token::new(&arguments, norm)).collect();
        let mut state: Vec<f64> = sequence.state(hv).iter().map(|&s| f64::from(s)).collect();
        let core = recurrence(&mut state, &tokens);
        let weight = &problem.inputs().norm_weight;
        let gated = |(token, core)| gated(core, weight, sequence.z(token, hv));
        let output = core.iter().enumerate().map(gated).collect();
        Self { core, output, state }
    }
}

/// What goes into the recurrence for token `token` of a sequence.
fn arguments(problem: &Problem, sequence: &Sequence<'_>, token: usize, hv: u32) -> Arguments {
    let vector = |first: usize| std::array::from_fn(|i| convolved(sequence.taps(token, first + i)));
    let [q, k, v] = sequence.first_channels(hv).map(vector);
    let inputs = problem.inputs();
    let gate = |weights| dot(sequence.hidden(token), gate_weights(problem, weights, hv));
    Arguments {
        q,
        k,
        v,
        a: gate(&inputs.w_alpha),
        b: gate(&inputs.w_beta),
        a_log: f64::from(inputs.a_log[hv as usize]),
        dt_bias: f64::from(inputs.dt_bias[hv as usize]),
    }
}

/// One channel of the convolution, with SiLU.
fn convolved((tokens, weights): (Taps, Taps)) -> f64 {
    silu(dot(&tokens, &weights))
}

/// RMSNorm with weights, and the gate.
fn gated(x: &Vector, weight: &[f32], z: &[f32]) -> Vector {
    let squares: f64 = x.iter().map(|x| x * x).sum();
    let inverse = 1.0 / (squares / ELEMENTS as f64 + 1e-6).sqrt();
    std::array::from_fn(|i| x[i] * inverse * f64::from(weight[i]) * silu(f64::from(z[i])))
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}
