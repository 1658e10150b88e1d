//! The kernels on the host, bit for bit: their order of operations, their lanes and their sums.
//!
//! Every kernel is a function of its own: `materialize.rs`, `solve.rs`, those that hold rows of the state in `rows.rs`, and
//! `conv_state_update` and `norm_silu` here. A value head of a sequence needs nothing of the others, so heads are computed in
//! parallel, and tensors put together afterwards.

use gridproof_launch::Arithmetic;
use rayon::prelude::*;

use super::lanes::workgroup_dot;
use super::materialize::Token;
use super::outputs::{Outputs, Scratch};
use super::path::Path;
use super::problem::Problem;
use super::rows::{recurrent, residual_output, state_update};
use super::sequence::Sequence;
use super::shape::ROWS;
use super::solve::{Solved, solve};
use crate::delta_rule::ELEMENTS;
use crate::delta_rule::preparation::{EPSILON, Vector};
use crate::numerics::{Numerics, Profile};
use crate::with_profile;

/// 1 / 128
const INVERSE_HEAD: f32 = 0.007_812_5;

/// What a launch of `path` leaves on a device with this arithmetic.
pub fn run(problem: &Problem, path: Path, arithmetic: Arithmetic) -> Outputs {
    run_with_scratch(problem, path, arithmetic).0
}

/// The same, and what the kernels hand to each other.
pub fn run_with_scratch(problem: &Problem, path: Path, arithmetic: Arithmetic) -> (Outputs, Scratch) {
    let shape = problem.shape();
    let heads = u64::from(shape.hv());
    let all = (0..u64::from(shape.sequences()) * heads).into_par_iter();
    let place = |index| ((index / heads) as u32, (index % heads) as u32);
    let computed: Vec<Head> = with_profile!(Numerics::new(arithmetic), |n| {
        all.map(|index| Head::new(n, problem, path, place(index))).collect()
    });
    let mut outputs = Outputs { output: vec![0.0; shape.head_elements()], ..Outputs::default() };
    outputs.conv_state =
        (0..shape.sequences()).flat_map(|number| conv_state(&Sequence::new(problem, number))).collect();
    let mut scratch = empty_scratch(problem, path);
    for (index, head) in (0..).zip(computed) {
        let (number, hv) = place(index);
        let sequence = Sequence::new(problem, number);
        for token in 0..sequence.length() {
            head.store(token, sequence.position(token, hv), shape.c() as usize, &mut outputs.output, &mut scratch);
        }
        outputs.state.extend(head.state);
    }
    (outputs, scratch)
}

/// The kernel `conv_state_update`: the last three rows of the sequence and of those before it.
fn conv_state<'a>(sequence: &Sequence<'a>) -> impl Iterator<Item = f32> + use<'a> {
    let (sequence, length) = (*sequence, sequence.length());
    (length..length + ROWS as usize).flat_map(move |row| sequence.row(row).iter().copied())
}

/// Scratch tensors of zeros, those that `path` has.
fn empty_scratch(problem: &Problem, path: Path) -> Scratch {
    let shape = problem.shape();
    let vectors = || vec![0.0; shape.head_elements()];
    let gates = || vec![0.0; shape.gate_elements()];
    let serial = Scratch {
        q_hat: vectors(),
        k_hat: vectors(),
        v_act: vectors(),
        beta: gates(),
        log_alpha: gates(),
        core: vectors(),
        ..Scratch::default()
    };
    match path {
        Path::Serial => serial,
        Path::Chunked => Scratch {
            gamma: gates(),
            w: vectors(),
            u: vectors(),
            attention: vec![0.0; shape.attention_elements()],
            residual: vectors(),
            ..serial
        },
    }
}

/// One value head of one sequence.
struct Head {
    tokens: Vec<Token>,
    /// Those of all chunks; none on the serial path.
    solved: Vec<Solved>,
    /// By token; none on the serial path.
    residual: Vec<Vector>,
    /// By token.
    core: Vec<Vector>,
    /// By token.
    output: Vec<Vector>,
    /// `[V, K]` after the last token.
    state: Vec<f32>,
}

