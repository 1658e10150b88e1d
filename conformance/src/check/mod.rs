//! One launch checked: proved, and where it is racy, run under the schedules that tell what it leans on.
//!
//! [`check_catalogue`] and [`check_file`] differ in where the launch comes from, and in that a kernel of the
//! catalogue has an oracle and a shape to search over. Nothing here reads an expectation: the verdict
//! comes from the launch alone.

mod command;
mod error;
mod examination;
mod exploration;
mod options;
mod outputs;
mod replay;
mod report;
mod second;
mod slots;
mod threshold;
mod verdict;
mod witness;

use std::path::Path;
use std::time::Instant;

use gridproof_launch::Launch;
use gridproof_report::model::{Assumption, CheckReport, OutputError, SafeUnder, Subject, Threshold, Verdict};
use gridproof_simulator::finding::{Finding, Rule};
use gridproof_simulator::{Outcome, ladder};

pub use error::CheckError;
pub use exploration::{Agreement, Compared, EngineChoice, ExploreChoice, compare, explore_catalogue, explore_file};
pub use options::{CheckOptions, ScheduleChoice};
pub use replay::{ReplayResult, replay};
pub(crate) use verdict::{counts, verdict};

use crate::cuda;
use crate::family::{Family, Instance, Making, Reference, families, family};
use crate::launch_file::{self, LaunchFile, Limits};
use examination::{Examination, Examined, examine};
use report::{Asked, Extras};
use threshold::Search;

/// Checks a kernel of the catalogue. Without a variant it is the kernel's first one; what `shape_text`
/// (`key=value,..`) leaves out has the variant's defaults.
///
/// # Errors
/// An unknown name, a shape that cannot be posed, a configuration that makes no sense.
pub fn check_catalogue(
    name: &str,
    variant: Option<&str>,
    shape_text: &str,
    options: &CheckOptions,
) -> Result<CheckReport, CheckError> {
    let started = Instant::now();
    let instance = catalogue_instance(name, variant, shape_text, options)?;
    check_instance(&instance, options, started)
}

/// Checks a user's kernel with its launch file.
///
/// # Errors
/// What is wrong with the files, with its place; a configuration that makes no sense.
pub fn check_file(module: &Path, launch: &Path, options: &CheckOptions) -> Result<CheckReport, CheckError> {
    let started = Instant::now();
    options.validate()?;
    let (file, subject) = read_file(module, launch, options)?;
    let options = with_slots(options, &file);
    let command = command::command(&subject, &options);
    let asked = Asked { subject, command, options: &options, started };
    check_launch(&file.launch, asked, None)
}

/// A launch of the catalogue with the names it was asked for by.
pub(crate) struct Named {
    pub family: &'static dyn Family,
    pub variant: &'static str,
    pub instance: Instance,
}

pub(crate) fn catalogue_instance(
    name: &str,
    variant: Option<&str>,
    shape_text: &str,
    options: &CheckOptions,
) -> Result<Named, CheckError> {
    options.validate()?;
    let family = family(name).ok_or_else(|| {
        let known: Vec<&str> = families().iter().map(|family| family.kernel().name).collect();
        CheckError::UnknownKernel { name: name.to_owned(), known: known.join(", ") }
    })?;
    let kernel = family.kernel();
    let entry = match variant {
        None => kernel.variants.first(),
        Some(variant) => kernel.variant(variant),
    };
    let entry = entry.ok_or_else(|| {
        let known: Vec<&str> = kernel.variants.iter().map(|entry| entry.name).collect();
        CheckError::UnknownVariant {
            kernel: kernel.name.to_owned(),
            name: variant.unwrap_or_default().to_owned(),
            known: known.join(", "),
        }
    })?;
    let instance = family.instance(entry.name, shape_text, &making(options)).map_err(|reason| CheckError::Refused {
        kernel: kernel.name.to_owned(),
        variant: entry.name.to_owned(),
        reason,
    })?;
    Ok(Named { family, variant: entry.name, instance })
}

fn making(options: &CheckOptions) -> Making {
    let config = options.config;
    Making {
        data_seed: options.data_seed,
        arithmetic: config.arithmetic,
        subgroup_size: config.subgroup_size,
        language: options.language,
    }
}

/// Checks an instance that was made with the same options.
pub(crate) fn check_instance(
    named: &Named,
    options: &CheckOptions,
    started: Instant,
) -> Result<CheckReport, CheckError> {
    let subject = subject(named, options);
    let command = command::command(&subject, options);
    let asked = Asked { subject, command, options, started };
    check_launch(&named.instance.launch, asked, Some(named))
}

/// A kernel of the catalogue as reports name it.
pub(crate) fn subject(named: &Named, options: &CheckOptions) -> Subject {
    Subject::Catalogue {
        kernel: named.family.kernel().name.to_owned(),
        variant: named.variant.to_owned(),
        shape: named.instance.shape.clone(),
        seed: options.data_seed,
        language: options.language,
    }
}

fn read_file(module: &Path, launch: &Path, options: &CheckOptions) -> Result<(LaunchFile, Subject), CheckError> {
    let limits = Limits { memory: options.config.budget.memory, seed: options.data_seed };
    let file = launch_file::read(Some(module), launch, &limits)?;
    let entries: Vec<&str> = file.launch.dispatches.iter().map(|dispatch| dispatch.entry.as_str()).collect();
    let subject = Subject::File {
        module: module.display().to_string(),
        entry: entries.join(", "),
        launch: launch.display().to_string(),
        seed: options.data_seed,
    };
    Ok((file, subject))
}

/// The slots that a launch file asks for hold unless the caller asks for others.
fn with_slots(options: &CheckOptions, file: &LaunchFile) -> CheckOptions {
    let slots = match file.slots {
        Some(slots) if options.slots == CheckOptions::DEFAULT_SLOTS => slots,
        _ => options.slots,
    };
    CheckOptions { slots, ..*options }
}

