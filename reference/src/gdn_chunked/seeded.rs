//! Tensors from a seed. Element `i` of a tensor is number `i` of the stream with its name.

use rayon::prelude::*;

use super::problem::{Decay, Inputs, StateKind};
use super::shape::{HEAD, Shape};
use crate::random::{Random, natural_logarithm};

/// The tensors of [`super::Problem::from_seed`].
pub(super) fn inputs(shape: &Shape, decay: Decay, states: StateKind, seed: u64) -> Inputs {
    let normal = |name: &str, mean: f64, deviation: f64, length: usize| -> Vec<f32> {
        let stream = Random::new(seed, name);
        (0..length as u64).into_par_iter().map(|index| single(mean + deviation * stream.normal(index))).collect()
    };
    let state = |name: &str, deviation: f64, length: u64| match states {
        StateKind::Zero => vec![0.0; shape.sequences() as usize * length as usize],
        StateKind::Random => normal(name, 0.0, deviation, shape.sequences() as usize * length as usize),
    };
    let a_log = Random::new(seed, "a_log");
    let gate = 1.0 / f64::from(shape.d()).sqrt();
    Inputs {
        hidden: normal("hidden", 0.0, 1.0, shape.hidden_elements()),
        qkv: normal("qkv", 0.0, 1.0, shape.qkv_elements()),
        z: normal("z", 0.0, 1.0, shape.head_elements()),
        conv_weight: normal("conv_weight", 0.0, 0.5, shape.conv_weight_elements()),
        w_beta: normal("w_beta", 0.0, gate, shape.gate_weight_elements()),
        w_alpha: normal("w_alpha", 0.0, gate, shape.gate_weight_elements()),
        a_log: (0..u64::from(shape.hv())).map(|hv| single(natural_logarithm(1.0 + 15.0 * a_log.uniform(hv)))).collect(),
        dt_bias: dt_bias(shape, decay, Random::new(seed, "dt_bias")),
        norm_weight: normal("norm_weight", 1.0, 0.1, HEAD as usize),
        conv_state: state("conv_state", 1.0, shape.conv_state_elements()),
        state: state("state", 0.1, shape.state_elements()),
    }
}

fn dt_bias(shape: &Shape, decay: Decay, stream: Random) -> Vec<f32> {
    let mean = |hv: u64| match (decay, hv % 3) {
        (Decay::Normal, _) => 0.0,
        (Decay::Strong, 0) => 8.0,
        (Decay::Strong, 1) => -12.0,
        (Decay::Strong, _) => 30.0,
    };
    (0..u64::from(shape.hv())).map(|hv| single(mean(hv) + stream.normal(hv))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
const fn single(x: f64) -> f32 {
    x as f32
}
