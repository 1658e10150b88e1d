//! From a problem to a launch, or why there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use gridproof_launch::{Argument, Constant, Dispatch, Language, Launch, Module, MultiplyAdd, Source, Target, Value};
use gridproof_reference::gdn_decode::{Path, Problem, Shape, StateType};

use super::buffers::buffers;
use super::dispatcher::{Choice, choose};
use super::variant::{Options, Variant};
use crate::assembly::{arguments, cuda_module, named, uniform_words, wgsl_text};
use crate::limits::{Limit, check_addressable, check_reduction, grid_x};
use crate::variant::Reduction;

/// The name of the WGSL module in reports.
pub const MODULE_NAME: &str = "gdn_decode.wgsl";

/// The name of the CUDA C++ module in reports.
pub const CUDA_MODULE_NAME: &str = "gdn_decode.cu";

/// Invocations of a workgroup.
const INVOCATIONS: u32 = 128;

/// Elements of the state of one value head.
const STATE: u64 = 128 * 128;

/// Why there is no launch for a valid problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A variant that has no kernel for the problem's states.
    #[error("variant `{variant}` has no kernel for {} states", state_name(*state))]
    StateType {
        /// The variant.
        variant: &'static str,
        /// Type of the states.
        state: StateType,
    },
    /// A tile that the kernel does not have.
    #[error("tile = {tile_v}: `{}` has tiles of {} rows", entry(*path), numbers(path.tiles()))]
    Tile {
        /// Rows asked for.
        tile_v: u32,
        /// The kernel.
        path: Path,
    },
    /// A slot stride that 32-bit arithmetic does not hold to begin with.
    #[error("stride = {stride} elements: variant `offset32` takes strides up to {} elements", i32::MAX)]
    Stride {
        /// Elements from one slot to the next.
        stride: u64,
    },
    /// A stride of intermediate states of which a compiler that folds it modulo 2^32 leaves no trace.
    #[error(
        "{stride} elements from one request's intermediate states to the next: variant `intermediate_offset32` \
         takes up to {}",
        u32::MAX
    )]
    IntermediateStride {
        /// Elements from one request to the next.
        stride: u64,
    },
    /// What no kernel can have.
    #[error(transparent)]
    Limit(#[from] Limit),
}

const fn state_name(state: StateType) -> &'static str {
    match state {
        StateType::Bf16 => "bf16",
        StateType::F32 => "f32",
    }
}

fn numbers(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// The entry point of a kernel.
pub(super) const fn entry(path: Path) -> &'static str {
    match path {
        Path::WideVec => "wide_vec",
        Path::Ilp4 => "ilp4",
        Path::Pretranspose => "pretranspose",
    }
}

/// The launch of one variant: one dispatch of `B * HV * (128 / tile)` workgroups of 128 invocations.
///
/// Buffers: `q`, `k`: `[B, T, H, 128]` bf16; `v`: `[B, T, HV, 128]` bf16; `a`, `b`: `[B, T, HV]` bf16, with one element
/// more where that is odd, as WGSL reads whole words; `a_log`, `dt_bias`: `[HV]` f32; `read_indices`,
/// `write_indices`: `[B]` i32; `state_pool` (output): `[pool, HV, 128, 128]`, or `[pool, stride]` where
/// slots are padded; `output` (output): `[B, T, HV, 128]` bf16; `intermediate_states` (output if it is cached):
/// `[B, steps, HV, 128, 128]`, or 16 bytes that nobody touches. `output` and `intermediate_states` start
/// uninitialised. In CUDA C++ they are the kernels' parameters, in that order. Where requests have no slot in a bf16
/// pool, slot 0 is declared to race.
///
/// # Errors
/// As [`choose`]; when there are more workgroups than a grid has, WGSL cannot address a buffer, or the source does not
/// have the reduction.
pub fn launch(problem: &Problem, variant: Variant, options: Options) -> Result<Launch, Refusal> {
    let shape = problem.shape();
    let choice = choose(shape, variant, options)?;
    let grid = grid(shape, choice, options.language)?;
    check_reduction(options.reduction, options.language)?;
    if variant == Variant::Offset32 && i32::try_from(shape.stride()).is_err() {
        return Err(Refusal::Stride { stride: shape.stride() });
    }
    let intermediate = u64::from(shape.steps()) * u64::from(shape.hv()) * STATE;
    if variant == Variant::IntermediateOffset32 && shape.cache_intermediate() && u32::try_from(intermediate).is_err() {
        return Err(Refusal::IntermediateStride { stride: intermediate });
    }
    let mut launch = Launch { buffers: buffers(problem).map_err(Limit::from)?, ..Launch::default() };
    check_addressable(&launch.buffers, options.language)?;
    let module = launch.add_module(module(options.language));
    let mut dispatch = Dispatch::new(module, entry(choice.path), [grid, 1, 1]);
    let used = launch.buffers.iter().map(|buffer| buffer.name.as_str());
    dispatch.arguments = arguments(&launch, used, options.language);
    if options.language == Language::Wgsl {
        let value = Value::Scalar(sizes(shape, choice));
        dispatch.arguments.push(Argument { target: Target::Name("sizes".to_owned()), value });
    }
    dispatch.constants = constants(shape, choice, variant, options);
    dispatch.workgroup = (options.language == Language::Cuda).then_some([INVOCATIONS, 1, 1]);
    launch.dispatches.push(dispatch);
    Ok(launch)
}

