//! CUDA C++ to PTX and to machine code, by NVIDIA's runtime compiler (NVRTC). It needs no GPU, only its shared library.
//!
//! For a real architecture (`sm_90`) one compilation gives both: the PTX, which is to the letter that of the virtual
//! architecture of the same number (a test compares them), and the machine code made of it. A driver refuses PTX that is
//! newer than itself, but loads machine code of any compiler of its own major version.
//!
//! The library is looked for when it is first wanted, in the order that [`Places`] documents, and its functions are
//! taken from the very file that was found. (cudarc's bindings look for the library again by names of their own,
//! `libnvrtc.so` first, so they may compile with another one than was found here; and they panic without any.)
//! `libnvrtc-builtins` must lie beside it, as it does in a CUDA toolkit and in NVIDIA's wheels:
//!
//! ```sh
//! pip install --no-deps --target DIR nvidia-cuda-nvrtc==13.5.37 nvidia-cuda-runtime==13.5.37
//! ```
//!
//! What is not caught: an NVRTC older than a kernel's language or architecture says so in its log, and nothing here
//! says it sooner.

mod functions;
mod line_files;
mod places;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use places::Places;

use functions::{Compilation, Functions};

/// The architecture for which PTX is written where nobody says otherwise: compute capability 9.0.
pub const ARCHITECTURE: &str = "compute_90";

/// Why there is no PTX.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NvrtcError {
    /// The compiler is not on this machine, or cannot be used.
    #[error("NVRTC is not available: {why}; tried {}", tried.join(", "))]
    NotAvailable {
        /// What is missing, or what is wrong with what is there.
        why: String,
        /// Where it was looked for, in that order.
        tried: Vec<String>,
    },
    /// The program does not compile.
    #[error("{name} does not compile:\n{}", log.trim_end())]
    Compile {
        /// The program's name.
        name: String,
        /// The compiler's words.
        log: String,
    },
    /// The compiler failed without a word about the program.
    #[error("{name}: {function} failed: {reason}")]
    Failed {
        /// The program's name.
        name: String,
        /// The function of NVRTC.
        function: &'static str,
        /// What it says.
        reason: String,
    },
}

/// A program to compile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Program {
    /// The name that messages and line information give the text.
    pub name: String,
    /// CUDA C++.
    pub text: Arc<str>,
    /// Texts for `#include "NAME"`: name and text.
    pub headers: Vec<(String, Arc<str>)>,
    /// Folders in which other headers are looked for.
    pub include_folders: Vec<PathBuf>,
    /// Macros with their values.
    pub macros: Vec<(String, String)>,
    /// Virtual architecture, as [`ARCHITECTURE`]; or a real one, as `sm_90`, for machine code besides.
    pub architecture: String,
    /// Further options, as `-G`.
    pub options: Vec<String>,
}

impl Program {
    /// A program without headers and macros, for the usual architecture.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            headers: Vec::new(),
            include_folders: Vec::new(),
            macros: Vec::new(),
            architecture: ARCHITECTURE.to_owned(),
            options: Vec::new(),
        }
    }

    fn options(&self, toolkit: Option<&Path>) -> Vec<String> {
        let macros = self.macros.iter().map(|(name, value)| format!("--define-macro={name}={value}"));
        let folders = self.include_folders.iter().map(PathBuf::as_path).chain(toolkit);
        let folders = folders.map(|folder| format!("--include-path={}", folder.display()));
        let architecture = format!("--gpu-architecture={}", self.architecture);
        let line_info = "--generate-line-info".to_owned();
        [architecture, line_info].into_iter().chain(macros).chain(folders).chain(self.options.iter().cloned()).collect()
    }
}

/// What a program was compiled to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ptx {
    /// PTX with line information. Its `.file` lines give the program and its headers the names they were given
    /// here, and other headers their paths, from the current folder where they lie in it.
    pub text: String,
    /// The machine code made of it, where the architecture is a real one.
    pub cubin: Option<Cubin>,
    /// Warnings and remarks; empty where there are none.
    pub log: String,
}

/// Machine code as NVRTC made it, whole and unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cubin(Arc<[u8]>);

impl Cubin {
    /// The bytes of the ELF file.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The compiler, loaded.
#[derive(Debug)]
pub struct Nvrtc {
    functions: Functions,
    library: PathBuf,
    /// The headers of the toolkit that the library belongs to.
    toolkit: Option<PathBuf>,
    version: (u32, u32),
}

impl Nvrtc {
    /// Finds and loads the compiler.
    ///
    /// # Errors
    /// [`NvrtcError::NotAvailable`], with all places that were looked at.
    pub fn find(places: &Places) -> Result<Self, NvrtcError> {
        let mut tried = Vec::new();
        let mut failures = Vec::new();
        for place in places.in_order() {
            for library in place.libraries() {
                match Functions::load(&library).and_then(|functions| Self::new(functions, library.clone())) {
                    Ok(found) => return Ok(found),
                    // A name that the loader does not know is no failure, a file that it cannot load is.
                    Err(reason) if library.is_absolute() => failures.push(format!("{}: {reason}", library.display())),
                    Err(_) => {}
                }
            }
            tried.push(place.to_string());
        }
        let why = match failures.is_empty() {
            true => {
                "its shared library is nowhere (`.ci/nvrtc` installs it, GRIDPROOF_NVRTC says where it is)".to_owned()
            }
            false => failures.join("; "),
        };
        Err(NvrtcError::NotAvailable { why, tried })
    }

    fn new(functions: Functions, library: PathBuf) -> Result<Self, String> {
        let version = functions.version()?;
        let include = library.parent().map(|folder| folder.join("../include"));
        let toolkit = include.filter(|folder| library.is_absolute() && folder.is_dir());
        Ok(Self { functions, library, toolkit, version })
    }

    /// The library: a path, or the name under which the system's loader knew it.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Major and minor version.
    pub const fn version(&self) -> (u32, u32) {
        self.version
    }

    /// Compiles a program, with line information and the usual optimisation. May be called from several threads.
    ///
    /// # Errors
    /// [`NvrtcError::Compile`] with the compiler's log, or [`NvrtcError::Failed`].
    pub fn compile(&self, program: &Program) -> Result<Ptx, NvrtcError> {
        let options = program.options(self.toolkit.as_deref());
        let compilation = Compilation::new(&self.functions, program)?;
        let log = compilation.compile(&options)?;
        let names = std::iter::once(&program.name).chain(program.headers.iter().map(|(name, _)| name));
        let text = line_files::restored(&compilation.ptx()?, names, std::env::current_dir().ok().as_deref());
        let cubin = compilation.cubin()?.map(|bytes| Cubin(bytes.into()));
        Ok(Ptx { text, cubin, log })
    }
}
