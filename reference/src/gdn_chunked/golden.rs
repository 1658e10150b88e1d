//! Both recurrences of the model against the outputs of Hugging Face transformers (`tests/golden/README.md`).
//!
//! The oracle's recurrence is the one that `delta_rule/golden.rs` checks against the same files, there against the serial
//! outputs; here against those in chunks.

use gridproof_launch::Arithmetic;

use super::bounds::{Head, prepared};
use super::materialize::{Gates, Token};
use super::model;
use super::path::Path;
use super::segments::BoundedToken;
use crate::delta_rule::bounded::Bounded;
use crate::delta_rule::golden::{FILES, GOLDEN, Golden};
use crate::delta_rule::oracle::{self, Arguments, L2Norm, Vector};
use crate::numerics::Numerics;

/// The golden values are f32, so nothing is rounded here.
fn single(x: f64) -> f32 {
    assert_eq!(f64::from(x as f32), x);
    x as f32
}

fn token(n: Numerics, arguments: &Arguments) -> Token {
    let &Arguments { q, k, v, a, b, a_log, dt_bias } = arguments;
    let vector = |x: Vector| x.map(single);
    let gates = Gates { a: single(a), b: single(b), a_log: single(a_log), dt_bias: single(dt_bias) };
    Token::from_parts(n, [vector(q), vector(k), vector(v)], gates)
}

fn bounded(arguments: &Arguments) -> BoundedToken {
    let &Arguments { q, k, v, a, b, a_log, dt_bias } = arguments;
    let vector = |x: Vector| x.map(Bounded::given).to_vec();
    prepared([vector(q), vector(k), vector(v)], [b, a, a_log, dt_bias].map(Bounded::given))
}

/// All golden outputs and states of a kind.
fn names(path: Path) -> (&'static str, &'static str) {
    match path {
        Path::Chunked => ("out_chunk", "state_out_chunk"),
        Path::Serial => ("out_recurrent", "state_out_recurrent"),
    }
}

fn check_head(golden: &Golden, path: Path, c: usize, arithmetic: Arithmetic, [request, hv]: [usize; 2]) {
    let n = Numerics::new(arithmetic);
    let (output, state) = names(path);
    let arguments: Vec<Arguments> = (0..golden.t).map(|token| golden.arguments([request, token, hv])).collect();
    let first = golden.state("state_in", request, hv);
    let tokens = arguments.iter().map(|arguments| token(n, arguments)).collect();
    let (cores, last) = model::cores_and_state(n, path, tokens, first.clone(), c);
    let wide: Vec<f64> = first.iter().map(|&s| f64::from(s)).collect();
    let tokens: Vec<BoundedToken> = arguments.iter().map(bounded).collect();
    let bounds = Head::from_tokens(path, &tokens, c, &wide, &[0.0; 128]);
    for (position, core) in cores.iter().enumerate() {
        let place = golden.position(golden.hv, [request, position, hv]) * 128;
        for (v, &actual) in core.iter().enumerate() {
            let bound = bounds.cores[position][v].error + GOLDEN;
            golden.check(output, f64::from(actual), golden.tensor(output)[place + v], bound);
        }
    }
    for ((&actual, expected), bound) in last.iter().zip(golden.state(state, request, hv)).zip(&bounds.state) {
        golden.check(state, f64::from(actual), expected, bound.error + GOLDEN);
    }
}

#[test]
fn the_model_is_within_its_bounds_of_the_golden_values() {
    for golden in FILES.map(Golden::read) {
        for (request, hv) in golden.heads() {
            for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
                check_head(&golden, Path::Serial, 16, arithmetic, [request, hv]);
                for c in [16, 32, 64] {
                    check_head(&golden, Path::Chunked, c, arithmetic, [request, hv]);
                }
            }
        }
    }
}

/// The largest distances of outputs and of states from the golden ones.
fn distances(golden: &Golden, path: Path, c: usize) -> [f64; 2] {
    let n = Numerics::new(Arithmetic::FUSED);
    let (output, state) = names(path);
    let mut distances = [0.0_f64; 2];
    let distance = |a: f32, b: f32| (f64::from(a) - f64::from(b)).abs();
    for (request, hv) in golden.heads() {
        let tokens = (0..golden.t).map(|position| token(n, &golden.arguments([request, position, hv]))).collect();
        let first = golden.state("state_in", request, hv);
        let (cores, last) = model::cores_and_state(n, path, tokens, first, c);
        for (position, core) in cores.iter().enumerate() {
            let expected = &golden.tensor(output)[golden.position(golden.hv, [request, position, hv]) * 128..];
            distances[0] = core.iter().zip(expected).map(|(&a, &b)| distance(a, b)).fold(distances[0], f64::max);
        }
        let expected = golden.state(state, request, hv);
        distances[1] = last.iter().zip(expected).map(|(&a, b)| distance(a, b)).fold(distances[1], f64::max);
    }
    distances
}

#[test]
fn the_model_gives_the_golden_values_to_two_millionths() {
    for golden in FILES.map(Golden::read) {
        for (path, c) in [(Path::Serial, 16), (Path::Chunked, 16), (Path::Chunked, 32), (Path::Chunked, 64)] {
            let distances = distances(&golden, path, c);
            assert!(distances.iter().all(|&distance| distance <= GOLDEN), "{path:?}, {c}: {distances:?}");
        }
    }
}

#[test]
fn the_oracle_gives_the_golden_values_of_the_chunks() {
    for golden in FILES.map(Golden::read) {
        for (request, hv) in golden.heads() {
            let token =
                |position| oracle::Token::new(&golden.arguments([request, position, hv]), L2Norm::RsqrtOfSumPlusEps);
            let tokens: Vec<oracle::Token> = (0..golden.t).map(token).collect();
            let mut state: Vec<f64> = golden.state("state_in", request, hv).into_iter().map(f64::from).collect();
            for (position, output) in oracle::recurrence(&mut state, &tokens).iter().enumerate() {
                let place = golden.position(golden.hv, [request, position, hv]) * 128;
                for (&actual, &expected) in output.iter().zip(&golden.tensor("out_chunk")[place..]) {
                    golden.check("out_chunk", actual, expected, GOLDEN);
                }
            }
            for (&actual, expected) in state.iter().zip(golden.state("state_out_chunk", request, hv)) {
                golden.check("state_out_chunk", actual, expected, GOLDEN);
            }
        }
    }
}
