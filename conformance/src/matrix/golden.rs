//! The leg `golden`: outputs that other people's code computed (`reference/tests/golden/README.md`).
//!
//! The golden values are f32, the model's outputs are rounded to bf16 and have a stated error. So two things are compared
//! for each call: the f64 oracle with the golden values, within the tolerance of the case file, and the model with the
//! oracle, within the error that is stated for it. A call has at most eight tokens; the next one starts from the oracle's
//! states, rounded to f32.

use std::collections::BTreeMap;

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_decode::{
    Inputs, L2Norm, Oracle, Path, Problem, Shape, Sizes, StateType, model, tolerance,
};
use gridproof_reference::numerics::half::{bf16_to_f32, f32_to_bf16};
use safetensors::SafeTensors;

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenCase {
    /// Kernel name.
    pub kernel: String,
    /// Variant name.
    pub variant: String,
    /// Name of the vectors.
    pub vectors: String,
    /// How far the oracle may be from them, absolute.
    pub tolerance: f64,
    /// Arithmetic profile.
    pub arithmetic: Arithmetic,
    /// The case file, as a path in the sources.
    pub file: String,
}

/// The vectors by name; part of the program, as the case files are.
const VECTORS: [(&str, &[u8]); 3] = [
    ("gdn_decode_small", include_bytes!("../../../reference/tests/golden/gdn_decode_small.safetensors")),
    ("gdn_mtp", include_bytes!("../../../reference/tests/golden/gdn_mtp.safetensors")),
    ("gdn_prefill_odd", include_bytes!("../../../reference/tests/golden/gdn_prefill_odd.safetensors")),
];

/// Tokens of a call at most.
const CALL: usize = 8;
/// Elements of a row of a state, and rows.
const HEAD: usize = 128;

/// Compares one case.
///
/// # Errors
/// The first number that is too far off, or vectors that make no problem.
pub fn compare(case: &GoldenCase) -> Result<(), String> {
    let path = match case.variant.as_str() {
        "wide_vec" => Path::WideVec,
        "ilp4" => Path::Ilp4,
        "pretranspose" => Path::Pretranspose,
        other => return Err(format!("no golden values are known for variant `{other}` of {}", case.kernel)),
    };
    let bytes = VECTORS.iter().find(|(name, _)| *name == case.vectors).map(|(_, bytes)| *bytes);
    let bytes = bytes.ok_or_else(|| format!("there are no golden vectors `{}`", case.vectors))?;
    against(&Vectors::read(bytes)?, path, case)
}

fn against(vectors: &Vectors, path: Path, case: &GoldenCase) -> Result<(), String> {
    let mut states: Vec<Vec<f32>> =
        (0..vectors.b).map(|request| vectors.state("state_in", request)).collect::<Result<_, _>>()?;
    for first in (0..vectors.t).step_by(CALL) {
        let problem = vectors.problem(first, &states)?;
        let outputs = model::run(&problem, path, case.arithmetic);
        let far = |deviation| format!("tokens from {first} on: the model is too far off the oracle: {deviation}");
        tolerance::check(&problem, &outputs, path).map_err(far)?;
        let oracle = Oracle::new(&problem, L2Norm::RsqrtOfSumPlusEps);
        vectors.check_output(first, &oracle.output, case.tolerance)?;
        states = oracle.states.into_values().map(single).collect();
    }
    for (request, state) in states.iter().enumerate() {
        close("state_out_recurrent", state, &vectors.state("state_out_recurrent", request)?, case.tolerance)?;
    }
    Ok(())
}

fn single(state: Vec<f64>) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "a state is handed on in f32, which rounds to nearest")]
    state.into_iter().map(|x| x as f32).collect()
}

fn close(tensor: &str, actual: &[f32], golden: &[f32], tolerance: f64) -> Result<(), String> {
    let mut pairs = actual.iter().zip(golden).enumerate();
    // A NaN is not within any tolerance.
    let near = |a: f32, g: f32| (f64::from(a) - f64::from(g)).abs() <= tolerance;
    match pairs.find(|(_, (actual, golden))| !near(**actual, **golden)) {
        None => Ok(()),
        Some((element, (actual, golden))) => Err(format!(
            "{tensor}[{element}]: the oracle says {actual} (0x{:08x}), the golden value is {golden} (0x{:08x}), and \
             {tolerance:e} is allowed",
            actual.to_bits(),
            golden.to_bits()
        )),
    }
}

/// The tensors of one file.
struct Vectors {
    b: usize,
    t: usize,
    h: usize,
    hv: usize,
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Vectors {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let sizes = |name: &str| -> Result<[usize; 4], String> {
            let view = file.tensor(name).map_err(|error| error.to_string())?;
            view.shape().try_into().map_err(|_| format!("`{name}` has {} axes, expected 4", view.shape().len()))
        };
        let ([b, t, h, _], [_, _, hv, _]) = (sizes("q")?, sizes("v")?);
        let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let tensors = file.tensors().into_iter().map(|(name, view)| (name, floats(view.data()))).collect();
        Ok(Self { b, t, h, hv, tensors })
    }

