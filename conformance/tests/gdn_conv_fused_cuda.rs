//! `gdn_conv_fused` in CUDA C++: the model's bits, and every variant as demanded.

#[path = "../../kernels/tests/gdn_conv_fused/checked.rs"]
mod checked;
mod compiled_launch;
mod with_nvrtc;

use checked::{Case, HEADS, PROFILES, cases, of_catalogue};
use compiled_launch::compile;
use gridproof_kernels::catalogue::SafeUnder;
use gridproof_kernels::gdn_conv_fused::{KERNEL, Options, Variant, expectation};
use gridproof_launch::Language;
use gridproof_simulator::{Outcome, Policy, ladder};
use libtest_mimic::Failed;
use with_nvrtc::Test;

const TESTS: &[Test] = &[
    ("every_case_has_the_bits_of_the_model", every_case),
    ("every_shape_of_the_catalogue_is_as_demanded", every_shape),
    ("every_variant_is_as_demanded_at_all_heads", every_variant),
    ("slots_that_meet_or_are_not_there_are_named", slots),
    ("an_inline_shift_needs_the_slots_that_are_stated", needed_slots),
    ("shifting_by_every_head_is_wrong_in_every_order", every_order),
];

fn main() {
    with_nvrtc::run(TESTS);
}

fn case(variant: Variant, text: &str, options: Options) -> Result<Case, Failed> {
    let options = Options { language: Language::Cuda, ..options };
    Case::new(variant, text, options, 32).map_err(|error| format!("{} {text}: {error}", variant.name()).into())
}

/// Proves a launch and compares it with its expectation and with the model.
fn check(variant: Variant, text: &str, options: Options) -> Result<Outcome, Failed> {
    let checked = case(variant, text, options)?.check(compile);
    checked.map_err(|error| format!("{} {text}, {}: {error}", variant.name(), options.arithmetic).into())
}

fn every_case() -> Result<(), Failed> {
    for (number, text) in cases().iter().enumerate() {
        let variant = [Variant::Split, Variant::Inline][number / 4 % 2];
        check(variant, text, Options { arithmetic: PROFILES[number % 4], ..Options::default() })?;
    }
    Ok(())
}

fn every_shape() -> Result<(), Failed> {
    for entry in KERNEL.variants {
        for shape in entry.shapes.iter().chain(entry.long_shapes) {
            check(entry.name.parse()?, &of_catalogue(shape), Options::default())?;
        }
    }
    Ok(())
}

fn every_variant() -> Result<(), Failed> {
    for (number, (h, hv)) in HEADS.iter().enumerate() {
        let variant = [Variant::InlineAll, Variant::SurplusThreads][number % 2];
        let layout = ["sequential", "interleaved"][number / 2 % 2];
        let (n, slot) = if *hv <= 4 { (2, "2+1") } else { (1, "2") };
        let text = format!("n={n},h={h},hv={hv},layout={layout},slot={slot}");
        let found = case(variant, &text, Options::default())?.check_findings(compile);
        found.map_err(|error| format!("{} {text}: {error}", variant.name()))?;
    }
    for text in ["n=1,h=1,hv=13,slot=3", "n=1,h=1,hv=15,slot=3", "n=1,h=1,hv=1,pool=5,slot=2"] {
        check(Variant::InlineAll, text, Options::default())?;
    }
    for text in ["n=1,h=2,hv=4,slot=3", "n=2,h=2,hv=4,slot=0", "n=1,h=1,hv=1,slot=2", "n=2,h=2,hv=4,slot=-1"] {
        check(Variant::SurplusThreads, text, Options::default())?;
    }
    Ok(())
}

fn slots() -> Result<(), Failed> {
    for variant in [Variant::Split, Variant::Inline] {
        for slots in ["2+2", "-1+2", "4+1", "0+5"] {
            check(variant, &format!("n=2,h=1,hv=2,check=0,slot={slots}"), Options::default())?;
        }
    }
    // Beyond the 32 bits in which WGSL addresses.
    check(Variant::Split, "n=1,h=16,hv=64,pool=3000,slot=2999", Options::default()).map(drop)
}

/// Whether a policy leaves what the race-free reading leaves.
fn is_right(case: &Case, proof: &Outcome, policy: Policy) -> Result<bool, Failed> {
    let launch = compile(&case.launch)?;
    let rung = ladder::try_all(&launch, &case.config, proof, policy.clone(), std::iter::once(policy))?;
    Ok(rung.failing.is_none())
}

fn needed_slots() -> Result<(), Failed> {
    for (variant, text) in [
        (Variant::Inline, "n=2,h=2,hv=4"),
        (Variant::Inline, "n=1,h=8,hv=16"),
        (Variant::Inline, "n=1,h=16,hv=64"),
        (Variant::Split32, "n=1,h=4,hv=32,layout=interleaved"),
    ] {
        let case = case(variant, text, Options::default())?;
        let proof = case.check(compile)?;
        let SafeUnder::LockstepWaves { slots } = expectation(&case.problem, variant).safe_under else {
            return Err(format!("{text}: no slots are stated").into());
        };
        let right = |slots| is_right(&case, &proof, Policy::Waves { slots });
        hold(right(slots)?, format!("{text}: wrong in waves of {slots}"))?;
        hold(!right(slots - 1)?, format!("{text}: right in waves of {slots} less one"))?;
    }
    Ok(())
}

fn every_order() -> Result<(), Failed> {
    for text in ["n=1,h=4,hv=8", "n=1,h=2,hv=12"] {
        let case = case(Variant::InlineAll, text, Options::default())?;
        let proof = case.check(compile)?;
        let waves = [2, 8, 32].map(|slots| Policy::Waves { slots });
        for policy in waves.into_iter().chain([Policy::Serial]) {
            hold(!is_right(&case, &proof, policy.clone())?, format!("{text}: right under {policy:?}"))?;
        }
    }
    Ok(())
}

fn hold(holds: bool, text: String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(text.into()) }
}
