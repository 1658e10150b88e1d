//! One cell: one case on one leg, and whether it agreed.

use gridproof_kernels::catalogue::{Expectation, ExpectedFinding, Outputs, Verdict};
use gridproof_launch::{Arithmetic, Buffer, Contents, Language};
use gridproof_report::fingerprint;
use gridproof_report::matrix::{CellResult, Found};
use gridproof_report::model::Subject;
use gridproof_simulator::finding::Finding;
use gridproof_simulator::ir::SourceFile;
use gridproof_simulator::memory::Image;
use gridproof_simulator::{Config, prove};

use super::adapter::{Adapter, NotRun};
use super::case_file::{Case, RefusedCase};
use crate::check;
use crate::compare::{self, Wrong};
use crate::cuda;
use crate::expected::verdict_mismatch;
use crate::family::{Instance, Making, family};

/// The model against the f64 oracle.
pub(super) fn oracle(case: &Case) -> CellResult {
    let compare = || {
        // No source matters here, but some refuse what they cannot address.
        let languages = family(&case.kernel).map_or(&[][..], |family| family.kernel().languages);
        let language = languages.last().copied().unwrap_or_default();
        let instance = made(case, case.arithmetic, 32, language)?;
        let outputs = instance.reference.model();
        instance.reference.check_oracle(&outputs).map_err(|deviation| format!("the model is too far off: {deviation}"))
    };
    compare().into()
}

/// What came of a cell, and what the simulator found.
pub(super) type Simulated = (CellResult, Vec<Found>);

/// The simulator's race-free reading against the model, and its verdict against the demanded one.
pub(super) fn simulator(case: &Case, subgroup_size: u32) -> Simulated {
    with_findings(case, subgroup_size, Language::Wgsl)
}

/// The same for the kernel in CUDA C++, whose subgroups have 32 invocations.
pub(super) fn ptx_simulator(case: &Case) -> Simulated {
    match cuda::unavailable() {
        Some(reason) => (CellResult::Skipped(reason.to_string()), Vec::new()),
        None => with_findings(case, 32, Language::Cuda),
    }
}

fn with_findings(case: &Case, subgroup_size: u32, language: Language) -> Simulated {
    let mut found = Vec::new();
    let result = simulated(case, subgroup_size, language, &mut found);
    (result.into(), found)
}

/// Findings as a report has them.
fn in_words(
    case: &Case,
    instance: &Instance,
    language: Language,
    findings: &[Finding],
    files: &[SourceFile],
) -> Vec<Found> {
    let (kernel, variant, seed) = (case.kernel.clone(), case.variant.clone(), case.seed);
    let kernel = fingerprint::kernel(&Subject::Catalogue { kernel, variant, shape: Vec::new(), seed, language });
    let demanded = |finding: &Finding| {
        let is =
            |demanded: &ExpectedFinding| demanded.rule == finding.rule.code() && demanded.place == finding.first.buffer;
        instance.expectation.findings.iter().any(is)
    };
    findings.iter().map(|finding| Found::new(&kernel, finding, files, demanded(finding))).collect()
}

/// The findings of a cell again, its races with a schedule that shows them; `None` where the launch cannot be examined.
pub(super) fn with_schedules(case: &Case, subgroup_size: u32, language: Language) -> Option<Vec<Found>> {
    let instance = made(case, case.arithmetic, subgroup_size, language).ok()?;
    let launch = cuda::compiled(&instance.launch).ok()?;
    let (findings, files) = check::with_schedules(&launch, &config(case, subgroup_size))?;
    Some(in_words(case, &instance, language, &findings, &files))
}

fn config(case: &Case, subgroup_size: u32) -> Config {
    Config { subgroup_size, arithmetic: case.arithmetic, threads: 1, ..Config::default() }
}

fn simulated(case: &Case, subgroup_size: u32, language: Language, found: &mut Vec<Found>) -> Result<(), String> {
    let instance = made(case, case.arithmetic, subgroup_size, language)?;
    let launch = cuda::compiled(&instance.launch).map_err(|error| error.to_string())?;
    let proof = prove(&launch, &config(case, subgroup_size)).map_err(|error| error.to_string())?;
    *found = in_words(case, &instance, language, &proof.findings, &proof.files);
    if let Some(exhausted) = &proof.exhausted {
        return Err(format!("the {} budget ran out", exhausted.budget));
    }
    if let Some(mismatch) = verdict_mismatch(&instance.expectation, check::verdict(&proof), &proof.findings) {
        return Err(mismatch);
    }
    let model = instance.reference.model();
    let compared = compare::outputs(&launch, &model, |position| proof.buffers.get(position));
    match (compared, instance.expectation.outputs) {
        (Ok(()) | Err(Wrong::Element(_)), Outputs::NotStated) | (Ok(()), Outputs::Right) => Ok(()),
        (Err(wrong), Outputs::Right | Outputs::NotStated) => Err(wrong.to_string()),
        (Ok(()), Outputs::Wrong) => Err("the outputs are the model's, and wrong ones are demanded".to_owned()),
        (Err(Wrong::Element(_)), Outputs::Wrong) => Ok(()),
        (Err(wrong), Outputs::Wrong) => Err(wrong.to_string()),
    }
}

