//! Dispatcher of `resadd_norm_gemv_int4`: residual add, RMSNorm and int4 GEMV for one token.
//!
//! Source: intel/llm-scaler pull request 399, and its commit db05b45 for the split path. The kernel's header
//! says what the port keeps and what it maps anew. Three differences from upstream matter to a reader:
//!
//! * Upstream reads the residual once and keeps it in registers where a group's share of k allows it, and
//!   reads it a second time where not; this port always reads twice, as upstream's 128-wide path does.
//! * Upstream's limit of k <= 8192 (a fixed number of registers, not checked) does not exist here.
//! * Upstream's group is one thread with vectors of 128 to 512; here it is 32 invocations, and how they add
//!   up is a choice of the caller ([`Reduction`]): a barrier inside that sum would hide the missing one of
//!   `fused_no_barrier`.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use gridproof_launch::{
    Arithmetic, Buffer, Constant, DType, Dispatch, Fill, Language, Launch, LaunchError, Module, ModuleId, MultiplyAdd,
    Source, Tensor,
};
use gridproof_reference::resadd_norm_gemv_int4::{Path, Problem, ProblemError, Shape};

use crate::assembly::{arguments, cuda_module, named, wgsl_text};
use crate::buffers::half_buffer;
use crate::catalogue::{
    Expectation, ExpectedFinding, Kernel, Outputs, SafeUnder, ShapeError, ShapeKey, VariantEntry, Verdict,
};
use crate::limits::{Limit, check_reduction};
use crate::variant::variant_named;

pub use crate::variant::{Reduction, UnknownVariant};

/// Most workgroups in one dimension of a grid that every device must offer.
pub const GRID_LIMIT: u32 = 65_535;

/// The name of the WGSL module in reports.
pub const MODULE_NAME: &str = "resadd_norm_gemv_int4.wgsl";

/// The name of the CUDA C++ module in reports.
pub const CUDA_MODULE_NAME: &str = "resadd_norm_gemv_int4.cu";

/// Invocations that add up in shuffles.
const LANES: u32 = 32;

/// Invocations of the prepass of the CUDA C++ source: all of them store, 32 of them sum.
const CUDA_PREPASS_INVOCATIONS: u32 = 256;

/// The rows up to which the pull request stays with the fused kernel.
const SPLIT_ABOVE: u32 = 512;

/// One variant of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// As shipped: row 0 writes the residual back in the same launch.
    Fused,
    /// The pull request: above 512 rows prepass and GEMV, else fused.
    Split512,
    /// Always prepass and GEMV.
    Split,
    /// Fused, without the barrier between reading the sums of squares and storing the dot products.
    FusedNoBarrier,
}

impl Variant {
    /// All variants, in catalogue order.
    pub const ALL: [Self; 4] = [Self::Fused, Self::Split512, Self::Split, Self::FusedNoBarrier];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Split512 => "split512",
            Self::Split => "split",
            Self::FusedNoBarrier => "fused_no_barrier",
        }
    }

    /// The kernels that run at this shape, which is also what the model must mirror.
    pub const fn path(self, shape: Shape) -> Path {
        match self {
            Self::Fused | Self::FusedNoBarrier => Path::Fused,
            Self::Split512 if shape.n() <= SPLIT_ABOVE => Path::Fused,
            Self::Split512 | Self::Split => Path::Split,
        }
    }
}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        variant_named("resadd_norm_gemv_int4", &Self::ALL, Self::name, name)
    }
}

/// What the caller chooses besides the variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// How a multiply-add rounds. Denormals are the device's business.
    pub arithmetic: Arithmetic,
    /// How the lanes of a group add up.
    pub reduction: Reduction,
    /// Which source runs. CUDA's subgroups have 32 invocations, so there is no other reduction than theirs.
    pub language: Language,
}

/// Why there is no launch for a valid problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More rows than workgroups in one dimension.
    #[error("n = {n}: one workgroup per row, but a grid has at most {GRID_LIMIT} workgroups in x")]
    GridTooWide {
        /// Output rows.
        n: u32,
    },
    /// What no kernel can have.
    #[error(transparent)]
    Limit(#[from] Limit),
}

/// The launch of one variant.
///
/// Buffers: `hidden`, `residual` (output), `norm_weight`, `normed_out` (output): `[k]` f16; `weight`:
/// `[n, k]` u4; `scale`: `[n, k / 128]` f16; `output` (output): `[n]` 32-bit words with the fp16 in the low
/// half, because two rows that share a word would be two workgroups that share a word. `output` and
/// `normed_out` start uninitialised. In CUDA C++ they are the kernels' parameters, in that order.
///
/// # Errors
/// When n is above [`GRID_LIMIT`], or the source does not have the reduction.
pub fn launch(problem: &Problem, variant: Variant, options: Options) -> Result<Launch, Refusal> {
    let shape = problem.shape();
    if shape.n() > GRID_LIMIT {
        return Err(Refusal::GridTooWide { n: shape.n() });
    }
    check_reduction(options.reduction, options.language)?;
    let mut launch = Launch { buffers: buffers(problem).map_err(Limit::from)?, ..Launch::default() };
    let module = launch.add_module(module(options.language));
    launch.dispatches = match variant.path(shape) {
        Path::Fused => vec![fused(&launch, module, shape, variant, options)],
        Path::Split => vec![prepass(&launch, module, shape, options), gemv(&launch, module, shape, options)],
    };
    Ok(launch)
}

