//! Some tokens of a value head with a bound on the error of every number, as both chains of kernels take a row of the state
//! through them.
//!
//! The steps of `solve.rs` and `rows.rs` in the arithmetic of `delta_rule/bounded.rs`. Differences of gammas have only the
//! errors of the tokens between: gamma_j is gamma_r plus these, whatever gamma_r is.

use super::lanes::{ROW_ROUNDINGS, WORKGROUP_ROUNDINGS};
use crate::delta_rule::bounded::Bounded;
use crate::delta_rule::preparation::SCALE;
use crate::delta_rule::{ELEMENTS, HEAD};

/// A token after `materialize`.
pub(super) struct BoundedToken {
    /// The normed query, not scaled.
    pub(super) q: Vec<Bounded>,
    /// The normed key.
    pub(super) k: Vec<Bounded>,
    /// The value.
    pub(super) v: Vec<Bounded>,
    pub(super) beta: Bounded,
    pub(super) log_alpha: Bounded,
}

/// Tokens that a row of the state goes through at once.
pub(super) enum Segment {
    /// A chunk, as `residual_output` and `state_update` need it.
    Chunk(Vec<ChunkToken>),
    /// One token, as `recurrent` needs it.
    Token(SerialToken),
}

/// One token of a chunk.
pub(super) struct ChunkToken {
    q: Vec<Bounded>,
    k: Vec<Bounded>,
    w: Vec<Bounded>,
    u: Vec<Bounded>,
    /// For each token of the chunk up to this one.
    attention: Vec<Bounded>,
    /// e^gamma: the decay from before the chunk to this token.
    decay: Bounded,
    /// The decay from this token to the last.
    rest: Bounded,
}

/// One token by itself.
pub(super) struct SerialToken {
    q: Vec<Bounded>,
    /// The key that the state is read with.
    read: Vec<Bounded>,
    /// The key that the state is written with.
    written: Vec<Bounded>,
    v: Vec<Bounded>,
    beta: Bounded,
    alpha: Bounded,
}

/// Two rounded sums of logarithms, subtracted and exponentiated.
fn decay_between(late: Bounded, early: Bounded) -> Bounded {
    let error = if late.error.is_finite() { late.error - early.error } else { f64::INFINITY };
    let difference = Bounded { value: late.value - early.value, error };
    difference.sub(Bounded::default()).exp()
}

impl Segment {
    /// `tokens` of a chunk.
    pub(super) fn chunk(tokens: &[BoundedToken]) -> Self {
        let mut gammas = vec![];
        let mut gamma = Bounded::default();
        for token in tokens {
            gamma = gamma.add(token.log_alpha);
            gammas.push(gamma);
        }
        let mut solved: Vec<ChunkToken> = vec![];
        for (j, token) in tokens.iter().enumerate() {
            let mut w: Vec<Bounded> = token.k.iter().map(|&k| token.beta.mul(k)).collect();
            let mut u: Vec<Bounded> = token.v.iter().map(|&v| token.beta.mul(v)).collect();
            let mut attention = vec![];
            for (r, before) in tokens[..=j].iter().enumerate() {
                let decay = decay_between(gammas[j], gammas[r]);
                attention.push(decay.mul(workgroup_dot(&token.q, &before.k)));
                if let Some(before_solved) = solved.get(r) {
                    let kk = workgroup_dot(&token.k, &before.k);
                    subtract(&mut w, token.beta.mul(kk), &before_solved.w);
                    subtract(&mut u, token.beta.mul(decay).mul(kk), &before_solved.u);
                }
            }
            let (decay, rest) = (gammas[j].exp(), decay_between(gamma, gammas[j]));
            solved.push(ChunkToken { q: token.q.clone(), k: token.k.clone(), w, u, attention, decay, rest });
        }
        Self::Chunk(solved)
    }

    /// One token.
    pub(super) fn token(token: &BoundedToken) -> Self {
        let BoundedToken { q, k, v, beta, log_alpha } = token;
        Self::Token(SerialToken {
            q: q.clone(),
            read: k.clone(),
            written: k.clone(),
            v: v.clone(),
            beta: *beta,
            alpha: log_alpha.exp(),
        })
    }

