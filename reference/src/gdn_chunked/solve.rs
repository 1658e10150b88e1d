//! The kernel `solve`: what the tokens of a chunk do to each other, whatever the state before them.
//!
//! ```text
//! gamma_j = gamma_(j-1) + log alpha_j
//! w       = beta_j * k_j ;  for r < j: w = w - (beta_j * kk_jr) * w_r
//! u       = beta_j * v_j ;  for r < j: u = u - ((beta_j * exp(gamma_j - gamma_r)) * kk_jr) * u_r
//! a_jr    = exp(gamma_j - gamma_r) * qk_jr                                        r <= j
//! ```
//!
//! kk and qk are the workgroup's sums of products of k^_j and k^_r, q^_j and k^_r. Only differences of gammas are
//! exponentiated, which are not positive: nothing overflows, however strong the decay.

use super::lanes::workgroup_dot;
use super::materialize::Token;
use crate::delta_rule::preparation::Vector;
use crate::numerics::{Numerics, Profile};

/// What `solve` stores for one token of a chunk and one value head.
pub(super) struct Solved {
    /// Sum of the logarithms of the decays, from the chunk's first token on.
    pub(super) gamma: f32,
    pub(super) w: Vector,
    pub(super) u: Vector,
    /// For each token of the chunk up to this one.
    pub(super) attention: Vec<f32>,
}

/// The tokens of a chunk.
pub(super) fn solve<P: Profile>(n: Numerics<P>, tokens: &[Token]) -> Vec<Solved> {
    let mut solved: Vec<Solved> = Vec::with_capacity(tokens.len());
    let mut gamma = 0.0;
    for (j, token) in tokens.iter().enumerate() {
        gamma = n.add(gamma, token.log_alpha);
        let mut w = token.k.map(|k| n.mul(token.beta, k));
        let mut u = token.v.map(|v| n.mul(token.beta, v));
        let mut attention = Vec::with_capacity(j + 1);
        for (before, earlier) in tokens.iter().zip(&solved) {
            let decay = n.exp(n.sub(gamma, earlier.gamma));
            let kk = workgroup_dot(n, &token.k, &before.k);
            attention.push(n.mul(decay, workgroup_dot(n, &token.q, &before.k)));
            subtract(n, &mut w, n.mul(token.beta, kk), &earlier.w);
            subtract(n, &mut u, n.mul(n.mul(token.beta, decay), kk), &earlier.u);
        }
        attention.push(n.mul(n.exp(n.sub(gamma, gamma)), workgroup_dot(n, &token.q, &token.k)));
        solved.push(Solved { gamma, w, u, attention });
    }
    solved
}

fn subtract<P: Profile>(n: Numerics<P>, x: &mut Vector, factor: f32, other: &Vector) {
    for (x, &other) in x.iter_mut().zip(other) {
        *x = n.sub(*x, n.mul(factor, other));
    }
}
