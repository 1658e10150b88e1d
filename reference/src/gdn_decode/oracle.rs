//! The answer in f64, written for reading: what the outputs would be without any rounding.
//!
//! Systems differ in how they norm q and k ([`L2Norm`]). The threshold of softplus, 20, belongs to the mathematics and
//! is here too. Rounding to bf16, of the outputs and of the states, is no part of it; [`super::tolerance`] says how much
//! it may change. A null slot that requests race on has its first contents here.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::problem::{POOL_FILL, Problem};
use super::shape::{HEAD, StateType};
use crate::numerics::half::bf16_to_f32;

const ELEMENTS: usize = HEAD as usize;

/// One number for each of K, or of V.
pub type Vector = [f64; ELEMENTS];

/// How a vector x, whose squares add up to `sum`, is normed.
///
/// The first two are the same number and differ in roundings only, so not here. A row of norm 1e-3 tells them from the
/// others (it becomes 0.71 long, with the others 1), and a row of norm 1e-7 tells the others apart (1 and 0).
/// A row of zeros stays zeros with all of them, though the factors are 1000, 1000, 10^12 and 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum L2Norm {
    /// `x * rsqrt(sum + 1e-6)`: what the kernels here compute, as flashinfer and transformers do.
    RsqrtOfSumPlusEps,
    /// `x / sqrt(sum + 1e-6)`
    DivideBySqrtOfSumPlusEps,
    /// `x / max(sqrt(sum), 1e-12)`: torch's `normalize`.
    DivideByMaxNorm,
    /// `x * (sum > 1e-12 ? rsqrt(sum) : 0)`
    RsqrtAboveThreshold,
}

impl L2Norm {
    /// x, normed.
    pub fn normed(self, x: &Vector) -> Vector {
        let sum: f64 = x.iter().map(|x| x * x).sum();
        match self {
            Self::RsqrtOfSumPlusEps => x.map(|x| x * (1.0 / (sum + 1e-6).sqrt())),
            Self::DivideBySqrtOfSumPlusEps => x.map(|x| x / (sum + 1e-6).sqrt()),
            Self::DivideByMaxNorm => x.map(|x| x / sum.sqrt().max(1e-12)),
            Self::RsqrtAboveThreshold if sum > 1e-12 => x.map(|x| x * (1.0 / sum.sqrt())),
            Self::RsqrtAboveThreshold => [0.0; ELEMENTS],
        }
    }
}

/// What goes into one token of one value head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arguments {
    /// The query of the head's key head.
    pub q: Vector,
    /// The key of the head's key head.
    pub k: Vector,
    /// The value.
    pub v: Vector,
    /// The decay's argument.
    pub a: f64,
    /// The argument of the gate for writing.
    pub b: f64,
    /// Natural logarithm of the decay's factor.
    pub a_log: f64,
    /// Added to `a`.
    pub dt_bias: f64,
}

/// A token, ready for the recurrence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// The normed query over sqrt(128).
    pub q: Vector,
    /// The normed key.
    pub k: Vector,
    /// The value.
    pub v: Vector,
    /// Logarithm of the state's decay.
    pub g: f64,
    /// How much of the difference is written.
    pub beta: f64,
}

impl Token {
    /// Norms the vectors and works out the gates.
    pub fn new(arguments: &Arguments, norm: L2Norm) -> Self {
        let &Arguments { q, k, v, a, b, a_log, dt_bias } = arguments;
        let x = a + dt_bias;
        let softplus = if x > 20.0 { x } else { x.exp().ln_1p() };
        Self {
            q: norm.normed(&q).map(|x| x / f64::from(HEAD).sqrt()),
            k: norm.normed(&k),
            v,
            g: -a_log.exp() * softplus,
            beta: 1.0 / (1.0 + (-b).exp()),
        }
    }
}

/// Takes the `[V, K]` state of a head through `tokens`; returns their outputs.
pub fn recurrence(state: &mut [f64], tokens: &[Token]) -> Vec<Vector> {
    let mut outputs = vec![[0.0; ELEMENTS]; tokens.len()];
    for (v, row) in state.chunks_exact_mut(ELEMENTS).enumerate() {
        for (output, token) in outputs.iter_mut().zip(tokens) {
            let alpha = token.g.exp();
            row.iter_mut().for_each(|s| *s *= alpha);
            let d = (token.v[v] - dot(row, &token.k)) * token.beta;
            row.iter_mut().zip(&token.k).for_each(|(s, k)| *s += d * k);
            output[v] = dot(row, &token.q);
        }
    }
    outputs
}

fn dot(row: &[f64], x: &Vector) -> f64 {
    row.iter().zip(x).map(|(s, x)| s * x).sum()
}

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
