//! Tensors from a seed. Element `i` of a tensor is number `i` of the stream with its name.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::problem::{Inputs, PADDING};
use super::shape::Shape;
use crate::random::Random;

/// The tensors of [`super::Problem::from_seed`].
pub(super) fn inputs(shape: &Shape, cache_indices: &[i32], has_initial_state: &[i32], seed: u64) -> Inputs {
    let element =
        |stream: Random, scale: f64, index: u64| shape.element().rounded(single(scale * stream.normal(index)));
    let tensor = |name: &str, scale: f64, length: usize| -> Vec<u16> {
        let stream = Random::new(seed, name);
        (0..length as u64).map(|index| element(stream, scale, index)).collect()
    };
    let state = |slot: u64| -> Vec<u8> {
        let (first, stream) = (slot * shape.state_elements(), Random::new(seed, "state"));
        (0..shape.state_elements()).flat_map(|index| element(stream, 1.0, first + index).to_le_bytes()).collect()
    };
    let slots: BTreeSet<u64> = cache_indices.iter().filter_map(|&index| u64::try_from(index).ok()).collect();
    let states: BTreeMap<u64, Vec<u8>> =
        slots.into_iter().filter(|&slot| slot < shape.slots()).map(|slot| (slot, state(slot))).collect();
    Inputs {
        x: x(shape, Random::new(seed, "x")),
        weight: tensor("weight", 0.5, shape.weight_elements()),
        bias: tensor("bias", 0.1, if shape.bias() { shape.dim() as usize } else { 0 }),
        query_start_loc: shape.query_start_loc(),
        cache_indices: cache_indices.to_vec(),
        has_initial_state: has_initial_state.to_vec(),
        states,
    }
}

/// x, whose channels do not depend on the stride.
fn x(shape: &Shape, stream: Random) -> Vec<u16> {
    let (dim, stride) = (shape.dim() as usize, shape.stride() as usize);
    let mut x = vec![PADDING; shape.x_elements()];
    x.par_chunks_exact_mut(stride).enumerate().for_each(|(token, row)| {
        for (channel, bits) in row.iter_mut().take(dim).enumerate() {
            *bits = shape.element().rounded(single(stream.normal((token * dim + channel) as u64)));
        }
    });
    x
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
const fn single(x: f64) -> f32 {
    x as f32
}
