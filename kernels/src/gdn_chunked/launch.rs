//! From a problem to a launch, or why there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use gridproof_launch::{
    Argument, Constant, Dispatch, Language, Launch, LaunchError, Module, ModuleId, MultiplyAdd, Source, Target, Value,
};
use gridproof_reference::gdn_chunked::{Problem, Shape};

use super::buffers::buffers;
use super::dispatcher::{Step, steps};
use super::variant::{Options, Variant};
use crate::assembly::{arguments, cuda_module, named, uniform_words, wgsl_text};
use crate::limits::{Limit, check_addressable, grid_x};

/// Most workgroups in y of a grid, in either language.
pub const GRID_Y_LIMIT: u64 = 65_535;

/// The name of the WGSL module in reports.
pub const MODULE_NAME: &str = "gdn_chunked.wgsl";

/// The name of the CUDA C++ module in reports.
pub const CUDA_MODULE_NAME: &str = "gdn_chunked.cu";

/// Invocations of a workgroup, in all dispatches.
const INVOCATIONS: u32 = 128;

/// Why there is no launch for a valid problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What no kernel can have.
    #[error(transparent)]
    Limit(#[from] Limit),
}

impl From<LaunchError> for Refusal {
    fn from(error: LaunchError) -> Self {
        Self::Limit(error.into())
    }
}

/// The launch of one variant: `materialize`, `conv_state_update`; then, in chunks, `solve`, and `residual_output` and
/// `state_update` for each chunk of the longest sequence, or, serially, `recurrent`; then `norm_silu`. Workgroups have 128
/// invocations.
///
/// Buffers, all f32 but the indices: `hidden` `[tokens, d]`; `qkv` `[tokens, dim]`; `z` `[tokens, HV, 128]`; `conv_weight`
/// `[dim, 4]`; `w_beta`, `w_alpha` `[HV, d]`; `a_log`, `dt_bias` `[HV]`; `norm_weight` `[128]`; `sequence_start`
/// `[sequences + 1]`, `chunk_sequence`, `chunk_index` `[chunks]`, all i32; `conv_state` (output) `[sequences, 3, dim]`;
/// `state` (output) `[sequences, HV, V, K]`; then, uninitialised, what the kernels hand to each other: `q_hat`, `k_hat`,
/// `v_act` `[tokens, HV, 128]`, `beta`, `log_alpha` `[tokens, HV]`, in chunks also `gamma` `[tokens, HV]`, `w`, `u`
/// `[tokens, HV, 128]`, `attention` `[tokens, HV, c]`, `residual` `[tokens, HV, 128]`, and `core` `[tokens, HV, 128]`; at
/// last `output` (output) `[tokens, HV, 128]`, uninitialised. In CUDA C++ they are the kernels' parameters in that order, as
/// far as a kernel uses them; the two kernels per chunk have its number behind them.
///
/// # Errors
/// When there are more workgroups than a grid has; in WGSL, when 32 bits do not address a buffer.
pub fn launch(problem: &Problem, variant: Variant, options: Options) -> Result<Launch, Refusal> {
    let (shape, language) = (problem.shape(), options.language);
    let steps = steps(shape, variant.path());
    let grids: Vec<[u32; 3]> = steps.iter().map(|step| grid(shape, step, language)).collect::<Result<_, _>>()?;
    let mut launch = Launch { buffers: buffers(problem, variant.path())?, ..Launch::default() };
    check_addressable(&launch.buffers, language)?;
    let module = launch.add_module(module(language));
    let constants = constants(shape, variant, options);
    for (step, grid) in steps.iter().zip(grids) {
        let mut dispatch = dispatch(&launch, module, shape, step, language);
        dispatch.grid = grid;
        dispatch.constants.clone_from(&constants);
        launch.dispatches.push(dispatch);
    }
    Ok(launch)
}

/// The grid of a dispatch, checked.
fn grid(shape: &Shape, step: &Step, language: Language) -> Result<[u32; 3], Limit> {
    let sizes = || {
        let (entry, sequences, tokens) = (step.entry, shape.sequences(), shape.tokens());
        format!("`{entry}` of {tokens} tokens in {sequences} sequences, h = {}, hv = {}", shape.h(), shape.hv())
    };
    let [x, y, z] = step.grid;
    let x = grid_x(x, language, sizes)?;
    let narrow = |workgroups: u64, dimension| {
        let fits = u32::try_from(workgroups).ok().filter(|_| workgroups <= GRID_Y_LIMIT);
        let limit = GRID_Y_LIMIT;
        fits.ok_or_else(|| Limit::GridTooWide { sizes: sizes(), workgroups, limit, dimension, language })
    };
    Ok([x, narrow(y, 'y')?, narrow(z, 'z')?])
}

