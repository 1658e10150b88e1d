//! The error of every function of `numerics` over all 2^32 f32.
//!
//!     cargo run --release -p gridproof-reference --example sweep [NAME...]
//!
//! For each function and multiply-add: the worst distance from the exact result in ulp of that result, its
//! argument, and how many results are not the nearest f32. Exits with 1 if a documented bound is exceeded,
//! if a special value is wrong, if a result depends on whether denormals are kept (looked at for one
//! argument in sixteen), or if a conversion differs from the `half` crate.
//!
//! Build it with hardware multiply-add and wide vectors (`RUSTFLAGS="-C target-feature=+fma,+avx2"` on
//! x86-64): without, each fused multiply-add is a function call.
//!
//! The exact result is an f64 from the `libm` crate; its error is 2^-28 of an f32 ulp. "Not nearest"
//! therefore may be off by a few where the exact value lies in the middle between two f32.

use std::process::ExitCode;
use std::time::Instant;

use gridproof_launch::{Arithmetic, Denormals};
use gridproof_reference::numerics::{RECIPES, Recipe};
use rayon::prelude::*;

#[path = "../src/numerics/truth.rs"]
mod truth;

/// Arguments handled at once by one thread.
const CHUNK: u32 = 1 << 12;
/// One chunk in so many is also computed with denormals flushed.
const FLUSH_EVERY: u32 = 16;
const PROFILES: [Arithmetic; 2] = [Arithmetic::FUSED, Arithmetic::SEPARATE];

/// What a sweep, or a part of one, has seen.
#[derive(Clone, Copy, Default)]
struct Seen {
    worst: f64,
    argument: u32,
    not_nearest: u64,
    differing: u64,
}

impl Seen {
    fn merge(self, other: Self) -> Self {
        let worse = if other.worst > self.worst { other } else { self };
        Self { not_nearest: self.not_nearest + other.not_nearest, differing: self.differing + other.differing, ..worse }
    }
}

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let chosen = |recipe: &&Recipe| names.is_empty() || names.iter().any(|name| recipe.name.contains(name.as_str()));
    println!(
        "{:<14} {:<9} {:>9} {:>11} {:>14}  argument",
        "function", "profile", "worst ulp", "not nearest", "seconds"
    );
    let mut passed = true;
    for recipe in RECIPES.iter().filter(chosen) {
        passed &= match truth::exact(recipe.name) {
            Some(exact) => sweep(recipe, exact),
            None => compare(recipe),
        };
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures a function against its exact values in both profiles.
fn sweep(recipe: &Recipe, exact: fn(f64) -> f64) -> bool {
    let start = Instant::now();
    let seen = chunks()
        .map(|arguments| {
            let values: Vec<f64> = arguments
                .iter()
                .map(|bits| exact(f64::from(f32::from_bits(truth::without_denormals(*bits)))))
                .collect();
            PROFILES.map(|arithmetic| measure(recipe, arithmetic, &arguments, &values))
        })
        .reduce(<[Seen; 2]>::default, |[a, b], [c, d]| [a.merge(c), b.merge(d)]);
    let seconds = start.elapsed().as_secs_f64();
    for (arithmetic, seen) in PROFILES.iter().zip(seen) {
        println!(
            "{:<14} {:<9} {:>9.4} {:>10.4}% {:>14.1}  {:e} = {:#010x}",
            recipe.name,
            arithmetic.to_string(),
            seen.worst,
            seen.not_nearest as f64 / (1u64 << 32) as f64 * 100.0,
            seconds,
            f32::from_bits(seen.argument),
            seen.argument
        );
        if seen.differing > 0 {
            println!("{:<14} depends on denormals for {} arguments", recipe.name, seen.differing);
        }
    }
    seen.iter().all(|seen| seen.worst <= recipe.worst_ulp && seen.differing == 0)
}

fn measure(recipe: &Recipe, arithmetic: Arithmetic, arguments: &[u32], values: &[f64]) -> Seen {
    let mut kept = arguments.to_vec();
    (recipe.apply)(arithmetic, &mut kept);
    let mut seen = Seen::default();
    if (arguments[0] / CHUNK).is_multiple_of(FLUSH_EVERY) {
        let mut flushed = arguments.to_vec();
        (recipe.apply)(Arithmetic { denormals: Denormals::Flush, ..arithmetic }, &mut flushed);
        seen.differing = kept.iter().zip(&flushed).map(|(kept, flushed)| u64::from(kept != flushed)).sum();
    }
    for (index, (result, exact)) in kept.iter().zip(values).enumerate() {
        if *result == nearest(*exact) {
            continue;
        }
        let error = truth::error_in_ulp(*result, *exact);
        if error > seen.worst {
            seen.worst = error;
            seen.argument = arguments[index];
        }
        seen.not_nearest += 1;
    }
    seen
}

/// The bits that a correctly rounded function gives: NaN and values below 2^-126 as `numerics` makes them.
fn nearest(exact: f64) -> u32 {
    let bits = (exact as f32).to_bits();
    if exact.is_nan() { 0x7fc0_0000 } else { truth::without_denormals(bits) }
}

/// Compares a conversion with the `half` crate.
fn compare(recipe: &Recipe) -> bool {
    use half::{bf16, f16};
    let low = |word: u32| (word & 0xffff) as u16;
    let theirs: fn(u32, fn(u32) -> u16) -> u32 = match recipe.name {
        "gp_f16_to_f32" => |word, low| f16::from_bits(low(word)).to_f32().to_bits(),
        "gp_f32_to_f16" => |word, _| u32::from(f16::from_f32(f32::from_bits(word)).to_bits()),
        "gp_bf16_to_f32" => |word, low| bf16::from_bits(low(word)).to_f32().to_bits(),
        "gp_f32_to_bf16" => |word, _| u32::from(bf16::from_f32(f32::from_bits(word)).to_bits()),
        name => unreachable!("{name} has neither exact values nor a counterpart"),
    };
    // The half crate makes a signalling NaN quiet where we shift bits.
    let quiet = |word: u32| if f32::from_bits(word).is_nan() { word | 0x0040_0000 } else { word };
    let to_float = recipe.name.ends_with("to_f32");
    let start = Instant::now();
    let differing: u64 = chunks()
        .map(|arguments| {
            let mut ours = arguments.clone();
            (recipe.apply)(Arithmetic::FUSED, &mut ours);
            let pairs = arguments.iter().zip(ours);
            let differs = |argument: u32, ours: u32| {
                let ours = if to_float { quiet(ours) } else { ours };
                u64::from(ours != theirs(argument, low))
            };
            pairs.map(|(argument, ours)| differs(*argument, ours)).sum::<u64>()
        })
        .sum();
    let seconds = start.elapsed().as_secs_f64();
    println!("{:<14} {:<9} {differing} differ from the half crate {seconds:>19.1}", recipe.name, "any");
    differing == 0
}

/// All 2^32 words, in chunks.
fn chunks() -> impl ParallelIterator<Item = Vec<u32>> {
    (0..=u32::MAX / CHUNK).into_par_iter().map(|chunk| (0..CHUNK).map(|word| chunk * CHUNK + word).collect())
}
