//! Launches that a language or its devices cannot have, whatever the kernel.

use gridproof_launch::{Buffer, Language, LaunchError};

use crate::variant::Reduction;

/// Most workgroups in one dimension of a grid that every device must offer to WGSL.
pub const WGSL_GRID_LIMIT: u64 = 65_535;

/// Most workgroups in x of a CUDA grid.
pub const CUDA_GRID_LIMIT: u64 = (1 << 31) - 1;

/// Longest buffer that WGSL's 32-bit offsets reach, in bytes.
pub const WGSL_BUFFER_LIMIT: u64 = (1 << 32) - 1;

/// A launch that a language or its devices cannot have, whatever the kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// More workgroups than a grid has.
    #[error("{sizes}: {workgroups} workgroups, but a {} grid has at most {limit} in {dimension}", language.title())]
    GridTooWide {
        /// The sizes that ask for them, in words.
        sizes: String,
        /// Workgroups it takes.
        workgroups: u64,
        /// Workgroups there can be.
        limit: u64,
        /// The dimension of the grid.
        dimension: char,
        /// Whose grid.
        language: Language,
    },
    /// A buffer that WGSL cannot address.
    #[error("buffer `{buffer}` of {sizes} takes {bytes} bytes, more than the {WGSL_BUFFER_LIMIT} that WGSL addresses")]
    BufferTooLong {
        /// The buffer's name.
        buffer: String,
        /// Its shape, in words.
        sizes: String,
        /// Bytes it takes.
        bytes: u64,
    },
    /// A reduction that the source does not have.
    #[error("reduction through workgroup memory: the CUDA source adds up in subgroups of 32 invocations only")]
    CudaReduction,
    /// The launch types refused a tensor.
    #[error(transparent)]
    Launch(#[from] LaunchError),
}

/// The extent of a grid in x. `sizes` says what asks for it.
///
/// # Errors
/// When there are more workgroups than the language's grids have.
pub(crate) fn grid_x(workgroups: u64, language: Language, sizes: impl FnOnce() -> String) -> Result<u32, Limit> {
    let limit = match language {
        Language::Wgsl => WGSL_GRID_LIMIT,
        Language::Cuda => CUDA_GRID_LIMIT,
    };
    let grid = u32::try_from(workgroups).ok().filter(|_| workgroups <= limit);
    grid.ok_or_else(|| Limit::GridTooWide { sizes: sizes(), workgroups, limit, dimension: 'x', language })
}

/// Refuses reductions that the CUDA sources do not have.
///
/// # Errors
/// When a CUDA source is to add up through workgroup memory.
pub(crate) fn check_reduction(reduction: Reduction, language: Language) -> Result<(), Limit> {
    match (language, reduction) {
        (Language::Cuda, Reduction::Workgroup) => Err(Limit::CudaReduction),
        _ => Ok(()),
    }
}

/// Refuses buffers that the language cannot address.
///
/// # Errors
/// When a buffer is longer than WGSL's 32-bit offsets reach.
pub(crate) fn check_addressable(buffers: &[Buffer], language: Language) -> Result<(), Limit> {
    let reached = |buffer: &&Buffer| language != Language::Wgsl || buffer.length <= WGSL_BUFFER_LIMIT;
    let Some(buffer) = buffers.iter().find(|buffer| !reached(buffer)) else { return Ok(()) };
    let extents: Vec<String> = buffer.shape.iter().map(u64::to_string).collect();
    let sizes = format!("{} {} elements", extents.join(" * "), buffer.dtype);
    Err(Limit::BufferTooLong { buffer: buffer.name.clone(), sizes, bytes: buffer.length })
}
