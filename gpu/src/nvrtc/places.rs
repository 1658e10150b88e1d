//! Where NVRTC may be.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// The variable that names the library or a folder with it.
const VARIABLE: &str = "GRIDPROOF_NVRTC";

/// Names of the library, the newest first.
const NAMES: &[&str] = if cfg!(windows) {
    &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"]
} else {
    &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"]
};

/// Folders of a toolkit, or of a folder that NVIDIA's wheels were installed into, in which the library lies.
const FOLDERS: &[&str] = &["", "lib64", "lib", "bin", "bin/x64", "nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib"];

/// Where to look for the compiler.
///
/// If `GRIDPROOF_NVRTC` is set, it is the library or a folder with it, and nowhere else is looked. Else: the names
/// that the system's loader knows, the toolkits of `CUDA_PATH` and `CUDA_HOME`, `/usr/local/cuda`, and then folders
/// that the caller adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    named: Option<Place>,
    places: Vec<Place>,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file, or a folder.
    Path { path: PathBuf, variable: Option<&'static str> },
    /// A name that the system's loader is asked for.
    Loader(&'static str),
}

impl Places {
    /// The places that environment and system give.
    pub fn from_environment() -> Self {
        let variable = |name| {
            let value: Option<OsString> = env::var_os(name).filter(|value| !value.is_empty());
            value.map(|path| Place::Path { path: path.into(), variable: Some(name) })
        };
        let toolkit = Place::Path { path: "/usr/local/cuda".into(), variable: None };
        let places = NAMES.iter().map(|name| Place::Loader(name));
        let places = places.chain(variable("CUDA_PATH")).chain(variable("CUDA_HOME")).chain([toolkit]);
        Self { named: variable(VARIABLE), places: places.collect() }
    }

    /// Only this file or folder.
    pub fn only(path: impl Into<PathBuf>) -> Self {
        Self { named: Some(Place::Path { path: path.into(), variable: None }), places: Vec::new() }
    }

    /// These places, and after them a folder.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.places.push(Place::Path { path: folder.into(), variable: None });
        self
    }

    pub(super) fn in_order(&self) -> &[Place] {
        self.named.as_ref().map_or(&self.places, std::slice::from_ref)
    }
}

impl Place {
    /// The libraries there: files that exist, with absolute paths, or the loader's name.
    pub fn libraries(&self) -> Vec<PathBuf> {
        match self {
            Self::Loader(name) => vec![PathBuf::from(name)],
            Self::Path { path, .. } => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                if path.is_file() { vec![path] } else { in_folder(&path) }
            }
        }
    }
}

fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let files = NAMES.iter().flat_map(|name| FOLDERS.iter().map(move |inner| folder.join(inner).join(name)));
    files.filter(|file| file.is_file()).collect()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(name) => f.write_str(name),
            Self::Path { path, variable: None } => write!(f, "{}", path.display()),
            Self::Path { path, variable: Some(variable) } => write!(f, "{variable}={}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_place_is_the_only_one() {
        let places = Places::only("/nowhere").with_folder("/elsewhere");
        assert_eq!(places.in_order().iter().map(Place::to_string).collect::<Vec<_>>(), ["/nowhere"]);
        assert!(places.in_order()[0].libraries().is_empty());
    }

    #[test]
    fn folders_of_the_caller_come_last() {
        let places = Places { named: None, ..Places::from_environment() }.with_folder("/elsewhere");
        let texts: Vec<String> = places.in_order().iter().map(Place::to_string).collect();
        assert_eq!(texts[..NAMES.len()], *NAMES);
        assert_eq!(texts[texts.len() - 2..], ["/usr/local/cuda", "/elsewhere"]);
    }
}
