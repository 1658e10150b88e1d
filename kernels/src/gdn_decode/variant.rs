//! What can be asked of the kernel: its variants, and what the caller chooses besides.

use std::str::FromStr;

use gridproof_launch::{Arithmetic, Language};

use crate::variant::{Reduction, UnknownVariant, variant_named};

/// One variant of the kernel. The wrong ones run on the kernel for the problem's states: `wide_vec` for bf16,
/// `pretranspose` for f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// What the dispatcher picks.
    Auto,
    /// bf16 states, groups of 16 lanes.
    WideVec,
    /// bf16 states, groups of 32 lanes.
    Ilp4,
    /// f32 states.
    Pretranspose,
    /// Intermediate states are indexed by the slot that is read, not by the request.
    IntermediateBySlot,
    /// The offset of a state in the pool is computed in 32 bits.
    Offset32,
    /// The offset of an intermediate state is computed in 32 bits.
    IntermediateOffset32,
    /// `wide_vec` without the barrier after a pass of the preparation.
    WideVecNoPassBarrier,
    /// The softplus adds both of its branches, times 0 and times 1.
    SoftplusBranchless,
}

impl Variant {
    /// All variants, in catalogue order.
    pub const ALL: [Self; 9] = [
        Self::Auto,
        Self::WideVec,
        Self::Ilp4,
        Self::Pretranspose,
        Self::IntermediateBySlot,
        Self::Offset32,
        Self::IntermediateOffset32,
        Self::WideVecNoPassBarrier,
        Self::SoftplusBranchless,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::WideVec => "wide_vec",
            Self::Ilp4 => "ilp4",
            Self::Pretranspose => "pretranspose",
            Self::IntermediateBySlot => "intermediate_by_slot",
            Self::Offset32 => "offset32",
            Self::IntermediateOffset32 => "intermediate_offset32",
            Self::WideVecNoPassBarrier => "wide_vec_no_pass_barrier",
            Self::SoftplusBranchless => "softplus_branchless",
        }
    }

    /// The constant of the sources that makes the variant; `None` for the correct ones.
    pub const fn switch(self) -> Option<&'static str> {
        match self {
            Self::Auto | Self::WideVec | Self::Ilp4 | Self::Pretranspose => None,
            Self::IntermediateBySlot => Some("INTERMEDIATE_BY_SLOT"),
            Self::Offset32 => Some("OFFSET_32"),
            Self::IntermediateOffset32 => Some("INTERMEDIATE_OFFSET_32"),
            Self::WideVecNoPassBarrier => Some("MISSING_PASS_BARRIER"),
            Self::SoftplusBranchless => Some("SOFTPLUS_BRANCHLESS"),
        }
    }
}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        variant_named("gdn_decode", &Self::ALL, Self::name, name)
    }
}

/// What the caller chooses besides the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// How a multiply-add rounds. Denormals are the device's business.
    pub arithmetic: Arithmetic,
    /// How the lanes of a group add up.
    pub reduction: Reduction,
    /// Which source runs. CUDA's subgroups have 32 invocations, so there is no other reduction than theirs.
    pub language: Language,
    /// Rows of V for one workgroup; `None`: what the dispatcher's rules say.
    pub tile_v: Option<u32>,
    /// Multiprocessors of the device, which the dispatcher's rules ask for.
    pub multiprocessors: u32,
}

impl Default for Options {
    /// The multiprocessors are those of an H100 or H200.
    fn default() -> Self {
        Self {
            arithmetic: Arithmetic::default(),
            reduction: Reduction::default(),
            language: Language::default(),
            tile_v: None,
            multiprocessors: 132,
        }
    }
}
