//! The main job: every kernel and variant of the catalogue at its documented shapes, each verdict computed
//! and then compared with the one it must get, in every language that the kernel is written in. What this
//! machine cannot compile is skipped, and said to be.

use std::time::Instant;

use gridproof_kernels::catalogue::{Expectation, SafeUnder};
use gridproof_launch::Language;
use gridproof_report::model::{CheckReport, SkippedRow, Verdict, VerdictRow, Verdicts};

use crate::check::{CheckError, CheckOptions, Named, ScheduleChoice, catalogue_instance, check_instance, subject};
use crate::cuda;
use crate::expected::{label_mismatch, outputs_mismatch, threshold_mismatch, verdict_mismatch, words};
use crate::family::{families, shape_text};
use crate::progress::Progress;

/// What the main job may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainJobOptions {
    /// How each launch is checked.
    pub check: CheckOptions,
    /// Only checks whose `kernel:variant shape language` contains this text.
    pub filter: Option<String>,
}

impl Default for MainJobOptions {
    fn default() -> Self {
        Self { check: CheckOptions { search_threshold: true, ..CheckOptions::default() }, filter: None }
    }
}

/// Checks everything and compares.
///
/// # Errors
/// When a launch of the catalogue cannot be made or simulated, or the filter leaves nothing.
pub fn run(options: &MainJobOptions, progress: &dyn Fn(Progress<'_>)) -> Result<Verdicts, CheckError> {
    let selected: Vec<Selected> = selection().filter(|entry| entry.matches(options.filter.as_deref())).collect();
    if selected.is_empty() {
        let selection = format!("`{}`", options.filter.as_deref().unwrap_or_default());
        return Err(CheckError::NothingSelected { selection });
    }
    let total = selected.len();
    let mut verdicts = Verdicts::default();
    for (done, entry) in selected.iter().enumerate() {
        progress(Progress { done, total, current: &entry.to_string() });
        match cuda::unavailable().filter(|_| entry.language == Language::Cuda) {
            Some(reason) => verdicts.skipped.push(entry.skipped(reason.to_string(), &options.check)?),
            None => verdicts.rows.push(entry.row(&options.check)?),
        }
    }
    progress(Progress { done: total, total, current: "" });
    Ok(verdicts)
}

/// One check of the main job.
struct Selected {
    kernel: &'static str,
    variant: &'static str,
    shape: &'static str,
    language: Language,
}

fn selection() -> impl Iterator<Item = Selected> {
    families().iter().flat_map(|family| {
        let kernel = family.kernel();
        kernel.variants.iter().flat_map(move |variant| {
            let selected = |shape, language| Selected { kernel: kernel.name, variant: variant.name, shape, language };
            let usual = variant
                .shapes
                .iter()
                .flat_map(move |shape| kernel.languages.iter().map(move |&language| selected(shape, language)));
            // What 32 bits do not address runs where addresses have 64.
            let long = variant.long_shapes.iter().map(move |shape| selected(shape, Language::Cuda));
            usual.chain(long)
        })
    })
}

impl std::fmt::Display for Selected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{} {} {}", self.kernel, self.variant, self.shape, self.language)
    }
}

impl Selected {
    fn matches(&self, filter: Option<&str>) -> bool {
        filter.is_none_or(|filter| self.to_string().contains(filter))
    }

    fn row(&self, options: &CheckOptions) -> Result<VerdictRow, CheckError> {
        let started = Instant::now();
        let options = CheckOptions { language: self.language, ..*options };
        let named = catalogue_instance(self.kernel, Some(self.variant), self.shape, &options)?;
        let report = check_instance(&named, &options, started)?;
        let mismatch = mismatch(&named, &report, &options)?;
        let expected = words(&named.instance.expectation);
        Ok(VerdictRow { report, expected, as_expected: mismatch.is_none(), mismatch })
    }

    fn skipped(&self, reason: String, options: &CheckOptions) -> Result<SkippedRow, CheckError> {
        let options = CheckOptions { language: self.language, ..*options };
        let named = catalogue_instance(self.kernel, Some(self.variant), self.shape, &options)?;
        Ok(SkippedRow { subject: subject(&named, &options), reason })
    }
}

fn mismatch(named: &Named, report: &CheckReport, options: &CheckOptions) -> Result<Option<String>, CheckError> {
    let expectation = &named.instance.expectation;
    let found = verdict_mismatch(expectation, report.verdict, &report.findings);
    let found = found.or_else(|| outputs_mismatch(expectation, &report.findings)).or_else(|| match report.safe_under {
        Some(label) => label_mismatch(expectation, label),
        None if report.verdict == Verdict::Faulty || expectation.safe_under == SafeUnder::NotStated => None,
        None if options.schedule == Some(ScheduleChoice::Any) => None,
        None => Some("what the outputs lean on could not be decided".to_owned()),
    });
    match &report.threshold {
        Some(threshold) if found.is_none() => {
            let Some(at) = expectation_at(named, threshold.value, options)? else { return Ok(found) };
            let below = threshold.value.checked_sub(1);
            let below = below.map(|value| expectation_at(named, value, options)).transpose()?.flatten();
            Ok(threshold_mismatch(threshold, &at, below.as_ref()))
        }
        _ => Ok(found),
    }
}

/// The expectation of the same launch with another value of its first shape key; `None` where that is no launch.
fn expectation_at(named: &Named, value: u64, options: &CheckOptions) -> Result<Option<Expectation>, CheckError> {
    let shape = shape_text(&named.instance.shape, Some((0, value)));
    let kernel = named.family.kernel().name;
    match catalogue_instance(kernel, Some(named.variant), &shape, options) {
        Ok(named) => Ok(Some(named.instance.expectation)),
        Err(CheckError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
