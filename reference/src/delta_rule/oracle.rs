//! The gated delta rule in f64, written for reading.
//!
//! Systems differ in how they norm q and k ([`L2Norm`]). The threshold of softplus, 20, belongs to the mathematics and
//! is here too.

use super::{ELEMENTS, HEAD};

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
