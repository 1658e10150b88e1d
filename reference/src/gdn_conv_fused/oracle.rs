//! The answer in f64, written for reading: what the outputs would be without any rounding.
//!
//! The recurrence is that of [`crate::delta_rule::oracle`], over one token whose q, k and v come out of the convolution.
//! Rounding to f16, of the outputs and of the states, is no part of it; [`super::tolerance`] says how much it may
//! change. The convolution's state and z are only copied, so there is nothing to say of them here.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::problem::Problem;
use super::request::{Channel, Request};
use crate::delta_rule::ELEMENTS;
pub use crate::delta_rule::oracle::L2Norm;
use crate::delta_rule::oracle::{Arguments, Token, Vector, recurrence};
use crate::numerics::half::f16_to_f32;

/// The unrounded outputs of a problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Oracle {
    /// `[N, HV, 128]`; zeros for requests without a state.
    pub output: Vec<f64>,
    /// By request: its `[HV, V, K]` state after the token; none for requests without a state.
    pub ssm_states: BTreeMap<u32, Vec<f64>>,
}

impl Oracle {
    /// The answer to `problem`, with vectors normed in the given way.
    pub fn new(problem: &Problem, norm: L2Norm) -> Self {
        let shape = problem.shape();
        let requests = (0..shape.n()).into_par_iter();
        let answers: Vec<(u32, Vec<Answer>)> = requests
            .filter(|&request| problem.slot(request).is_some())
            .map(|request| {
                let head = |hv| Answer::new(&Request::new(problem, request), hv, norm);
                (request, (0..shape.hv()).into_par_iter().map(head).collect())
            })
            .collect();
        let mut oracle = Self { output: vec![0.0; shape.output_elements()], ssm_states: BTreeMap::new() };
        for (request, heads) in answers {
            let rows = oracle.output[request as usize * shape.hv() as usize * ELEMENTS..].chunks_exact_mut(ELEMENTS);
            rows.zip(&heads).for_each(|(row, head)| row.copy_from_slice(&head.output));
            oracle.ssm_states.insert(request, heads.into_iter().flat_map(|head| head.state).collect());
        }
        oracle
    }
}

struct Answer {
    output: Vector,
    state: Vec<f64>,
}

impl Answer {
    fn new(request: &Request<'_>, hv: u32, norm: L2Norm) -> Self {
        let token = Token::new(&arguments(request, hv), norm);
        let mut state = first_state(request, hv);
        let outputs = recurrence(&mut state, &[token]);
        Self { output: outputs[0], state }
    }
}

/// What goes into the recurrence for value head `hv`.
pub(super) fn arguments(request: &Request<'_>, hv: u32) -> Arguments {
    let vector = |first: u64| std::array::from_fn(|i| convolved(request.channel(first + i as u64)));
    let [q, k, v] = request.first_channels(hv).map(vector);
    let gates = request.gates(hv);
    Arguments {
        q,
        k,
        v,
        a: number(gates.a),
        b: number(gates.b),
        a_log: number(gates.a_log),
        dt_bias: number(gates.dt_bias),
    }
}

/// One channel of the convolution, with SiLU.
pub(super) fn convolved(channel: Channel) -> f64 {
    let Channel { tokens, weights, bias } = channel;
    let taps = tokens.iter().zip(&weights);
    let x = taps.map(|(&token, &weight)| number(token) * number(weight)).sum::<f64>() + number(bias);
    x / (1.0 + (-x).exp())
}

/// The `[V, K]` state that value head `hv` starts from.
pub(super) fn first_state(request: &Request<'_>, hv: u32) -> Vec<f64> {
    (0..ELEMENTS).flat_map(|v| request.state_row(hv, v).map(number)).collect()
}

/// The numbers in the bytes of a tensor of f16.
pub fn numbers(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&bytes| number(u16::from_le_bytes(bytes))).collect()
}

/// The value of an f16.
pub(super) fn number(bits: u16) -> f64 {
    f64::from(f16_to_f32(bits))
}
