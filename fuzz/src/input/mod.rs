//! Inputs: what one execution tries. Any bytes give one.
//!
//! [`decode`] is all that a fuzz engine needs to know. What is drawn is data: a launch of the catalogue by its names, a
//! kernel as a tree of statements, a litmus test by its seed, a text for a parser. Nothing is executed here.

pub mod catalogue;
pub mod indices;
pub mod kernel;
pub mod litmus;
pub mod text;

use arbitrary::{Arbitrary, Unstructured};
use gridproof_kernels::catalogue::catalogue;
use serde::{Deserialize, Serialize};

pub use catalogue::CatalogueLaunch;
pub use kernel::Kernel;
pub use litmus::LitmusLaunch;
pub use text::ParserText;

use crate::draw::Draw;

/// Longest input in bytes. What is behind that is not looked at.
pub const LONGEST: usize = 4096;

/// What one execution tries.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A launch of a kernel of the catalogue.
    Catalogue(CatalogueLaunch),
    /// A kernel that was drawn, as WGSL and as PTX.
    Kernel(Kernel),
    /// A tiny launch that communicates.
    Litmus(LitmusLaunch),
    /// A text for one of the parsers.
    Text(ParserText),
}

/// Names of the generators besides the kernels of the catalogue.
pub const OTHER_GENERATORS: [&str; 3] = ["kernels", "litmus", "texts"];

/// A defect switched on in a kernel that the oracle takes to be sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchedOn {
    /// The kernel.
    pub kernel: String,
    /// Its wrong variant.
    pub variant: String,
}

/// What a campaign may draw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Generators: kernels of the catalogue and [`OTHER_GENERATORS`]. All where none is named.
    #[serde(default)]
    pub only: Vec<String>,
    /// A defect that the campaign has to find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_on: Option<SwitchedOn>,
    /// Whether launches in CUDA C++ are drawn.
    #[serde(default)]
    pub cuda: bool,
}

/// What is wrong with a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A generator that does not exist.
    #[error("unknown generator `{name}`: expected one of {known}")]
    Generator {
        /// What was given.
        name: String,
        /// The generators there are.
        known: String,
    },
    /// A variant that does not exist, or has no defect.
    #[error("`{kernel}:{variant}` is no variant with a defect: expected one of {known}")]
    Variant {
        /// The kernel given.
        kernel: String,
        /// The variant given.
        variant: String,
        /// The wrong variants there are.
        known: String,
    },
}

impl Scope {
    /// Checks the names.
    ///
    /// # Errors
    /// A name that does not exist, with the list of those that do.
    pub fn validate(&self) -> Result<(), ScopeError> {
        let known = generator_names();
        if let Some(name) = self.only.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(ScopeError::Generator { name: name.clone(), known: known.join(", ") });
        }
        let Some(SwitchedOn { kernel, variant }) = &self.switched_on else { return Ok(()) };
        let wrong = catalogue::wrong_variants();
        if wrong.contains(&(kernel.as_str(), variant.as_str())) {
            return Ok(());
        }
        let known: Vec<String> = wrong.iter().map(|(kernel, variant)| format!("{kernel}:{variant}")).collect();
        Err(ScopeError::Variant { kernel: kernel.clone(), variant: variant.clone(), known: known.join(", ") })
    }

    /// The generators that are drawn from, some more often than others.
    fn generators(&self) -> Vec<&str> {
        if let Some(switched_on) = &self.switched_on {
            return vec![&switched_on.kernel];
        }
        if !self.only.is_empty() {
            return self.only.iter().map(String::as_str).collect();
        }
        // What takes less time is tried more often.
        let mut all: Vec<&str> = catalogue().iter().map(|kernel| kernel.name).collect();
        for (name, times) in OTHER_GENERATORS.into_iter().zip([8, 4, 3]) {
            all.extend(std::iter::repeat_n(name, times));
        }
        all
    }
}

/// Names of all generators.
pub fn generator_names() -> Vec<&'static str> {
    catalogue().iter().map(|kernel| kernel.name).chain(OTHER_GENERATORS).collect()
}

/// What these bytes mean: always something, and always the same.
pub fn decode(bytes: &[u8], scope: &Scope) -> Input {
    let mut bytes = Unstructured::new(&bytes[..bytes.len().min(LONGEST)]);
    draw(&mut Draw::new(&mut bytes), scope)
}

fn draw(draw: &mut Draw<'_, '_>, scope: &Scope) -> Input {
    let generators = scope.generators();
    match draw.pick(&generators) {
        "kernels" => Input::Kernel(kernel::draw(draw)),
        "litmus" => Input::Litmus(litmus::draw(draw)),
        "texts" => Input::Text(text::draw(draw)),
        kernel => Input::Catalogue(catalogue::draw(draw, kernel, scope)),
    }
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(draw(&mut Draw::new(bytes), &Scope::default()))
    }
}

impl Input {
    /// The generator it is from.
    pub const fn generator(&self) -> &str {
        match self {
            Self::Catalogue(launch) => launch.kernel,
            Self::Kernel(_) => "kernels",
            Self::Litmus(_) => "litmus",
            Self::Text(_) => "texts",
        }
    }
}
