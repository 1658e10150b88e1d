//! From a problem to a launch, or why there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use gridproof_launch::{
    Argument, Constant, Dispatch, Language, Launch, LaunchError, Module, ModuleId, MultiplyAdd, Source, Target, Value,
};
use gridproof_reference::conv1d_qkv_split::{ElementType, Problem, Shape};

use super::buffers::buffers;
use super::dispatcher::{BLOCK, Path, blocks, choose, chunk_count};
use super::expectation::channels_of_invocation;
use super::variant::{Options, Variant};
use crate::assembly::{arguments, cuda_module, named, uniform_words, wgsl_text};
use crate::limits::{Limit, WGSL_BUFFER_LIMIT, check_addressable, grid_x};

/// Most workgroups in y of a grid, in either language.
pub const GRID_Y_LIMIT: u64 = 65_535;

/// The name of the WGSL module in reports.
pub const MODULE_NAME: &str = "conv1d_qkv_split.wgsl";

/// The name of the CUDA C++ module in reports.
pub const CUDA_MODULE_NAME: &str = "conv1d_qkv_split.cu";

/// What the convolution reads and writes, besides its outputs.
const CONVOLUTION: [&str; 9] = [
    "x",
    "weight",
    "bias",
    "conv_state",
    "query_start_loc",
    "cache_indices",
    "has_initial_state",
    "chunk_sequence",
    "chunk_token",
];

/// What the split reads.
const SPLIT: [&str; 5] = ["staging", "query_start_loc", "cache_indices", "chunk_sequence", "chunk_token"];

/// The outputs.
const TENSORS: [&str; 3] = ["q", "k", "v"];

