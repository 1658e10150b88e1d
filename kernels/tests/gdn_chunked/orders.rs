//! What the races do, found by running: in step, and where subgroups drift apart.

use gridproof_kernels::catalogue::SafeUnder;
use gridproof_kernels::gdn_chunked::{Options, Variant, expectation};
use gridproof_simulator::{Outcome, ladder};

use super::as_it_is;
use super::checked::Case;

struct Tried {
    case: Case,
    proof: Outcome,
    /// Whether some order of drifting subgroups, and all in step, leave what the race-free reading leaves.
    right: [bool; 2],
}

fn tried(variant: Variant, text: &str) -> Tried {
    let case = Case::new(variant, text, Options::default(), 32).unwrap_or_else(|error| panic!("{text}: {error}"));
    let proof = case.check(as_it_is).unwrap_or_else(|error| panic!("{} {text}: {error}", variant.name()));
    let rungs = ladder::climb(&case.launch, &case.config, &proof, 1, 6).expect("it runs");
    let right = [rungs[0].failing.is_none(), rungs[1].failing.is_none()];
    Tried { case, proof, right }
}

/// That is why no such device shows them.
#[test]
fn what_materialize_lacks_shows_where_subgroups_drift_and_not_in_step() {
    for variant in [Variant::NoBarrierMaterializeQ, Variant::NoBarrierMaterializeK] {
        for text in ["t=3,hv=1", "t=2,h=2,hv=2"] {
            let Tried { case, proof, right } = tried(variant, text);
            assert_eq!(right, [false, true], "{} {text}", variant.name());
            assert!(case.differences(&proof).is_empty(), "the race-free reading is the one in step");
            let label = expectation(&case.problem, variant).safe_under;
            assert_eq!(label, SafeUnder::LockstepWaves { slots: 1 });
        }
    }
}

#[test]
fn what_solve_lacks_between_two_tokens_shows_where_subgroups_drift() {
    let Tried { right, .. } = tried(Variant::NoBarrierSolveKk, "t=3,hv=1");
    assert!(!right[0]);
}

#[test]
fn what_solve_lacks_at_the_diagonal_never_shows() {
    for text in ["t=1,hv=1", "t=3,hv=1", "t=18,hv=1,c=16"] {
        let Tried { case, proof, right } = tried(Variant::NoBarrierSolveDiag, text);
        assert_eq!(right, [true, true], "{text}");
        assert!(case.differences(&proof).is_empty(), "{text}");
    }
}
