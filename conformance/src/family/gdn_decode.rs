//! `gdn_decode` as the gate sees it.

use std::collections::BTreeMap;

use gridproof_kernels::catalogue::Kernel;
use gridproof_kernels::gdn_decode::{
    KERNEL, Options, Reduction, Request, Variant, choose, expectation, launch, parse_shape,
};
use gridproof_launch::{Arithmetic, ByteRange};
use gridproof_reference::gdn_decode::oracle::numbers;
use gridproof_reference::gdn_decode::{L2Norm, Oracle, Outputs, Path, Problem, StateType, model, tolerance};

use super::{Family, Instance, Making, Reference};
use crate::compare::Expected;

/// Subgroups below this size cannot add the lanes of a group by shuffles.
const SHUFFLE_WIDTH: u32 = 32;

pub(super) struct GdnDecode;

impl Family for GdnDecode {
    fn kernel(&self) -> &'static Kernel {
        &KERNEL
    }

    fn instance(&self, variant: &str, shape_text: &str, making: &Making) -> Result<Instance, String> {
        let variant: Variant = variant.parse().map_err(message)?;
        let request: Request = parse_shape(shape_text, variant).map_err(message)?;
        let narrow = making.subgroup_size < SHUFFLE_WIDTH;
        let options = Options {
            arithmetic: making.arithmetic,
            reduction: if narrow { Reduction::Workgroup } else { Reduction::Subgroup },
            language: making.language,
            tile_v: request.tile_v,
            ..Options::default()
        };
        let problem = request.problem(making.data_seed).map_err(message)?;
        let choice = choose(problem.shape(), variant, options).map_err(message)?;
        let launch = launch(&problem, variant, options).map_err(message)?;
        Ok(Instance {
            shape: shape(&request, variant),
            launch,
            expectation: expectation(&problem, variant, options),
            reference: Box::new(Answer { problem, path: choice.path, arithmetic: making.arithmetic }),
        })
    }
}

/// Keys that are always named; the others where they say something.
const ALWAYS: usize = 6;

/// The first keys, and those that do not have their default, or a default of the variant's own.
fn shape(request: &Request, variant: Variant) -> Vec<(String, String)> {
    let of_variant = KERNEL.variant(variant.name()).and_then(|entry| entry.shapes.first()).copied().unwrap_or_default();
    let usual = KERNEL.shape_values("", of_variant).unwrap_or_default();
    let keys = request.values().zip(KERNEL.shape_keys).zip(usual).enumerate();
    let said = keys.filter(|(position, (((_, value), key), usual))| {
        *position < ALWAYS || *value != key.default || *value != usual.as_str()
    });
    said.map(|(_, (((key, value), _), _))| (key.to_owned(), value.to_owned())).collect()
}

fn message(error: impl std::error::Error) -> String {
    error.to_string()
}

struct Answer {
    problem: Problem,
    path: Path,
    arithmetic: Arithmetic,
}

impl Answer {
    /// Bytes of one request in a buffer of one row per request.
    fn row(&self, request: u32, bytes: u64) -> ByteRange {
        let start = u64::from(request) * bytes;
        ByteRange::new(start, start + bytes)
    }

    fn output(&self, outputs: Outputs) -> Expected {
        let row = outputs.output.len() / usize::try_from(self.problem.shape().b()).unwrap_or(1).max(1);
        let row = u64::try_from(row).unwrap_or(0);
        let unspecified = self.problem.unspecified_requests();
        Expected {
            unspecified: unspecified.into_iter().map(|request| self.row(request, row)).collect(),
            ..Expected::whole("output", outputs.output)
        }
    }

    fn pool(&self, states: BTreeMap<u64, Vec<u8>>) -> Expected {
        let shape = self.problem.shape();
        let slot = |slot: u64| slot * shape.stride_bytes();
        let unspecified = self.problem.unspecified_slots();
        Expected {
            name: "state_pool",
            written: states.into_iter().map(|(index, bytes)| (slot(index), bytes)).collect(),
            unspecified: unspecified
                .into_iter()
                .map(|index| ByteRange::new(slot(index), slot(index) + shape.slot_bytes()))
                .collect(),
        }
    }

    fn intermediate(&self, rows: BTreeMap<u32, Vec<u8>>) -> Expected {
        let shape = self.problem.shape();
        let request_bytes = u64::from(shape.steps()) * shape.slot_bytes();
        let used = u64::from(shape.t()) * shape.slot_bytes();
        let row = |request: u32| self.row(request, request_bytes).start;
        let unspecified = self.problem.unspecified_requests();
        Expected {
            name: "intermediate_states",
            written: rows.into_iter().map(|(request, bytes)| (row(request), bytes)).collect(),
            unspecified: unspecified
                .into_iter()
                .map(|request| ByteRange::new(row(request), row(request) + used))
                .collect(),
        }
    }

    /// The model's own outputs from what was made of them.
    fn outputs(&self, expected: &[Expected]) -> Result<Outputs, String> {
        let shape = self.problem.shape();
        let named = |name: &str| expected.iter().find(|expected| expected.name == name);
        let output = named("output").and_then(Expected::bytes).ok_or("there is no output `output`")?.to_vec();
        let written = |name: &str| named(name).map(|expected| expected.written.clone()).unwrap_or_default();
        let slots = written("state_pool").into_iter().map(|(start, bytes)| (start / shape.stride_bytes(), bytes));
        let request_bytes = (u64::from(shape.steps()) * shape.slot_bytes()).max(1);
        let rows = written("intermediate_states").into_iter();
        let rows = rows.filter_map(|(start, bytes)| Some((u32::try_from(start / request_bytes).ok()?, bytes)));
        Ok(Outputs { output, states: slots.collect(), intermediate: rows.collect() })
    }
}

impl Reference for Answer {
    fn model(&self) -> Vec<Expected> {
        let shape = self.problem.shape();
        let mut outputs = model::run(&self.problem, self.path, self.arithmetic);
        let (states, rows) = (std::mem::take(&mut outputs.states), std::mem::take(&mut outputs.intermediate));
        let mut all = vec![self.output(outputs)];
        if shape.update() {
            all.push(self.pool(states));
        }
        if shape.cache_intermediate() {
            all.push(self.intermediate(rows));
        }
        all
    }

    fn check_oracle(&self, outputs: &[Expected]) -> Result<(), String> {
        tolerance::check(&self.problem, &self.outputs(outputs)?, self.path).map_err(message)
    }

    fn measured_buffer(&self) -> &'static str {
        "output"
    }

    fn relative_error(&self, bytes: &[u8]) -> f64 {
        let oracle = Oracle::new(&self.problem, L2Norm::RsqrtOfSumPlusEps);
        let actual = numbers(bytes, StateType::Bf16);
        let (mut distance, mut length) = (0.0, 0.0);
        for (actual, expected) in actual.iter().zip(oracle.output) {
            distance += (actual - expected) * (actual - expected);
            length += expected * expected;
        }
        if length > 0.0 { (distance / length).sqrt() } else { distance.sqrt() }
    }
}
