//! What there is to check: kernels, variants, shape keys, and the verdict that each must get.
//!
//! Everything here is data for the gate and for `list`. No detector and no schedule may look at it: a
//! verdict that was read from the catalogue would prove nothing.

use gridproof_launch::Language;

use crate::{conv1d_qkv_split, gdn_chunked, gdn_conv_fused, gdn_decode, resadd_norm_gemv_int4};

/// One kernel family.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// The name on the command line.
    pub name: &'static str,
    /// What it computes, in one line.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// The languages it is written in, the usual one first; the same in each, bit for bit.
    pub languages: &'static [Language],
    /// What `--shape` understands, in the order of printing.
    pub shape_keys: &'static [ShapeKey],
    /// The kernel as shipped, as mended and as broken.
    pub variants: &'static [VariantEntry],
}

/// One key of `--shape`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeKey {
    /// The key.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The value where none is given: small enough to check in a second.
    pub default: &'static str,
}

/// One variant of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct VariantEntry {
    /// The name on the command line.
    pub name: &'static str,
    /// What it is.
    pub summary: &'static str,
    /// What it must be reported as.
    pub required: &'static str,
    /// The shapes of the main job, as `--shape` takes them; the first is the default.
    pub shapes: &'static [&'static str],
    /// Shapes of the main job with buffers beyond the 32 bits in which WGSL addresses: for the other languages.
    pub long_shapes: &'static [&'static str],
}

/// All kernels.
pub fn catalogue() -> &'static [Kernel] {
    const KERNELS: &[Kernel] = &[
        resadd_norm_gemv_int4::KERNEL,
        gdn_conv_fused::KERNEL,
        gdn_decode::KERNEL,
        conv1d_qkv_split::KERNEL,
        gdn_chunked::KERNEL,
    ];
    KERNELS
}

/// The kernel called `name`.
pub fn kernel(name: &str) -> Option<&'static Kernel> {
    catalogue().iter().find(|kernel| kernel.name == name)
}

impl Kernel {
    /// The variant called `name`.
    pub fn variant(&self, name: &str) -> Option<&'static VariantEntry> {
        self.variants.iter().find(|variant| variant.name == name)
    }

    /// The values of all shape keys, in catalogue order: those in `text` (`key=value,key=value`), and for
    /// the others those in `defaults`, which is written the same way.
    ///
    /// # Errors
    /// A key that is unknown, repeated or without a value; the message lists the valid ones.
    pub fn shape_values(&self, text: &str, defaults: &str) -> Result<Vec<String>, ShapeError> {
        let given = self.parse_shape(text)?;
        let defaults = self.parse_shape(defaults)?;
        let value = |(position, key): (usize, &ShapeKey)| {
            let value = given[position].or(defaults[position]).unwrap_or(key.default);
            value.to_owned()
        };
        Ok(self.shape_keys.iter().enumerate().map(value).collect())
    }

    fn parse_shape<'a>(&self, text: &'a str) -> Result<Vec<Option<&'a str>>, ShapeError> {
        let mut values = vec![None; self.shape_keys.len()];
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let valid = || self.valid_keys();
            let (key, value) = part
                .split_once('=')
                .map(|(key, value)| (key.trim(), value.trim()))
                .filter(|(_, value)| !value.is_empty())
                .ok_or_else(|| ShapeError::NoValue { part: part.to_owned(), valid: valid() })?;
            let position = self.shape_keys.iter().position(|known| known.name == key);
            let position = position.ok_or_else(|| ShapeError::UnknownKey { key: key.to_owned(), valid: valid() })?;
            if values[position].replace(value).is_some() {
                return Err(ShapeError::Repeated { key: key.to_owned() });
            }
        }
        Ok(values)
    }

    fn valid_keys(&self) -> String {
        let keys: Vec<&str> = self.shape_keys.iter().map(|key| key.name).collect();
        keys.join(", ")
    }
}