impl Head {
    fn new<P: Profile>(n: Numerics<P>, problem: &Problem, path: Path, (number, hv): (u32, u32)) -> Self {
        let sequence = Sequence::new(problem, number);
        let tokens = (0..sequence.length()).map(|token| Token::new(n, problem, &sequence, token, hv)).collect();
        let state = sequence.state(hv).to_vec();
        let mut head = match path {
            Path::Chunked => Self::chunked(n, tokens, state, problem.shape().c() as usize),
            Path::Serial => Self::serial(n, tokens, state),
        };
        let weight = &problem.inputs().norm_weight;
        let gated = |(token, core)| norm_silu(n, core, weight, sequence.z(token, hv));
        head.output = head.core.iter().enumerate().map(gated).collect();
        head
    }

    /// `tokens` in chunks of `c`.
    fn chunked<P: Profile>(n: Numerics<P>, tokens: Vec<Token>, mut state: Vec<f32>, c: usize) -> Self {
        let mut residual = vec![[0.0; ELEMENTS]; tokens.len()];
        let mut core = residual.clone();
        let mut solved = vec![];
        for (chunk, (residual, core)) in tokens.chunks(c).zip(residual.chunks_mut(c).zip(core.chunks_mut(c))) {
            let chunk_solved = solve(n, chunk);
            for (v, row) in state.as_chunks_mut().0.iter_mut().enumerate() {
                let outputs = residual_output(n, chunk, &chunk_solved, row, v);
                state_update(n, chunk, &chunk_solved, &outputs, row);
                for (output, (residual, core)) in outputs.iter().zip(residual.iter_mut().zip(core.iter_mut())) {
                    (residual[v], core[v]) = (output.residual, output.core);
                }
            }
            solved.extend(chunk_solved);
        }
        Self { tokens, solved, residual, core, output: vec![], state }
    }

    /// `tokens` one after the other.
    fn serial<P: Profile>(n: Numerics<P>, tokens: Vec<Token>, mut state: Vec<f32>) -> Self {
        let mut core = vec![[0.0; ELEMENTS]; tokens.len()];
        for (token, core) in tokens.iter().zip(&mut core) {
            let alpha = n.exp(token.log_alpha);
            for (v, row) in state.as_chunks_mut().0.iter_mut().enumerate() {
                core[v] = recurrent(n, token, alpha, row, v);
            }
        }
        Self { tokens, solved: vec![], residual: vec![], core, output: vec![], state }
    }

    /// Puts what there is of a token where it belongs: at `position` of tensors `[tokens, HV]`.
    fn store(&self, token: usize, position: usize, c: usize, output: &mut [f32], scratch: &mut Scratch) {
        let vector = |tensor: &mut [f32], x: &Vector| tensor[position * ELEMENTS..][..ELEMENTS].copy_from_slice(x);
        let Token { q, k, v, beta, log_alpha } = &self.tokens[token];
        vector(&mut scratch.q_hat, q);
        vector(&mut scratch.k_hat, k);
        vector(&mut scratch.v_act, v);
        (scratch.beta[position], scratch.log_alpha[position]) = (*beta, *log_alpha);
        vector(&mut scratch.core, &self.core[token]);
        vector(output, &self.output[token]);
        let Some(Solved { gamma, w, u, attention }) = self.solved.get(token) else { return };
        scratch.gamma[position] = *gamma;
        vector(&mut scratch.w, w);
        vector(&mut scratch.u, u);
        scratch.attention[position * c..][..attention.len()].copy_from_slice(attention);
        vector(&mut scratch.residual, &self.residual[token]);
    }
}

/// The kernel `norm_silu`: RMSNorm with weights, and the gate.
fn norm_silu<P: Profile>(n: Numerics<P>, x: &Vector, weight: &[f32], z: &[f32]) -> Vector {
    let inverse = n.rsqrt(n.multiply_add(workgroup_dot(n, x, x), INVERSE_HEAD, EPSILON));
    std::array::from_fn(|i| n.mul(n.mul(n.mul(x[i], inverse), weight[i]), n.silu(z[i])))
}
