//! The fingerprint: what an adapter's arithmetic really does, measured with kernels of our own.
//!
//! Drivers say little about rounding, and some of what they say is wrong; so everything here is run and
//! compared with Rust's own f32 arithmetic, which is IEEE 754's. A measure is a sample and not a proof:
//! it says "never seen to differ on these inputs".

mod arithmetic;
mod denormals;
mod kernel;
mod loops;
mod subgroups;

pub use arithmetic::{Exact, Folding, MultiplyAddCount, Rounding};
pub use denormals::DenormalHandling;
pub(crate) use kernel::{Evaluate, Input, WORKGROUP, arithmetic_launch, bind, buffer, floats, words};
pub use loops::{LoopCount, LoopForm, refuse_miscounted_loops};
pub(crate) use loops::{count_loops, loop_counts, loops_launch};
pub use subgroups::Subgroups;

use gridproof_launch::{Arithmetic, Denormals, MultiplyAdd};

use kernel::OnWgpu;

use crate::{AdapterSummary, Device, Exactness, Features, Memory, RunError};

/// What an adapter does, measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint {
    /// Which adapter.
    pub adapter: AdapterSummary,
    /// How often loops of 70,000 iterations ran.
    pub loops: Vec<LoopCount>,
    /// `a * b + c` in ordinary mode.
    pub multiply_add: MultiplyAddCount,
    /// `(a + b) - a` and `a * b + a * c` in ordinary mode.
    pub folding: Folding,
    /// The same and more in exact mode; the reason where the adapter has none.
    pub exact: Result<Exact, RunError>,
    /// Sizes of subgroups.
    pub subgroups: Subgroups,
    /// What kernels can use.
    pub features: Features,
    /// How much fits.
    pub memory: Memory,
}

impl Fingerprint {
    /// The profiles in which exact mode may be compared bit for bit; empty where it does not exist.
    pub fn profiles(&self) -> Vec<Arithmetic> {
        self.exact.as_ref().map_or_else(|_| Vec::new(), profiles)
    }
}

/// `Separate` where nothing contracts or folds, `Fused` where `fma` rounds once besides. A device that
/// keeps some denormals and flushes others has no profile.
pub(crate) fn profiles(exact: &Exact) -> Vec<Arithmetic> {
    let denormals = match (exact.denormal_inputs, exact.denormal_results) {
        (DenormalHandling::Kept, DenormalHandling::Kept) => Denormals::Keep,
        (DenormalHandling::Flushed, DenormalHandling::Flushed) => Denormals::Flush,
        _ => return Vec::new(),
    };
    if !exact.multiply_add.is_separate() || exact.folding.wrong > 0 {
        return Vec::new();
    }
    let mut profiles = vec![Arithmetic { multiply_add: MultiplyAdd::Separate, denormals }];
    if exact.fma.is_fused() {
        profiles.push(Arithmetic { multiply_add: MultiplyAdd::Fused, denormals });
    }
    profiles
}

/// Measures everything.
pub(crate) fn fingerprint(device: &Device) -> Result<Fingerprint, RunError> {
    let exact = match device.check_exact() {
        Ok(()) => Ok(Exact::measure(&OnWgpu { device, exactness: Exactness::Exact })?),
        Err(reason) => Err(reason),
    };
    let ordinary = OnWgpu { device, exactness: Exactness::Ordinary };
    Ok(Fingerprint {
        adapter: device.adapter.clone(),
        loops: device.loops.clone(),
        multiply_add: MultiplyAddCount::of_expression(&ordinary)?,
        folding: Folding::measure(&ordinary)?,
        exact,
        subgroups: Subgroups::observe(device)?,
        features: device.features(),
        memory: device.memory(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(fma_fused: u32, contracted: u32, handling: DenormalHandling) -> Exact {
        let rounding = Rounding { sample: 10, wrong: 0, worst_ulp: 0.5 };
        Exact {
            multiply_add: MultiplyAddCount { sample: 10, once: contracted, twice: 10 - contracted, neither: 0 },
            fma: MultiplyAddCount { sample: 10, once: fma_fused, twice: 10 - fma_fused, neither: 0 },
            folding: Folding { sample: 10, wrong: 0 },
            division: rounding,
            square_root: rounding,
            denormal_inputs: handling,
            denormal_results: handling,
        }
    }

    #[test]
    fn profiles_follow_from_what_was_measured() {
        let separate = Arithmetic::SEPARATE;
        assert_eq!(profiles(&exact(0, 0, DenormalHandling::Kept)), [separate]);
        assert_eq!(profiles(&exact(10, 0, DenormalHandling::Kept)), [separate, Arithmetic::FUSED]);
        assert_eq!(profiles(&exact(9, 0, DenormalHandling::Kept)), [separate]);
        assert_eq!(profiles(&exact(10, 1, DenormalHandling::Kept)), []);
        assert_eq!(profiles(&exact(10, 0, DenormalHandling::Mixed)), []);
        let flush = Arithmetic { denormals: Denormals::Flush, ..separate };
        assert_eq!(profiles(&exact(0, 0, DenormalHandling::Flushed)), [flush]);
    }
}
