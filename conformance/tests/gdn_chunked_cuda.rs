//! `gdn_chunked` in CUDA C++: the model's bits, in what the kernels hand to each other too, and the verdict of every variant.

#[path = "../../kernels/tests/gdn_chunked/checked.rs"]
mod checked;
mod compiled_launch;
mod with_nvrtc;

use std::collections::BTreeSet;

use checked::{Case, PROFILES, SHAPES, rules};
use compiled_launch::compile;
use gridproof_kernels::gdn_chunked::{KERNEL, Options, Variant};
use gridproof_launch::Language;
use gridproof_simulator::finding::Action;
use gridproof_simulator::ir::Span;
use gridproof_simulator::{Outcome, ladder};
use libtest_mimic::Failed;
use with_nvrtc::Test;

const TESTS: &[Test] = &[
    ("every_case_has_the_bits_of_the_model", every_case),
    ("every_shape_of_the_catalogue_is_as_demanded", every_shape),
    ("a_missing_barrier_of_materialize_is_shown_with_both_lines", materialize),
    ("a_missing_barrier_of_solve_is_shown_with_both_lines", solve),
    ("what_is_missing_shows_where_subgroups_drift_but_at_the_diagonal", drift),
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

/// With denormals, which strong decays come to: PTX keeps them whatever the profile is.
fn every_case() -> Result<(), Failed> {
    for (number, text) in SHAPES.iter().enumerate() {
        for (which, variant) in [Variant::Chunked, Variant::Serial].into_iter().enumerate() {
            check(variant, text, Options { arithmetic: PROFILES[(number + which) % 2], ..Options::default() })?;
        }
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

/// The lines of a read and a write that race, and the line of the kernel that the read is called from.
type Lines = BTreeSet<[String; 3]>;

fn lines(variant: Variant, text: &str) -> Result<Lines, Failed> {
    let case = case(variant, text, Options::default())?;
    let outcome = case.check(compile)?;
    let source = case.launch.modules[0].text().ok_or("CUDA C++ is text")?;
    let line = |span: &Span| source.lines().nth(span.line as usize - 1).unwrap_or_default().trim().to_owned();
    let mut races = Lines::new();
    for finding in &outcome.findings {
        let sites = [Some(&finding.first), finding.second.as_ref()].map(|site| site.ok_or("a race has two sides"));
        let [first, second] = [sites[0]?, sites[1]?];
        let (read, write) = if first.action == Action::Read { (first, second) } else { (second, first) };
        races.insert([&read.span, read.call_stack.last().unwrap_or(&read.span), &write.span].map(line));
    }
    hold(!races.is_empty() && rules(&outcome).len() == 1, format!("{:?}", rules(&outcome)))?;
    Ok(races)
}

fn shown(variant: Variant, [read, called, write]: [&str; 3]) -> Result<(), Failed> {
    let race = [read, called, write].map(str::to_owned);
    let found = lines(variant, "t=2,hv=1")?;
    hold(found == Lines::from([race]), format!("{}: {found:?}", variant.name()))
}

fn materialize() -> Result<(), Failed> {
    let total = |sum| ["return scratch[0][0];", sum, "scratch[slot][threadIdx.x / GROUP] = sum;"];
    let query = "float query_squares = workgroup_sum(gp_mul(query, query));";
    let key = "float key_squares = workgroup_sum(gp_mul(key, key));";
    shown(Variant::NoBarrierMaterializeQ, total(query))?;
    shown(Variant::NoBarrierMaterializeK, total(key))
}

fn solve() -> Result<(), Failed> {
    let added =
        "return gp_add(gp_add(gp_add(scratch[slot][0], scratch[slot][1]), scratch[slot][2]), scratch[slot][3]);";
    let stored = "scratch[first_slot + slot][threadIdx.x / GROUP] = own[0];";
    shown(Variant::NoBarrierSolveKk, [added, "add_products(key_products, first, tokens);", stored])?;
    shown(Variant::NoBarrierSolveDiag, [added, "add_own_products(key_products, tokens);", stored])
}

fn drift() -> Result<(), Failed> {
    for (variant, shows) in [
        (Variant::NoBarrierMaterializeQ, true),
        (Variant::NoBarrierMaterializeK, true),
        (Variant::NoBarrierSolveKk, true),
        (Variant::NoBarrierSolveDiag, false),
    ] {
        let case = case(variant, "t=3,hv=1", Options::default())?;
        let proof = case.check(compile)?;
        let rungs = ladder::climb(&compile(&case.launch)?, &case.config, &proof, 1, 6)?;
        let failing = [rungs[0].failing.is_some(), rungs[1].failing.is_some()];
        hold(failing == [shows, false], format!("{}: {failing:?}", variant.name()))?;
    }
    Ok(())
}

fn hold(holds: bool, text: String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(text.into()) }
}