/// Why there is no launch for a valid problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No tokens: a grid may not be empty.
    #[error("there is nothing to launch: the {sequences} sequences have 0 tokens together")]
    NothingToLaunch {
        /// Sequences.
        sequences: u32,
    },
    /// A word would belong to two rows.
    #[error("{size} = {elements} is odd: the WGSL source reads and writes whole 32-bit words, two elements each")]
    OddSize {
        /// The name of the size.
        size: &'static str,
        /// Its value, in elements.
        elements: u64,
    },
    /// A slot, which nobody checked, beyond what WGSL's offsets reach.
    #[error(
        "cache_indices[{sequence}] = {slot}: the state of that slot ends at byte {end}, beyond the {WGSL_BUFFER_LIMIT} \
         that WGSL addresses"
    )]
    SlotTooFar {
        /// The sequence.
        sequence: u32,
        /// Its slot.
        slot: u64,
        /// One past the last byte of the slot's state.
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

/// The launch of one variant: `fused` over chunks * blocks workgroups of 128 invocations (64 in CUDA C++); or `conv`, then
/// `split`, each over as many.
///
/// Buffers, of 16-bit elements where nothing else is said: `x` `[tokens, stride]`; `weight` `[dim, width]`; `bias`
/// `[dim]`, or two elements that nobody reads; `conv_state` (output) `[slots, width - 1, dim]`; `query_start_loc`
/// `[B + 1]`, `cache_indices`, `has_initial_state` `[B]`, `chunk_sequence`, `chunk_token` `[chunks]`, all i32; `q`, `k`,
/// `v` (outputs) `[tokens, q]` and so on, which start uninitialised; for `sequential` also `staging` `[tokens, dim]`,
/// uninitialised and no output. In CUDA C++ they are the kernels' parameters in that order, as far as a kernel has them;
/// `split` has `staging` first.
///
/// # Errors
/// When there are no tokens; when there are more workgroups than a grid has; in WGSL, when q, k, v or the stride is odd,
/// or 32 bits do not address a buffer or a slot.
pub fn launch(problem: &Problem, variant: Variant, options: Options) -> Result<Launch, Refusal> {
    let shape = problem.shape();
    let path = choose(shape, variant);
    let grid = grid(shape, options.language)?;
    if options.language == Language::Wgsl {
        check_words(shape)?;
    }
    let mut launch = Launch { buffers: buffers(problem, path)?, ..Launch::default() };
    check_addressable(&launch.buffers, options.language)?;
    if options.language == Language::Wgsl {
        check_slots(problem)?;
    }
    let module = launch.add_module(module(options.language));
    let dispatch = |entry: &str, used: &[&str]| dispatch(&launch, module, entry, used, shape, options.language);
    let mut dispatches = match path {
        Path::Sequential => vec![
            dispatch("conv", &[&CONVOLUTION[..], &["staging"]].concat()),
            dispatch("split", &[&SPLIT[..], &TENSORS[..]].concat()),
        ],
        Path::Fused | Path::BlockRouted => vec![dispatch("fused", &[&CONVOLUTION[..], &TENSORS[..]].concat())],
    };
    let constants = constants(shape, path, variant, options);
    for dispatch in &mut dispatches {
        dispatch.grid = grid;
        dispatch.constants.clone_from(&constants);
    }
    launch.dispatches = dispatches;
    Ok(launch)
}

/// Chunks times blocks of channels.
fn grid(shape: &Shape, language: Language) -> Result<[u32; 3], Refusal> {
    let (chunks, blocks, tokens) = (chunk_count(shape), blocks(shape), shape.tokens());
    if chunks == 0 {
        return Err(Refusal::NothingToLaunch { sequences: shape.sequences() });
    }
    let sizes = || format!("tokens = {tokens}, in chunks of 8 of one sequence");
    let x = grid_x(chunks, language, sizes)?;
    if u64::from(blocks) > GRID_Y_LIMIT {
        let sizes = format!("q = {}, k = {}, v = {}", shape.q(), shape.k(), shape.v());
        let (workgroups, limit) = (u64::from(blocks), GRID_Y_LIMIT);
        return Err(Limit::GridTooWide { sizes, workgroups, limit, dimension: 'y', language }.into());
    }
    Ok([x, blocks, 1])
}

/// Refuses sizes with which a 32-bit word has elements of two rows.
fn check_words(shape: &Shape) -> Result<(), Refusal> {
    let channels = [("q", shape.q()), ("k", shape.k()), ("v", shape.v())].map(|(size, count)| (size, u64::from(count)));
    let sizes = channels.into_iter().chain([("stride", shape.stride())]);
    match sizes.into_iter().find(|(_, elements)| !elements.is_multiple_of(2)) {
        Some((size, elements)) => Err(Refusal::OddSize { size, elements }),
        None => Ok(()),
    }
}

/// Refuses slots at which 32-bit offsets would wrap. Only those that `conv_state` does not have can be that far.
fn check_slots(problem: &Problem) -> Result<(), Refusal> {
    let bytes = problem.shape().state_bytes();
    for sequence in problem.computed().filter(|&sequence| problem.shape().length(sequence) > 0) {
        let slot = problem.slot(sequence).unwrap_or_default();
        let end = slot.saturating_add(1).saturating_mul(bytes);
        if end > WGSL_BUFFER_LIMIT {
            return Err(Refusal::SlotTooFar { sequence, slot, end });
        }
    }
    Ok(())
}

fn module(language: Language) -> Module {
    match language {
        Language::Wgsl => Module::new(MODULE_NAME, Source::Wgsl(MODULE_TEXT.clone())),
        Language::Cuda => cuda_module(CUDA_MODULE_NAME, include_str!("../../cuda/conv1d_qkv_split.cu")),
    }
}

static MODULE_TEXT: LazyLock<Arc<str>> = LazyLock::new(|| wgsl_text(include_str!("../../wgsl/conv1d_qkv_split.wgsl")));

/// A dispatch without grid and constants.
fn dispatch(
    launch: &Launch,
    module: ModuleId,
    entry: &str,
    used: &[&str],
    shape: &Shape,
    language: Language,
) -> Dispatch {
    let mut dispatch = Dispatch::new(module, entry, [0; 3]);
    dispatch.arguments = arguments(launch, used.iter().copied(), language);
    match language {
        Language::Wgsl => dispatch
            .arguments
            .push(Argument { target: Target::Name("sizes".to_owned()), value: Value::Scalar(sizes(shape)) }),
        Language::Cuda => dispatch.workgroup = Some([BLOCK / channels_of_invocation(language), 1, 1]),
    }
    dispatch
}

/// The uniform block `sizes` of the WGSL source, which takes no sizes as constants.
fn sizes(shape: &Shape) -> Vec<u8> {
    // A stride that is larger goes with an x that WGSL does not address.
    let stride = u32::try_from(shape.stride()).unwrap_or(u32::MAX);
    uniform_words(&[shape.q(), shape.k(), shape.v(), shape.width(), stride, u32::from(shape.bias())])
}

fn constants(shape: &Shape, path: Path, variant: Variant, options: Options) -> BTreeMap<String, Constant> {
    let int = |value: u64| Constant::Int(i64::try_from(value).unwrap_or(i64::MAX));
    let mut constants = vec![
        ("GP_FUSED", Constant::Bool(options.arithmetic.multiply_add == MultiplyAdd::Fused)),
        ("F16", Constant::Bool(shape.element() == ElementType::F16)),
        ("BLOCK_ROUTED", Constant::Bool(path == Path::BlockRouted)),
        ("MISSING_STATE_BARRIER", Constant::Bool(variant == Variant::NoStateBarrier)),
    ];
    if options.language == Language::Cuda {
        constants.extend([
            ("Q_DIM", int(u64::from(shape.q()))),
            ("K_DIM", int(u64::from(shape.k()))),
            ("V_DIM", int(u64::from(shape.v()))),
            ("WIDTH", int(u64::from(shape.width()))),
            ("STRIDE", int(shape.stride())),
            ("BIAS", Constant::Bool(shape.bias())),
        ]);
    }
    named(constants)
}
