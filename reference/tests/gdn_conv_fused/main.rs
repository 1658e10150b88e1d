//! `gdn_conv_fused`: what a problem may be, the oracle, the derived bound, and properties of the model.

mod layout;
mod oracle;
mod problem;
mod properties;
mod tolerance;

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};
use gridproof_reference::gdn_conv_fused::{Inputs, Layout, Problem, Shape, Sizes};

const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Flush },
    Arithmetic { multiply_add: MultiplyAdd::Separate, denormals: Denormals::Flush },
];

const LAYOUTS: [Layout; 2] = [Layout::Sequential, Layout::Interleaved];

/// 2 requests, 2 key heads, 4 value heads, 5 slots: 1024 channels, 1536 columns.
const SIZES: Sizes = Sizes { n: 2, h: 2, hv: 4, k: 128, v: 128, pool: 5, layout: Layout::Sequential };

fn shape(sizes: Sizes) -> Shape {
    Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"))
}

fn seeded(sizes: Sizes, state_indices: &[i32], seed: u64) -> Problem {
    Problem::from_seed(shape(sizes), state_indices, seed).unwrap_or_else(|error| panic!("{error}"))
}

/// `problem` with other inputs.
fn changed(problem: &Problem, change: impl FnOnce(&mut Inputs)) -> Problem {
    resized(problem, |_| {}, change)
}

/// `problem` with other sizes and inputs.
fn resized(problem: &Problem, resize: impl FnOnce(&mut Sizes), change: impl FnOnce(&mut Inputs)) -> Problem {
    let (mut sizes, mut inputs) = (problem.shape().sizes(), problem.inputs().clone());
    resize(&mut sizes);
    change(&mut inputs);
    Problem::new(shape(sizes), inputs).unwrap_or_else(|error| panic!("{error}"))
}

/// A sequential problem with every value head given a key head of its own: a copy of key head `of(hv)`.
fn with_own_key_heads(problem: &Problem, of: impl Fn(usize) -> usize) -> Problem {
    assert_eq!(problem.shape().layout(), Layout::Sequential);
    let (h, hv, dim) = (problem.shape().h() as usize, problem.shape().hv() as usize, problem.shape().dim() as usize);
    let columns = problem.shape().qkvz_columns() as usize;
    resized(
        problem,
        |sizes| sizes.h = sizes.hv,
        |inputs| {
            let heads: Vec<usize> = (0..hv).map(of).collect();
            inputs.qkvz = expanded(&inputs.qkvz, columns, 128, h, &heads);
            inputs.conv_weight = expanded(&inputs.conv_weight, dim * 4, 128 * 4, h, &heads);
            inputs.conv_bias = expanded(&inputs.conv_bias, dim, 128, h, &heads);
            for state in inputs.conv_states.values_mut() {
                *state = expanded(state, dim * 2, 128 * 2, h, &heads);
            }
        },
    )
}

/// The rows of a tensor, which start with q and k of `h` heads, with q and k of `heads` in their place. `head` elements
/// belong to a head.
fn expanded<T: Copy>(tensor: &[T], row: usize, head: usize, h: usize, heads: &[usize]) -> Vec<T> {
    let take = |first: usize| tensor[first..first + head].iter().copied();
    let rows = (0..tensor.len() / row).map(|index| index * row);
    let expanded = rows.flat_map(|start| {
        let q = heads.iter().flat_map(move |key| take(start + key * head));
        let k = heads.iter().flat_map(move |key| take(start + (h + key) * head));
        q.chain(k).chain(tensor[start + 2 * h * head..start + row].iter().copied())
    });
    expanded.collect()
}
