//! Every variant is reported as the catalogue demands, and the correct ones as nothing.

use std::collections::BTreeSet;

use gridproof_kernels::catalogue::{Outputs, SafeUnder, Verdict};
use gridproof_kernels::gdn_chunked::{KERNEL, Options, Variant, expectation};
use gridproof_simulator::finding::{AccessSite, Rule};

use super::checked::Case;
use super::{SUBGROUPS, as_it_is, check};

const MATERIALIZE: [Variant; 2] = [Variant::NoBarrierMaterializeQ, Variant::NoBarrierMaterializeK];
const SOLVE: [Variant; 2] = [Variant::NoBarrierSolveKk, Variant::NoBarrierSolveDiag];

#[test]
fn every_shape_of_the_catalogue_is_as_demanded() {
    for entry in KERNEL.variants {
        let variant = entry.name.parse().unwrap_or_else(|error| panic!("{error}"));
        for (number, text) in entry.shapes.iter().enumerate() {
            check(variant, text, Options::default(), [32, 8][number % 2]);
        }
    }
}

/// The lines of two accesses that race, each with the line of the kernel that it was called from.
type Lines = BTreeSet<[(String, String); 2]>;

fn lines(variant: Variant, text: &str, subgroup_size: u32) -> Lines {
    let case = Case::new(variant, text, Options::default(), subgroup_size).unwrap_or_else(|error| panic!("{error}"));
    let outcome = case.check(as_it_is).unwrap_or_else(|error| panic!("{} {text}: {error}", variant.name()));
    let source = case.launch.modules[0].text().expect("WGSL is text");
    let line = |number: u32| source.lines().nth(number as usize - 1).unwrap_or_default().trim().to_owned();
    let place = |site: &AccessSite| {
        let outermost = site.call_stack.last().unwrap_or(&site.span);
        (line(site.span.line), line(outermost.line))
    };
    let races = outcome.findings.iter().map(|finding| {
        assert_eq!((finding.rule, &*finding.first.buffer), (Rule::WorkgroupRace, "scratch"));
        let mut both = [place(&finding.first), place(finding.second.as_ref().expect("a race has two sides"))];
        both.sort();
        both
    });
    races.collect()
}

const STORE: &str = "scratch[local / lanes] = sum;";

#[test]
fn a_missing_barrier_of_materialize_is_shown_with_both_lines() {
    for (variant, read, stored) in [
        (
            Variant::NoBarrierMaterializeQ,
            "let query_squares = workgroup_sum(query * query, local, lanes);",
            "let key_squares = workgroup_sum(key * key, local, lanes);",
        ),
        (
            Variant::NoBarrierMaterializeK,
            "let key_squares = workgroup_sum(key * key, local, lanes);",
            "let beta_dot = workgroup_sum(beta_part, local, lanes);",
        ),
    ] {
        for subgroup_size in SUBGROUPS {
            let race = [("return scratch[0];", read), (STORE, stored)];
            let race = race.map(|(line, call)| (line.to_owned(), call.to_owned()));
            assert_eq!(lines(variant, "t=2,hv=1", subgroup_size), Lines::from([race]), "{subgroup_size}");
        }
    }
}

/// Invocation 0 adds, in one line or another, while the others store the next partial sums.
#[test]
fn a_missing_barrier_of_solve_is_shown_with_both_lines() {
    const ADD: &str = "key_products[r] = sum_of_parts(lanes);";
    const NEXT: &str = "store_part(query * other, local, lanes);";
    for variant in SOLVE {
        for subgroup_size in SUBGROUPS {
            let found = lines(variant, "t=2,hv=1", subgroup_size);
            assert!(!found.is_empty());
            let parts =
                if subgroup_size < 32 { "return scratch[at] + scratch[at + 1u];" } else { "return scratch[at];" };
            let race = [(parts, ADD), (STORE, NEXT)].map(|(line, call)| (line.to_owned(), call.to_owned()));
            assert_eq!(found, Lines::from([race]), "{} in {subgroup_size}", variant.name());
        }
    }
}

#[test]
fn subgroups_of_every_size_have_the_same_verdicts() {
    for variant in Variant::ALL {
        for subgroup_size in SUBGROUPS {
            for text in ["t=1,hv=1", "t=3,hv=1"] {
                check(variant, text, Options::default(), subgroup_size);
            }
        }
    }
}

/// A variant is racy wherever its sums are: those of two tokens need two in one chunk.
#[test]
fn what_is_demanded_follows_from_the_lengths() {
    let demanded = |variant, text: &str| {
        let case = Case::new(variant, text, Options::default(), 32).unwrap_or_else(|error| panic!("{error}"));
        let expectation = expectation(&case.problem, variant);
        (expectation.verdict, expectation.findings.len(), expectation.safe_under, expectation.outputs)
    };
    let free = (Verdict::RaceFree, 0, SafeUnder::AnyOrder, Outputs::Right);
    let racy = |label, outputs| (Verdict::Racy, 1, label, outputs);
    for text in ["t=1,hv=1", "t=1,seqs=3,hv=1", "t=1+2,hv=1", "t=17,c=16,hv=1"] {
        for variant in [Variant::Chunked, Variant::Serial] {
            assert_eq!(demanded(variant, text), free);
        }
        for variant in MATERIALIZE {
            assert_eq!(demanded(variant, text), racy(SafeUnder::LockstepWaves { slots: 1 }, Outputs::NotStated));
        }
        let pairs = if text.starts_with("t=1,") { free } else { racy(SafeUnder::NotStated, Outputs::NotStated) };
        assert_eq!(demanded(Variant::NoBarrierSolveKk, text), pairs, "{text}");
        assert_eq!(demanded(Variant::NoBarrierSolveDiag, text), racy(SafeUnder::NotStated, Outputs::Right));
        for variant in Variant::ALL {
            check(variant, text, Options::default(), 32);
        }
    }
}
