//! Putting a launch together: texts, arguments and constants.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridproof_launch::{Argument, Buffer, Constant, Language, Launch, Module, Source, Target};

use crate::{NUMERICS_CUDA, NUMERICS_CUDA_NAME, NUMERICS_WGSL};

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
