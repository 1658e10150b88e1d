//! Tensors from a seed. Element `i` of a tensor is number `i` of the stream with its name.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::problem::{Inputs, Slots};
use super::shape::{Shape, StateType};
use crate::numerics::half::f32_to_bf16;
use crate::random::{Random, natural_logarithm};

/// The tensors of [`super::Problem::from_seed`].
pub(super) fn inputs(shape: Shape, read: &[i32], write: &[i32], seed: u64) -> Inputs {
    let normal = |stream, length| bf16_tensor(Random::new(seed, stream), length);
    Inputs {
        q: normal("q", shape.key_elements()),
        k: normal("k", shape.key_elements()),
        v: normal("v", shape.value_elements()),
        a: normal("a", shape.gates()),
        b: normal("b", shape.gates()),
        a_log: tensor(shape, |index| natural_logarithm(1.0 + 15.0 * Random::new(seed, "a_log").uniform(index))),
        dt_bias: tensor(shape, |index| Random::new(seed, "dt_bias").normal(index)),
        read_indices: read.to_vec(),
        write_indices: write.to_vec(),
        states: states(shape, Slots { read, write }, Random::new(seed, "state")),
    }
}

fn tensor(shape: Shape, element: impl Fn(u64) -> f64) -> Vec<f32> {
    (0..u64::from(shape.hv())).map(|index| single(element(index))).collect()
}

fn bf16_tensor(stream: Random, length: usize) -> Vec<u16> {
    (0..length as u64).map(|index| f32_to_bf16(single(stream.normal(index)))).collect()
}

/// The states of the slots that requests read, as far as they exist.
fn states(shape: Shape, slots: Slots<'_>, stream: Random) -> BTreeMap<u64, Vec<u8>> {
    let read: BTreeSet<u64> = (0..shape.b()).filter_map(|request| slots.read(shape, request)).collect();
    read.into_iter().filter(|&slot| slot < shape.pool()).map(|slot| (slot, state(shape, slot, stream))).collect()
}

fn state(shape: Shape, slot: u64, stream: Random) -> Vec<u8> {
    let first = slot * shape.slot_elements();
    let element = |index: usize| single(0.1 * stream.normal(first + index as u64));
    let mut bytes = vec![0; shape.slot_bytes() as usize];
    match shape.state() {
        StateType::Bf16 => bytes.par_chunks_exact_mut(2).enumerate().for_each(|(index, bytes)| {
            bytes.copy_from_slice(&f32_to_bf16(element(index)).to_le_bytes());
        }),
        StateType::F32 => bytes.par_chunks_exact_mut(4).enumerate().for_each(|(index, bytes)| {
            bytes.copy_from_slice(&element(index).to_le_bytes());
        }),
    }
    bytes
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
const fn single(x: f64) -> f32 {
    x as f32
}
