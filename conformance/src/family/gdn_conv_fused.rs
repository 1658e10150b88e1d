//! `gdn_conv_fused` as the gate sees it.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::Kernel;
use gridproof_kernels::gdn_conv_fused::{
    KERNEL, Options, Reduction, Request, Variant, expectation, launch, parse_shape,
};
use gridproof_launch::{Arithmetic, ByteRange};
use gridproof_reference::gdn_conv_fused::oracle::numbers;
use gridproof_reference::gdn_conv_fused::{L2Norm, Oracle, Outputs, Problem, model, tolerance};

use super::traffic::factor;
use super::{Family, Instance, Making, Reference, Traffic, message, pool, relative_distance, slots, told, whole};
use crate::compare::Expected;

/// Subgroups below this size cannot add the lanes of a team by shuffles.
const SHUFFLE_WIDTH: u32 = 8;

/// Keys that are always named; the others where they say something.
const ALWAYS: usize = 4;

pub(super) struct GdnConvFused;

impl Family for GdnConvFused {
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
        };
        let problem = request.problem(making.data_seed).map_err(message)?;
        let launch = launch(&problem, variant, options).map_err(message)?;
        Ok(Instance {
            shape: told(&KERNEL, variant.name(), ALWAYS, request.values()),
            launch,
            expectation: expectation(&problem, variant),
            traffic: traffic(&problem),
            reference: Box::new(Answer { problem, arithmetic: making.arithmetic }),
        })
    }
}

/// Read: `qkvz` and `ba` as they are, the convolution's weight `[dim, 4]` and bias `[dim]`, `a_log`, `dt_bias` `[HV]`, all
/// of 2 bytes, the indices `[N]` of 4, and both states of each slot that a request has; written: those states, and the
/// output and z `[N, HV, 128]` of 2 bytes. A second dispatch, which shifts the rows, hands nothing on.
fn traffic(problem: &Problem) -> Traffic {
    let shape = problem.shape();
    let (n, hv) = (u64::from(shape.n()), u64::from(shape.hv()));
    let slots: BTreeSet<u64> = (0..shape.n()).filter_map(|request| problem.slot(request)).collect();
    let states = shape.conv_slot_bytes() + shape.ssm_slot_bytes();
    Traffic::default()
        .reading(factor(shape.qkvz_elements()) + factor(shape.ba_elements()), 2)
        .reading(5 * shape.dim() + 2 * hv, 2)
        .reading(n, 4)
        .reading(factor(slots.len()), states)
        .writing(factor(slots.len()), states)
        .writing(n * 2 * hv * 128, 2)
}

struct Answer {
    problem: Problem,
    arithmetic: Arithmetic,
}

impl Answer {
    /// Bytes from one slot to the next, of the rows of the convolution and of the states.
    fn strides(&self) -> (u64, u64) {
        let shape = self.problem.shape();
        (shape.conv_slot_bytes(), shape.ssm_slot_bytes())
    }

    /// A pool, in which what several requests write may be anything.
    fn shared(&self, pool: Expected, stride: u64) -> Expected {
        let slots = self.problem.unspecified_slots().into_iter();
        Expected { unspecified: slots.map(|slot| ByteRange::new(slot * stride, (slot + 1) * stride)).collect(), ..pool }
    }

    /// The output, of which the rows of such requests may be anything.
    fn output(&self, bytes: Vec<u8>) -> Expected {
        let requests = u64::from(self.problem.shape().n()).max(1);
        let row = u64::try_from(bytes.len()).unwrap_or(0) / requests;
        let unspecified = self.problem.unspecified_requests().into_iter().map(u64::from);
        Expected {
            unspecified: unspecified.map(|request| ByteRange::new(request * row, (request + 1) * row)).collect(),
            ..Expected::whole("output", bytes)
        }
    }
}

impl Reference for Answer {
    fn model(&self) -> Vec<Expected> {
        let (rows, states) = self.strides();
        let outputs = model::run(&self.problem, self.arithmetic);
        vec![
            self.shared(pool("conv_state", outputs.conv_states, rows), rows),
            self.shared(pool("ssm_state", outputs.ssm_states, states), states),
            self.output(outputs.output),
            Expected::whole("z_out", outputs.z_out),
        ]
    }

    fn check_oracle(&self, outputs: &[Expected]) -> Result<(), String> {
        let (rows, states) = self.strides();
        let outputs = Outputs {
            output: whole(outputs, "output")?,
            z_out: whole(outputs, "z_out")?,
            conv_states: slots(outputs, "conv_state", rows),
            ssm_states: slots(outputs, "ssm_state", states),
        };
        tolerance::check(&self.problem, &outputs).map_err(message)
    }

    fn measured_buffer(&self) -> &'static str {
        "output"
    }

    fn relative_error(&self, bytes: &[u8]) -> f64 {
        let oracle = Oracle::new(&self.problem, L2Norm::RsqrtOfSumPlusEps);
        relative_distance(&numbers(bytes), &oracle.output)
    }
}