/// A real adapter against the model, in the profile the adapter has.
pub(super) fn adapter(case: &Case, adapter: &Adapter) -> CellResult {
    let (arithmetic, subgroup_size) = match adapter.profile(case.arithmetic) {
        Ok(profile) => profile,
        Err(reason) => return CellResult::Skipped(reason),
    };
    let instance = match made(case, arithmetic, subgroup_size, Language::Wgsl) {
        Ok(instance) => instance,
        Err(reason) => return CellResult::Disagreed(reason),
    };
    if let Some(reason) = incomparable(&instance.expectation) {
        return CellResult::Skipped(reason.to_owned());
    }
    let buffers = match adapter.run(&instance.launch) {
        Ok(buffers) => buffers,
        Err(NotRun::TooLarge(reason)) => return CellResult::Skipped(reason),
        Err(NotRun::Failed(reason)) => return CellResult::Disagreed(reason),
    };
    let contents = buffers.into_iter().map(|bytes| bytes.map(|bytes| Contents::Dense(bytes.into()))).collect();
    compared(&instance, contents)
}

/// Why what a device computes says nothing about this launch.
pub(super) fn incomparable(expectation: &Expectation) -> Option<&'static str> {
    match expectation {
        Expectation { verdict: Verdict::Racy, .. } => Some("a racy launch has no single right answer on a device"),
        Expectation { verdict: Verdict::Faulty, .. } => Some("what a faulty launch leaves differs between devices"),
        Expectation { outputs: Outputs::Wrong, .. } => {
            Some("the launch is demanded to compute something else than the model")
        }
        _ => None,
    }
}

/// What a device left in the buffers of a launch, by position, against the model.
pub(super) fn compared(instance: &Instance, contents: Vec<Option<Contents>>) -> CellResult {
    let launch = compare::poisoned(&instance.launch);
    let image = |(contents, buffer): (Option<Contents>, &Buffer)| {
        contents.map(|contents| Image::new(&Buffer { contents, ..buffer.clone() }))
    };
    let images: Vec<Option<Image>> = contents.into_iter().zip(&launch.buffers).map(image).collect();
    let found = |position: usize| images.get(position).and_then(Option::as_ref);
    let compared = compare::outputs(&launch, &instance.reference.model(), found);
    compared.map_err(|wrong| wrong.to_string()).into()
}

/// A shape that every variant must refuse with the same words.
pub(super) fn refused(case: &RefusedCase) -> CellResult {
    let refuse = || {
        let family = family(&case.kernel).ok_or_else(|| format!("unknown kernel `{}`", case.kernel))?;
        let making =
            Making { data_seed: 0, arithmetic: Arithmetic::FUSED, subgroup_size: 32, language: Language::Wgsl };
        if let Some(unknown) = case.variants.iter().find(|name| family.kernel().variant(name).is_none()) {
            return Err(format!("unknown variant `{unknown}`"));
        }
        let asked = |name: &str| case.variants.is_empty() || case.variants.iter().any(|other| other == name);
        for variant in family.kernel().variants.iter().filter(|variant| asked(variant.name)) {
            match family.instance(variant.name, &case.shape, &making) {
                Ok(_) => return Err(format!("{} accepts {}", variant.name, case.shape)),
                Err(said) if said.contains(&case.message) => {}
                Err(said) => return Err(format!("{} says `{said}`, expected `{}`", variant.name, case.message)),
            }
        }
        Ok(())
    };
    refuse().into()
}

/// The launch of a case with everything around it.
pub(super) fn made(
    case: &Case,
    arithmetic: Arithmetic,
    subgroup_size: u32,
    language: Language,
) -> Result<Instance, String> {
    let family = family(&case.kernel).ok_or_else(|| format!("unknown kernel `{}`", case.kernel))?;
    let making = Making { data_seed: case.seed, arithmetic, subgroup_size, language };
    family.instance(&case.variant, &case.shape, &making)
}
