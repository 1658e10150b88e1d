//! What the families share: how the parts of a launch are put together, and why there may be none.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridproof_launch::{
    Argument, Buffer, Constant, Contents, DType, Fill, Language, Launch, LaunchError, Module, Source, Target, Tensor,
};

use crate::{NUMERICS_CUDA, NUMERICS_CUDA_NAME, NUMERICS_WGSL};

/// Most workgroups in one dimension of a grid that every device must offer to WGSL.
pub const WGSL_GRID_LIMIT: u64 = 65_535;

/// Most workgroups in x of a CUDA grid.
pub const CUDA_GRID_LIMIT: u64 = (1 << 31) - 1;

/// Longest buffer that WGSL's 32-bit offsets reach, in bytes.
pub const WGSL_BUFFER_LIMIT: u64 = (1 << 32) - 1;

/// Longest pool whose every byte is spelt out, in bytes.
const LONGEST_DENSE_POOL: u64 = 64 << 20;

/// How the lanes of a group add up. Both give the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// By subgroup shuffles: for subgroups at least as wide as a group.
    #[default]
    Subgroup,
    /// Through workgroup memory, for narrower subgroups. Its barriers also order what a barrier missing from a wrong
    /// variant should.
    Workgroup,
}

/// A variant that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown variant `{name}` of {kernel}: expected one of {}", known.join(", "))]
pub struct UnknownVariant {
    /// The kernel.
    pub kernel: &'static str,
    /// What was given.
    pub name: String,
    /// The variants there are.
    pub known: Vec<&'static str>,
}

/// The variant of a kernel that has this name.
///
/// # Errors
/// When there is none.
pub(crate) fn variant_named<V: Copy>(
    kernel: &'static str,
    all: &[V],
    name_of: fn(V) -> &'static str,
    name: &str,
) -> Result<V, UnknownVariant> {
    let found = all.iter().copied().find(|variant| name_of(*variant) == name);
    found.ok_or_else(|| UnknownVariant {
        kernel,
        name: name.to_owned(),
        known: all.iter().map(|variant| name_of(*variant)).collect(),
    })
}

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

/// The text of a WGSL kernel with the numerics behind it.
pub(crate) fn wgsl_text(kernel: &str) -> Arc<str> {
    format!("{kernel}\n{NUMERICS_WGSL}").into()
}

/// The module of a CUDA kernel, which includes the numerics.
pub(crate) fn cuda_module(name: &str, text: &'static str) -> Module {
    Module::new(name, Source::Cuda(text.into())).with_file(NUMERICS_CUDA_NAME, NUMERICS_CUDA)
}

/// Buffers by the names of their WGSL variables, or in the order of the CUDA kernel's parameters.
pub(crate) fn arguments<'a>(
    launch: &Launch,
    used: impl IntoIterator<Item = &'a str>,
    language: Language,
) -> Vec<Argument> {
    let found = used.into_iter().filter_map(|name| launch.buffer_named(name));
    let whole = |(position, (id, buffer)): (u32, (_, &Buffer))| {
        let argument = Argument::buffer(&*buffer.name, id, buffer);
        match language {
            Language::Wgsl => argument,
            Language::Cuda => Argument { target: Target::Parameter(position), ..argument },
        }
    };
    (0..).zip(found).map(whole).collect()
}

/// The numbers of a uniform block.
pub(crate) fn uniform_words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().copied().flat_map(u32::to_le_bytes).collect()
}

/// Adds constants under their names.
pub(crate) fn named<'a>(constants: impl IntoIterator<Item = (&'a str, Constant)>) -> BTreeMap<String, Constant> {
    constants.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The bytes of 16-bit elements.
pub(crate) fn half_bytes(bits: &[u16]) -> Vec<u8> {
    bits.iter().flat_map(|bits| bits.to_le_bytes()).collect()
}

/// A buffer of 16-bit elements.
pub(crate) fn half_buffer(name: &str, dtype: DType, shape: &[u64], bits: &[u16]) -> Result<Buffer, LaunchError> {
    Tensor::dense(name, dtype, shape, half_bytes(bits)).map(Buffer::from_tensor)
}

/// A buffer of 16-bit elements with one more where their number is odd, as WGSL reads whole words.
pub(crate) fn padded_half_buffer(name: &str, dtype: DType, shape: &[u64], bits: &[u16]) -> Result<Buffer, LaunchError> {
    if bits.len().is_multiple_of(2) {
        return half_buffer(name, dtype, shape, bits);
    }
    let words: Vec<u16> = bits.iter().copied().chain([0]).collect();
    half_buffer(name, dtype, &[shape.iter().product::<u64>().saturating_add(1)], &words)
}

/// A buffer of `i32` elements.
pub(crate) fn index_buffer(name: &str, indices: &[i32]) -> Result<Buffer, LaunchError> {
    let bytes: Vec<u8> = indices.iter().flat_map(|index| index.to_le_bytes()).collect();
    let count = u64::try_from(indices.len()).unwrap_or(u64::MAX);
    Tensor::dense(name, DType::I32, [count], bytes).map(Buffer::from_tensor)
}

/// A pool of states: `fill` everywhere but from the given byte offsets on. Long pools are virtual.
pub(crate) fn pool_buffer<'a>(
    name: &str,
    dtype: DType,
    shape: impl Into<Vec<u64>>,
    fill: u8,
    states: impl IntoIterator<Item = (u64, &'a [u8])>,
) -> Result<Buffer, LaunchError> {
    let mut buffer = Buffer::filled(name, dtype, shape, Fill::Byte(fill))?;
    let states = states.into_iter();
    buffer.contents = match usize::try_from(buffer.length) {
        Ok(length) if buffer.length <= LONGEST_DENSE_POOL => {
            let mut dense = vec![fill; length];
            for (start, bytes) in states {
                let free = dense.iter_mut().skip(usize::try_from(start).unwrap_or(length));
                free.zip(bytes).for_each(|(byte, given)| *byte = *given);
            }
            Contents::Dense(dense.into())
        }
        _ => {
            let patches: BTreeMap<u64, Arc<[u8]>> = states.map(|(start, bytes)| (start, bytes.into())).collect();
            Contents::Virtual { fill: Fill::Byte(fill), patches }
        }
    };
    Ok(buffer)
}