fn grid(shape: Shape, choice: Choice, language: Language) -> Result<u32, Limit> {
    let (b, hv) = (shape.b(), shape.hv());
    let workgroups = (u64::from(b) * u64::from(hv)).saturating_mul(u64::from(choice.tiles()));
    grid_x(workgroups, language, || format!("b = {b}, hv = {hv}, tile = {}", choice.tile_v))
}

fn module(language: Language) -> Module {
    match language {
        Language::Wgsl => Module::new(MODULE_NAME, Source::Wgsl(MODULE_TEXT.clone())),
        Language::Cuda => cuda_module(CUDA_MODULE_NAME, include_str!("../../cuda/gdn_decode.cu")),
    }
}

static MODULE_TEXT: LazyLock<Arc<str>> = LazyLock::new(|| wgsl_text(include_str!("../../wgsl/gdn_decode.wgsl")));

/// The uniform block `sizes` of the WGSL source, which takes no sizes as constants.
fn sizes(shape: Shape, choice: Choice) -> Vec<u8> {
    // A stride that is larger goes with a pool that WGSL does not address.
    let stride = u32::try_from(shape.stride()).unwrap_or(u32::MAX);
    let flags = [u32::from(shape.update()), u32::from(shape.cache_intermediate())];
    uniform_words(&[shape.t(), shape.h(), shape.hv(), stride, shape.steps(), choice.tile_v, flags[0], flags[1]])
}

fn constants(shape: Shape, choice: Choice, variant: Variant, options: Options) -> BTreeMap<String, Constant> {
    let int = |value: u64| Constant::Int(i64::try_from(value).unwrap_or(i64::MAX));
    let fused = Constant::Bool(options.arithmetic.multiply_add == MultiplyAdd::Fused);
    let mut constants = BTreeMap::from([("GP_FUSED", fused)]);
    if options.language == Language::Cuda {
        constants.extend([
            ("TOKENS", int(u64::from(shape.t()))),
            ("H", int(u64::from(shape.h()))),
            ("HV", int(u64::from(shape.hv()))),
            ("SLOT_STRIDE", int(shape.stride())),
            ("STEPS", int(u64::from(shape.steps()))),
            ("TILE_V", int(u64::from(choice.tile_v))),
            ("UPDATE", Constant::Bool(shape.update())),
            ("CACHE", Constant::Bool(shape.cache_intermediate())),
        ]);
    }
    let switches = Variant::ALL.into_iter().filter_map(|other| other.switch().map(|switch| (other, switch)));
    constants.extend(switches.map(|(other, switch)| (switch, Constant::Bool(other == variant))));
    if options.language == Language::Wgsl {
        constants.insert("WORKGROUP_TREE", Constant::Bool(options.reduction == Reduction::Workgroup));
    }
    named(constants)
}
