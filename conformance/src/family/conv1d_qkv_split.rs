//! `conv1d_qkv_split` as the gate sees it.

use gridproof_kernels::catalogue::Kernel;
use gridproof_kernels::conv1d_qkv_split::dispatcher::{Path, choose, chunk_count};
use gridproof_kernels::conv1d_qkv_split::{KERNEL, Options, Request, Variant, expectation, launch, parse_shape};
use gridproof_launch::Arithmetic;
use gridproof_reference::conv1d_qkv_split::{Oracle, Outputs, Problem, Tensor, model, tolerance};

use super::traffic::factor;
use super::{Family, Instance, Making, Reference, Traffic, message, pool, relative_distance, slots, told};
use crate::compare::Expected;

/// Keys that are always named; the others where they say something.
const ALWAYS: usize = 4;

/// The output whose distance to the oracle is reported.
const MEASURED: Tensor = Tensor::V;

pub(super) struct Conv1dQkvSplit;

impl Family for Conv1dQkvSplit {
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
        let problem = request.problem(making.data_seed).map_err(message)?;
        let launch = launch(&problem, variant, options).map_err(message)?;
        Ok(Instance {
            shape: told(&KERNEL, variant.name(), ALWAYS, request.values()),
            launch,
            expectation: expectation(&problem, variant, making.language),
            traffic: traffic(&problem, variant),
            reference: Box::new(Answer { problem, arithmetic: making.arithmetic }),
        })
    }
}

/// With D channels and n tokens of sequences that are not padded: read x `[n, D]`, the weight `[D, width]` and the bias
/// `[D]`, if there is one, of 2 bytes, a state `[width - 1, D]` for each sequence that starts from one, and the indices
/// `[B + 1]`, `[B]`, `[B]` and twice `[chunks]` of 4; written: q, k and v `[n, D]` together, and a state for each sequence
/// with tokens. The sequential path hands `staging` `[n, D]` on.
fn traffic(problem: &Problem, variant: Variant) -> Traffic {
    let shape = problem.shape();
    let (dim, sequences) = (u64::from(shape.dim()), u64::from(shape.sequences()));
    let lengths = problem.computed().map(|sequence| (sequence, shape.length(sequence)));
    let with_tokens: Vec<(u32, u32)> = lengths.filter(|(_, length)| *length > 0).collect();
    let tokens: u64 = with_tokens.iter().map(|&(_, length)| u64::from(length)).sum();
    let started = with_tokens.iter().filter(|(sequence, _)| problem.has_initial_state(*sequence)).count();
    let staged = if choose(shape, variant) == Path::Sequential { tokens } else { 0 };
    Traffic::default()
        .reading(tokens, dim * 2)
        .reading(factor(shape.weight_elements()), 2)
        .reading(if shape.bias() { dim } else { 0 }, 2)
        .reading(factor(started), shape.state_bytes())
        .reading(3 * sequences + 1 + 2 * chunk_count(shape), 4)
        .writing(tokens, dim * 2)
        .writing(factor(with_tokens.len()), shape.state_bytes())
        .handing_on(staged, dim * 2)
}

struct Answer {
    problem: Problem,
    arithmetic: Arithmetic,
}

impl Answer {
    /// Bytes of a token in an output.
    fn row(&self, tensor: Tensor) -> usize {
        2 * self.problem.shape().channels(tensor).len()
    }

    /// Where the rows of each sequence begin and end in an output, padded ones left out.
    fn stretches(&self, tensor: Tensor) -> impl Iterator<Item = std::ops::Range<usize>> {
        let (row, shape) = (self.row(tensor), self.problem.shape());
        let place = move |token: u32| usize::try_from(token).unwrap_or(usize::MAX).saturating_mul(row);
        self.problem.computed().map(move |sequence| {
            let rows = shape.rows(sequence);
            place(rows.start)..place(rows.end)
        })
    }

    fn tensor(&self, tensor: Tensor, bytes: &[u8]) -> Expected {
        let stretches = self.stretches(tensor).filter_map(|stretch| {
            let start = u64::try_from(stretch.start).ok()?;
            Some((start, bytes.get(stretch)?.to_vec()))
        });
        let written = stretches.filter(|(_, bytes)| !bytes.is_empty()).collect();
        Expected { name: tensor.name(), written, unspecified: Vec::new() }
    }

    /// The model's own outputs from what was made of them.
    fn outputs(&self, expected: &[Expected]) -> Result<Outputs, String> {
        let shape = self.problem.shape();
        let mut outputs = Outputs { states: slots(expected, "conv_state", shape.state_bytes()), ..Outputs::default() };
        for tensor in Tensor::ALL {
            let name = tensor.name();
            let found = expected.iter().find(|expected| expected.name == name);
            let found = found.ok_or_else(|| format!("there is no output `{name}`"))?;
            let mut whole = vec![0; 2 * shape.output_elements(tensor)];
            for (start, bytes) in &found.written {
                let free = whole.iter_mut().skip(usize::try_from(*start).unwrap_or(usize::MAX));
                free.zip(bytes).for_each(|(byte, given)| *byte = *given);
            }
            *outputs.tensor_mut(tensor) = whole;
        }
        Ok(outputs)
    }
}

impl Reference for Answer {
    fn model(&self) -> Vec<Expected> {
        let mut outputs = model::run(&self.problem, self.arithmetic);
        let states = std::mem::take(&mut outputs.states);
        let mut all = vec![pool("conv_state", states, self.problem.shape().state_bytes())];
        all.extend(Tensor::ALL.map(|tensor| self.tensor(tensor, outputs.tensor(tensor))));
        all
    }

    fn check_oracle(&self, outputs: &[Expected]) -> Result<(), String> {
        tolerance::check(&self.problem, &self.outputs(outputs)?).map_err(message)
    }

    fn measured_buffer(&self) -> &'static str {
        MEASURED.name()
    }

    fn relative_error(&self, bytes: &[u8]) -> f64 {
        let shape = self.problem.shape();
        let oracle = Oracle::new(&self.problem);
        let channels = shape.channels(MEASURED);
        let expected_rows = oracle.output.chunks_exact(usize::try_from(shape.dim()).unwrap_or(1).max(1));
        let expected: Vec<f64> = expected_rows
            .flat_map(|row| channels.clone().filter_map(|channel| row.get(usize::try_from(channel).ok()?).copied()))
            .collect();
        let value = |pair: &[u8]| f64::from(shape.element().value(u16::from_le_bytes([pair[0], pair[1]])));
        let (mut actual, mut wanted) = (Vec::new(), Vec::new());
        for stretch in self.stretches(MEASURED) {
            wanted.extend(expected.get(stretch.start / 2..stretch.end / 2).unwrap_or_default());
            actual.extend(bytes.get(stretch).unwrap_or_default().chunks_exact(2).map(value));
        }
        relative_distance(&actual, &wanted)
    }
}
