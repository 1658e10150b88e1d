//! `gdn_decode` in CUDA C++: the model's bits, the 32-bit offsets at their thresholds, and pools beyond 2^32 bytes.

#[path = "../../kernels/tests/gdn_decode/checked.rs"]
mod checked;
mod compiled_launch;
mod with_nvrtc;

use checked::{Case, PROFILES, cases, rules};
use compiled_launch::compile;
use gridproof_kernels::gdn_decode::{KERNEL, Options, Variant};
use gridproof_launch::Language;
use gridproof_simulator::{Image, Outcome};
use libtest_mimic::Failed;
use with_nvrtc::Test;

const TESTS: &[Test] = &[
    ("every_case_has_the_bits_of_the_model", every_case),
    ("every_shape_of_the_catalogue_is_as_demanded", every_shape),
    ("a_missing_pass_barrier_is_found_at_every_number_of_tokens", no_pass_barrier),
    ("offset32_wraps_at_its_thresholds", offset32),
    ("intermediate_offset32_wraps_at_its_thresholds", intermediate_offset32),
    ("intermediate_offset32_wraps_from_the_fifth_token_of_512_requests_on", fifth_token),
    ("pools_beyond_32_bits_are_clean_at_their_upper_end", long_pools),
    ("requests_that_meet_on_a_slot_race", meeting_requests),
];

fn main() {
    with_nvrtc::run(TESTS);
}

/// Proves a launch and compares it with its expectation and with the model.
fn check(variant: Variant, text: &str, options: Options) -> Result<Outcome, Failed> {
    let options = Options { language: Language::Cuda, ..options };
    let checked = Case::new(variant, text, options, 32).and_then(|case| case.check(compile));
    let text: String = text.chars().take(80).collect();
    checked.map_err(|error| format!("{} {text}, {}: {error}", variant.name(), options.arithmetic).into())
}

