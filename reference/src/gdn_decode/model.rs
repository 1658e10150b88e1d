//! The kernels on the host, bit for bit: their order of operations, their lanes and their rounding points.
//!
//! Every row of V is on its own. With its 128 elements s of the state in f32 over all tokens of a call:
//!
//! ```text
//! s_i    = alpha * s_i
//! d      = (v - sum s_i k^_i) * beta
//! s_i    = d * k^_i + s_i            one multiply-add
//! output = bf16(sum s_i q^_i)
//! ```
//!
//! A sum starts at 0, goes by multiply-adds through the elements of a lane and by a butterfly through the lanes of a
//! group ([`Path`] says how many of which). The row's tile and place in it do not matter. States are rounded to their
//! type only where they are stored.
//!
//! A read of the null slot sees its first contents; what races on it leave is not modelled. Neither is what a launch
//! with broken indices does.

use std::collections::BTreeMap;

use gridproof_launch::Arithmetic;
#[cfg(test)]
use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::job::{Job, jobs};
use super::lanes::{Ilp4, Order, Pretranspose, Task, WideVec};
use super::layout::{Brain, Element, Single};
use super::path::Path;
use super::problem::Problem;
use super::shape::StateType;
use super::vectors::Portable;
use crate::numerics::{Numerics, Profile};
use crate::with_profile;

/// What a launch writes, byte for byte; what it leaves alone or unspecified is not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// `[B, T, HV, 128]` bf16. The rows of [`Problem::unspecified_requests`] are as if they had come first.
    pub output: Vec<u8>,
    /// By slot: `[HV, V, K]` elements of the state's type, for the slots written and specified.
    pub states: BTreeMap<u64, Vec<u8>>,
    /// By request: `[T, HV, V, K]` elements of the state's type, the first T of the request's `steps` rows, for the
    /// requests that are neither skipped nor unspecified, if they are cached.
    pub intermediate: BTreeMap<u32, Vec<u8>>,
}

/// What `path` writes on a device with this arithmetic.
pub fn run(problem: &Problem, path: Path, arithmetic: Arithmetic) -> Outputs {
    let mut outputs = Outputs::default();
    run_into(problem, path, arithmetic, &mut outputs);
    outputs
}

/// As [`run`], into the memory of earlier outputs, of which nothing else is kept.
pub fn run_into(problem: &Problem, path: Path, arithmetic: Arithmetic, outputs: &mut Outputs) {
    run_on(Machine::This, problem, path, arithmetic, outputs);
}

/// For which machine's vector instructions the model is compiled. The bits are the same.
#[derive(Clone, Copy, Debug)]
pub(super) enum Machine {
    /// This one.
    This,
    /// One of which nothing is known.
    #[cfg(test)]
    Any,
}

/// As [`run_into`], on a given machine.
pub(super) fn run_on(machine: Machine, problem: &Problem, path: Path, arithmetic: Arithmetic, outputs: &mut Outputs) {
    let jobs = jobs(problem, outputs);
    with_profile!(Numerics::new(arithmetic), |n| match (path, problem.shape().state()) {
        (Path::WideVec, StateType::Bf16) => all::<_, WideVec, Brain, 2, 8>(machine, n, problem, jobs),
        (Path::WideVec, StateType::F32) => all::<_, WideVec, Single, 2, 8>(machine, n, problem, jobs),
        (Path::Ilp4, StateType::Bf16) => all::<_, Ilp4, Brain, 4, 4>(machine, n, problem, jobs),
        (Path::Ilp4, StateType::F32) => all::<_, Ilp4, Single, 4, 4>(machine, n, problem, jobs),
        (Path::Pretranspose, StateType::Bf16) => all::<_, Pretranspose, Brain, 4, 4>(machine, n, problem, jobs),
        (Path::Pretranspose, StateType::F32) => all::<_, Pretranspose, Single, 4, 4>(machine, n, problem, jobs),
    });
}

/// Runs all jobs.
fn all<P: Profile, O: Order, E: Element, const V: usize, const SHARE: usize>(
    machine: Machine,
    numerics: Numerics<P>,
    problem: &Problem,
    jobs: Vec<Job<'_>>,
) {
    #[cfg(target_arch = "x86_64")]
    if let (Machine::This, Some(simd)) = (machine, pulp::x86::V3::try_new()) {
        let run = |job| simd.vectorize(Task::<_, _, O, E, V, SHARE>::new(numerics, simd, problem, job));
        return jobs.into_par_iter().for_each(run);
    }
    let run = |job| Task::<_, _, O, E, V, SHARE>::new(numerics, Portable, problem, job);
    match machine {
        Machine::This => jobs.into_par_iter().for_each(|job| pulp::Arch::new().dispatch(run(job))),
        #[cfg(test)]
        Machine::Any => jobs.into_par_iter().for_each(|job| run(job).call()),
    }
}
