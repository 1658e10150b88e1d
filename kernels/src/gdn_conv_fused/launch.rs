//! From a problem to a launch, or why there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use gridproof_launch::{
    Argument, Constant, Dispatch, Language, Launch, LaunchError, Module, MultiplyAdd, Source, Target, Value,
};
use gridproof_reference::gdn_conv_fused::{Layout, Problem, Shape};

use super::buffers::buffers;
use super::dispatcher::{Choice, MOST_ROUNDS, Shift, TEAMS, choose};
use super::variant::{Options, Variant};
use crate::assembly::{arguments, cuda_module, named, uniform_words, wgsl_text};
use crate::limits::{Limit, WGSL_BUFFER_LIMIT, check_addressable, check_reduction, grid_x};
use crate::variant::Reduction;

/// The name of the WGSL module in reports.
pub const MODULE_NAME: &str = "gdn_conv_fused.wgsl";

/// The name of the CUDA C++ module in reports.
pub const CUDA_MODULE_NAME: &str = "gdn_conv_fused.cu";

/// Invocations of a workgroup, in both dispatches.
const INVOCATIONS: u32 = 256;

/// Why there is no launch for a valid problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More blocks of channels than the teams of a workgroup take.
    #[error(
        "h = {h}, hv = {hv}: {blocks} blocks of channels, 4 for a key head and 1 for a value head, but {TEAMS} teams \
         take at most {} in {MOST_ROUNDS} rounds",
        TEAMS * MOST_ROUNDS
    )]
    Rounds {
        /// Key heads.
        h: u32,
        /// Value heads.
        hv: u32,
        /// Blocks that they have.
        blocks: u64,
    },
    /// An index, of those that nobody checked, whose slot lies where 32-bit offsets do not reach.
    #[error(
        "state_indices[{request}] = {index}: the states of that slot end at byte {end}, beyond the {WGSL_BUFFER_LIMIT} \
         that WGSL addresses"
    )]
    IndexTooFar {
        /// The request.
        request: u32,
        /// Its index.
        index: u64,
        /// Bytes up to the end of its slot, in the longer of the two pools.
        end: u64,
    },
    /// What no kernel can have.
    #[error(transparent)]
    Limit(#[from] Limit),
}

impl From<LaunchError> for Refusal {
    fn from(error: LaunchError) -> Self {
        Self::Limit(error.into())
    }
}

