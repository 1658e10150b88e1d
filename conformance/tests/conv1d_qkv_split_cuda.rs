//! `conv1d_qkv_split` in CUDA C++: the model's bits, at odd sizes too, and the verdicts of every variant.

#[path = "../../kernels/tests/conv1d_qkv_split/checked.rs"]
mod checked;
mod compiled_launch;
mod with_nvrtc;

use std::collections::BTreeSet;

use checked::{Case, PROFILES, cases, rules};
use compiled_launch::compile;
use gridproof_kernels::catalogue::SafeUnder;
use gridproof_kernels::conv1d_qkv_split::{KERNEL, Options, Variant, expectation};
use gridproof_launch::Language;
use gridproof_simulator::{Image, ladder};
use libtest_mimic::Failed;
use with_nvrtc::Test;

const TESTS: &[Test] = &[
    ("every_case_has_the_bits_of_the_model", every_case),
    ("odd_sizes_have_the_bits_of_the_model", odd_sizes),
    ("every_shape_of_the_catalogue_is_as_demanded", every_shape),
    ("a_split_block_runs_on_into_the_rows_behind", split_blocks),
    ("a_missing_state_barrier_is_found_where_old_states_are_read", no_state_barrier),
    ("a_missing_state_barrier_shows_where_subgroups_drift_and_not_in_step", drift),
    ("indices_that_nobody_checks_are_found_out", unchecked),
    ("states_beyond_32_bits_are_clean_at_their_upper_end", long_states),
];

fn main() {
    with_nvrtc::run(TESTS);
}

/// Proves a launch and compares it with its expectation and with the model; rules and places of what was found.
fn check(variant: Variant, text: &str, options: Options) -> Result<BTreeSet<(&'static str, String)>, Failed> {
    let options = Options { language: Language::Cuda, ..options };
    let checked = Case::new(variant, text, options, 32).and_then(|case| case.check(compile));
    let outcome = checked.map_err(|error| format!("{} {text}, {}: {error}", variant.name(), options.arithmetic))?;
    Ok(rules(&outcome))
}

