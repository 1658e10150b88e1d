//! The model's recurrence against the outputs of Hugging Face transformers (`tests/golden/README.md`).
//!
//! The oracle's recurrence is the one that `delta_rule/golden.rs` checks. Here its f32 form, in the lanes of this family,
//! goes through all tokens of a file with the state kept in f32.

use gridproof_launch::Arithmetic;

use super::rows::{LANES, SharedOut, elements, row};
use super::tolerance::ROUNDINGS;
use crate::delta_rule::golden::{FILES, GOLDEN, Golden};
use crate::delta_rule::oracle::{Arguments, Vector};
use crate::delta_rule::preparation::{Gates, Token};
use crate::delta_rule::token_bounds::{BoundedToken, bounds};
use crate::numerics::Numerics;

/// The golden values are f32, so nothing is rounded here.
fn single(x: f64) -> f32 {
    assert_eq!(f64::from(x as f32), x);
    x as f32
}

fn token(n: Numerics, arguments: &Arguments) -> SharedOut {
    let &Arguments { q, k, v, a, b, a_log, dt_bias } = arguments;
    let vector = |x: Vector| x.map(single);
    let gates = Gates { a: single(a), b: single(b), a_log: single(a_log), dt_bias: single(dt_bias) };
    SharedOut::new(&Token::new::<_, LANES>(n, [vector(q), vector(k), vector(v)], gates))
}

fn check_head(golden: &Golden, arithmetic: Arithmetic, request: usize, hv: usize) {
    let n = Numerics::new(arithmetic);
    let arguments: Vec<Arguments> = (0..golden.t).map(|token| golden.arguments([request, token, hv])).collect();
    let tokens: Vec<SharedOut> = arguments.iter().map(|arguments| token(n, arguments)).collect();
    let bounded: Vec<BoundedToken> =
        arguments.iter().map(|arguments| BoundedToken::given(arguments, ROUNDINGS)).collect();
    let first = golden.state("state_in", request, hv);
    let wide: Vec<f64> = first.iter().map(|&s| f64::from(s)).collect();
    let (output_bounds, state_bounds) = bounds(&bounded, &wide);
    let expected = golden.state("state_out_recurrent", request, hv);
    for v in 0..128 {
        let mut row = row(first[v * 128..][..128].as_array().unwrap());
        for (position, token) in tokens.iter().enumerate() {
            let actual = token.advance(n, &mut row, v);
            let place = golden.position(golden.hv, [request, position, hv]) * 128 + v;
            let bound = output_bounds[position][v].error + GOLDEN;
            golden.check("out_recurrent", f64::from(actual), golden.tensor("out_recurrent")[place], bound);
        }
        for (k, actual) in elements(&row).into_iter().enumerate() {
            let bound = state_bounds[v * 128 + k] + GOLDEN;
            golden.check("state_out_recurrent", f64::from(actual), expected[v * 128 + k], bound);
        }
    }
}

#[test]
fn the_model_is_within_its_bounds_of_the_golden_values() {
    for golden in FILES.map(Golden::read) {
        for (request, hv) in golden.heads() {
            for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
                check_head(&golden, arithmetic, request, hv);
            }
        }
    }
}