    /// Takes row `v` of the state through the tokens; returns what they put out before norm and gate.
    pub(super) fn advance(&self, row: &mut [Bounded], v: usize) -> Vec<Bounded> {
        let scale = Bounded::constant(1.0 / f64::from(HEAD).sqrt(), SCALE);
        match self {
            Self::Chunk(tokens) => {
                let (mut residuals, mut cores) = (vec![], vec![]);
                for token in tokens {
                    let read = Bounded::sum_of_products(row, &token.w, ROW_ROUNDINGS);
                    residuals.push(token.u[v].sub(token.decay.mul(read)));
                    let mut o = token.decay.mul(Bounded::sum_of_products(row, &token.q, ROW_ROUNDINGS));
                    for (attention, &residual) in token.attention.iter().zip(&residuals) {
                        o = attention.multiply_add(residual, o);
                    }
                    cores.push(scale.mul(o));
                }
                let decay = tokens.last().map_or(Bounded::given(1.0), |last| last.decay);
                row.iter_mut().for_each(|s| *s = decay.mul(*s));
                for (token, residual) in tokens.iter().zip(residuals) {
                    let factor = token.rest.mul(residual);
                    row.iter_mut().zip(&token.k).for_each(|(s, &k)| *s = factor.multiply_add(k, *s));
                }
                cores
            }
            Self::Token(token) => {
                row.iter_mut().for_each(|s| *s = token.alpha.mul(*s));
                let read = Bounded::sum_of_products(row, &token.read, ROW_ROUNDINGS);
                let d = token.v[v].sub(read).mul(token.beta);
                row.iter_mut().zip(&token.written).for_each(|(s, &k)| *s = d.multiply_add(k, *s));
                vec![scale.mul(Bounded::sum_of_products(row, &token.q, ROW_ROUNDINGS))]
            }
        }
    }

    /// The same tokens without values and with such signs that nothing cancels: what they make of a row of ones bounds what
    /// they make of any row whose elements are at most 1, and the error alike.
    pub(super) fn majorant(&self) -> Self {
        match self {
            Self::Chunk(tokens) => Self::Chunk(tokens.iter().map(ChunkToken::majorant).collect()),
            Self::Token(SerialToken { q, read, written, v, beta, alpha }) => Self::Token(SerialToken {
                q: positive(q),
                read: negative(read),
                written: positive(written),
                v: vec![Bounded::default(); v.len()],
                beta: *beta,
                alpha: *alpha,
            }),
        }
    }

    /// For each token, how much longer it may make an output when the state before the segment is longer by 1, in exact
    /// arithmetic; and the same for the state after the segment.
    ///
    /// The transitions alpha (1 - beta k k^T) are no longer than alpha, since k is no longer than 1 and beta is between 0
    /// and 1.
    pub(super) fn gains(&self) -> (Vec<f64>, f64) {
        let gain =
            |decay: Bounded, q: &[Bounded]| decay.value * length(q.iter().map(|q| q.value)) / (HEAD as f64).sqrt();
        match self {
            Self::Chunk(tokens) => {
                let last = tokens.last().map_or(1.0, |last| last.decay.value);
                (tokens.iter().map(|token| gain(token.decay, &token.q)).collect(), last)
            }
            Self::Token(token) => (vec![gain(token.alpha, &token.q)], token.alpha.value),
        }
    }
}

impl ChunkToken {
    fn majorant(&self) -> Self {
        Self {
            q: positive(&self.q),
            k: positive(&self.k),
            w: negative(&self.w),
            u: vec![Bounded::default(); ELEMENTS],
            attention: positive(&self.attention),
            decay: self.decay,
            rest: self.rest,
        }
    }
}

/// The length of a vector.
pub(super) fn length(x: impl Iterator<Item = f64>) -> f64 {
    x.map(|x| x * x).sum::<f64>().sqrt()
}

/// The workgroup's sum of products.
pub(super) fn workgroup_dot(a: &[Bounded], b: &[Bounded]) -> Bounded {
    Bounded::sum_of_products(a, b, WORKGROUP_ROUNDINGS)
}

fn subtract(x: &mut [Bounded], factor: Bounded, other: &[Bounded]) {
    x.iter_mut().zip(other).for_each(|(x, &other)| *x = x.sub(factor.mul(other)));
}

fn positive(x: &[Bounded]) -> Vec<Bounded> {
    x.iter().map(|x| Bounded { value: x.value.abs(), ..*x }).collect()
}

fn negative(x: &[Bounded]) -> Vec<Bounded> {
    x.iter().map(|x| Bounded { value: -x.value.abs(), ..*x }).collect()
}