fn every_case() -> Result<(), Failed> {
    let cases = cases();
    for (number, (variant, text)) in cases.iter().enumerate() {
        check(*variant, text, Options { arithmetic: PROFILES[number % 4], ..Options::default() })?;
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

fn no_pass_barrier() -> Result<(), Failed> {
    for tokens in 1..=8 {
        let outcome = check(Variant::WideVecNoPassBarrier, &format!("b=1,h=1,hv=1,t={tokens}"), Options::default())?;
        let places: Vec<_> = rules(&outcome).into_iter().filter(|(rule, _)| *rule == "GP0002").collect();
        hold(places.len() == 4, format!("{tokens} tokens: {places:?}"))?;
    }
    Ok(())
}

/// Clean and right at the first shape; at the others the offset has wrapped, to in front of the buffer.
fn wraps_after_the_first(variant: Variant, place: &str, shapes: &[&str]) -> Result<(), Failed> {
    for (position, shape) in shapes.iter().enumerate() {
        let outcome = check(variant, shape, Options::default())?;
        let wrong = ["GP0004", "GP0005"].map(|rule| (rule, place.to_owned())).to_vec();
        let wanted = if position > 0 { wrong } else { Vec::new() };
        let found: Vec<_> = rules(&outcome).into_iter().collect();
        hold(found == wanted, format!("{shape}: {found:?}"))?;
        // The same indices without the bug.
        check(Variant::Auto, shape, Options::default())?;
    }
    Ok(())
}

fn offset32() -> Result<(), Failed> {
    let wraps = |shapes: &[&str]| wraps_after_the_first(Variant::Offset32, "state_pool", shapes);
    let dense = |hv: u32, slot: u32| format!("b=1,h=16,hv={hv},pool=8192,slot={slot}");
    wraps(&[&dense(32, 4095), &dense(32, 4096), &dense(32, 4097)])?;
    wraps(&[&dense(64, 2047), &dense(64, 2048), &dense(64, 2049)])?;
    let padded = |slot: u32| format!("state=f32,b=1,h=16,hv=32,pool=8192,stride=540672,slot={slot}");
    wraps(&[&padded(3971), &padded(3972), &padded(3973)])?;
    // Reading is enough, and so is writing.
    wraps(&["b=1,hv=32,pool=8192,slot=4095,write=4094", "b=1,hv=32,pool=8192,slot=4096,write=7"])?;
    wraps(&["b=1,hv=32,pool=8192,slot=4095,write=4094", "b=1,hv=32,pool=8192,slot=7,write=4096"])
}

fn intermediate_offset32() -> Result<(), Failed> {
    let wraps = |shapes: &[&str]| wraps_after_the_first(Variant::IntermediateOffset32, "intermediate_states", shapes);
    for state in ["bf16", "f32"] {
        let shape = |steps: u32| format!("state={state},cache=1,b=2,h=16,hv=64,steps={steps}");
        wraps(&[&shape(2047), &shape(2048), &shape(2049)])?;
    }
    // The compiler subtracts the second of these strides from 2^32, and writes the third as a shift that is subtracted. The
    // first request has no slot, as the third stride leads the second request onto its rows.
    let shape = |steps: u32| format!("state=f32,cache=1,update=0,b=2,t=5,h=1,hv=2,pool=2,slot=-1+1,steps={steps}");
    wraps(&[&shape(65_531), &shape(65_537), &shape(131_071)])
}

fn fifth_token() -> Result<(), Failed> {
    let slots = "-1+".repeat(511) + "1";
    for (tokens, wanted) in [(4, 0), (5, 2)] {
        let shape = format!("state=f32,cache=1,b=512,h=16,hv=64,t={tokens},slot={slots},update=0,pool=2");
        let outcome = check(Variant::IntermediateOffset32, &shape, Options::default())?;
        let found = rules(&outcome);
        hold(found.len() == wanted, format!("{tokens} tokens: {found:?}"))?;
        let place =
            |(rule, place): &(&str, String)| matches!(*rule, "GP0004" | "GP0005") && place == "intermediate_states";
        hold(found.iter().all(place), format!("{tokens} tokens: {found:?}"))?;
    }
    Ok(())
}

/// Most bytes that a check of a long pool may hold.
const MEMORY: u64 = 200 << 20;

fn long_pools() -> Result<(), Failed> {
    for (variant, shape, bytes) in [
        (Variant::Pretranspose, "b=1,h=16,hv=32,pool=8192,stride=540672,slot=8191", 17_716_740_096),
        (Variant::Pretranspose, "b=2,h=1,hv=1,pool=8192,stride=540672,slot=8191+8190,write=0+1,t=2", 17_716_740_096),
        (Variant::WideVec, "b=1,h=16,hv=32,pool=8192,slot=8191", 8_589_934_592),
        (Variant::Ilp4, "b=1,h=16,hv=32,pool=8192,slot=8191", 8_589_934_592_u64),
    ] {
        let outcome = check(variant, shape, Options::default())?;
        let length = outcome.buffers.iter().map(Image::length).max();
        hold(length == Some(bytes), format!("{shape}: {length:?}"))?;
        let peak = outcome.stats.peak_memory;
        hold(peak < MEMORY, format!("{shape}: {peak} bytes"))?;
    }
    Ok(())
}

fn meeting_requests() -> Result<(), Failed> {
    for variant in [Variant::WideVec, Variant::Ilp4, Variant::Pretranspose] {
        for slots in ["slot=3+3", "slot=3+4,write=4+5", "slot=3+4,write=5+3", "slot=3+4,write=6+6"] {
            let outcome = check(variant, &format!("h=1,hv=1,check=0,{slots}"), Options::default())?;
            let found: Vec<_> = rules(&outcome).into_iter().collect();
            hold(found == [("GP0001", "state_pool".to_owned())], format!("{slots}: {found:?}"))?;
        }
        let outcome = check(variant, "h=1,hv=2,check=0,slot=3+8", Options::default())?;
        let found: Vec<_> = rules(&outcome).into_iter().collect();
        hold(found == [("GP0004", "state_pool".to_owned())], format!("{found:?}"))?;
    }
    Ok(())
}

fn hold(holds: bool, text: String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(text.into()) }
}
