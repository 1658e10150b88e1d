//! One launch checked: proved, and where it is racy, run under the schedules that tell what it leans on.
//!
//! [`check_catalogue`] and [`check_file`] differ in where the launch comes from, and in that a kernel of the
//! catalogue has an oracle and a shape to search over. Nothing here reads an expectation: the verdict
//! comes from the launch alone.

mod command;
mod error;
mod examination;
mod exploration;
mod explored_ladder;
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

use gridproof_kernels::catalogue::VariantEntry;
use gridproof_launch::{BufferId, Launch};
use gridproof_report::model::{Assumption, CheckReport, OutputError, SafeUnder, Subject, Threshold, Verdict};
use gridproof_simulator::explore::last_write;
use gridproof_simulator::finding::{Detail, Finding, Rule, Severity};
use gridproof_simulator::ir::SourceFile;
use gridproof_simulator::{Config, Outcome, ladder};

pub use command::quoted;
pub use error::CheckError;
pub(crate) use exploration::within_check;
pub use exploration::{Agreement, Compared, EngineChoice, ExploreChoice, compare, explore_catalogue, explore_file};
pub use options::{CheckOptions, ScheduleChoice};
pub use replay::{ReplayResult, replay};
pub use verdict::{counts, verdict};

use crate::compare::{self, Mismatch, Wrong};
use crate::cuda;
use crate::family::{Family, Instance, Making, Reference, families, family, shape_text};
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
    let family = family_named(name)?;
    let entry = entry_named(family, variant)?;
    let instance = family.instance(entry.name, shape_text, &making(options)).map_err(|reason| CheckError::Refused {
        kernel: family.kernel().name.to_owned(),
        variant: entry.name.to_owned(),
        reason,
    })?;
    Ok(Named { family, variant: entry.name, instance })
}

/// The kernel of this name.
pub(crate) fn family_named(name: &str) -> Result<&'static dyn Family, CheckError> {
    family(name).ok_or_else(|| {
        let known: Vec<&str> = families().iter().map(|family| family.kernel().name).collect();
        CheckError::UnknownKernel { name: name.to_owned(), known: known.join(", ") }
    })
}

/// The variant of this name, or the first one.
pub(crate) fn entry_named(family: &dyn Family, variant: Option<&str>) -> Result<&'static VariantEntry, CheckError> {
    let kernel = family.kernel();
    let entry = match variant {
        None => kernel.variants.first(),
        Some(variant) => kernel.variant(variant),
    };
    entry.ok_or_else(|| {
        let known: Vec<&str> = kernel.variants.iter().map(|entry| entry.name).collect();
        CheckError::UnknownVariant {
            kernel: kernel.name.to_owned(),
            name: variant.unwrap_or_default().to_owned(),
            known: known.join(", "),
        }
    })
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

