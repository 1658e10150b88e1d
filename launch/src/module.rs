//! The text or binary of a kernel, as its author wrote it.

use std::sync::Arc;

/// One module: kernel source with the name that reports print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The file name printed in reports. Never opened.
    pub name: String,
    /// The source itself.
    pub source: Source,
}

impl Module {
    /// A module with the name reports print and its source.
    pub fn new(name: impl Into<String>, source: Source) -> Self {
        Self { name: name.into(), source }
    }

    /// The source text, where the module is text.
    pub fn text(&self) -> Option<&str> {
        match &self.source {
            Source::Wgsl(text) | Source::Glsl(text) | Source::Ptx(text) | Source::Cuda(text) => Some(text),
            Source::SpirV(_) => None,
        }
    }
}

/// Kernel source in one of the languages that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// WGSL text.
    Wgsl(Arc<str>),
    /// SPIR-V words.
    SpirV(Arc<[u32]>),
    /// GLSL compute shader text (Vulkan flavour).
    Glsl(Arc<str>),
    /// PTX text.
    Ptx(Arc<str>),
    /// CUDA C++ text, to be compiled to PTX by NVRTC.
    Cuda(Arc<str>),
}

impl Source {
    /// The language's name, for messages.
    pub const fn language(&self) -> &'static str {
        match self {
            Self::Wgsl(_) => "WGSL",
            Self::SpirV(_) => "SPIR-V",
            Self::Glsl(_) => "GLSL",
            Self::Ptx(_) => "PTX",
            Self::Cuda(_) => "CUDA C++",
        }
    }
}
