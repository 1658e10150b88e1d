//! What can be asked of the kernel: its variants, and what the caller chooses besides.

use std::str::FromStr;

use gridproof_launch::{Arithmetic, Language};

use crate::variant::{UnknownVariant, variant_named};

/// One variant of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// What the dispatcher picks.
    Auto,
    /// The convolution into a staging buffer, then the split.
    Sequential,
    /// One kernel; every invocation finds out where its channels belong.
    Fused,
    /// One kernel; the first channel of a workgroup says for all of them where they belong.
    FusedBlockRouted,
    /// `fused` without the barrier between reading the old state and storing the new one.
    NoStateBarrier,
}

impl Variant {
    /// All variants, in catalogue order.
    pub const ALL: [Self; 5] =
        [Self::Auto, Self::Sequential, Self::Fused, Self::FusedBlockRouted, Self::NoStateBarrier];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Sequential => "sequential",
            Self::Fused => "fused",
            Self::FusedBlockRouted => "fused_block_routed",
            Self::NoStateBarrier => "no_state_barrier",
        }
    }
}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        variant_named("conv1d_qkv_split", &Self::ALL, Self::name, name)
    }
}

/// What the caller chooses besides the variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// How a multiply-add rounds. Denormals are the device's business.
    pub arithmetic: Arithmetic,
    /// Which source runs.
    pub language: Language,
}
