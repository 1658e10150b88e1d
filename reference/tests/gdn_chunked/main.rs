//! `gdn_chunked`: what a problem may be, the oracle, the derived bound, the source's own limits, and properties of the model.

mod gates;
mod oracle;
mod problem;
mod properties;
mod tolerance;

use std::ops::Range;

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};
use gridproof_reference::gdn_chunked::{Decay, Inputs, Problem, Shape, Sizes, StateKind};

const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Flush },
    Arithmetic { multiply_add: MultiplyAdd::Separate, denormals: Denormals::Flush },
];

const DECAYS: [Decay; 2] = [Decay::Normal, Decay::Strong];

const STATES: [StateKind; 2] = [StateKind::Random, StateKind::Zero];

/// Sequences of these lengths, 2 key heads, 4 value heads, chunks of 16: 1024 channels.
fn sizes(lengths: &[u32]) -> Sizes {
    Sizes { lengths: lengths.to_vec(), h: 2, hv: 4, k: 128, v: 128, d: 128, c: 16 }
}

fn shape(sizes: Sizes) -> Shape {
    Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"))
}

fn seeded(sizes: Sizes, decay: Decay, states: StateKind, seed: u64) -> Problem {
    Problem::from_seed(shape(sizes), decay, states, seed)
}

/// `problem` with other inputs.
fn changed(problem: &Problem, change: impl FnOnce(&mut Inputs)) -> Problem {
    resized(problem, |_| {}, change)
}

/// `problem` with other sizes and inputs.
fn resized(problem: &Problem, resize: impl FnOnce(&mut Sizes), change: impl FnOnce(&mut Inputs)) -> Problem {
    let (mut sizes, mut inputs) = (problem.shape().sizes().clone(), problem.inputs().clone());
    resize(&mut sizes);
    change(&mut inputs);
    Problem::new(shape(sizes), inputs).unwrap_or_else(|error| panic!("{error}"))
}

/// The problem of which every sequence is some tokens of `problem`, from these states on.
fn part(problem: &Problem, tokens: &[Range<u32>], conv_state: Vec<f32>, state: Vec<f32>) -> Problem {
    let rows = |tensor: &[f32]| -> Vec<f32> {
        let row = tensor.len() / problem.shape().tokens() as usize;
        let rows = tokens.iter().flat_map(|tokens| &tensor[tokens.start as usize * row..tokens.end as usize * row]);
        rows.copied().collect()
    };
    resized(
        problem,
        |sizes| sizes.lengths = tokens.iter().map(|tokens| tokens.end - tokens.start).collect(),
        |inputs| {
            for tensor in [&mut inputs.hidden, &mut inputs.qkv, &mut inputs.z] {
                *tensor = rows(tensor);
            }
            (inputs.conv_state, inputs.state) = (conv_state, state);
        },
    )
}

/// `problem` with every value head given a key head of its own: a copy of key head `of(hv)`.
fn with_own_key_heads(problem: &Problem, of: impl Fn(usize) -> usize) -> Problem {
    let (h, hv, dim) = (problem.shape().h() as usize, problem.shape().hv() as usize, problem.shape().dim() as usize);
    resized(
        problem,
        |sizes| sizes.h = sizes.hv,
        |inputs| {
            let heads: Vec<usize> = (0..hv).map(of).collect();
            inputs.qkv = expanded(&inputs.qkv, dim, 128, h, &heads);
            inputs.conv_state = expanded(&inputs.conv_state, dim, 128, h, &heads);
            inputs.conv_weight = expanded(&inputs.conv_weight, dim * 4, 128 * 4, h, &heads);
        },
    )
}

/// The rows of a tensor, which start with q and k of `h` heads, with q and k of `heads` in their place. `head` elements
/// belong to a head.
fn expanded(tensor: &[f32], row: usize, head: usize, h: usize, heads: &[usize]) -> Vec<f32> {
    let take = |first: usize| tensor[first..first + head].iter().copied();
    let rows = (0..tensor.len() / row).map(|index| index * row);
    let expanded = rows.flat_map(|start| {
        let q = heads.iter().flat_map(move |key| take(start + key * head));
        let k = heads.iter().flat_map(move |key| take(start + (h + key) * head));
        q.chain(k).chain(tensor[start + 2 * h * head..start + row].iter().copied())
    });
    expanded.collect()
}