    fn tensor(&self, name: &str) -> Result<&[f32], String> {
        self.tensors.get(name).map(Vec::as_slice).ok_or_else(|| format!("there is no tensor `{name}`"))
    }

    /// The heads of a request, from K-major to V-major.
    fn state(&self, name: &str, request: usize) -> Result<Vec<f32>, String> {
        let square = HEAD * HEAD;
        let heads = self.tensor(name)?.chunks_exact(square).skip(request * self.hv).take(self.hv);
        let turned = |head: &[f32]| -> Vec<f32> {
            (0..square).map(|element| head[element % HEAD * HEAD + element / HEAD]).collect()
        };
        Ok(heads.flat_map(turned).collect())
    }

    /// A call of at most [`CALL`] tokens.
    fn problem(&self, first: usize, states: &[Vec<f32>]) -> Result<Problem, String> {
        let tokens = (self.t - first).min(CALL);
        let part = |name: &str, width: usize| -> Result<Vec<u16>, String> {
            let rows = self.tensor(name)?.chunks_exact(self.t * width);
            let exact = |&x: &f32| {
                let bits = f32_to_bf16(x);
                (bf16_to_f32(bits) == x).then_some(bits).ok_or_else(|| format!("`{name}`: {x} is not exact in bf16"))
            };
            rows.flat_map(|row| row[first * width..(first + tokens) * width].iter().map(exact)).collect()
        };
        let size = |value: usize| u32::try_from(value).map_err(|_| format!("a size of {value} is too large"));
        let requests = size(self.b)?;
        let sizes = Sizes {
            b: requests,
            t: size(tokens)?,
            h: size(self.h)?,
            hv: size(self.hv)?,
            k: 128,
            v: 128,
            pool: u64::from(requests),
            stride: None,
            steps: None,
            state: StateType::F32,
            update: true,
            cache_intermediate: false,
        };
        let slots: Vec<i32> = (0..requests.cast_signed()).collect();
        let bytes = |state: &Vec<f32>| state.iter().flat_map(|x| x.to_le_bytes()).collect();
        let inputs = Inputs {
            q: part("q", self.h * HEAD)?,
            k: part("k", self.h * HEAD)?,
            v: part("v", self.hv * HEAD)?,
            a: part("a", self.hv)?,
            b: part("b", self.hv)?,
            a_log: self.tensor("A_log")?.to_vec(),
            dt_bias: self.tensor("dt_bias")?.to_vec(),
            read_indices: slots.clone(),
            write_indices: slots,
            states: (0..).zip(states.iter().map(bytes)).collect(),
        };
        let shape = Shape::new(sizes).map_err(|error| error.to_string())?;
        Problem::new(shape, inputs).map_err(|error| error.to_string())
    }

    /// The outputs `[B, tokens of the call, HV, 128]` of a call that begins at a token.
    fn check_output(&self, first: usize, oracle: &[f64], tolerance: f64) -> Result<(), String> {
        let golden = self.tensor("out_recurrent")?;
        let (row, tokens) = (self.hv * HEAD, (self.t - first).min(CALL));
        for (request, call) in oracle.chunks_exact(tokens * row).enumerate() {
            let golden = &golden[(request * self.t + first) * row..][..tokens * row];
            close(
                &format!("request {request}, tokens from {first} on, out_recurrent"),
                &single(call.to_vec()),
                golden,
                tolerance,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(vectors: &str, tolerance: f64) -> GoldenCase {
        GoldenCase {
            kernel: "gdn_decode".to_owned(),
            variant: "pretranspose".to_owned(),
            vectors: vectors.to_owned(),
            tolerance,
            arithmetic: Arithmetic::FUSED,
            file: String::new(),
        }
    }

    #[test]
    fn the_golden_values_agree_and_the_tolerance_is_felt() {
        assert_eq!(compare(&case("gdn_mtp", 2e-6)), Ok(()));
        let said = compare(&case("gdn_mtp", 1e-12)).unwrap_err();
        assert!(said.contains("out_recurrent[") && said.contains("(0x") && said.contains("1e-12"), "{said}");
        assert!(compare(&case("other", 2e-6)).unwrap_err().contains("no golden vectors `other`"));
    }

    #[test]
    fn a_changed_golden_value_is_noticed_in_outputs_and_states() {
        for (tensor, element) in [("out_recurrent", 300), ("state_out_recurrent", 70_000), ("v", 5)] {
            let mut vectors = Vectors::read(VECTORS[1].1).unwrap();
            vectors.tensors.get_mut(tensor).unwrap()[element] += 0.5;
            assert!(against(&vectors, Path::Pretranspose, &case("gdn_mtp", 2e-6)).is_err(), "{tensor}");
        }
    }
}