fn check_launch(launch: &Launch, asked: Asked<'_>, named: Option<&Named>) -> Result<CheckReport, CheckError> {
    let options = asked.options;
    let launch = &*cuda::compiled(launch)?;
    if matches!(gridproof_simulator::depends_on_atomics(launch), Ok(true)) {
        return exploration::explore_launch(launch, asked, &exploration::within_check(), Path::new(""));
    }
    let mut examination = match examine(launch, &options.config)? {
        Examined::Unsupported(unsupported) => return Ok(asked.unsupported(unsupported, launch)),
        Examined::Proved(examination) => *examination,
    };
    let mut extras = Extras { findings: examination.proof.findings.clone(), ..Extras::default() };
    if examination.verdict == Verdict::Racy {
        extras.rungs = examination.climb(options)?;
        if options.schedule != Some(ScheduleChoice::Any) {
            witness::add_witnesses(&mut examination, &mut extras.findings, options.slots)?;
            if options.timelines {
                extras.timelines = examination.timelines(&extras.findings);
            }
        }
    }
    extras.safe_under =
        examination.safe_under(&extras.rungs, options).filter(|safe| says_something(safe, &extras.findings));
    let leans_on_rung = extras.safe_under;
    if let (true, Some(safe_under)) = (options.search_threshold, leans_on_rung) {
        extras.safe_under = Some(with_needed_slots(&mut examination, safe_under, options)?);
    }
    if let Some(named) = named {
        if options.output_errors {
            extras.output_errors = output_errors(&mut examination, &extras.rungs, named.instance.reference.as_ref())?;
        }
        if let (true, Some(safe_under)) = (options.search_threshold, leans_on_rung) {
            let guess = extras.rungs.iter().rev().find_map(|rung| rung.failing_workgroup);
            let guess = guess.map(|workgroup| u64::from(workgroup) + 1);
            let (threshold, explored) = search_threshold(named, safe_under, options, guess)?;
            extras.threshold = threshold;
            examination.explored += explored;
        }
    }
    extras.explored = examination.explored;
    Ok(asked.proved(examination.verdict, examination.proof, extras))
}

/// Starting workgroups in order is no assumption that could mend a race inside one: when nothing else races, right
/// outputs only mean that the schedules tried did not show it.
fn says_something(safe: &SafeUnder, findings: &[Finding]) -> bool {
    let between = |finding: &Finding| counts(finding) && finding.rule == Rule::CrossWorkgroupRace;
    safe.assumption != Assumption::InOrderStart || findings.iter().any(between)
}

/// Lock-step waves with the smallest number of slots that is enough, whether or not the slots asked about were.
fn with_needed_slots(
    examination: &mut Examination<'_>,
    safe_under: SafeUnder,
    options: &CheckOptions,
) -> Result<SafeUnder, CheckError> {
    let was_right = match safe_under.assumption {
        Assumption::LockstepWaves => true,
        Assumption::None if options.schedule != Some(ScheduleChoice::InOrder) => false,
        _ => return Ok(safe_under),
    };
    let needed = slots::needed(examination, (options.slots, was_right))?;
    Ok(needed.map_or(safe_under, |needed| SafeUnder { assumption: Assumption::LockstepWaves, slots: Some(needed) }))
}

fn search_threshold(
    named: &Named,
    safe_under: SafeUnder,
    options: &CheckOptions,
    guess: Option<u64>,
) -> Result<(Option<Threshold>, u64), CheckError> {
    let assumption = match (options.schedule, safe_under.assumption) {
        (Some(ScheduleChoice::Any), _) | (_, Assumption::AnyOrder) => return Ok((None, 0)),
        (Some(ScheduleChoice::InOrder), _) | (None, Assumption::InOrderStart) => Assumption::InOrderStart,
        _ => Assumption::LockstepWaves,
    };
    let Named { family, variant, instance } = named;
    let search = Search {
        family: *family,
        variant,
        shape: &instance.shape,
        making: making(options),
        options,
        assumption,
        own_is_right: safe_under.assumption == assumption,
        guess,
    };
    search.run()
}

/// How far the measured buffer is from the oracle in the race-free reading and on each rung. A rung that failed
/// may have been ended early, so its schedule is run to the end here.
fn output_errors(
    examination: &mut Examination<'_>,
    rungs: &[ladder::Rung],
    reference: &dyn Reference,
) -> Result<Vec<OutputError>, CheckError> {
    let name = reference.measured_buffer();
    let Some((id, buffer)) = examination.launch.buffer_named(name) else { return Ok(Vec::new()) };
    if examination.proof.exhausted.is_some() {
        return Ok(Vec::new());
    }
    let error = |run: &str, clean: &Outcome, outcome: &Outcome| {
        let image = &outcome.buffers[id.0];
        let (first_wrong_element, wrong_elements) = outputs::wrong_elements(buffer, &clean.buffers[id.0], image);
        OutputError {
            run: run.to_owned(),
            buffer: name.to_owned(),
            relative: reference.relative_error(&image.to_vec()),
            first_wrong_element,
            wrong_elements,
        }
    };
    let mut errors = vec![error("race-free", &examination.proof, &examination.proof)];
    for rung in rungs {
        let label = verdict::assumption(&rung.policy).0.word();
        match &rung.failing_policy {
            None => errors.push(error(label, &examination.proof, &examination.proof)),
            Some(policy) => {
                let outcome = examination.run(policy)?;
                if outcome.exhausted.is_none() {
                    errors.push(error(label, &examination.proof, &outcome));
                }
            }
        }
    }
    Ok(errors)
}
