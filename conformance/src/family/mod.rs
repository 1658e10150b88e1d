//! Kernel families as the gate sees them: a name, a variant and a shape become a launch, what it must
//! compute, and what it must be reported as.
//!
//! The one place where catalogue names meet the typed dispatchers of `kernels` and the models of
//! `reference`. A verdict never reads the expectation that stands beside its launch: only the gate
//! compares the two.

mod gdn_decode;
mod resadd_norm_gemv_int4;

use gridproof_kernels::catalogue::{Expectation, Kernel};
use gridproof_launch::{Arithmetic, Language, Launch};

use crate::compare::Expected;

/// What an instance depends on besides its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Making {
    /// Seed of the input data.
    pub data_seed: u64,
    /// Arithmetic profile.
    pub arithmetic: Arithmetic,
    /// Invocations per subgroup of whoever runs the launch.
    pub subgroup_size: u32,
    /// Which of the kernel's sources it runs.
    pub language: Language,
}

/// One launch of the catalogue.
pub struct Instance {
    /// Shape keys and values, in the kernel's documented order.
    pub shape: Vec<(String, String)>,
    /// What runs.
    pub launch: Launch,
    /// What it must be reported as.
    pub expectation: Expectation,
    /// What it must compute.
    pub reference: Box<dyn Reference>,
}

/// What an instance must compute.
pub trait Reference: Send + Sync {
    /// The output buffers of the bit-faithful model.
    fn model(&self) -> Vec<Expected>;

    /// Whether outputs are within the error that the oracle states for them; else which element is not.
    fn check_oracle(&self, outputs: &[Expected]) -> Result<(), String>;

    /// The buffer whose distance to the oracle (with the inputs as a user has them, before any
    /// quantisation) is reported.
    fn measured_buffer(&self) -> &'static str;

    /// `||buffer - oracle|| / ||oracle||` of that buffer's bytes.
    fn relative_error(&self, bytes: &[u8]) -> f64;
}

/// A kernel family.
pub trait Family: Sync {
    /// Its entry in the catalogue.
    fn kernel(&self) -> &'static Kernel;

    /// The launch of `variant` at the shape in `shape_text` (`key=value,..`; what is left out has defaults).
    ///
    /// # Errors
    /// Why there is no such launch, in the words of the problem or of the dispatcher.
    fn instance(&self, variant: &str, shape_text: &str, making: &Making) -> Result<Instance, String>;
}

/// A shape as `--shape` takes it, with another value of the key at one position where one is given.
pub fn shape_text(shape: &[(String, String)], other: Option<(usize, u64)>) -> String {
    let pairs = shape.iter().enumerate().map(|(position, (key, own))| match other {
        Some((place, value)) if place == position => format!("{key}={value}"),
        _ => format!("{key}={own}"),
    });
    pairs.collect::<Vec<_>>().join(",")
}

/// All families, in catalogue order.
pub fn families() -> &'static [&'static dyn Family] {
    &[&resadd_norm_gemv_int4::ResaddNormGemvInt4, &gdn_decode::GdnDecode]
}

/// The family called `name`.
pub fn family(name: &str) -> Option<&'static dyn Family> {
    families().iter().copied().find(|family| family.kernel().name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_of_the_catalogue_is_a_family_and_the_other_way_round() {
        let catalogue: Vec<&str> = gridproof_kernels::catalogue::catalogue().iter().map(|kernel| kernel.name).collect();
        let families: Vec<&str> = families().iter().map(|family| family.kernel().name).collect();
        assert_eq!(catalogue, families);
    }
}
