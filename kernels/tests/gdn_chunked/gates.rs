//! The source's gates on the kernels themselves: 15 runs of one launch that agree, chunks that agree with the recurrence,
//! states that agree with f64.
//!
//! Source: ohdearquant/lattice pull request 190, which allows 1e-3 between runs and 2.2e-4 between chunks and recurrence.
//! Runs of a launch without races have equal bits here. The figures are printed:
//! `cargo test --release -p gridproof-kernels --test gdn_chunked gates -- --nocapture`.

use gridproof_kernels::gdn_chunked::{Options, Variant};
use gridproof_launch::ByteRange;
use gridproof_reference::gdn_chunked::{L2Norm, Oracle};
use gridproof_simulator::{Hazards, Outcome, Policy, ladder, run};

use super::as_it_is;
use super::checked::Case;

/// Largest difference between what the chunks and what the recurrence leave.
const BETWEEN_PATHS: f64 = 2.2e-4;

/// Largest error against f64, twice as large as any that is printed.
const AGAINST_F64: f64 = 1e-5;

/// Fifteen ways to run one launch.
fn policies() -> Vec<Policy> {
    let in_waves = [1, 5, 512].map(|slots| Policy::Waves { slots });
    let drawn = (0..11).map(|seed| Policy::Bounded { slots: [1, 5, 512][seed as usize % 3], seed });
    [Policy::Serial].into_iter().chain(in_waves).chain(drawn).collect()
}

fn case(variant: Variant, text: &str) -> Case {
    Case::new(variant, text, Options::default(), 32).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Every access to workgroup memory, as if all of it raced: there subgroups may drift apart.
fn everywhere(case: &Case) -> Hazards {
    let workgroup = case.launch.dispatches.iter().map(|_| vec![ByteRange::new(0, 1 << 14)]).collect();
    Hazards { workgroup, ..Hazards::default() }
}

/// Bytes of the outputs that differ from those of the first run, by run.
fn differing(case: &Case) -> Vec<u64> {
    let hazards = everywhere(case);
    let runs =
        policies().into_iter().map(|policy| run(&case.launch, &case.config, &policy, &hazards).expect("it runs"));
    let runs: Vec<Outcome> = runs.collect();
    runs.iter().map(|outcome| ladder::differing_outputs(&case.launch, &runs[0], outcome)).collect()
}

#[test]
fn fifteen_runs_have_equal_bits_where_no_barrier_is_missing() {
    assert_eq!(policies().len(), 15);
    for (variant, text) in
        [(Variant::Chunked, "t=18+3,hv=2,c=16,decay=strong"), (Variant::Serial, "t=5+3,decay=strong")]
    {
        assert_eq!(differing(&case(variant, text)), [0; 15], "{} {text}", variant.name());
    }
}

/// The gate is not blind: that is how the source met the missing barriers.
#[test]
fn fifteen_runs_differ_where_a_barrier_is_missing_but_at_the_diagonal() {
    for (variant, differ) in [
        (Variant::NoBarrierMaterializeQ, true),
        (Variant::NoBarrierMaterializeK, true),
        (Variant::NoBarrierSolveKk, true),
        (Variant::NoBarrierSolveDiag, false),
    ] {
        let found = differing(&case(variant, "t=3,decay=strong"));
        println!("{}: {found:?} bytes differ from the first run", variant.name());
        assert_eq!(found.iter().any(|&bytes| bytes > 0), differ, "{}: {found:?}", variant.name());
    }
}

/// What a launch left in an output.
fn numbers(case: &Case, outcome: &Outcome, name: &str) -> Vec<f64> {
    let position = case.launch.buffers.iter().position(|buffer| buffer.name == name).expect("there is such a buffer");
    let bytes = outcome.buffers[position].to_vec();
    bytes.as_chunks().0.iter().map(|&element| f64::from(f32::from_le_bytes(element))).collect()
}

fn furthest(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    // A NaN is further than anything.
    one.iter()
        .zip(other)
        .map(|(one, other)| (one - other).abs())
        .fold(0.0, |most, error| if error <= most { most } else { error })
}

#[test]
fn chunks_agree_with_the_recurrence_and_both_with_f64() {
    println!("shape\tchunked - serial: output\tstate\tchunked - f64: output\tstate\tserial - f64: output\tstate");
    for text in [
        "t=1,hv=2",
        "t=31,hv=2",
        "t=33,hv=2",
        "t=77,hv=2",
        "t=33,hv=3,decay=strong",
        "t=77,hv=2,decay=strong,c=16",
        "t=77,hv=2,decay=strong,c=64,state=zero",
        "t=160,hv=2,decay=strong",
        "t=384,hv=2,decay=strong,c=16",
    ] {
        let left = [Variant::Chunked, Variant::Serial].map(|variant| {
            let case = case(variant, text);
            let outcome = case.check(as_it_is).unwrap_or_else(|error| panic!("{} {text}: {error}", variant.name()));
            ["output", "state"].map(|name| numbers(&case, &outcome, name))
        });
        let oracle = Oracle::new(&case(Variant::Chunked, text).problem, L2Norm::RsqrtOfSumPlusEps);
        let wanted = [oracle.output, oracle.state];
        let [chunked, serial] = &left;
        let paths = [0, 1].map(|which| furthest(&chunked[which], &serial[which]));
        let errors = [chunked, serial].map(|left| [0, 1].map(|which| furthest(&left[which], &wanted[which])));
        let figures: Vec<String> = [paths, errors[0], errors[1]].concat().iter().map(|x| format!("{x:.1e}")).collect();
        println!("{text}\t{}", figures.join("\t"));
        assert!(paths.iter().all(|&difference| difference <= BETWEEN_PATHS), "{text}: {paths:?}");
        assert!(errors.concat().iter().all(|&error| error <= AGAINST_F64), "{text}: {errors:?}");
    }
}