pub(crate) fn read_file(
    module: &Path,
    launch: &Path,
    options: &CheckOptions,
) -> Result<(LaunchFile, Subject), CheckError> {
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

/// The findings of a launch, its races with a schedule that shows them, and the files they point into. `None` where the
/// launch cannot be examined.
pub(crate) fn with_schedules(launch: &Launch, config: &Config) -> Option<(Vec<Finding>, Vec<SourceFile>)> {
    let Ok(Examined::Proved(mut examination)) = examine(launch, config) else { return None };
    let mut findings = examination.proof.findings.clone();
    witness::add_witnesses(&mut examination, &mut findings, CheckOptions::DEFAULT_SLOTS).ok()?;
    Some((findings, examination.proof.files))
}

/// The slots that a launch file asks for hold unless the caller asks for others.
pub(crate) fn with_slots(options: &CheckOptions, file: &LaunchFile) -> CheckOptions {
    let slots = match file.slots {
        Some(slots) if options.slots == CheckOptions::DEFAULT_SLOTS => slots,
        _ => options.slots,
    };
    CheckOptions { slots, ..*options }
}

fn check_launch(launch: &Launch, asked: Asked<'_>, named: Option<&Named>) -> Result<CheckReport, CheckError> {
    let options = asked.options;
    let launch = &*cuda::compiled(launch)?;
    if matches!(gridproof_simulator::depends_on_atomics(launch, &options.config), Ok(true)) {
        return exploration::explore_launch(launch, asked, &exploration::within_check(), Path::new(""), named);
    }
    let mut examination = match examine(launch, &options.config)? {
        Examined::Unsupported(unsupported) => return Ok(asked.unsupported(unsupported, launch)),
        Examined::Proved(examination) => *examination,
    };
    let mut extras = Extras { findings: examination.proof.findings.clone(), ..Extras::default() };
    if let (Verdict::RaceFree, Some(named)) = (examination.verdict, named)
        && let Some(finding) = mismatch(&examination, named.instance.reference.as_ref())?
    {
        extras.findings.push(finding);
        examination.verdict = Verdict::Faulty;
    }
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
    if let (true, Some(named)) = (options.output_errors, named) {
        extras.output_errors = output_errors(&mut examination, &extras.rungs, named.instance.reference.as_ref())?;
    }
    if options.search_threshold {
        let guess = extras.rungs.iter().rev().find_map(|rung| rung.failing_workgroup);
        let guess = guess.map(|workgroup| u64::from(workgroup) + 1);
        let between = extras.findings.iter().any(is_between_workgroups);
        let assumption = failing_assumption(examination.verdict, leans_on_rung, between, options);
        let work = examination.proof.stats.instructions;
        let own_fails = leans_on_rung.is_none_or(|safe| Some(safe.assumption) != assumption);
        let (threshold, explored) = search_threshold(launch, named, (assumption, own_fails), options, (guess, work))?;
        extras.threshold = threshold;
        examination.explored += explored;
    }
    extras.explored = examination.explored;
    let chosen = match examination.proof.decides_every_schedule {
        true => std::mem::take(&mut examination.proof.chosen),
        false => Vec::new(),
    };
    let outputs = chosen.into_iter().filter_map(|id| launch.buffers.get(id.0)).filter(|buffer| buffer.output);
    let mut report = asked.proved(examination.verdict, examination.proof, extras);
    report.chosen_outputs = outputs.map(|buffer| buffer.name.clone()).collect();
    Ok(report)
}

/// GP0010 where a kernel of the catalogue, right in every order, does not compute what its model does.
fn mismatch(examination: &Examination<'_>, reference: &dyn Reference) -> Result<Option<Finding>, CheckError> {
    let (launch, buffers) = (examination.launch, &examination.proof.buffers);
    let mismatch = match compare::outputs(launch, &reference.model(), |position| buffers.get(position)) {
        Ok(()) => return Ok(None),
        Err(Wrong::Element(mismatch)) => *mismatch,
        Err(Wrong::Outputs(reason)) => return Err(CheckError::Model { reason }),
    };
    let Mismatch { buffer, name, byte, element, bytes, computed, expected, differing_bytes } = mismatch;
    let first = last_write(launch, &examination.config, BufferId(buffer), byte)?;
    Ok(first.map(|first| Finding {
        rule: Rule::LegsDisagree,
        severity: Severity::Error,
        first,
        second: None,
        benign: false,
        declared: None,
        output_visible: Some(true),
        count: 1,
        detail: Detail::Mismatch { buffer: name, element, computed, expected, bytes, differing_bytes },
        schedule: None,
    }))
}

/// Starting workgroups in order is no assumption that could mend a race inside one: when nothing else races, right
/// outputs only mean that the schedules tried did not show it.
fn says_something(safe: &SafeUnder, findings: &[Finding]) -> bool {
    safe.assumption != Assumption::InOrderStart || findings.iter().any(is_between_workgroups)
}

fn is_between_workgroups(finding: &Finding) -> bool {
    counts(finding) && finding.rule == Rule::CrossWorkgroupRace
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
    let launch = examination.launch;
    let needed = slots::needed(launch, (options.slots, was_right), &mut |slots| slots::is_right(examination, slots))?;
    Ok(needed.map_or(safe_under, |needed| SafeUnder { assumption: Assumption::LockstepWaves, slots: Some(needed) }))
}

/// The assumption under which a smallest failing launch is worth searching.
fn failing_assumption(
    verdict: Verdict,
    safe_under: Option<SafeUnder>,
    between_workgroups: bool,
    options: &CheckOptions,
) -> Option<Assumption> {
    match (options.schedule, safe_under.map(|safe| safe.assumption)) {
        (_, None) => (verdict == Verdict::Faulty && options.threshold_key.is_some()).then_some(Assumption::AnyOrder),
        (Some(ScheduleChoice::Any), _) | (_, Some(Assumption::AnyOrder)) => None,
        // How many workgroups there are is nothing to a race inside one.
        _ if !between_workgroups => None,
        (Some(ScheduleChoice::InOrder), _) | (None, Some(Assumption::InOrderStart)) => Some(Assumption::InOrderStart),
        _ => Some(Assumption::LockstepWaves),
    }
}

/// Searches over the shape key that the options name (or the kernel's first), or over the grid of a user's launch.
/// `fails` is the assumption that must fail, and whether the check's own launch does.
fn search_threshold(
    launch: &Launch,
    named: Option<&Named>,
    fails: (Option<Assumption>, bool),
    options: &CheckOptions,
    (guess, work): (Option<u64>, u64),
) -> Result<(Option<Threshold>, u64), CheckError> {
    let (Some(assumption), own_fails) = fails else { return Ok((None, 0)) };
    let position = options.threshold_key.unwrap_or(0);
    let search = |key: String, own: u64, launches: &dyn Fn(u64) -> Option<Launch>| {
        // A guess is a number of workgroups in a row.
        let guess = guess.filter(|_| position == 0);
        let counts = launch.dispatches.iter().filter_map(gridproof_launch::Dispatch::workgroups);
        let workgroups = counts.max().unwrap_or(1);
        Search { key, launches, own, options, assumption, own_fails, guess, workgroups, work }.run()
    };
    match named {
        Some(Named { family, variant, instance }) => {
            let Some(key) = family.kernel().shape_keys.get(position).map(|key| key.name) else { return Ok((None, 0)) };
            let place = instance.shape.iter().position(|(own, _)| own == key);
            let own = place.and_then(|place| instance.shape[place].1.parse().ok().map(|own| (place, own)));
            let Some((position, own)) = own else {
                let limit = "the key needs a whole number in --shape, from which to search downwards";
                return Err(CheckError::Option { name: "threshold", value: key.to_owned(), limit });
            };
            let making = making(options);
            search(key.to_owned(), own, &|value| {
                let text = shape_text(&instance.shape, Some((position, value)));
                family.instance(variant, &text, &making).ok().map(|instance| instance.launch)
            })
        }
        None => {
            let Some((axis, own)) = widest(launch, options.threshold_key) else { return Ok((None, 0)) };
            search(format!("grid.{}", AXES[axis]), own, &|value| narrowed(launch, axis, value))
        }
    }
}

/// Names of the axes of a grid.
const AXES: [&str; 3] = ["x", "y", "z"];

/// The axis asked for, or the longest, and its length; for one dispatch only, as more have sizes of their own.
fn widest(launch: &Launch, asked: Option<usize>) -> Option<(usize, u64)> {
    let [dispatch] = launch.dispatches.as_slice() else { return None };
    let axes = dispatch.grid.into_iter().enumerate().filter(|(axis, _)| asked.is_none_or(|asked| asked == *axis));
    axes.max_by_key(|&(axis, length)| (length, std::cmp::Reverse(axis))).map(|(axis, length)| (axis, length.into()))
}

/// A user's launch with another number of workgroups on one axis: the same kernel on the same buffers, fewer workgroups.
/// Longer grids than its own are no launches of it.
fn narrowed(launch: &Launch, axis: usize, length: u64) -> Option<Launch> {
    let mut launch = launch.clone();
    let extent = launch.dispatches.first_mut()?.grid.get_mut(axis)?;
    *extent = u32::try_from(length).ok().filter(|length| (1..=*extent).contains(length))?;
    Some(launch)
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
