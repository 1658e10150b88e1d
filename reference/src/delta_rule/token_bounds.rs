//! A token of the gated delta rule with a bound on the error of every number: what a kernel may be off by.
//!
//! The steps of the recurrence in the arithmetic of `bounded.rs`, which adds the rounding of each operation to what its
//! arguments bring along.

use super::HEAD;
use super::bounded::Bounded;
use super::oracle::{Arguments, Vector};
use super::preparation::{EPSILON, SCALE};

/// How many roundings a term of a sum passes through: its product, where that rounds by itself, the additions in its
/// lane, and the butterfly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roundings {
    /// In the sums of squares of the norms.
    pub(crate) norm: u32,
    /// In the sums over a row of the state.
    pub(crate) row: u32,
}

/// The arguments of the gates of one token for one value head, as numbers with errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoundedGates {
    a: Bounded,
    b: Bounded,
    a_log: Bounded,
    dt_bias: Bounded,
}

impl BoundedGates {
    /// Those of `arguments`, which are inputs.
    pub(crate) fn given(arguments: &Arguments) -> Self {
        let &Arguments { a, b, a_log, dt_bias, .. } = arguments;
        let [a, b, a_log, dt_bias] = [a, b, a_log, dt_bias].map(Bounded::given);
        Self { a, b, a_log, dt_bias }
    }
}

/// One token with the errors of its preparation.
pub(crate) struct BoundedToken {
    q: Vec<Bounded>,
    k: Vec<Bounded>,
    v: Vec<Bounded>,
    alpha: Bounded,
    beta: Bounded,
    roundings: Roundings,
}

impl BoundedToken {
    /// The token whose query, key and value are these.
    pub(crate) fn new([q, k, v]: [Vec<Bounded>; 3], gates: BoundedGates, roundings: Roundings) -> Self {
        let scale = Bounded::constant(1.0 / f64::from(HEAD).sqrt(), SCALE);
        let q_factor = inverse_norm(&q, roundings.norm).mul(scale);
        let k_factor = inverse_norm(&k, roundings.norm);
        let softplus = gates.a.add(gates.dt_bias).softplus();
        Self {
            q: q.into_iter().map(|x| x.mul(q_factor)).collect(),
            k: k.into_iter().map(|x| x.mul(k_factor)).collect(),
            v,
            alpha: gates.a_log.exp().negated().mul(softplus).exp(),
            beta: gates.b.sigmoid(),
            roundings,
        }
    }

    /// The token whose query, key and value are inputs.
    pub(crate) fn given(arguments: &Arguments, roundings: Roundings) -> Self {
        let given = |x: &Vector| -> Vec<Bounded> { x.iter().map(|&x| Bounded::given(x)).collect() };
        let vectors = [given(&arguments.q), given(&arguments.k), given(&arguments.v)];
        Self::new(vectors, BoundedGates::given(arguments), roundings)
    }

    /// Takes row `v` of the state through the token; returns the output.
    pub(crate) fn advance(&self, row: &mut [Bounded], v: usize) -> Bounded {
        row.iter_mut().for_each(|s| *s = self.alpha.mul(*s));
        let dot = Bounded::sum_of_products(row, &self.k, self.roundings.row);
        let d = self.v[v].sub(dot).mul(self.beta);
        row.iter_mut().zip(&self.k).for_each(|(s, &k)| *s = d.multiply_add(k, *s));
        Bounded::sum_of_products(row, &self.q, self.roundings.row)
    }
}

fn inverse_norm(x: &[Bounded], roundings: u32) -> Bounded {
    let sum = Bounded::sum_of_products(x, x, roundings);
    sum.add(Bounded::constant(1e-6, EPSILON)).rsqrt()
}

/// The bounds of a head's outputs, unrounded, by token and row, and of its final state `[V, K]`.
#[cfg(test)]
pub(crate) fn bounds(tokens: &[BoundedToken], state: &[f64]) -> (Vec<Vec<Bounded>>, Vec<f64>) {
    let mut outputs = vec![vec![]; tokens.len()];
    let mut states = vec![];
    for (v, row) in state.chunks_exact(HEAD as usize).enumerate() {
        let mut row: Vec<Bounded> = row.iter().map(|&s| Bounded::given(s)).collect();
        for (output, token) in outputs.iter_mut().zip(tokens) {
            output.push(token.advance(&mut row, v));
        }
        states.extend(row.iter().map(|s| s.error));
    }
    (outputs, states)
}