/// What is wrong with a `--shape` text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Not `key=value`.
    #[error("`{part}` is not of the form key=value (keys: {valid})")]
    NoValue {
        /// The part between commas.
        part: String,
        /// The valid keys.
        valid: String,
    },
    /// A key that the kernel does not have.
    #[error("unknown shape key `{key}`, expected one of {valid}")]
    UnknownKey {
        /// The key given.
        key: String,
        /// The valid keys.
        valid: String,
    },
    /// A key given twice.
    #[error("shape key `{key}` is given twice")]
    Repeated {
        /// The key.
        key: String,
    },
    /// A value that is not what the key takes.
    #[error("shape key `{key}`: `{value}` is not a whole number from 0 to {}", u32::MAX)]
    NotANumber {
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
    },
    /// A word that the key does not take.
    #[error("shape key `{key}`: `{value}` is not {expected}")]
    Word {
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What the key takes.
        expected: &'static str,
    },
    /// More or fewer indices than there are things that have one.
    #[error("shape key `{key}`: {given} indices for {name} = {count} {things}")]
    IndexCount {
        /// The key.
        key: &'static str,
        /// Indices given.
        given: usize,
        /// What their number is called.
        name: &'static str,
        /// Their number.
        count: u32,
        /// What has one index each.
        things: &'static str,
    },
    /// Indices that follow the first leave 32 bits.
    #[error("shape key `{key}`: {first} and the {name} = {count} - 1 indices behind it go beyond {}", i32::MAX)]
    IndexRange {
        /// The key.
        key: &'static str,
        /// The first index.
        first: i32,
        /// What the number of indices is called.
        name: &'static str,
        /// The number of indices.
        count: u32,
    },
}

/// The verdict a launch must get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No race in any execution.
    RaceFree,
    /// At least the expected races.
    Racy,
    /// No race, but at least the expected faults.
    Faulty,
}

impl Verdict {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RaceFree => "race-free",
            Self::Racy => "racy",
            Self::Faulty => "faulty",
        }
    }
}

/// The weakest assumption about the scheduler under which the outputs are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SafeUnder {
    /// No assumption.
    AnyOrder,
    /// Lock-step waves of at least this many slots.
    LockstepWaves {
        /// Resident workgroups.
        slots: u32,
    },
    /// Nothing is demanded of the label.
    NotStated,
}

impl SafeUnder {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnyOrder => "any-order",
            Self::LockstepWaves { .. } => "lockstep-waves",
            Self::NotStated => "not-stated",
        }
    }
}

/// One finding that must be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedFinding {
    /// The rule, GP0001 for instance.
    pub rule: &'static str,
    /// The buffer, or the workgroup variable, that it is about.
    pub place: &'static str,
}

/// Whether a launch computes what the model says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outputs {
    /// Every output has the model's bits, in the race-free reading of a racy launch.
    #[default]
    Right,
    /// Some output has not.
    Wrong,
    /// Nothing is demanded: what a race or a fault leaves depends on how it is run.
    NotStated,
}

/// What one launch must be reported as: these findings, no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The verdict.
    pub verdict: Verdict,
    /// The findings, in order of their rule.
    pub findings: Vec<ExpectedFinding>,
    /// The label of a racy launch.
    pub safe_under: SafeUnder,
    /// What comparing the outputs with the model must say.
    pub outputs: Outputs,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, defaults: &str, expected: Result<[&str; 2], &str>) {
        let values = resadd_norm_gemv_int4::KERNEL.shape_values(text, defaults);
        let values = values.map_err(|error| error.to_string());
        assert_eq!(values, expected.map(|values| values.map(str::to_owned).to_vec()).map_err(str::to_owned));
    }

    #[test]
    fn shapes_are_parsed_and_completed() {
        check("n=8704,k=5120", "n=1,k=512", Ok(["8704", "5120"]));
        check(" k = 1024 ,", "n=7", Ok(["7", "1024"]));
        check("", "", Ok(["256", "2048"]));
    }

    #[test]
    fn errors_list_the_valid_keys() {
        check("m=1", "", Err("unknown shape key `m`, expected one of n, k"));
        check("n", "", Err("`n` is not of the form key=value (keys: n, k)"));
        check("n=", "", Err("`n=` is not of the form key=value (keys: n, k)"));
        check("n=1,n=2", "", Err("shape key `n` is given twice"));
    }

    #[test]
    fn names_are_unique_and_every_main_shape_parses() {
        for entry in catalogue() {
            assert_eq!(kernel(entry.name).map(|found| found.summary), Some(entry.summary));
            for variant in entry.variants {
                let mut shapes = variant.shapes.iter().chain(variant.long_shapes);
                assert_eq!(entry.variants.iter().filter(|other| other.name == variant.name).count(), 1);
                assert!(!variant.shapes.is_empty());
                assert!(shapes.all(|shape| entry.shape_values(shape, "").is_ok()));
            }
        }
    }
}
