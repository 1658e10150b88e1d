//! The answer in f64, written for reading: what the outputs would be without any rounding.
//!
//! The recurrence is that of [`crate::delta_rule::oracle`]. Rounding to bf16, of the outputs and of the states, is no
//! part of it; [`super::tolerance`] says how much it may change. A null slot that requests race on has its first
//! contents here.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::problem::{POOL_FILL, Problem};
use super::shape::StateType;
use crate::delta_rule::ELEMENTS;
pub use crate::delta_rule::oracle::{Arguments, L2Norm, Token, Vector, recurrence};
use crate::numerics::half::bf16_to_f32;

/// The unrounded outputs of a problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Oracle {
    /// `[B, T, HV, 128]`; zeros for skipped requests.
    pub output: Vec<f64>,
    /// By request: its `[HV, V, K]` state after the last token, whether it is written or not; none for skipped requests.
    pub states: BTreeMap<u32, Vec<f64>>,
}

impl Oracle {
    /// The answer to `problem`, with vectors normed in the given way.
    pub fn new(problem: &Problem, norm: L2Norm) -> Self {
        let shape = problem.shape();
        let requests = (0..shape.b()).into_par_iter().filter(|&request| problem.read_slot(request).is_some());
        let answers: Vec<(u32, Vec<Answer>)> = requests
            .map(|request| {
                let head = |hv| Answer::new(problem, request, hv, norm);
                (request, (0..shape.hv()).into_par_iter().map(head).collect())
            })
            .collect();
        let mut oracle = Self { output: vec![0.0; shape.value_elements()], states: BTreeMap::new() };
        for (request, heads) in answers {
            for (hv, head) in heads.iter().enumerate() {
                for (token, output) in head.outputs.iter().enumerate() {
                    let row = (request as usize * shape.t() as usize + token) * shape.hv() as usize + hv;
                    oracle.output[row * ELEMENTS..][..ELEMENTS].copy_from_slice(output);
                }
            }
            oracle.states.insert(request, heads.into_iter().flat_map(|head| head.state).collect());
        }
        oracle
    }
}

struct Answer {
    outputs: Vec<Vector>,
    state: Vec<f64>,
}

impl Answer {
    fn new(problem: &Problem, request: u32, hv: u32, norm: L2Norm) -> Self {
        let token = |token| Token::new(&arguments(problem, request, token, hv), norm);
        let tokens: Vec<Token> = (0..problem.shape().t()).map(token).collect();
        let mut state = first_state(problem, request, hv);
        let outputs = recurrence(&mut state, &tokens);
        Self { outputs, state }
    }
}

/// What goes into token `token` of value head `hv` of `request`.
pub(super) fn arguments(problem: &Problem, request: u32, token: u32, hv: u32) -> Arguments {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let position = request as usize * shape.t() as usize + token as usize;
    let key = position * shape.h() as usize + shape.key_head(hv) as usize;
    let gate = position * shape.hv() as usize + hv as usize;
    let vector = |tensor: &[u16], row: usize| std::array::from_fn(|i| number(tensor[row * ELEMENTS + i]));
    Arguments {
        q: vector(&inputs.q, key),
        k: vector(&inputs.k, key),
        v: vector(&inputs.v, gate),
        a: number(inputs.a[gate]),
        b: number(inputs.b[gate]),
        a_log: f64::from(inputs.a_log[hv as usize]),
        dt_bias: f64::from(inputs.dt_bias[hv as usize]),
    }
}

/// The `[V, K]` state that value head `hv` of `request` starts from.
pub(super) fn first_state(problem: &Problem, request: u32, hv: u32) -> Vec<f64> {
    let shape = problem.shape();
    let bytes = ELEMENTS * ELEMENTS * shape.state().bytes() as usize;
    let given = problem.read_slot(request).and_then(|slot| problem.inputs().states.get(&slot));
    match given {
        Some(state) => numbers(&state[hv as usize * bytes..][..bytes], shape.state()),
        None => numbers(&vec![POOL_FILL; bytes], shape.state()),
    }
}

/// The numbers in the bytes of a state.
pub fn numbers(bytes: &[u8], state: StateType) -> Vec<f64> {
    match state {
        StateType::Bf16 => bytes.as_chunks().0.iter().map(|&bytes| number(u16::from_le_bytes(bytes))).collect(),
        StateType::F32 => bytes.as_chunks().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect(),
    }
}

fn number(bits: u16) -> f64 {
    f64::from(bf16_to_f32(bits))
}
