//! What the races do: under which order of workgroups the outputs are still right, found by running.

use gridproof_kernels::catalogue::SafeUnder;
use gridproof_kernels::gdn_conv_fused::{Options, Variant, expectation};
use gridproof_simulator::{Policy, ladder};

use super::as_it_is;
use super::checked::Case;

/// A launch with its findings as demanded, to be run under policies.
struct Tried {
    case: Case,
    proof: gridproof_simulator::Outcome,
}

impl Tried {
    #[track_caller]
    fn new(variant: Variant, text: &str) -> Self {
        let case = Case::new(variant, text, Options::default(), 32).unwrap_or_else(|error| panic!("{text}: {error}"));
        let proof = case.check(as_it_is).unwrap_or_else(|error| panic!("{} {text}: {error}", variant.name()));
        Self { case, proof }
    }

    /// Whether the policy leaves what the race-free reading leaves.
    fn is_right(&self, policy: Policy) -> bool {
        let (launch, config) = (&self.case.launch, &self.case.config);
        let rung = ladder::try_all(launch, config, &self.proof, policy.clone(), std::iter::once(policy));
        rung.expect("it runs").failing.is_none()
    }

    fn is_right_in_waves(&self, slots: u32) -> bool {
        self.is_right(Policy::Waves { slots })
    }
}

/// The slots that are demanded are those that a search from above finds: that many are right, one less is wrong.
#[test]
fn an_inline_shift_needs_the_slots_that_are_stated() {
    for (variant, text) in [
        (Variant::Inline, "n=1,h=1,hv=2"),
        (Variant::Inline, "n=2,h=2,hv=4"),
        (Variant::Inline, "n=3,h=1,hv=3,slot=1+0+-1"),
        (Variant::Inline, "n=1,h=8,hv=16"),
        (Variant::Split32, "n=8,h=2,hv=4,pool=8,slot=0"),
        (Variant::Inline, "n=1,h=16,hv=64"),
        (Variant::Split32, "n=1,h=4,hv=32,layout=interleaved"),
        (Variant::Split32, "n=1,h=16,hv=32"),
        (Variant::Split32, "n=2,h=16,hv=16"),
    ] {
        let tried = Tried::new(variant, text);
        let SafeUnder::LockstepWaves { slots } = expectation(&tried.case.problem, variant).safe_under else {
            panic!("{text}: no slots are stated");
        };
        assert!(tried.is_right_in_waves(slots), "{text}: {slots} slots");
        assert!(!tried.is_right_in_waves(slots - 1), "{text}: {slots} slots less one");
        assert!(!tried.is_right(Policy::Serial), "{text}: one after the other");
    }
}

/// 32 slots: enough for all workgroups of up to 32; beyond, a request is cut in two unless its heads divide 32.
#[test]
fn waves_of_32_are_right_up_to_32_workgroups_and_wrong_where_they_cut_a_request() {
    for (text, right) in [
        ("n=2,h=4,hv=12", true),
        ("n=3,h=4,hv=12", false),
        ("n=3,h=4,hv=12,slot=0+1+-1", true),
        ("n=1,h=1,hv=32", true),
        ("n=1,h=1,hv=33", false),
        ("n=9,h=2,hv=4,pool=9,slot=0", true),
    ] {
        assert_eq!(Tried::new(Variant::Inline, text).is_right_in_waves(32), right, "{text}");
    }
}

/// Any number of slots from 1 on; above 32 workgroups `split32` is `split`.
#[test]
fn split_leans_on_nothing() {
    for (variant, text) in [(Variant::Split, "n=2,h=2,hv=4"), (Variant::Split32, "n=3,h=1,hv=11")] {
        let tried = Tried::new(variant, text);
        for policy in [Policy::Serial, Policy::Waves { slots: 3 }, Policy::Bounded { slots: 5, seed: 3 }] {
            assert!(tried.is_right(policy.clone()), "{text}: {policy:?}");
        }
    }
}

/// Even with rows of 2,048 elements, where each workgroup alone shifts right: one after the other they shift on and on,
/// and in step too, as they do not come to the shift at the same time.
#[test]
fn shifting_by_every_head_is_wrong_in_every_order() {
    for text in ["n=1,h=4,hv=8", "n=1,h=2,hv=12", "n=2,h=4,hv=8,slot=3+1", "n=1,h=2,hv=4", "n=1,h=16,hv=16"] {
        let tried = Tried::new(Variant::InlineAll, text);
        assert!(!tried.is_right(Policy::Serial), "{text}: one after the other");
        for slots in [2, 4, 8, 16, 32] {
            assert!(!tried.is_right_in_waves(slots), "{text}: waves of {slots}");
        }
        for seed in 0..3 {
            assert!(!tried.is_right(Policy::Bounded { slots: 4, seed }), "{text}: seed {seed}");
        }
    }
}

/// Shifted three times or more, all rows are the new token.
#[test]
fn shifting_by_every_head_in_turn_leaves_the_new_token_in_every_row() {
    let tried = Tried::new(Variant::InlineAll, "n=1,h=4,hv=8,slot=0,pool=1");
    let outcome =
        gridproof_simulator::run(&tried.case.launch, &tried.case.config, &Policy::Serial, &tried.proof.hazards);
    let id = tried.case.launch.buffers.iter().position(|buffer| buffer.name == "conv_state").expect("it exists");
    let rows = outcome.expect("it runs").buffers[id].to_vec();
    let newest = tried.case.model().conv_states[&0][2 * 4096..].to_vec();
    assert_eq!(rows, [&newest[..], &newest, &newest].concat());
}
