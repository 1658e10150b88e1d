//! `gdn_decode` as the gate sees it.

use std::collections::{BTreeMap, BTreeSet};

use gridproof_kernels::catalogue::Kernel;
use gridproof_kernels::gdn_decode::{
    KERNEL, Options, Reduction, Request, Variant, choose, expectation, launch, parse_shape,
};
use gridproof_launch::{Arithmetic, ByteRange};
use gridproof_reference::gdn_decode::oracle::numbers;
use gridproof_reference::gdn_decode::{L2Norm, Oracle, Outputs, Path, Problem, StateType, model, tolerance};

use super::traffic::factor;
use super::{Family, Instance, Making, Reference, Traffic, message, pool, relative_distance, slots, told, whole};
use crate::compare::Expected;

/// Subgroups below this size cannot add the lanes of a group by shuffles.
const SHUFFLE_WIDTH: u32 = 32;

pub(super) struct GdnDecode;

impl Family for GdnDecode {
    fn kernel(&self) -> &'static Kernel {
        &KERNEL
    }

    fn check_shape(&self, variant: &str, shape_text: &str) -> Result<(), String> {
        parse_shape(shape_text, variant.parse().map_err(message)?).map(drop).map_err(message)
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
            shape: told(&KERNEL, variant.name(), ALWAYS, request.values()),
            launch,
            expectation: expectation(&problem, variant, options),
            traffic: traffic(&problem),
            reference: Box::new(Answer { problem, path: choice.path, arithmetic: making.arithmetic }),
        })
    }
}

/// With S bytes of a request's state: read q, k `[B, T, H, 128]` and v `[B, T, HV, 128]` of 2 bytes, a, b `[B, T, HV]` of
/// 2, `a_log`, `dt_bias` `[HV]` of 4, both indices `[B]` of 4, and S for each slot that is read; written: the output as
/// v, S for each slot that is written where the pool is updated, and S for each request with a state and each token where
/// intermediate states are cached.
fn traffic(problem: &Problem) -> Traffic {
    let shape = problem.shape();
    let [b, t, h, hv] = [shape.b(), shape.t(), shape.h(), shape.hv()].map(u64::from);
    let requests = || 0..shape.b();
    let read: BTreeSet<u64> = requests().filter_map(|request| problem.read_slot(request)).collect();
    let written: BTreeSet<u64> = requests().filter_map(|request| problem.write_slot(request)).collect();
    let computed = factor(requests().filter(|&request| problem.read_slot(request).is_some()).count());
    let cached = if shape.cache_intermediate() { computed * t } else { 0 };
    let (tokens, state) = (b * t, shape.slot_bytes());
    Traffic::default()
        .reading(tokens * 2 * h * 128, 2)
        .reading(tokens * hv * 128, 2)
        .reading(tokens * 2 * hv, 2)
        .reading(2 * hv + 2 * b, 4)
        .reading(factor(read.len()), state)
        .writing(tokens * hv * 128, 2)
        .writing(factor(written.len()), state)
        .writing(cached, state)
}

/// Keys that are always named; the others where they say something.
const ALWAYS: usize = 6;

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
        let unspecified = self.problem.unspecified_slots().into_iter().map(|index| {
            let start = index * shape.stride_bytes();
            ByteRange::new(start, start + shape.slot_bytes())
        });
        Expected { unspecified: unspecified.collect(), ..pool("state_pool", states, shape.stride_bytes()) }
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
        let request_bytes = u64::from(shape.steps()) * shape.slot_bytes();
        let rows = slots(expected, "intermediate_states", request_bytes).into_iter();
        Ok(Outputs {
            output: whole(expected, "output")?,
            states: slots(expected, "state_pool", shape.stride_bytes()),
            intermediate: rows.filter_map(|(row, bytes)| Some((u32::try_from(row).ok()?, bytes))).collect(),
        })
    }
}

impl Reference for Answer {
    fn model(&self) -> Vec<Expected> {
        let shape = self.problem.shape();
        let mut outputs = model::run(&self.problem, self.path, self.arithmetic);
        let (states, rows) = (std::mem::take(&mut outputs.states), std::mem::take(&mut outputs.intermediate));
        let mut all = vec![self.output(outputs), self.pool(states)];
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
        relative_distance(&numbers(bytes, StateType::Bf16), &oracle.output)
    }
}
