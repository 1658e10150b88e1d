//! What can be asked of the kernel: its variants, and what the caller chooses besides.

use std::str::FromStr;

use gridproof_launch::{Arithmetic, Language};

use crate::variant::{Reduction, UnknownVariant, variant_named};

/// One variant of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// A second dispatch shifts the convolution's rows.
    Split,
    /// The workgroup of value head 0 shifts them, from registers.
    Inline,
    /// Every workgroup shifts them, from memory, taking rows to be 2,048 elements long.
    InlineAll,
    /// As `inline` for up to 32 workgroups, else as `split`.
    Split32,
    /// As `inline`, with teams that have no block taking one behind the last.
    SurplusThreads,
}

impl Variant {
    /// All variants, in catalogue order.
    pub const ALL: [Self; 5] = [Self::Split, Self::Inline, Self::InlineAll, Self::Split32, Self::SurplusThreads];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Inline => "inline",
            Self::InlineAll => "inline_all",
            Self::Split32 => "split32",
            Self::SurplusThreads => "surplus_threads",
        }
    }
}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        variant_named("gdn_conv_fused", &Self::ALL, Self::name, name)
    }
}

/// What the caller chooses besides the variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// How a multiply-add rounds. Denormals are the device's business.
    pub arithmetic: Arithmetic,
    /// How the lanes of a team add up: by shuffles where subgroups have 8 invocations or more.
    pub reduction: Reduction,
    /// Which source runs. CUDA's subgroups have 32 invocations, so there is no other reduction than theirs.
    pub language: Language,
}