/// The launch of one variant: `decode` with `N * HV` workgroups of 256 invocations; where nobody shifts inline, `shift`
/// with `N * ceil(dim / 512)` workgroups of 256 invocations behind it.
///
/// Buffers, all f16 but the indices: `qkvz`: `[N, 2 H 128 + 2 HV 128]`; `ba`: `[N, 2 HV]`; `conv_state` (output):
/// `[pool, 3, dim]`; `conv_weight`: `[dim, 4]`; `conv_bias`: `[dim]`; `ssm_state` (output): `[pool, HV, 128, 128]`;
/// `a_log`, `dt_bias`: `[HV]`, with one element more where that is odd, as WGSL reads whole words; `state_indices`:
/// `[N]` i32; `output`, `z_out` (outputs): `[N, HV, 128]`, uninitialised at first. In CUDA C++ they are the parameters
/// of `decode`, in that order; `shift` has `qkvz`, `conv_state` and `state_indices`.
///
/// # Errors
/// As [`choose`]; when there are more workgroups than a grid has, WGSL cannot address a buffer or an unchecked index, or
/// the source does not have the reduction.
pub fn launch(problem: &Problem, variant: Variant, options: Options) -> Result<Launch, Refusal> {
    let shape = problem.shape();
    let choice = choose(shape, variant)?;
    let language = options.language;
    let grids = grids(shape, choice, language)?;
    check_reduction(options.reduction, language)?;
    let mut launch = Launch { buffers: buffers(problem)?, ..Launch::default() };
    check_addressable(&launch.buffers, language)?;
    check_indices(problem, language)?;
    let module = launch.add_module(module(language));
    let all: Vec<String> = launch.buffers.iter().map(|buffer| buffer.name.clone()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let entries = [("decode", &all[..]), ("shift", &["qkvz", "conv_state", "state_indices"])];
    for ((entry, used), grid) in entries.into_iter().zip(grids) {
        let mut dispatch = Dispatch::new(module, entry, [grid, 1, 1]);
        dispatch.arguments = arguments(&launch, used.iter().copied(), language);
        if language == Language::Wgsl {
            let value = Value::Scalar(sizes(shape));
            dispatch.arguments.push(Argument { target: Target::Name("sizes".to_owned()), value });
        }
        dispatch.constants = constants(shape, choice, options);
        dispatch.workgroup = (language == Language::Cuda).then_some([INVOCATIONS, 1, 1]);
        launch.dispatches.push(dispatch);
    }
    Ok(launch)
}

/// The grids in x: of `decode`, and of `shift` where there is one.
fn grids(shape: Shape, choice: Choice, language: Language) -> Result<Vec<u32>, Limit> {
    let (n, h, hv) = (shape.n(), shape.h(), shape.hv());
    let sizes = || format!("n = {n}, h = {h}, hv = {hv}");
    let mut grids = vec![grid_x(u64::from(n) * u64::from(hv), language, sizes)?];
    if choice.shift == Shift::Separate {
        let tiles = (shape.dim() / 2).div_ceil(u64::from(INVOCATIONS));
        grids.push(grid_x(u64::from(n) * tiles, language, sizes)?);
    }
    Ok(grids)
}

/// Indices below the pool are addressable if the pool is.
fn check_indices(problem: &Problem, language: Language) -> Result<(), Refusal> {
    let shape = problem.shape();
    let longest = shape.conv_slot_bytes().max(shape.ssm_slot_bytes());
    for (request, index) in (0..shape.n()).filter_map(|request| Some((request, problem.slot(request)?))) {
        let end = index.saturating_add(1).saturating_mul(longest);
        if language == Language::Wgsl && index >= shape.pool() && end > WGSL_BUFFER_LIMIT {
            return Err(Refusal::IndexTooFar { request, index, end });
        }
    }
    Ok(())
}

fn module(language: Language) -> Module {
    match language {
        Language::Wgsl => Module::new(MODULE_NAME, Source::Wgsl(MODULE_TEXT.clone())),
        Language::Cuda => cuda_module(CUDA_MODULE_NAME, include_str!("../../cuda/gdn_conv_fused.cu")),
    }
}

static MODULE_TEXT: LazyLock<Arc<str>> = LazyLock::new(|| wgsl_text(include_str!("../../wgsl/gdn_conv_fused.wgsl")));

/// The uniform block `sizes` of the WGSL source, which takes no sizes as constants.
fn sizes(shape: Shape) -> Vec<u8> {
    // So few heads as the rounds allow have far fewer channels than 2^32.
    let channels = u32::try_from(shape.dim()).unwrap_or(u32::MAX);
    uniform_words(&[shape.h(), shape.hv(), channels, u32::from(is_interleaved(shape))])
}

fn is_interleaved(shape: Shape) -> bool {
    shape.layout() == Layout::Interleaved
}

fn constants(shape: Shape, choice: Choice, options: Options) -> BTreeMap<String, Constant> {
    let mut constants = vec![
        ("GP_FUSED", Constant::Bool(options.arithmetic.multiply_add == MultiplyAdd::Fused)),
        ("INLINE", Constant::Bool(choice.shift == Shift::FirstHead && !choice.surplus)),
        ("INLINE_ALL", Constant::Bool(choice.shift == Shift::EveryHead)),
        ("SURPLUS_THREADS", Constant::Bool(choice.surplus)),
    ];
    match options.language {
        Language::Wgsl => {
            constants.push(("WORKGROUP_TREE", Constant::Bool(options.reduction == Reduction::Workgroup)));
        }
        Language::Cuda => constants.extend([
            ("H", Constant::Int(i64::from(shape.h()))),
            ("HV", Constant::Int(i64::from(shape.hv()))),
            ("INTERLEAVED", Constant::Bool(is_interleaved(shape))),
        ]),
    }
    named(constants)
}
