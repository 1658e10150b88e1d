//! What a launch must be reported as, from the problem alone.

use gridproof_reference::gdn_chunked::Problem;

use super::variant::Variant;
use crate::catalogue::{Expectation, Outputs, SafeUnder};
use crate::expected::Found;

/// What the launch of a variant must be reported as, in either language and with subgroups of any size.
pub fn expectation(problem: &Problem, variant: Variant) -> Expectation {
    let mut found = Found::default();
    match variant {
        Variant::Chunked | Variant::Serial => {}
        // In step, all read the total before anybody comes to store the next partial sum.
        Variant::NoBarrierMaterializeQ | Variant::NoBarrierMaterializeK => {
            race(Outputs::NotStated, SafeUnder::LockstepWaves { slots: 1 }, &mut found);
        }
        // In step, it depends on how long invocation 0 takes to add and the others to the next partial sum.
        Variant::NoBarrierSolveKk if has_pairs(problem) => race(Outputs::NotStated, SafeUnder::NotStated, &mut found),
        Variant::NoBarrierSolveKk => {}
        // What is summed wrongly is used by nobody.
        Variant::NoBarrierSolveDiag => race(Outputs::Right, SafeUnder::NotStated, &mut found),
    }
    found.expectation()
}

fn race(outputs: Outputs, label: SafeUnder, found: &mut Found) {
    found.add("GP0002", "scratch", outputs);
    found.safe_under = Some(label);
}

/// Whether two tokens are in one chunk.
fn has_pairs(problem: &Problem) -> bool {
    let shape = problem.shape();
    (0..shape.sequences()).any(|sequence| shape.length(sequence) > 1)
}
