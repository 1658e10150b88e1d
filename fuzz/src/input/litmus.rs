//! Litmus tests: tiny launches whose units communicate, drawn from a seed.

use gridproof_conformance::litmus::{Kind, Memory, Syntax};

use crate::draw::Draw;

/// A drawn litmus test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LitmusLaunch {
    /// Its seed.
    pub seed: u64,
    /// What it is written in.
    pub syntax: Syntax,
    /// What its units are.
    pub kind: Kind,
    /// Whether loom is asked as well: that takes a process of its own.
    pub loom: bool,
}

/// Once in so many litmus tests, loom is asked.
const LOOM_ONCE_IN: u32 = 64;

/// Draws a litmus test.
pub fn draw(draw: &mut Draw<'_, '_>) -> LitmusLaunch {
    let syntax = draw.pick(&Syntax::ALL);
    let size = match syntax {
        Syntax::Ptx => 32,
        Syntax::Wgsl => draw.pick(&[4, 8, 16, 32]),
    };
    let kind = match draw.below(3) {
        0 => Kind::Workgroups,
        1 => Kind::Subgroups { size, memory: Memory::Storage },
        _ => Kind::Subgroups { size, memory: Memory::Workgroup },
    };
    let loom = draw.one_in(LOOM_ONCE_IN);
    LitmusLaunch { seed: draw.long(), syntax, kind, loom }
}