fn module(language: Language) -> Module {
    match language {
        Language::Wgsl => Module::new(MODULE_NAME, Source::Wgsl(MODULE_TEXT.clone())),
        Language::Cuda => cuda_module(CUDA_MODULE_NAME, include_str!("../cuda/resadd_norm_gemv_int4.cu")),
    }
}

static MODULE_TEXT: LazyLock<Arc<str>> =
    LazyLock::new(|| wgsl_text(include_str!("../wgsl/resadd_norm_gemv_int4.wgsl")));

fn buffers(problem: &Problem) -> Result<Vec<Buffer>, LaunchError> {
    let (shape, inputs) = (problem.shape(), problem.inputs());
    let (n, k) = (u64::from(shape.n()), u64::from(shape.k()));
    let half = |name, shape: &[u64], bits: &[u16]| half_buffer(name, DType::F16, shape, bits);
    Ok(vec![
        half("hidden", &[k], &inputs.hidden)?,
        half("residual", &[k], &inputs.residual)?.as_output(),
        half("norm_weight", &[k], &inputs.norm_weight)?,
        Buffer::from_tensor(Tensor::dense("weight", DType::U4, [n, k], inputs.weight.as_slice())?),
        half("scale", &[n, k / 128], &inputs.scale)?,
        Buffer::filled("output", DType::U32, [n], Fill::Uninitialised)?.as_output(),
        Buffer::filled("normed_out", DType::F16, [k], Fill::Uninitialised)?.as_output(),
    ])
}

fn fused(launch: &Launch, module: ModuleId, shape: Shape, variant: Variant, options: Options) -> Dispatch {
    let mut dispatch = Dispatch::new(module, "fused", [shape.n(), 1, 1]);
    let used = launch.buffers.iter().map(|buffer| buffer.name.as_str());
    dispatch.arguments = arguments(launch, used, options.language);
    specialise(&mut dispatch, shape, Path::Fused, options);
    let missing = variant == Variant::FusedNoBarrier;
    dispatch.constants.insert("MISSING_BARRIER".to_owned(), Constant::Bool(missing));
    dispatch
}

fn prepass(launch: &Launch, module: ModuleId, shape: Shape, options: Options) -> Dispatch {
    let mut dispatch = Dispatch::new(module, "prepass", [1, 1, 1]);
    let used = ["hidden", "residual", "norm_weight", "normed_out"];
    dispatch.arguments = arguments(launch, used, options.language);
    specialise(&mut dispatch, shape, Path::Split, options);
    if options.language == Language::Cuda {
        dispatch.workgroup = Some([CUDA_PREPASS_INVOCATIONS, 1, 1]);
    }
    dispatch
}

fn gemv(launch: &Launch, module: ModuleId, shape: Shape, options: Options) -> Dispatch {
    let mut dispatch = Dispatch::new(module, "gemv", [shape.n(), 1, 1]);
    let used = ["weight", "scale", "output", "normed_out"];
    dispatch.arguments = arguments(launch, used, options.language);
    specialise(&mut dispatch, shape, Path::Split, options);
    dispatch
}

/// Sets constants, and the workgroup size where the module does not say it.
fn specialise(dispatch: &mut Dispatch, shape: Shape, path: Path, options: Options) {
    let fused = options.arithmetic.multiply_add == MultiplyAdd::Fused;
    let groups = path.groups(shape);
    let constants = [
        ("K", Constant::Int(i64::from(shape.k()))),
        ("RECIPROCAL_K", Constant::Float(f64::from(shape.reciprocal_k()))),
        ("GROUPS", Constant::Int(i64::from(groups))),
        ("MISSING_BARRIER", Constant::Bool(false)),
        ("GP_FUSED", Constant::Bool(fused)),
    ];
    dispatch.constants.extend(named(constants));
    match options.language {
        Language::Wgsl => {
            let tree = Constant::Bool(options.reduction == Reduction::Workgroup);
            dispatch.constants.insert("WORKGROUP_TREE".to_owned(), tree);
        }
        Language::Cuda => dispatch.workgroup = Some([groups * LANES, 1, 1]),
    }
}

