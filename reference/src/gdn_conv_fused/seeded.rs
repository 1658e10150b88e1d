//! Tensors from a seed. Element `i` of a tensor is number `i` of the stream with its name; elements of `qkvz` and `ba`
//! are counted as in the sequential layout, whatever their own.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::indices;
use super::problem::Inputs;
use super::shape::{HEAD, Shape, TAPS};
use crate::numerics::half::f32_to_f16;
use crate::random::{Random, natural_logarithm};

/// The tensors of [`super::Problem::from_seed`].
pub(super) fn inputs(shape: Shape, state_indices: &[i32], seed: u64) -> Inputs {
    let stream = |name| Random::new(seed, name);
    let tensor = |length: u64, element: &dyn Fn(u64) -> f64| (0..length).map(|index| half(element(index))).collect();
    let (qkvz, ba, a_log, dt_bias) = (stream("qkvz"), stream("ba"), stream("a_log"), stream("dt_bias"));
    let (weight, bias) = (stream("conv_weight"), stream("conv_bias"));
    let heads = u64::from(shape.hv());
    Inputs {
        qkvz: projections(shape, shape.qkvz_columns(), &qkvz_columns(shape), qkvz),
        ba: projections(shape, shape.ba_columns(), &ba_columns(shape), ba),
        conv_weight: tensor(shape.dim() * u64::from(TAPS), &|index| 0.5 * weight.normal(index)),
        conv_bias: tensor(shape.dim(), &|index| 0.1 * bias.normal(index)),
        a_log: tensor(heads, &|index| natural_logarithm(1.0 + 15.0 * a_log.uniform(index))),
        dt_bias: tensor(heads, &|index| dt_bias.normal(index)),
        state_indices: state_indices.to_vec(),
        conv_states: states(shape, state_indices, shape.conv_slot_elements(), 1.0, stream("conv_state")),
        ssm_states: states(shape, state_indices, shape.ssm_slot_elements(), 0.1, stream("ssm_state")),
    }
}

/// For every column of a sequential `qkvz` the column that holds the same in the shape's layout.
fn qkvz_columns(shape: Shape) -> Vec<u64> {
    let channels = (0..shape.dim()).map(|channel| shape.channel_column(channel));
    let z = (0..shape.hv()).flat_map(|hv| (0..u64::from(HEAD)).map(move |i| shape.z_column(hv) + i));
    channels.chain(z).collect()
}

/// The same for `ba`.
fn ba_columns(shape: Shape) -> Vec<u64> {
    let b = (0..shape.hv()).map(|hv| shape.b_column(hv));
    b.chain((0..shape.hv()).map(|hv| shape.a_column(hv))).collect()
}

fn projections(shape: Shape, width: u64, columns: &[u64], stream: Random) -> Vec<u16> {
    let mut tensor = vec![0; shape.n() as usize * width as usize];
    for (request, row) in (0..).zip(tensor.chunks_exact_mut(width as usize)) {
        for (index, &column) in (request * width..).zip(columns) {
            row[column as usize] = half(stream.normal(index));
        }
    }
    tensor
}

/// The states of the slots that requests have, as far as they exist.
fn states(shape: Shape, indices: &[i32], elements: u64, factor: f64, stream: Random) -> BTreeMap<u64, Vec<u8>> {
    let slots: BTreeSet<u64> = indices.iter().filter_map(|&index| indices::slot(index)).collect();
    let state = |slot: u64| {
        let mut bytes = vec![0; elements as usize * 2];
        bytes.par_chunks_exact_mut(2).enumerate().for_each(|(index, bytes)| {
            let number = factor * stream.normal(slot * elements + index as u64);
            bytes.copy_from_slice(&half(number).to_le_bytes());
        });
        bytes
    };
    slots.into_iter().filter(|&slot| slot < shape.pool()).map(|slot| (slot, state(slot))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
const fn single(x: f64) -> f32 {
    x as f32
}

/// `x` rounded to f32 and then to f16.
fn half(x: f64) -> u16 {
    f32_to_f16(single(x))
}
