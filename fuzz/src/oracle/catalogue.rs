//! Launches of the catalogue: verdict, findings, bits, schedules, threads.

use std::collections::{BTreeMap, BTreeSet};

use gridproof_conformance::check::{counts, verdict};
use gridproof_conformance::compare::{self, Wrong};
use gridproof_conformance::cuda;
use gridproof_conformance::expected::verdict_mismatch;
use gridproof_conformance::family::{Instance, Making, family};
use gridproof_kernels::catalogue::{Outputs, Verdict as Demanded};
use gridproof_launch::{BufferId, ByteRange, Launch};
use gridproof_report::model::Verdict;
use gridproof_simulator::{Config, Grain, Hazards, Outcome, Policy, SimulateError, prove, prove_covered, run_covered};

use super::{Bench, Property, Trial, fails, skipped};
use crate::input::CatalogueLaunch;

/// Launches with more instructions than this are not run again under a schedule: every access is a choice there.
const SCHEDULED_INSTRUCTIONS: u64 = 1 << 19;

/// Launches with more instructions than this are not proved a second time.
const TWICE_INSTRUCTIONS: u64 = 1 << 23;

pub(super) fn check(bench: &Bench, drawn: &CatalogueLaunch) -> Result<(), Trial> {
    let Some(family) = family(drawn.kernel) else { return Err(Trial::Rejected) };
    let making = Making {
        data_seed: drawn.data_seed,
        arithmetic: drawn.arithmetic,
        subgroup_size: drawn.subgroup_size,
        language: drawn.language,
    };
    let instance = family.instance(&drawn.variant, &drawn.shape, &making).map_err(|_| Trial::Rejected)?;
    let expectation = match drawn.believed == drawn.variant {
        true => instance.expectation.clone(),
        // A shape that the sound variant refuses is no launch that a sound dispatcher would make.
        false => family.instance(&drawn.believed, &drawn.shape, &making).map_err(|_| Trial::Rejected)?.expectation,
    };
    let instance = Instance { expectation, ..instance };
    let launch = cuda::compiled(&instance.launch).map_err(|_| skipped("no CUDA compiler"))?;
    let config = Config { arithmetic: drawn.arithmetic, subgroup_size: drawn.subgroup_size, ..bench.config() };
    let subject = |what: &str| format!("{}:{} {what}", drawn.kernel, drawn.variant);
    let proof = match prove_covered(&launch, &config, &bench.coverage, Grain::Source) {
        Ok(proof) => proof,
        Err(SimulateError::Unsupported(construct)) => {
            return Err(fails(Property::Refused, subject("unsupported"), construct.to_string()));
        }
        Err(error) => return Err(fails(Property::Refused, subject("error"), error.to_string())),
    };
    if proof.exhausted.is_some() {
        return Err(skipped("a budget ran out"));
    }
    let found = verdict(&proof);
    bench.mark((drawn.kernel, &drawn.variant, found.word()));
    for finding in &proof.findings {
        bench.mark((drawn.kernel, finding.rule, &finding.first.buffer, finding.benign));
    }
    let sentence = verdict_mismatch(&instance.expectation, found, &proof.findings);
    if let Some(sentence) = sentence {
        let found = told(&proof);
        return Err(fails(Property::Verdict, subject(&found), format!("{sentence}; found: {found}")));
    }
    if found == Verdict::RaceFree {
        compare_outputs(&launch, &instance, &proof)
            .map_err(|sentence| fails(Property::Model, subject(&without_numbers(&sentence)), sentence))?;
        same_under_schedule(bench, drawn, &launch, &config, &proof)?;
    }
    if drawn.threads > 1 && proof.stats.instructions < TWICE_INSTRUCTIONS {
        same_with_threads(drawn, &launch, &config, &proof)?;
    }
    Ok(())
}

/// The rules that are broken, and where: what two launches with the same mistake have in common.
fn told(proof: &Outcome) -> String {
    let counted = proof.findings.iter().filter(|finding| counts(finding));
    let all: BTreeSet<String> =
        counted.map(|finding| format!("{} on `{}`", finding.rule.code(), finding.first.buffer)).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.into_iter().collect::<Vec<_>>().join(", ") }
}

