//! The oracle and the models against the outputs of Hugging Face transformers (`tests/golden/README.md`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use gridproof_launch::Arithmetic;
use safetensors::SafeTensors;

use super::oracle::{Arguments, L2Norm, Token, Vector, numbers, recurrence};
use super::tolerance;
use super::{Inputs, Path, Problem, Shape, Sizes, StateType, model};
use crate::numerics::half::{bf16_to_f32, f32_to_bf16};

const FILES: [&str; 3] = ["gdn_decode_small", "gdn_mtp", "gdn_prefill_odd"];

/// How far the golden values themselves may be from the truth.
const GOLDEN: f64 = 2e-6;

const SQUARE: usize = 128 * 128;

/// One file.
struct Golden {
    name: &'static str,
    b: usize,
    t: usize,
    h: usize,
    hv: usize,
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Golden {
    fn read(name: &'static str) -> Self {
        let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden"].iter().collect();
        let bytes = std::fs::read(folder.join(name).with_extension("safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let sizes = |name| file.tensor(name).unwrap().shape().to_vec();
        let (q, v) = (sizes("q"), sizes("v"));
        let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let tensors = file.tensors().into_iter().map(|(name, view)| (name, floats(view.data()))).collect();
        Self { name, b: q[0], t: q[1], h: q[2], hv: v[2], tensors }
    }

    fn tensor(&self, name: &str) -> &[f32] {
        &self.tensors[name]
    }

    /// Position of a token in tensors `[B, T, heads]`.
    fn position(&self, heads: usize, [request, token, head]: [usize; 3]) -> usize {
        (request * self.t + token) * heads + head
    }

    fn arguments(&self, [request, token, hv]: [usize; 3]) -> Arguments {
        let key = self.position(self.h, [request, token, hv / (self.hv / self.h)]);
        let gate = self.position(self.hv, [request, token, hv]);
        let vector = |name: &str, row: usize| std::array::from_fn(|i| f64::from(self.tensor(name)[row * 128 + i]));
        let number = |name: &str, index: usize| f64::from(self.tensor(name)[index]);
        Arguments {
            q: vector("q", key),
            k: vector("k", key),
            v: vector("v", gate),
            a: number("a", gate),
            b: number("b", gate),
            a_log: number("A_log", hv),
            dt_bias: number("dt_bias", hv),
        }
    }

    /// A V-major head of a K-major tensor of states.
    fn state(&self, name: &str, request: usize, hv: usize) -> Vec<f32> {
        let head = &self.tensor(name)[(request * self.hv + hv) * SQUARE..][..SQUARE];
        (0..SQUARE).map(|element| head[element % 128 * 128 + element / 128]).collect()
    }

    fn heads(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.b).flat_map(|request| (0..self.hv).map(move |hv| (request, hv)))
    }

    fn check(&self, tensor: &str, actual: f64, expected: f32, bound: f64) {
        let distance = (actual - f64::from(expected)).abs();
        assert!(distance <= bound, "{}: {tensor}: {actual} is {distance} away from {expected}", self.name);
    }
}

#[test]
fn the_oracle_gives_the_golden_values() {
    for golden in FILES.map(Golden::read) {
        for (request, hv) in golden.heads() {
            let arguments = (0..golden.t).map(|token| golden.arguments([request, token, hv]));
            let tokens: Vec<Token> =
                arguments.map(|arguments| Token::new(&arguments, L2Norm::RsqrtOfSumPlusEps)).collect();
            let mut state: Vec<f64> = golden.state("state_in", request, hv).into_iter().map(f64::from).collect();
            let outputs = recurrence(&mut state, &tokens);
            for (position, (token, output)) in tokens.iter().zip(&outputs).enumerate() {
                let gate = golden.position(golden.hv, [request, position, hv]);
                golden.check("g", token.g, golden.tensor("g")[gate], GOLDEN);
                golden.check("beta", token.beta, golden.tensor("beta")[gate], GOLDEN);
                for (&actual, &expected) in output.iter().zip(&golden.tensor("out_recurrent")[gate * 128..]) {
                    golden.check("out_recurrent", actual, expected, GOLDEN);
                }
            }
            for (&actual, expected) in state.iter().zip(golden.state("state_out_recurrent", request, hv)) {
                golden.check("state_out_recurrent", actual, expected, GOLDEN);
            }
        }
    }
}

#[test]
fn another_norm_does_not_give_the_golden_values() {
    let golden = Golden::read("gdn_decode_small");
    let arguments = golden.arguments([0, 0, 0]);
    let small = |x: &Vector| x.map(|x| x * 1e-3);
    let arguments = Arguments { q: small(&arguments.q), k: small(&arguments.k), ..arguments };
    let output = |norm| {
        let mut state: Vec<f64> = golden.state("state_in", 0, 0).into_iter().map(f64::from).collect();
        recurrence(&mut state, &[Token::new(&arguments, norm)])[0]
    };
    let ours = output(L2Norm::RsqrtOfSumPlusEps);
    for norm in [L2Norm::DivideByMaxNorm, L2Norm::RsqrtAboveThreshold] {
        let distance = ours.iter().zip(output(norm)).map(|(ours, other)| (ours - other).abs()).fold(0.0, f64::max);
        assert!(distance > 10.0 * GOLDEN, "{norm:?} is within {distance}");
    }
}

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
