//! The text or binary of a kernel, as its author wrote it.

use std::sync::Arc;

use crate::Edit;

/// One module: kernel source with the name that reports print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The file name printed in reports. Never opened.
    pub name: String,
    /// The source itself.
    pub source: Source,
    /// Texts of files that the source's line information (PTX `.file` and `.loc`) names, so that reports can
    /// quote what the kernel's author wrote instead of what a compiler made of it: name and text.
    pub files: Vec<(String, Arc<str>)>,
    /// What is changed of what the source says; nothing, but in the simulator.
    pub edits: Vec<Edit>,
}

impl Module {
    /// A module with the name reports print and its source.
    pub fn new(name: impl Into<String>, source: Source) -> Self {
        Self { name: name.into(), source, files: Vec::new(), edits: Vec::new() }
    }

    /// The same module, compiled from the file `name` with this text.
    #[must_use]
    pub fn with_file(mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        self.files.push((name.into(), text.into()));
        self
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
