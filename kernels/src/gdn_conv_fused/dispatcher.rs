//! Which teams take which channels, and who shifts the convolution's rows: pure functions of the sizes.
//!
//! Source: the dispatch rules of intel/llm-scaler pull request 356. A team stands for one of its 32 subgroups.

use gridproof_reference::gdn_conv_fused::Shape;

use super::launch::Refusal;
use super::variant::Variant;

/// Teams of a workgroup.
pub const TEAMS: u64 = 32;

/// Most rounds in which the teams take their blocks.
pub const MOST_ROUNDS: u64 = 4;

/// Most workgroups for which `split32` shifts inline.
pub const SPLIT32_LIMIT: u64 = 32;

/// How the channels are cut into blocks, one of which a team takes in each round.
///
/// Query and key heads have two blocks of 64 channels each. Value heads have two as well, or one of 128 channels where
/// there would be more blocks than teams (`double_v`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blocks {
    /// Whether a value head is one block.
    pub double_v: bool,
    /// Blocks of all heads.
    pub count: u64,
}

impl Blocks {
    /// The blocks of a shape.
    pub fn of(shape: Shape) -> Self {
        let (h, hv) = (u64::from(shape.h()), u64::from(shape.hv()));
        let double_v = 4 * h + 2 * hv > TEAMS;
        let count = if double_v { 4 * h + hv } else { 4 * h + 2 * hv };
        Self { double_v, count }
    }

    /// Rounds that the teams need.
    pub const fn rounds(self) -> u64 {
        self.count.div_ceil(TEAMS)
    }

    /// Channels of the teams that have no block in the last round, were these blocks of value heads.
    pub const fn surplus_channels(self) -> u64 {
        let channels = if self.double_v { 128 } else { 64 };
        (self.rounds() * TEAMS - self.count) * channels
    }
}

/// Who shifts the convolution's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shift {
    /// A dispatch of its own.
    Separate,
    /// The workgroup of value head 0 of each request, from registers.
    FirstHead,
    /// Every workgroup, from memory.
    EveryHead,
}

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// Who shifts the convolution's rows.
    pub shift: Shift,
    /// Whether teams without a block take one behind the last.
    pub surplus: bool,
    /// How channels go to teams.
    pub blocks: Blocks,
}

/// What runs for a variant.
///
/// # Errors
/// When the heads need more rounds than the kernel has.
pub fn choose(shape: Shape, variant: Variant) -> Result<Choice, Refusal> {
    let blocks = Blocks::of(shape);
    if blocks.rounds() > MOST_ROUNDS {
        return Err(Refusal::Rounds { h: shape.h(), hv: shape.hv(), blocks: blocks.count });
    }
    let workgroups = u64::from(shape.n()) * u64::from(shape.hv());
    let shift = match variant {
        Variant::Split => Shift::Separate,
        Variant::Split32 if workgroups > SPLIT32_LIMIT => Shift::Separate,
        Variant::Inline | Variant::Split32 | Variant::SurplusThreads => Shift::FirstHead,
        Variant::InlineAll => Shift::EveryHead,
    };
    Ok(Choice { shift, surplus: variant == Variant::SurplusThreads, blocks })
}