/// As [`check`], where what is found is known.
fn found(variant: Variant, text: &str, wanted: &[(&'static str, &str)]) -> Result<(), Failed> {
    let found = check(variant, text, Options::default())?;
    let wanted: BTreeSet<_> = wanted.iter().map(|(rule, place)| (*rule, (*place).to_owned())).collect();
    hold(found == wanted, format!("{} {text}: {found:?}", variant.name()))
}

fn every_case() -> Result<(), Failed> {
    for (number, (variant, text)) in cases().iter().enumerate() {
        check(*variant, text, Options { arithmetic: PROFILES[(number / 2) % 4], ..Options::default() })?;
    }
    Ok(())
}

fn odd_sizes() -> Result<(), Failed> {
    const ODD: [&str; 6] = [
        "q=1,k=1,v=1,lens=0+1+2+3+9,slot=-1+4+2+1+0,init=1+0+1+1+1",
        "q=1,k=2,v=1,lens=9+1,width=3,bias=0",
        "q=127,k=129,v=255,lens=1+8+9,stride=515,dtype=f16",
        "q=255,k=1,v=257,lens=17,slot=7,width=2,init=0",
        "q=256,k=256,v=7,lens=9+2,width=3",
        // Even channels that start at odd columns, and rows of whole words that are no vectors.
        "q=3,k=5,v=260,lens=3+10,slot=5+-1,stride=270",
    ];
    for (number, text) in ODD.iter().enumerate() {
        for (which, variant) in [Variant::Fused, Variant::Sequential, Variant::Auto].into_iter().enumerate() {
            let arithmetic = PROFILES[(number + which) % 4];
            let found = check(variant, text, Options { arithmetic, ..Options::default() })?;
            hold(found.is_empty(), format!("{text}: {found:?}"))?;
        }
        check(Variant::NoStateBarrier, text, Options::default())?;
        check(Variant::FusedBlockRouted, text, Options::default())?;
    }
    Ok(())
}

fn every_shape() -> Result<(), Failed> {
    for entry in KERNEL.variants {
        for shape in entry.shapes.iter().chain(entry.long_shapes) {
            check(entry.name.parse()?, shape, Options::default())?;
        }
    }
    Ok(())
}

fn split_blocks() -> Result<(), Failed> {
    let routed = |text: &str, wanted: &[(&'static str, &str)]| found(Variant::FusedBlockRouted, text, wanted);
    routed("q=128,k=128,v=256,lens=1", &[("GP0004", "q")])?;
    routed("q=128,k=128,v=256,lens=2", &[("GP0002", "q"), ("GP0004", "q")])?;
    routed("q=128,k=128,v=256,lens=1+1", &[("GP0001", "q"), ("GP0004", "q")])?;
    routed("q=384,k=128,v=256,lens=2", &[("GP0001", "q"), ("GP0004", "q")])?;
    routed("q=256,k=256,v=255,lens=9", &[])?;
    // One column a row: the rows behind are stored by the same invocation, and with more than four columns by another one.
    routed("q=1,k=1,v=1,lens=3", &[("GP0004", "q")])?;
    routed("q=1,k=1,v=6,lens=6", &[("GP0002", "q"), ("GP0004", "q")])?;
    routed("q=1,k=1,v=1,lens=1+1+1", &[("GP0001", "q"), ("GP0004", "q")])?;
    // The row behind is padding, which nobody else stores.
    routed("q=1,k=1,v=1,lens=1+1,slot=1+-1", &[("GP0004", "q")])
}

fn no_state_barrier() -> Result<(), Failed> {
    for width in 2..=4 {
        for length in [1, 2, 3, 8, 9] {
            for sizes in ["q=128,k=128,v=256", "q=1,k=1,v=1", "q=2,k=2,v=2"] {
                let text = format!("{sizes},width={width},lens={length}");
                // A single row of few channels is read and stored by one invocation.
                let races = width > 2 || !matches!(sizes, "q=1,k=1,v=1");
                let wanted: &[_] = if races { &[("GP0002", "conv_state")] } else { &[] };
                found(Variant::NoStateBarrier, &text, wanted)?;
                found(Variant::NoStateBarrier, &format!("{text},init=0"), &[])?;
            }
        }
    }
    found(Variant::NoStateBarrier, "slot=-1", &[])
}

fn drift() -> Result<(), Failed> {
    let options = Options { language: Language::Cuda, ..Options::default() };
    for text in ["lens=9", "q=256,k=256,v=256,width=2,lens=1"] {
        let case = Case::new(Variant::NoStateBarrier, text, options, 32)?;
        let proof = case.check(compile)?;
        let rungs =
            ladder::climb(&compile(&case.launch)?, &case.config, &proof, 1, 4).map_err(|error| error.to_string())?;
        let failing = [rungs[0].failing.is_some(), rungs[1].failing.is_some()];
        hold(failing == [true, false], format!("{text}: {failing:?}"))?;
        let demanded = expectation(&case.problem, case.variant, Language::Cuda).safe_under;
        hold(demanded == SafeUnder::LockstepWaves { slots: 1 }, format!("{text}: {demanded:?}"))?;
    }
    Ok(())
}

fn unchecked() -> Result<(), Failed> {
    for variant in [Variant::Sequential, Variant::Fused] {
        found(variant, "check=0,slot=3+4+3", &[("GP0001", "conv_state")])?;
        found(variant, "check=0,slot=3+3+3,lens=0+9+0", &[])?;
        found(variant, "check=0,lens=9,slot=8", &[("GP0004", "conv_state")])?;
        // Far beyond 32 bits, where WGSL has no launch.
        found(variant, "check=0,lens=9,slot=100000000", &[("GP0004", "conv_state")])?;
        found(variant, "check=0,slot=-2+-2147483648+1", &[])?;
    }
    Ok(())
}

/// Most bytes that a check of long states may hold.
const MEMORY: u64 = 200 << 20;

fn long_states() -> Result<(), Failed> {
    let options = Options { language: Language::Cuda, ..Options::default() };
    for variant in [Variant::Fused, Variant::Sequential] {
        // 2^32 elements apart, and 2^32 bytes: 32-bit offsets would bring them together.
        let shape = "width=3,slots=4200000,slot=4194311+7+2097159,init=1+0+1";
        let outcome = Case::new(variant, shape, options, 32)?.check(compile)?;
        let length = outcome.buffers.iter().map(Image::length).max();
        hold(length == Some(4_200_000 * 2048), format!("{length:?}"))?;
        let peak = outcome.stats.peak_memory;
        hold(peak < MEMORY, format!("{peak} bytes"))?;
    }
    Ok(())
}

fn hold(holds: bool, text: String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(text.into()) }
}