/// A sentence about numbers is the same about others.
pub(super) fn without_numbers(sentence: &str) -> String {
    let mut text = String::new();
    let mut words = sentence.split(['[', ' ']).filter(|word| !word.is_empty());
    // The place, and what is said of it.
    for word in words.by_ref().take(12) {
        if !word.contains(|c: char| c.is_ascii_digit()) || word.starts_with("GP") || word.starts_with('`') {
            text += word;
            text.push(' ');
        }
    }
    text.trim().to_owned()
}

/// Whether the outputs are the model's, where they have to be, and are not, where they must not be.
fn compare_outputs(launch: &Launch, instance: &Instance, proof: &Outcome) -> Result<(), String> {
    let expectation = &instance.expectation;
    if expectation.verdict != Demanded::RaceFree || expectation.outputs == Outputs::NotStated {
        return Ok(());
    }
    let compared = compare::outputs(launch, &instance.reference.model(), |position| proof.buffers.get(position));
    match (compared, expectation.outputs) {
        (Err(wrong @ Wrong::Outputs(_)), _) => Err(wrong.to_string()),
        (Err(Wrong::Element(mismatch)), Outputs::Right) => Err(mismatch.to_string()),
        (Ok(()), Outputs::Wrong) => Err("the outputs are the model's, and wrong ones are demanded".to_owned()),
        _ => Ok(()),
    }
}

/// Every byte that a kernel may write: where no byte raced, no order of accesses to any of them may matter.
pub(super) fn everywhere(launch: &Launch) -> Hazards {
    let buffers = launch.buffers.iter().enumerate();
    let all: BTreeMap<BufferId, Vec<ByteRange>> =
        buffers.map(|(at, buffer)| (BufferId(at), vec![ByteRange::new(0, buffer.length)])).collect();
    let dispatches = launch.dispatches.len();
    Hazards { storage: vec![all; dispatches], workgroup: vec![vec![ByteRange::new(0, 1 << 20)]; dispatches] }
}

fn same_under_schedule(
    bench: &Bench,
    drawn: &CatalogueLaunch,
    launch: &Launch,
    config: &Config,
    proof: &Outcome,
) -> Result<(), Trial> {
    if proof.stats.instructions > SCHEDULED_INSTRUCTIONS
        || !launch.buffers.iter().all(|buffer| buffer.may_race.is_empty())
    {
        return Ok(());
    }
    let subject = format!("{}:{}", drawn.kernel, drawn.variant);
    same_as(bench, (&drawn.policy, &subject), launch, config, proof, Grain::Source)
}

/// Runs a schedule in which every access to memory that others can reach is a choice.
pub(super) fn same_as(
    bench: &Bench,
    (policy, subject): (&Policy, &str),
    launch: &Launch,
    config: &Config,
    proof: &Outcome,
    grain: Grain,
) -> Result<(), Trial> {
    let hazards = everywhere(launch);
    let outcome = run_covered(launch, config, (policy, &hazards), &bench.coverage, grain)
        .map_err(|error| fails(Property::Schedule, subject, error.to_string()))?;
    if outcome.exhausted.is_some() {
        return Err(skipped("a budget ran out"));
    }
    // Benign races may be there: they leave the same bytes.
    let images = outcome.buffers.iter().zip(&proof.buffers).zip(&launch.buffers);
    for ((one, other), buffer) in images {
        if let (bytes @ 1.., Some(first)) = one.difference(other) {
            let name = &buffer.name;
            let message = format!("{bytes} bytes of `{name}` differ under {policy:?}, the first at byte {first}");
            return Err(fails(Property::Schedule, format!("{subject} {name}"), message));
        }
    }
    Ok(())
}

fn same_with_threads(drawn: &CatalogueLaunch, launch: &Launch, config: &Config, proof: &Outcome) -> Result<(), Trial> {
    let subject = format!("{}:{}", drawn.kernel, drawn.variant);
    let again = prove(launch, &Config { threads: drawn.threads, ..*config })
        .map_err(|error| fails(Property::Threads, subject.clone(), error.to_string()))?;
    let same = again.findings == proof.findings
        && again.buffers.iter().zip(&proof.buffers).all(|(one, other)| one.difference(other).0 == 0);
    match same {
        true => Ok(()),
        false => {
            Err(fails(Property::Threads, subject, format!("{} threads find or leave something else", drawn.threads)))
        }
    }
}
