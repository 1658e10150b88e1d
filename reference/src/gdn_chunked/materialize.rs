//! The kernel `materialize`: q^, k^, v and the gates of every token.
//!
//! A channel of the convolution goes through its taps by multiply-adds, the oldest token first:
//!
//! ```text
//! t = x0 * w0 ;  t = x1 * w1 + t ;  t = x2 * w2 + t ;  t = x3 * w3 + t ;  y = silu(t)
//! ```
//!
//! An invocation adds every 128th product of a gate's dot product by multiply-adds; squares are rounded by themselves. What
//! the invocations have is then added by the workgroup's sum.

use super::lanes::{workgroup_dot, workgroup_sum};
use super::problem::Problem;
use super::sequence::{Sequence, Taps, gate_weights};
use crate::delta_rule::ELEMENTS;
use crate::delta_rule::preparation::{EPSILON, Vector};
use crate::numerics::{Numerics, Profile};

/// What `materialize` stores for one token and one value head.
#[derive(Clone, Copy)]
pub(super) struct Token {
    /// The normed query, not scaled.
    pub(super) q: Vector,
    /// The normed key.
    pub(super) k: Vector,
    /// The value.
    pub(super) v: Vector,
    /// How much of the difference is written.
    pub(super) beta: f32,
    /// Logarithm of the state's decay.
    pub(super) log_alpha: f32,
}

/// What goes into a token's gates: the arguments of beta and of the decay, the decay's factor and the bias.
#[derive(Clone, Copy)]
pub(super) struct Gates {
    pub(super) b: f32,
    pub(super) a: f32,
    pub(super) a_log: f32,
    pub(super) dt_bias: f32,
}

impl Token {
    /// Token `token` of a sequence.
    pub(super) fn new<P: Profile>(
        n: Numerics<P>,
        problem: &Problem,
        sequence: &Sequence<'_>,
        token: usize,
        hv: u32,
    ) -> Self {
        let vector = |first| std::array::from_fn(|i| convolved(n, sequence.taps(token, first + i)));
        let vectors = sequence.first_channels(hv).map(vector);
        let (inputs, hidden) = (problem.inputs(), sequence.hidden(token));
        let dot = |weights| hidden_dot(n, hidden, gate_weights(problem, weights, hv));
        let gates = Gates {
            b: dot(&inputs.w_beta),
            a: dot(&inputs.w_alpha),
            a_log: inputs.a_log[hv as usize],
            dt_bias: inputs.dt_bias[hv as usize],
        };
        Self::from_parts(n, vectors, gates)
    }

    /// The token whose q, k and v come out of the convolution like this.
    pub(super) fn from_parts<P: Profile>(n: Numerics<P>, [q, k, v]: [Vector; 3], gates: Gates) -> Self {
        let Gates { b, a, a_log, dt_bias } = gates;
        let softplus = n.softplus(n.add(a, dt_bias));
        Self { q: normed(n, &q), k: normed(n, &k), v, beta: n.sigmoid(b), log_alpha: n.mul(-n.exp(a_log), softplus) }
    }
}

/// One channel of the convolution, with SiLU.
fn convolved<P: Profile>(n: Numerics<P>, (tokens, weights): (Taps, Taps)) -> f32 {
    let mut sum = n.mul(tokens[0], weights[0]);
    for tap in 1..tokens.len() {
        sum = n.multiply_add(tokens[tap], weights[tap], sum);
    }
    n.silu(sum)
}

/// The dot product of a gate, over any multiple of 128 elements.
fn hidden_dot<P: Profile>(n: Numerics<P>, hidden: &[f32], weights: &[f32]) -> f32 {
    let mut sums = [0.0; ELEMENTS];
    for (hidden, weights) in hidden.chunks_exact(ELEMENTS).zip(weights.chunks_exact(ELEMENTS)) {
        for (sum, (&x, &weight)) in sums.iter_mut().zip(hidden.iter().zip(weights)) {
            *sum = n.multiply_add(x, weight, *sum);
        }
    }
    workgroup_sum(n, sums)
}

fn normed<P: Profile>(n: Numerics<P>, x: &Vector) -> Vector {
    let factor = n.rsqrt(n.add(workgroup_dot(n, x, x), EPSILON));
    x.map(|x| n.mul(x, factor))
}
