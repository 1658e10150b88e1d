//! Which of its sources a kernel runs from, where it has several.

use std::fmt;
use std::str::FromStr;

use crate::LaunchError;

/// A language that kernels of the catalogue are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// WGSL.
    #[default]
    Wgsl,
    /// CUDA C++, which runs as the PTX that NVRTC makes of it.
    Cuda,
}

impl Language {
    /// All languages, the usual one first.
    pub const ALL: [Self; 2] = [Self::Wgsl, Self::Cuda];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wgsl => "wgsl",
            Self::Cuda => "cuda",
        }
    }

    /// The name in sentences.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Wgsl => "WGSL",
            Self::Cuda => "CUDA C++",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Language {
    type Err = LaunchError;

    fn from_str(name: &str) -> Result<Self, LaunchError> {
        let found = Self::ALL.into_iter().find(|language| language.name() == name);
        found.ok_or_else(|| LaunchError::UnknownLanguage { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        assert!(Language::ALL.into_iter().all(|language| language.name().parse() == Ok(language)));
        let refused = "hlsl".parse::<Language>().map_err(|error| error.to_string());
        assert_eq!(refused, Err("language `hlsl`: expected wgsl or cuda".to_owned()));
    }
}
