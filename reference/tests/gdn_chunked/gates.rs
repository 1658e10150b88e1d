//! The limits that ohdearquant/lattice pull request 190 sets itself, at its lengths: 1e-6 between the algebra of chunks and
//! the recurrence in front of the norm, 2.2e-4 between both chains of kernels, 1e-3 among the ways to cut into chunks.
//!
//! These are measured on the model's seeded data; what holds for all data is the derived bound (`tolerance.rs`).

use gridproof_launch::Arithmetic;
use gridproof_reference::gdn_chunked::model::{run, run_with_scratch};
use gridproof_reference::gdn_chunked::{Decay, L2Norm, Oracle, Outputs, Path, Problem, Scratch, Sizes, StateKind};

use super::{DECAYS, STATES, seeded, sizes};

/// Lengths at and beside the edges of chunks, and those that the source measures.
const LENGTHS: [u32; 9] = [1, 31, 32, 33, 77, 130, 160, 384, 1009];

const CHUNKS: [u32; 3] = [16, 32, 64];

/// From the recurrence in f64, in front of the norm.
const ORACLE: f64 = 1e-6;
/// Between the two paths, outputs and states.
const SERIAL: f64 = 2.2e-4;
/// Among chunks of all sizes, outputs and states.
const CONSISTENCY: f64 = 1e-3;

/// One key head and three value heads, one of each kind of decay.
fn problem(length: u32, c: u32, decay: Decay, states: StateKind, seed: u64) -> Problem {
    seeded(Sizes { h: 1, hv: 3, c, ..sizes(&[length]) }, decay, states, seed)
}

/// The paths, with all chunk sizes for sequences of some chunks, and one for long sequences.
fn paths(length: u32) -> impl Iterator<Item = (Path, u32)> {
    let chunks = CHUNKS.into_iter().filter(move |&c| length <= 160 || c == 32);
    chunks.map(|c| (Path::Chunked, c)).chain([(Path::Serial, 32)])
}

fn problems() -> impl Iterator<Item = (u32, Decay, StateKind)> {
    LENGTHS.into_iter().flat_map(|length| {
        DECAYS.into_iter().flat_map(move |decay| STATES.into_iter().map(move |states| (length, decay, states)))
    })
}

fn largest_distance<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B]) -> f64 {
    assert_eq!(a.len(), b.len());
    // A NaN must not vanish in a maximum.
    let distances = a.iter().zip(b).map(|(&a, &b)| (a.into() - b.into()).abs());
    distances.fold(0.0, |largest, distance| if distance > largest || distance.is_nan() { distance } else { largest })
}

fn is_finite(outputs: &Outputs, scratch: &Scratch) -> bool {
    let tensors = scratch.tensors().into_iter().flat_map(|(_, tensor)| tensor);
    tensors.chain(&outputs.output).chain(&outputs.state).chain(&outputs.conv_state).all(|x| x.is_finite())
}

#[test]
fn both_paths_equal_the_recurrence_in_front_of_the_norm() {
    for (length, decay, states) in problems() {
        let oracle = Oracle::new(&problem(length, 32, decay, states, 1), L2Norm::RsqrtOfSumPlusEps);
        for (path, c) in paths(length) {
            let problem = problem(length, c, decay, states, 1);
            let (outputs, scratch) = run_with_scratch(&problem, path, Arithmetic::FUSED);
            assert!(is_finite(&outputs, &scratch), "{path:?}, {c}, {length}, {decay:?}, {states:?}");
            let distance = largest_distance(&scratch.core, &oracle.core);
            assert!(distance <= ORACLE, "{path:?}, {c}, {length}, {decay:?}, {states:?}: {distance}");
        }
    }
}

#[test]
fn chunks_equal_single_tokens() {
    for (length, decay, states) in problems() {
        for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
            let problem = problem(length, 32, decay, states, 2);
            let [chunked, serial] = Path::ALL.map(|path| run(&problem, path, arithmetic));
            let output = largest_distance(&chunked.output, &serial.output);
            let state = largest_distance(&chunked.state, &serial.state);
            assert!(output <= SERIAL && state <= SERIAL, "{length}, {decay:?}, {states:?}: {output}, {state}");
            assert!(chunked.conv_state == serial.conv_state);
        }
    }
}

#[test]
fn fifteen_runs_with_chunks_of_every_size_agree() {
    for seed in 0..15 {
        let decay = DECAYS[seed as usize % 2];
        let outputs =
            CHUNKS.map(|c| run(&problem(77, c, decay, StateKind::Random, seed), Path::Chunked, Arithmetic::FUSED));
        for other in &outputs[1..] {
            let output = largest_distance(&outputs[0].output, &other.output);
            let state = largest_distance(&outputs[0].state, &other.state);
            assert!(output <= CONSISTENCY && state <= CONSISTENCY, "{seed}: {output}, {state}");
        }
    }
}

#[test]
fn a_strong_decay_runs_to_88_and_far_below_within_a_chunk() {
    let problem = problem(32, 16, Decay::Strong, StateKind::Random, 3);
    let (_, scratch) = run_with_scratch(&problem, Path::Chunked, Arithmetic::FUSED);
    let gamma = |token: usize, hv: usize| scratch.gamma[token * 3 + hv];
    assert!(gamma(0, 0) < -2.0 && gamma(15, 0) < -88.0 && gamma(31, 0) < -88.0);
    assert!(gamma(15, 1) > -0.1 && gamma(15, 1) < 0.0);
    assert!(gamma(15, 2) < -400.0);
    // The sum starts anew with every chunk.
    assert!(gamma(16, 0) > gamma(15, 0));
}

#[test]
fn the_naive_sum_of_decays_would_overflow() {
    // What e^-gamma_r would be: the reason why only differences are exponentiated.
    let problem = problem(16, 16, Decay::Strong, StateKind::Random, 3);
    let (outputs, scratch) = run_with_scratch(&problem, Path::Chunked, Arithmetic::FUSED);
    assert!(scratch.gamma.iter().any(|gamma| (-gamma).exp() == f32::INFINITY));
    assert!(is_finite(&outputs, &scratch));
}