/// What the launch must be reported as.
pub fn expectation(shape: Shape, variant: Variant, options: Options) -> Expectation {
    let mut findings = Vec::new();
    if variant.path(shape) == Path::Fused && shape.n() > 1 {
        findings.push(ExpectedFinding { rule: "GP0001", place: "residual" });
    }
    let healed = options.reduction == Reduction::Workgroup;
    if variant == Variant::FusedNoBarrier && shape.groups() > 1 && !healed {
        findings.push(ExpectedFinding { rule: "GP0002", place: "partial" });
    }
    let outputs = Outputs::Right;
    if findings.is_empty() {
        return Expectation { verdict: Verdict::RaceFree, findings, safe_under: SafeUnder::AnyOrder, outputs };
    }
    Expectation { verdict: Verdict::Racy, findings, safe_under: SafeUnder::LockstepWaves { slots: shape.n() }, outputs }
}

/// The entry in the catalogue.
pub const KERNEL: Kernel = Kernel {
    name: "resadd_norm_gemv_int4",
    languages: &[Language::Wgsl, Language::Cuda],
    summary: "residual add + RMSNorm + int4 GEMV for one token, fused",
    source: "intel/llm-scaler pull request 399",
    shape_keys: &[
        ShapeKey { name: "n", meaning: "output rows, 1 to 65535", default: "256" },
        ShapeKey { name: "k", meaning: "input elements, a multiple of 512", default: "2048" },
    ],
    variants: &[
        VariantEntry {
            name: "fused",
            summary: "as shipped: workgroup 0 writes the residual back in the same launch",
            required: "n = 1: race-free. n > 1: GP0001 on `residual`, workgroup 0 writes what every other reads; \
                       safe only in lock-step waves of n slots or more",
            shapes: &["n=256,k=2048"],
            long_shapes: &[],
        },
        VariantEntry {
            name: "split512",
            summary: "the pull request's fix: above 512 rows a one-workgroup prepass and a plain GEMV, else fused",
            required: "n > 512: race-free. n <= 512: as `fused`, safe only in lock-step waves of n slots or more",
            shapes: &["n=640,k=2048", "n=256,k=2048"],
            long_shapes: &[],
        },
        VariantEntry {
            name: "split",
            summary: "always the prepass and the plain GEMV",
            required: "race-free",
            shapes: &["n=256,k=2048"],
            long_shapes: &[],
        },
        VariantEntry {
            name: "fused_no_barrier",
            summary: "no barrier between reading the sums of squares and storing the dot products in their place",
            required: "more than one group a row: GP0002 on `partial`; one group: clean of it. n > 1: also GP0001 \
                       as `fused`",
            shapes: &["n=256,k=2048"],
            long_shapes: &[],
        },
    ],
};

/// What is wrong with a `--shape` text for this kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeTextError {
    /// The text.
    #[error(transparent)]
    Text(#[from] ShapeError),
    /// The sizes.
    #[error(transparent)]
    Problem(#[from] ProblemError),
}

/// The shape in a `--shape` text; what is left out is taken from the variant's first shape.
///
/// # Errors
/// An unknown key (with the list of valid ones), a value that is no number, sizes out of range.
pub fn parse_shape(text: &str, variant: Variant) -> Result<Shape, ShapeTextError> {
    let defaults = KERNEL.variant(variant.name()).and_then(|entry| entry.shapes.first()).copied().unwrap_or("");
    let values = KERNEL.shape_values(text, defaults)?;
    let number = |position: usize| -> Result<u32, ShapeError> {
        let (key, value) = (KERNEL.shape_keys[position].name, &values[position]);
        value.parse().map_err(|_| ShapeError::NotANumber { key, value: value.clone() })
    };
    Ok(Shape::new(number(0)?, number(1)?)?)
}

/// Sizes (n, k) that every leg must agree on: the edges of the dispatcher's rules, odd shares of k (a last
/// step that is half idle), and the sizes seen in production.
pub const CASES: [(u32, u32); 45] = [
    (1, 512),
    (1, 1024),
    (1, 2048),
    (1, 8192),
    (2, 512),
    (2, 2048),
    (3, 1536),
    (5, 2560),
    (7, 4608),
    (16, 512),
    (31, 3584),
    (32, 1024),
    (33, 1024),
    (64, 5120),
    (127, 2048),
    (128, 512),
    (128, 1536),
    (128, 2048),
    (128, 2560),
    (128, 4096),
    (128, 4608),
    (128, 5120),
    (128, 8192),
    (129, 512),
    (129, 1536),
    (129, 2048),
    (129, 4608),
    (129, 8192),
    (255, 1024),
    (256, 2048),
    (256, 3072),
    (256, 5120),
    (511, 512),
    (512, 512),
    (512, 1536),
    (512, 2048),
    (512, 4096),
    (512, 4608),
    (512, 8192),
    (513, 512),
    (513, 2048),
    (513, 4608),
    (513, 8192),
    (1000, 1024),
    (8704, 5120),
];

/// Sizes that must be refused.
pub const BAD_CASES: [(u32, u32); 8] =
    [(0, 512), (1, 0), (1, 64), (1, 500), (1, 128), (256, 2176), (256, 2304), (4_000_000_000, 512)];

/// The shapes of [`CASES`].
pub fn cases() -> impl Iterator<Item = Shape> {
    CASES.into_iter().filter_map(|(n, k)| Shape::new(n, k).ok())
}
