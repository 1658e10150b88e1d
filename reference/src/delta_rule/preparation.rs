//! Before the main loop: q^, k^, alpha and beta of one token, as the lanes of a group compute them.
//!
//! Each lane owns neighbouring elements of a head: it adds their squares one after the other, then the lanes are added
//! by a butterfly.

use super::ELEMENTS;
use super::butterfly::butterfly;
use crate::numerics::{Numerics, Profile};

/// Added to a sum of squares.
pub(crate) const EPSILON: f32 = 1e-6;

/// 1 / sqrt(128), rounded to f32.
pub(crate) const SCALE: f32 = f32::from_bits(0x3db5_04f3);

/// One element for each of K, or of V.
pub(crate) type Vector = [f32; ELEMENTS];

/// The arguments of the gates of one token for one value head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gates {
    /// The decay's argument.
    pub(crate) a: f32,
    /// The argument of the gate for writing.
    pub(crate) b: f32,
    /// Natural logarithm of the decay's factor.
    pub(crate) a_log: f32,
    /// Added to `a`.
    pub(crate) dt_bias: f32,
}

/// What the main loop needs to know of one token for one value head.
pub(crate) struct Token {
    /// The normed and scaled query.
    pub(crate) q: Vector,
    /// The normed key.
    pub(crate) k: Vector,
    /// The value.
    pub(crate) v: Vector,
    /// The decay of the state.
    pub(crate) alpha: f32,
    /// How much of the difference is written.
    pub(crate) beta: f32,
}

impl Token {
    /// The token with this query, key and value, normed by `LANES` lanes, a power of two.
    #[inline(always)]
    pub(crate) fn new<P: Profile, const LANES: usize>(
        n: Numerics<P>,
        [mut q, mut k, v]: [Vector; 3],
        gates: Gates,
    ) -> Self {
        let q_factor = n.mul(inverse_norm::<P, LANES>(n, &q), SCALE);
        let k_factor = inverse_norm::<P, LANES>(n, &k);
        for x in &mut q {
            *x = n.mul(*x, q_factor);
        }
        for x in &mut k {
            *x = n.mul(*x, k_factor);
        }
        Self { q, k, v, alpha: alpha(n, gates), beta: n.sigmoid(gates.b) }
    }
}

/// `1 / sqrt(sum x^2 + 1e-6)`
#[inline(always)]
fn inverse_norm<P: Profile, const LANES: usize>(n: Numerics<P>, x: &Vector) -> f32 {
    let mut lanes = [0.0; LANES];
    for (sum, share) in lanes.iter_mut().zip(x.chunks_exact(ELEMENTS / LANES)) {
        for &x in share {
            *sum = n.multiply_add(x, x, *sum);
        }
    }
    n.rsqrt(n.add(butterfly(n, lanes), EPSILON))
}

/// e^g with g = -e^a_log * softplus(a + dt_bias).
#[inline(always)]
fn alpha<P: Profile>(n: Numerics<P>, gates: Gates) -> f32 {
    let softplus = n.softplus(n.add(gates.a, gates.dt_bias));
    n.exp(n.mul(-n.exp(gates.a_log), softplus))
}
