//! The kernels that hold rows of the state: `residual_output` and `state_update` take a row through a chunk, `recurrent`
//! takes it through a token.

use super::lanes::row_sum;
use super::materialize::Token;
use super::solve::Solved;
use crate::delta_rule::preparation::{SCALE, Vector};
use crate::numerics::{Numerics, Profile};

/// What `residual_output` stores for one token and one row of V.
#[derive(Clone, Copy)]
pub(super) struct RowOutput {
    pub(super) residual: f32,
    pub(super) core: f32,
}

/// Row `v` of `residual_output`, for the tokens of a chunk.
pub(super) fn residual_output<P: Profile>(
    n: Numerics<P>,
    tokens: &[Token],
    solved: &[Solved],
    row: &Vector,
    v: usize,
) -> Vec<RowOutput> {
    let mut outputs: Vec<RowOutput> = Vec::with_capacity(tokens.len());
    for (token, solved) in tokens.iter().zip(solved) {
        let decay = n.exp(solved.gamma);
        let residual = n.sub(solved.u[v], n.mul(decay, row_sum(n, row, &solved.w)));
        let mut o = n.mul(decay, row_sum(n, row, &token.q));
        for (&attention, residual) in solved.attention.iter().zip(outputs.iter().map(|o| o.residual).chain([residual]))
        {
            o = n.multiply_add(attention, residual, o);
        }
        outputs.push(RowOutput { residual, core: n.mul(SCALE, o) });
    }
    outputs
}

/// A row of `state_update`, through the tokens of a chunk.
pub(super) fn state_update<P: Profile>(
    n: Numerics<P>,
    tokens: &[Token],
    solved: &[Solved],
    outputs: &[RowOutput],
    row: &mut Vector,
) {
    let last = solved.last().map_or(0.0, |solved| solved.gamma);
    let decay = n.exp(last);
    row.iter_mut().for_each(|s| *s = n.mul(decay, *s));
    for ((token, solved), output) in tokens.iter().zip(solved).zip(outputs) {
        let factor = n.mul(n.exp(n.sub(last, solved.gamma)), output.residual);
        for (s, &k) in row.iter_mut().zip(&token.k) {
            *s = n.multiply_add(factor, k, *s);
        }
    }
}

/// Row `v` of `recurrent`, through one token whose decay is `alpha`; its core output.
pub(super) fn recurrent<P: Profile>(n: Numerics<P>, token: &Token, alpha: f32, row: &mut Vector, v: usize) -> f32 {
    row.iter_mut().for_each(|s| *s = n.mul(alpha, *s));
    let d = n.mul(n.sub(token.v[v], row_sum(n, row, &token.k)), token.beta);
    for (s, &k) in row.iter_mut().zip(&token.k) {
        *s = n.multiply_add(d, k, *s);
    }
    n.mul(SCALE, row_sum(n, row, &token.q))
}
