//! Phase 1 of the kernels: q^, k^, alpha and beta of one token, as 32 lanes compute them.
//!
//! Lane l owns elements 4l..4l+3 of a head: it adds their squares one after the other, then the lanes are added by a
//! butterfly. All kernels share this phase, whatever their main loop looks like.

use super::butterfly::butterfly;
use super::problem::Problem;
use super::shape::HEAD;
use crate::numerics::half::bf16_to_f32;
use crate::numerics::{Numerics, Profile};

/// Added to a sum of squares.
pub const EPSILON: f32 = 1e-6;

/// 1 / sqrt(128), rounded to f32.
pub const SCALE: f32 = f32::from_bits(0x3db5_04f3);

const LANES: usize = 32;
const ELEMENTS: usize = HEAD as usize;
const SHARE: usize = ELEMENTS / LANES;

/// One element for each of K, or of V.
pub(super) type Vector = [f32; ELEMENTS];

/// What the main loop needs to know of one token for one value head.
pub(super) struct Token {
    /// The normed and scaled query.
    pub(super) q: Vector,
    /// The normed key.
    pub(super) k: Vector,
    /// The value.
    pub(super) v: Vector,
    /// The decay of the state.
    pub(super) alpha: f32,
    /// How much of the difference is written.
    pub(super) beta: f32,
}

impl Token {
    /// Token `token` of `request`, for value head `hv`.
    #[inline(always)]
    pub(super) fn new<P: Profile>(n: Numerics<P>, problem: &Problem, request: u32, token: u32, hv: u32) -> Self {
        let (shape, inputs) = (problem.shape(), problem.inputs());
        let position = request as usize * shape.t() as usize + token as usize;
        let key = position * shape.h() as usize + shape.key_head(hv) as usize;
        let value = position * shape.hv() as usize + hv as usize;
        let head = hv as usize;
        let (mut q, mut k) = (vector(&inputs.q, key), vector(&inputs.k, key));
        let q_factor = n.mul(inverse_norm(n, &q), SCALE);
        let k_factor = inverse_norm(n, &k);
        for x in &mut q {
            *x = n.mul(*x, q_factor);
        }
        for x in &mut k {
            *x = n.mul(*x, k_factor);
        }
        Self {
            q,
            k,
            v: vector(&inputs.v, value),
            alpha: alpha(n, bf16_to_f32(inputs.a[value]), inputs.a_log[head], inputs.dt_bias[head]),
            beta: n.sigmoid(bf16_to_f32(inputs.b[value])),
        }
    }
}

#[inline(always)]
fn vector(tensor: &[u16], position: usize) -> Vector {
    let mut vector = [0.0; ELEMENTS];
    for (element, &bits) in vector.iter_mut().zip(&tensor[position * ELEMENTS..]) {
        *element = bf16_to_f32(bits);
    }
    vector
}

/// `1 / sqrt(sum x^2 + 1e-6)`
#[inline(always)]
fn inverse_norm<P: Profile>(n: Numerics<P>, x: &Vector) -> f32 {
    let mut lanes = [0.0; LANES];
    for (sum, share) in lanes.iter_mut().zip(x.as_chunks::<SHARE>().0) {
        for &x in share {
            *sum = n.multiply_add(x, x, *sum);
        }
    }
    n.rsqrt(n.add(butterfly(n, lanes), EPSILON))
}

/// e^g with g = -e^a_log * softplus(a + dt_bias).
#[inline(always)]
fn alpha<P: Profile>(n: Numerics<P>, a: f32, a_log: f32, dt_bias: f32) -> f32 {
    let softplus = n.softplus(n.add(a, dt_bias));
    n.exp(n.mul(-n.exp(a_log), softplus))
}
