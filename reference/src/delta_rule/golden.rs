//! The outputs of Hugging Face transformers (`tests/golden/README.md`), and the oracle against them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use safetensors::SafeTensors;

use super::oracle::{Arguments, L2Norm, Token, Vector, recurrence};

pub(crate) const FILES: [&str; 3] = ["gdn_decode_small", "gdn_mtp", "gdn_prefill_odd"];

/// How far the golden values themselves may be from the truth.
pub(crate) const GOLDEN: f64 = 2e-6;

pub(crate) const SQUARE: usize = 128 * 128;

/// One file.
pub(crate) struct Golden {
    name: &'static str,
    pub(crate) b: usize,
    pub(crate) t: usize,
    pub(crate) h: usize,
    pub(crate) hv: usize,
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Golden {
    pub(crate) fn read(name: &'static str) -> Self {
        let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden"].iter().collect();
        let bytes = std::fs::read(folder.join(name).with_extension("safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let sizes = |name| file.tensor(name).unwrap().shape().to_vec();
        let (q, v) = (sizes("q"), sizes("v"));
        let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let tensors = file.tensors().into_iter().map(|(name, view)| (name, floats(view.data()))).collect();
        Self { name, b: q[0], t: q[1], h: q[2], hv: v[2], tensors }
    }

    pub(crate) fn tensor(&self, name: &str) -> &[f32] {
        &self.tensors[name]
    }

    /// Position of a token in tensors `[B, T, heads]`.
    pub(crate) fn position(&self, heads: usize, [request, token, head]: [usize; 3]) -> usize {
        (request * self.t + token) * heads + head
    }

    pub(crate) fn arguments(&self, [request, token, hv]: [usize; 3]) -> Arguments {
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
    pub(crate) fn state(&self, name: &str, request: usize, hv: usize) -> Vec<f32> {
        let head = &self.tensor(name)[(request * self.hv + hv) * SQUARE..][..SQUARE];
        (0..SQUARE).map(|element| head[element % 128 * 128 + element / 128]).collect()
    }

    pub(crate) fn heads(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.b).flat_map(|request| (0..self.hv).map(move |hv| (request, hv)))
    }

    pub(crate) fn check(&self, tensor: &str, actual: f64, expected: f32, bound: f64) {
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
