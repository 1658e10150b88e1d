//! `gdn_decode`: what a problem may be, the oracle, the derived bound, and properties of the models.

mod oracle;
mod problem;
mod properties;
mod tolerance;

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};
use gridproof_reference::gdn_decode::{Inputs, Path, Problem, Shape, Sizes, StateType};

const PROFILES: [Arithmetic; 4] = [
    Arithmetic::FUSED,
    Arithmetic::SEPARATE,
    Arithmetic { multiply_add: MultiplyAdd::Fused, denormals: Denormals::Flush },
    Arithmetic { multiply_add: MultiplyAdd::Separate, denormals: Denormals::Flush },
];

/// 2 requests, 3 tokens, 2 key heads, 4 value heads, 6 dense slots, updated and cached.
fn sizes(state: StateType) -> Sizes {
    Sizes {
        b: 2,
        t: 3,
        h: 2,
        hv: 4,
        k: 128,
        v: 128,
        pool: 6,
        stride: None,
        steps: None,
        state,
        update: true,
        cache_intermediate: true,
    }
}

fn shape(sizes: Sizes) -> Shape {
    Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"))
}

fn seeded(sizes: Sizes, read: &[i32], write: &[i32], seed: u64) -> Problem {
    Problem::from_seed(shape(sizes), read, write, seed).unwrap_or_else(|error| panic!("{error}"))
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

/// The paths that a dispatcher takes for a type of state.
fn paths(state: StateType) -> &'static [Path] {
    match state {
        StateType::Bf16 => &[Path::WideVec, Path::Ilp4],
        StateType::F32 => &[Path::Pretranspose],
    }
}

/// `problem` with every value head given a key head of its own: a copy of key head `of(hv)`.
fn with_own_key_heads(problem: &Problem, of: impl Fn(usize) -> usize) -> Problem {
    let (h, hv) = (problem.shape().h() as usize, problem.shape().hv() as usize);
    let expand = |tensor: &mut Vec<u16>| {
        let tokens = tensor.chunks_exact(h * 128);
        *tensor = tokens.flat_map(|heads| (0..hv).flat_map(|head| heads[of(head) * 128..][..128].to_vec())).collect();
    };
    resized(
        problem,
        |sizes| sizes.h = sizes.hv,
        |inputs| {
            expand(&mut inputs.q);
            expand(&mut inputs.k);
        },
    )
}
