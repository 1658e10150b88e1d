//! Which kernel runs with which tile: pure functions of the sizes.
//!
//! Source: the dispatch rules of flashinfer pull requests 3147 and 3145. `work` is the number of (request, value head)
//! pairs, B * HV.

use gridproof_reference::gdn_decode::{Path, Shape, StateType};

use super::launch::Refusal;
use super::variant::{Options, Variant};

/// A kernel and its tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// The kernel.
    pub path: Path,
    /// Rows of V for one workgroup.
    pub tile_v: u32,
}

impl Choice {
    /// Workgroups for every pair of request and value head.
    pub const fn tiles(self) -> u32 {
        128 / self.tile_v
    }
}

/// The tile of `wide_vec`; `None` where there is too little work for it.
pub const fn wide_tile(work: u64) -> Option<u32> {
    match work {
        1024.. => Some(128),
        512.. => Some(64),
        128.. => Some(32),
        _ => None,
    }
}

/// The tile of `ilp4`: the largest that still gives every multiprocessor four workgroups.
pub fn ilp4_tile(work: u64, multiprocessors: u32) -> u32 {
    if work <= 128 {
        return 16;
    }
    let wanted = 4 * u64::from(multiprocessors);
    let enough = |tile_v: &u32| work.saturating_mul(u64::from(128 / tile_v)) >= wanted;
    [128, 64, 32].into_iter().find(enough).unwrap_or(32)
}

/// What runs where nobody asks for a kernel. A single token uses `wide_vec` only with tiles of 64 rows or more.
pub fn automatic(state: StateType, work: u64, tokens: u32, multiprocessors: u32) -> Choice {
    if state == StateType::F32 {
        return Choice { path: Path::Pretranspose, tile_v: 16 };
    }
    match wide_tile(work) {
        Some(tile_v) if tokens > 1 || tile_v >= 64 => Choice { path: Path::WideVec, tile_v },
        _ => Choice { path: Path::Ilp4, tile_v: ilp4_tile(work, multiprocessors) },
    }
}

/// What runs for a variant. A forced `wide_vec` has tiles of 32 rows where its table has none.
///
/// # Errors
/// When the variant has no kernel for the problem's states, or the kernel does not have the tile that is asked for.
pub fn choose(shape: Shape, variant: Variant, options: Options) -> Result<Choice, Refusal> {
    let state = shape.state();
    let work = u64::from(shape.b()) * u64::from(shape.hv());
    let wide = Choice { path: Path::WideVec, tile_v: wide_tile(work).unwrap_or(32) };
    let ilp4 = Choice { path: Path::Ilp4, tile_v: ilp4_tile(work, options.multiprocessors) };
    let pretranspose = Choice { path: Path::Pretranspose, tile_v: 16 };
    let choice = match (variant, state) {
        (Variant::Auto, _) => automatic(state, work, shape.t(), options.multiprocessors),
        (Variant::WideVec | Variant::WideVecNoPassBarrier, StateType::Bf16) => wide,
        (Variant::Ilp4, StateType::Bf16) => ilp4,
        (Variant::Pretranspose, StateType::F32) => pretranspose,
        (Variant::WideVec | Variant::WideVecNoPassBarrier | Variant::Ilp4, StateType::F32)
        | (Variant::Pretranspose, StateType::Bf16) => {
            return Err(Refusal::StateType { variant: variant.name(), state });
        }
        (_, StateType::Bf16) => wide,
        (_, StateType::F32) => pretranspose,
    };
    let Some(tile_v) = options.tile_v else { return Ok(choice) };
    if !choice.path.tiles().contains(&tile_v) {
        return Err(Refusal::Tile { tile_v, path: choice.path });
    }
    Ok(Choice { tile_v, ..choice })
}
