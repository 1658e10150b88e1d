//! `gdn_chunked` as the gate sees it.

use gridproof_kernels::catalogue::Kernel;
use gridproof_kernels::gdn_chunked::{KERNEL, Options, Request, Variant, expectation, launch, parse_shape};
use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_chunked::{L2Norm, Oracle, Outputs, Path, Problem, model, tolerance};

use super::{Family, Instance, Making, Reference, message, relative_distance, told, whole};
use crate::compare::Expected;

/// Keys that are always named; the others where they say something.
const ALWAYS: usize = 3;

pub(super) struct GdnChunked;

impl Family for GdnChunked {
    fn kernel(&self) -> &'static Kernel {
        &KERNEL
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
            reference: Box::new(Answer { problem, path: variant.path(), arithmetic: making.arithmetic }),
        })
    }
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
