//! Kernel families as the gate sees them: a name, a variant and a shape become a launch, what it must
//! compute, and what it must be reported as.
//!
//! The one place where catalogue names meet the typed dispatchers of `kernels` and the models of
//! `reference`. A verdict never reads the expectation that stands beside its launch: only the gate
//! compares the two.

mod conv1d_qkv_split;
mod gdn_chunked;
mod gdn_conv_fused;
mod gdn_decode;
mod resadd_norm_gemv_int4;
mod traffic;

use std::collections::BTreeMap;

use gridproof_kernels::catalogue::{Expectation, Kernel};
use gridproof_launch::{Arithmetic, Language, Launch};

use crate::compare::Expected;
pub use traffic::Traffic;

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
    /// What it must move.
    pub traffic: Traffic,
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

    /// Whether `variant` is one, and `shape_text` a shape with sizes in range. Makes no data: what depends on the launch
    /// is only known to [`Family::instance`].
    ///
    /// # Errors
    /// In the words of the kernel.
    fn check_shape(&self, variant: &str, shape_text: &str) -> Result<(), String>;

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

fn message(error: impl std::error::Error) -> String {
    error.to_string()
}

/// The keys of a shape that a report names: the first `always`, and those that do not have their default, or a default
/// of the variant's own.
fn told<'a>(
    kernel: &'static Kernel,
    variant: &str,
    always: usize,
    values: impl Iterator<Item = (&'static str, &'a str)>,
) -> Vec<(String, String)> {
    let of_variant = kernel.variant(variant).and_then(|entry| entry.shapes.first()).copied().unwrap_or_default();
    let usual = kernel.shape_values("", of_variant).unwrap_or_default();
    let keys = values.zip(kernel.shape_keys).zip(usual).enumerate();
    let said = keys.filter(|(position, (((_, value), key), usual))| {
        *position < always || *value != key.default || *value != usual.as_str()
    });
    said.map(|(_, (((key, value), _), _))| (key.to_owned(), value.to_owned())).collect()
}

/// A pool of which some slots are written; `stride` in bytes.
fn pool(name: &'static str, states: BTreeMap<u64, Vec<u8>>, stride: u64) -> Expected {
    let written = states.into_iter().map(|(slot, bytes)| (slot * stride, bytes)).collect();
    Expected { name, written, unspecified: Vec::new() }
}

/// The slots that a pool's expectation writes.
fn slots(outputs: &[Expected], name: &str, stride: u64) -> BTreeMap<u64, Vec<u8>> {
    let written = outputs.iter().find(|expected| expected.name == name).map(|expected| expected.written.clone());
    written.unwrap_or_default().into_iter().map(|(start, bytes)| (start / stride.max(1), bytes)).collect()
}

/// The bytes of an output that is written as a whole.
fn whole(outputs: &[Expected], name: &str) -> Result<Vec<u8>, String> {
    let found = outputs.iter().find(|expected| expected.name == name).and_then(Expected::bytes);
    found.map(<[u8]>::to_vec).ok_or_else(|| format!("there is no output `{name}`"))
}

/// `||actual - expected|| / ||expected||`, or the distance itself where everything should be zero.
fn relative_distance(actual: &[f64], expected: &[f64]) -> f64 {
    let (mut distance, mut length) = (0.0, 0.0);
    for (actual, expected) in actual.iter().zip(expected) {
        distance += (actual - expected) * (actual - expected);
        length += expected * expected;
    }
    if length > 0.0 { (distance / length).sqrt() } else { distance.sqrt() }
}

/// All families, in catalogue order.
pub fn families() -> &'static [&'static dyn Family] {
    &[
        &resadd_norm_gemv_int4::ResaddNormGemvInt4,
        &gdn_conv_fused::GdnConvFused,
        &gdn_decode::GdnDecode,
        &conv1d_qkv_split::Conv1dQkvSplit,
        &gdn_chunked::GdnChunked,
    ]
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
