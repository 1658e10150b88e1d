//! Phase 1 of the kernels: the tokens of a request, which 32 lanes with 4 neighbouring elements each prepare. All kernels
//! share this phase, whatever their main loop looks like.

use super::problem::Problem;
use crate::delta_rule::ELEMENTS;
use crate::delta_rule::preparation::{Gates, Token, Vector};
use crate::numerics::half::bf16_to_f32;
use crate::numerics::{Numerics, Profile};

const LANES: usize = 32;

/// Token `token` of `request`, for value head `hv`.
#[inline(always)]
pub(super) fn prepared<P: Profile>(n: Numerics<P>, problem: &Problem, request: u32, token: u32, hv: u32) -> Token {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let position = request as usize * shape.t() as usize + token as usize;
    let key = position * shape.h() as usize + shape.key_head(hv) as usize;
    let value = position * shape.hv() as usize + hv as usize;
    let head = hv as usize;
    let vectors = [vector(&inputs.q, key), vector(&inputs.k, key), vector(&inputs.v, value)];
    let gates = Gates {
        a: bf16_to_f32(inputs.a[value]),
        b: bf16_to_f32(inputs.b[value]),
        a_log: inputs.a_log[head],
        dt_bias: inputs.dt_bias[head],
    };
    Token::new::<P, LANES>(n, vectors, gates)
}

#[inline(always)]
fn vector(tensor: &[u16], position: usize) -> Vector {
    let mut vector = [0.0; ELEMENTS];
    for (element, &bits) in vector.iter_mut().zip(&tensor[position * ELEMENTS..]) {
        *element = bf16_to_f32(bits);
    }
    vector
}
