//! `gdn_chunked` as the gate sees it.

use gridproof_kernels::catalogue::Kernel;
use gridproof_kernels::gdn_chunked::{KERNEL, Options, Request, Variant, expectation, launch, parse_shape};
use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_chunked::{L2Norm, Oracle, Outputs, Path, Problem, Shape, model, tolerance};

use super::traffic::factor;
use super::{Family, Instance, Making, Reference, Traffic, message, relative_distance, told, whole};
use crate::compare::Expected;

/// Keys that are always named; the others where they say something.
const ALWAYS: usize = 3;

pub(super) struct GdnChunked;

impl Family for GdnChunked {
    fn kernel(&self) -> &'static Kernel {
        &KERNEL
    }

    fn check_shape(&self, variant: &str, shape_text: &str) -> Result<(), String> {
        parse_shape(shape_text, variant.parse().map_err(message)?).map(drop).map_err(message)
    }

    fn instance(&self, variant: &str, shape_text: &str, making: &Making) -> Result<Instance, String> {
        let variant: Variant = variant.parse().map_err(message)?;
        let request: Request = parse_shape(shape_text, variant).map_err(message)?;
        let options = Options { arithmetic: making.arithmetic, language: making.language };
        let problem = request.problem(making.data_seed);
        let launch = launch(&problem, variant, options).map_err(message)?;
        Ok(Instance {
            shape: told(&KERNEL, variant.name(), ALWAYS, request.values()),
            launch,
            expectation: expectation(&problem, variant),
            traffic: traffic(problem.shape(), variant.path()),
            reference: Box::new(Answer { problem, path: variant.path(), arithmetic: making.arithmetic }),
        })
    }
}

/// With n tokens and S sequences, all of 4 bytes: read `hidden` `[n, d]`, `qkv` `[n, dim]`, `z` `[n, HV, 128]`, the weights
/// `[dim, 4]`, twice `[HV, d]`, twice `[HV]` and `[128]`, the indices `[S + 1]` and twice `[chunks]`, and both states
/// `[3, dim]` and `[HV, 128, 128]` of each sequence; written: both states, and the output `[n, HV, 128]`. Handed on once
/// each: `q_hat`, `k_hat`, `v_act` and `core` `[n, HV, 128]`, `beta` and `log_alpha` `[n, HV]`; in chunks also `w`, `u` and
/// `residual` `[n, HV, 128]`, `gamma` `[n, HV]` and `attention` `[n, HV, c]`. States count once each way, though the
/// kernels of each chunk hand them on too.
fn traffic(shape: &Shape, path: Path) -> Traffic {
    let (heads, gates) = (factor(shape.head_elements()), factor(shape.gate_elements()));
    let (sequences, chunks) = (u64::from(shape.sequences()), u64::from(shape.total_chunks()));
    let (hv, states) = (u64::from(shape.hv()), shape.conv_state_elements() + shape.state_elements());
    let weights = factor(shape.conv_weight_elements()) + 2 * factor(shape.gate_weight_elements()) + 2 * hv + 128;
    let (vectors, numbers, matrices) = match path {
        Path::Serial => (4, 2, 0),
        Path::Chunked => (7, 3, factor(shape.attention_elements())),
    };
    Traffic::default()
        .reading(factor(shape.hidden_elements()) + factor(shape.qkv_elements()) + heads, 4)
        .reading(weights + sequences + 1 + 2 * chunks, 4)
        .reading(sequences, states * 4)
        .writing(sequences, states * 4)
        .writing(heads, 4)
        .handing_on(vectors * heads + numbers * gates + matrices, 4)
}

struct Answer {
    problem: Problem,
    path: Path,
    arithmetic: Arithmetic,
}

impl Reference for Answer {
    fn model(&self) -> Vec<Expected> {
        let Outputs { output, conv_state, state } = model::run(&self.problem, self.path, self.arithmetic);
        let tensors = [("conv_state", conv_state), ("state", state), ("output", output)];
        tensors.into_iter().map(|(name, numbers)| Expected::whole(name, bytes(&numbers))).collect()
    }

    fn check_oracle(&self, outputs: &[Expected]) -> Result<(), String> {
        let tensor = |name| whole(outputs, name).map(|bytes| numbers(&bytes).collect());
        let outputs = Outputs { output: tensor("output")?, conv_state: tensor("conv_state")?, state: tensor("state")? };
        tolerance::check(&self.problem, self.path, &outputs).map_err(message)
    }

    fn measured_buffer(&self) -> &'static str {
        "output"
    }

    fn relative_error(&self, bytes: &[u8]) -> f64 {
        let oracle = Oracle::new(&self.problem, L2Norm::RsqrtOfSumPlusEps);
        let actual: Vec<f64> = numbers(bytes).map(f64::from).collect();
        relative_distance(&actual, &oracle.output)
    }
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks().0.iter().map(|&element| f32::from_le_bytes(element))
}