fn module(language: Language) -> Module {
    match language {
        Language::Wgsl => Module::new(MODULE_NAME, Source::Wgsl(MODULE_TEXT.clone())),
        Language::Cuda => cuda_module(CUDA_MODULE_NAME, include_str!("../../cuda/gdn_chunked.cu")),
    }
}

static MODULE_TEXT: LazyLock<Arc<str>> = LazyLock::new(|| wgsl_text(include_str!("../../wgsl/gdn_chunked.wgsl")));

/// A dispatch without grid and constants.
fn dispatch(launch: &Launch, module: ModuleId, shape: &Shape, step: &Step, language: Language) -> Dispatch {
    let mut dispatch = Dispatch::new(module, step.entry, [0; 3]);
    dispatch.arguments = arguments(launch, step.buffers.iter().copied(), language);
    let scalar = |target, numbers: &[u32]| Argument { target, value: Value::Scalar(uniform_words(numbers)) };
    match (language, step.index) {
        (Language::Wgsl, index) => {
            let sizes = [shape.h(), shape.hv(), shape.d(), shape.c(), index.unwrap_or(0)];
            dispatch.arguments.push(scalar(Target::Name("sizes".to_owned()), &sizes));
        }
        (Language::Cuda, index) => {
            let behind = (0..).zip(step.buffers).map(|(position, _): (u32, _)| position + 1).last().unwrap_or(0);
            dispatch.arguments.extend(index.map(|index| scalar(Target::Parameter(behind), &[index])));
            dispatch.workgroup = Some([INVOCATIONS, 1, 1]);
        }
    }
    dispatch
}

/// Sizes are constants in CUDA only: in WGSL they are a uniform block.
fn constants(shape: &Shape, variant: Variant, options: Options) -> BTreeMap<String, Constant> {
    let is = |wanted| Constant::Bool(variant == wanted);
    let mut constants = vec![
        ("GP_FUSED", Constant::Bool(options.arithmetic.multiply_add == MultiplyAdd::Fused)),
        ("MISSING_BARRIER_MATERIALIZE_Q", is(Variant::NoBarrierMaterializeQ)),
        ("MISSING_BARRIER_MATERIALIZE_K", is(Variant::NoBarrierMaterializeK)),
        ("MISSING_BARRIER_SOLVE_KK", is(Variant::NoBarrierSolveKk)),
        ("MISSING_BARRIER_SOLVE_DIAG", is(Variant::NoBarrierSolveDiag)),
    ];
    if options.language == Language::Cuda {
        constants.extend([
            ("H", Constant::Int(i64::from(shape.h()))),
            ("HV", Constant::Int(i64::from(shape.hv()))),
            ("HIDDEN", Constant::Int(i64::from(shape.d()))),
            ("CHUNK", Constant::Int(i64::from(shape.c()))),
        ]);
    }
    named(constants)
}

#[cfg(test)]
mod tests {
    use gridproof_reference::gdn_chunked::{Path, Sizes};

    use super::*;

    /// The grid of the dispatch `step`, of the serial path with one key head.
    fn found(tokens: u32, hv: u32, step: usize, language: Language) -> Result<[u32; 3], String> {
        let sizes = Sizes { lengths: vec![tokens], h: 1, hv, k: 128, v: 128, d: 128, c: 16 };
        let shape = Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"));
        grid(&shape, &steps(&shape, Path::Serial)[step], language).map_err(|error| error.to_string())
    }

    #[test]
    fn more_tokens_than_a_grid_has_in_x_are_refused() {
        assert_eq!(found(65_535, 1, 3, Language::Wgsl), Ok([65_535, 1, 1]));
        let message = "`norm_silu` of 65536 tokens in 1 sequences, h = 1, hv = 1: 65536 workgroups, but a WGSL grid has \
                       at most 65535 in x";
        assert_eq!(found(65_536, 1, 3, Language::Wgsl), Err(message.to_owned()));
        assert_eq!(found(65_536, 1, 3, Language::Cuda), Ok([65_536, 1, 1]));
        assert_eq!(found(2_147_483_647, 1, 3, Language::Cuda), Ok([2_147_483_647, 1, 1]));
    }

    /// So many heads have states that take gigabytes: there is no problem to test with.
    #[test]
    fn more_blocks_of_channels_than_a_grid_has_in_y_are_refused() {
        for language in [Language::Wgsl, Language::Cuda] {
            assert_eq!(found(1, 65_533, 1, language), Ok([1, 65_535, 1]));
            let message = format!(
                "`conv_state_update` of 1 tokens in 1 sequences, h = 1, hv = 65534: 65536 workgroups, but a {} grid has \
                 at most 65535 in y",
                language.title()
            );
            assert_eq!(found(1, 65_534, 1, language), Err(message));
        }
    }
}
