//! The models against the outputs of Hugging Face transformers (`tests/golden/README.md`).

use std::collections::BTreeMap;

use gridproof_launch::Arithmetic;

use super::oracle::{Arguments, numbers};
use super::tolerance;
use super::{Inputs, Path, Problem, Shape, Sizes, StateType, model};
use crate::delta_rule::golden::{FILES, GOLDEN, Golden, SQUARE};
use crate::numerics::half::{bf16_to_f32, f32_to_bf16};

/// A call of at most 8 tokens from `first` on, from the given states by request.
fn problem(golden: &Golden, first: usize, states: &BTreeMap<u64, Vec<u8>>) -> Problem {
    let t = (golden.t - first).min(8);
    let sizes = Sizes {
        b: golden.b as u32,
        t: t as u32,
        h: golden.h as u32,
        hv: golden.hv as u32,
        k: 128,
        v: 128,
        pool: golden.b as u64,
        stride: None,
        steps: None,
        state: StateType::F32,
        update: true,
        cache_intermediate: false,
    };
    let part = |name: &str, width: usize| -> Vec<u16> {
        let rows = golden.tensor(name).chunks_exact(golden.t * width);
        let exact = |&x: &f32| {
            let bits = f32_to_bf16(x);
            assert_eq!(bf16_to_f32(bits), x, "{name} is not exact in bf16");
            bits
        };
        rows.flat_map(|row| row[first * width..(first + t) * width].iter().map(exact)).collect()
    };
    let slots: Vec<i32> = (0..golden.b as i32).collect();
    let inputs = Inputs {
        q: part("q", golden.h * 128),
        k: part("k", golden.h * 128),
        v: part("v", golden.hv * 128),
        a: part("a", golden.hv),
        b: part("b", golden.hv),
        a_log: golden.tensor("A_log").to_vec(),
        dt_bias: golden.tensor("dt_bias").to_vec(),
        read_indices: slots.clone(),
        write_indices: slots,
        states: states.clone(),
    };
    Problem::new(Shape::new(sizes).unwrap(), inputs).unwrap()
}

/// The outputs `[B, T, HV, 128]` and final states of all tokens, in calls of at most 8.
fn run(golden: &Golden, path: Path) -> (Vec<f64>, BTreeMap<u64, Vec<u8>>) {
    let bytes = |request: u64| {
        let heads = (0..golden.hv).flat_map(|hv| golden.state("state_in", request as usize, hv));
        heads.flat_map(f32::to_le_bytes).collect()
    };
    let mut states: BTreeMap<u64, Vec<u8>> = (0..golden.b as u64).map(|request| (request, bytes(request))).collect();
    let mut outputs = vec![0.0; golden.b * golden.t * golden.hv * 128];
    for first in (0..golden.t).step_by(8) {
        let problem = problem(golden, first, &states);
        let answer = model::run(&problem, path, Arithmetic::FUSED);
        assert_eq!(tolerance::check(&problem, &answer, path), Ok(()));
        let width = golden.hv * 128;
        let call = problem.shape().t() as usize * width;
        let values = numbers(&answer.output, StateType::Bf16);
        for (request, values) in values.chunks_exact(call).enumerate() {
            outputs[(request * golden.t + first) * width..][..call].copy_from_slice(values);
        }
        states = answer.states;
    }
    (outputs, states)
}

#[test]
fn the_models_are_within_their_bounds_of_the_golden_values() {
    for golden in FILES.map(Golden::read) {
        for path in Path::ALL {
            let (outputs, states) = run(&golden, path);
            for (request, hv) in golden.heads() {
                let arguments = (0..golden.t).map(|token| golden.arguments([request, token, hv]));
                let arguments: Vec<Arguments> = arguments.collect();
                let first: Vec<f64> = golden.state("state_in", request, hv).into_iter().map(f64::from).collect();
                let (output_bounds, state_bounds) = tolerance::bounds(&arguments, &first, path);
                for (token, bounds) in output_bounds.iter().enumerate() {
                    let place = golden.position(golden.hv, [request, token, hv]) * 128;
                    let expected = &golden.tensor("out_recurrent")[place..];
                    for (v, bound) in bounds.iter().enumerate() {
                        golden.check("out_recurrent", outputs[place + v], expected[v], bound + GOLDEN);
                    }
                }
                let head = hv * SQUARE * 4..(hv + 1) * SQUARE * 4;
                let actual = numbers(&states[&(request as u64)][head], StateType::F32);
                let expected = golden.state("state_out_recurrent", request, hv);
                for ((actual, expected), bound) in actual.into_iter().zip(expected).zip(state_bounds) {
                    golden.check("state_out_recurrent", actual, expected, bound + GOLDEN);
                }
            }
        }
    }
}
