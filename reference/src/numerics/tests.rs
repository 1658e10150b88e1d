//! Every function on a sample of all f32 and on the values where something changes.

use super::recipes::{RECIPES, Recipe};
use super::truth::{error_in_ulp, exact, without_denormals};
use gridproof_launch::{Arithmetic, Denormals};

/// Every 4,099th f32, and the neighbourhoods of the values where something changes.
fn sample() -> Vec<u32> {
    let edges = [
        0.0,
        1.0,
        2.0,
        0.5,
        0.25,
        0.55,
        20.0,
        19.99,
        20.01,
        16.0,
        9.01,
        1.0 / 3.0,
        2.0 / 3.0,
        4.0 / 3.0,
        87.0,
        87.33655,
        88.0,
        88.72284,
        89.0,
        91.9,
        100.0,
        103.97,
        104.0,
        65504.0,
        65520.0,
        6.1e-5,
        5.96e-8,
    ];
    let powers = (0..=0xff).map(|exponent| exponent << 23);
    let positive = edges.into_iter().map(f32::to_bits).chain(powers);
    let near = positive.flat_map(|bits| (-40..=40).map(move |step| bits.wrapping_add_signed(step)));
    let both = near.flat_map(|bits| [bits & 0x7fff_ffff, bits | 0x8000_0000]);
    (0..=u32::MAX).step_by(4099).chain(both).chain([u32::MAX]).collect()
}

fn apply(recipe: &Recipe, arithmetic: Arithmetic, arguments: &[u32]) -> Vec<u32> {
    let mut words = arguments.to_vec();
    (recipe.apply)(arithmetic, &mut words);
    words
}

#[test]
fn errors_stay_within_the_documented_bounds() {
    let arguments = sample();
    for recipe in RECIPES {
        let Some(exact) = exact(recipe.name) else { continue };
        for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
            for (argument, result) in arguments.iter().zip(apply(&recipe, arithmetic, &arguments)) {
                let x = f32::from_bits(without_denormals(*argument));
                let error = error_in_ulp(result, exact(f64::from(x)));
                let place = format!("{}({x:e} = {argument:#010x}), {arithmetic}", recipe.name);
                assert!(error <= recipe.worst_ulp, "{place}: {result:#010x} is {error} ulp off");
            }
        }
    }
}

#[test]
fn the_gate_for_16_bits_is_closer_to_the_right() {
    let mut arguments = sample();
    // The places where one polynomial ends and the next one begins, and what lies between.
    arguments.extend((-17 * 1024..17 * 1024).map(|part: i16| (f32::from(part) / 1024.0).to_bits()));
    let recipe = RECIPES[13];
    let exact = exact(recipe.name).unwrap();
    for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
        for (argument, result) in arguments.iter().zip(apply(&recipe, arithmetic, &arguments)) {
            let x = f32::from_bits(without_denormals(*argument));
            let error = error_in_ulp(result, exact(f64::from(x)));
            let limits = [(0.0, 70.0), (-4.0, 230.0), (-8.0, 700.0)];
            let limit = limits.iter().find(|(from, _)| x >= *from).map_or(recipe.worst_ulp, |(_, limit)| *limit);
            assert!(error <= limit, "{x:e} = {argument:#010x}, {arithmetic}: {result:#010x} is {error} ulp off");
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_what_happens_to_denormals() {
    let arguments = sample();
    for recipe in RECIPES {
        for keep in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
            let flush = Arithmetic { denormals: Denormals::Flush, ..keep };
            let pairs = apply(&recipe, keep, &arguments).into_iter().zip(apply(&recipe, flush, &arguments));
            for (argument, (kept, flushed)) in arguments.iter().zip(pairs) {
                assert_eq!(kept, flushed, "{}({argument:#010x}), {keep}", recipe.name);
            }
        }
    }
}

#[test]
fn a_profile_in_the_value_and_in_the_type_give_the_same_bits() {
    for recipe in RECIPES.iter().filter(|recipe| recipe.name == "gp_silu") {
        for arithmetic in [Arithmetic::FUSED, Arithmetic::SEPARATE] {
            let numerics = super::Numerics::new(arithmetic);
            let arguments = sample();
            let results = apply(recipe, arithmetic, &arguments);
            for (argument, result) in arguments.iter().zip(results) {
                assert_eq!(numerics.silu(f32::from_bits(*argument)).to_bits(), result);
            }
        }
    }
}

#[test]
fn the_probe_kernels_know_every_recipe_by_its_place() {
    let wgsl = include_str!("../../../kernels/wgsl/numerics_probe.wgsl");
    let wgsl_functions = include_str!("../../../kernels/wgsl/numerics.wgsl");
    let cuda = include_str!("../../../kernels/cuda/numerics_probe.cu");
    let cuda_functions = include_str!("../../../kernels/cuda/numerics.cuh");
    for (place, recipe) in RECIPES.iter().enumerate() {
        let call = format!("{}(", recipe.name);
        for (probe, case) in [(wgsl, format!("case {place}u:")), (cuda, format!("case {place}:"))] {
            let line = probe.lines().find(|line| line.trim_start().starts_with(&case));
            assert!(line.is_some_and(|line| line.contains(&call)), "{}", recipe.name);
        }
        assert!(wgsl_functions.contains(&format!("fn {call}")), "{}", recipe.name);
        let defined = |ty| cuda_functions.contains(&format!("GP_FUNCTION {ty} {call}"));
        assert!(defined("float") || defined("unsigned int"), "{}", recipe.name);
    }
}
