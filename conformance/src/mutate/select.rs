//! Which kernels are mutated, on which launches.

use std::path::{Path, PathBuf};
use std::time::Instant;

use gridproof_launch::Site;
use gridproof_report::mutation::MutationReport;
use gridproof_simulator::Config;

use super::case::Candidate;
use super::study::study;
use crate::check::{CheckError, CheckOptions, catalogue_instance, read_file, with_slots};
use crate::cuda;
use crate::family::{families, shape_text};
use crate::progress::Progress;

/// How to mutate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MutateOptions {
    /// How each launch is checked.
    pub check: CheckOptions,
    /// Subgroup sizes in the place of the one in `check`, each a launch of its own.
    pub subgroup_sizes: Vec<u32>,
    /// Only sites whose name contains this text.
    pub filter: Option<String>,
}

impl MutateOptions {
    pub(super) fn wants(&self, site: &Site) -> bool {
        self.filter.as_ref().is_none_or(|filter| site.to_string().contains(filter.as_str()))
    }

    /// The options of each subgroup size. Mutants run side by side, so each has one thread.
    fn each(&self) -> impl Iterator<Item = CheckOptions> {
        let own = [self.check.config.subgroup_size];
        let sizes = if self.subgroup_sizes.is_empty() { &own[..] } else { &self.subgroup_sizes };
        let config = Config { threads: 1, ..self.check.config };
        let options = sizes
            .iter()
            .map(|&subgroup_size| CheckOptions { config: Config { subgroup_size, ..config }, ..self.check });
        options.collect::<Vec<_>>().into_iter()
    }
}

/// Mutates kernels of the catalogue: all, or one; all of its variants, or one; on the launches of the main job, or on
/// those with the given shapes.
///
/// # Errors
/// An unknown name, a shape that cannot be posed, a configuration that makes no sense, a selection that leaves nothing.
pub fn mutate_catalogue(
    kernel: Option<&str>,
    variant: Option<&str>,
    shapes: &[String],
    options: &MutateOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<MutationReport, CheckError> {
    let started = Instant::now();
    let mut report = MutationReport::default();
    let families = families().iter().map(|family| family.kernel());
    let mut wanted: Vec<_> = families.filter(|known| kernel.is_none_or(|name| name == known.name)).collect();
    if let (Some(name), true) = (kernel, wanted.is_empty()) {
        // Says which kernels there are.
        catalogue_instance(name, variant, "", &options.check)?;
    }
    wanted.retain(|known| known.languages.contains(&options.check.language));
    for known in wanted {
        if let Some(name) = variant.filter(|name| known.variant(name).is_none()) {
            catalogue_instance(known.name, Some(name), "", &options.check)?;
        }
        for entry in known.variants.iter().filter(|entry| variant.is_none_or(|name| name == entry.name)) {
            let texts = entry.shapes.iter().map(|&text| text.to_owned());
            let texts: Vec<String> = if shapes.is_empty() { texts.collect() } else { shapes.to_vec() };
            let mut candidates = Vec::new();
            for (text, check) in texts.iter().flat_map(|text| options.each().map(move |check| (text, check))) {
                let named = catalogue_instance(known.name, Some(entry.name), text, &check)?;
                let name = shape_text(&named.instance.shape, None);
                candidates.push(Candidate {
                    name: format!("{name}, {} invocations a subgroup", check.config.subgroup_size),
                    launch: cuda::compiled(&named.instance.launch)?.into_owned(),
                    options: check,
                });
            }
            let name = format!("{}:{} ({})", known.name, entry.name, options.check.language);
            report.kernels.push(study(name, candidates, !shapes.is_empty(), options, progress)?);
        }
    }
    nothing_left(&report, options)?;
    report.elapsed = started.elapsed();
    Ok(report)
}

/// Mutates a user's kernel on each of its launch files.
///
/// # Errors
/// What is wrong with the files, with its place; a configuration that makes no sense; a selection that leaves nothing.
pub fn mutate_files(
    module: &Path,
    launches: &[PathBuf],
    options: &MutateOptions,
    progress: &dyn Fn(Progress<'_>),
) -> Result<MutationReport, CheckError> {
    let started = Instant::now();
    options.check.validate()?;
    let mut candidates = Vec::new();
    for (path, check) in launches.iter().flat_map(|path| options.each().map(move |check| (path, check))) {
        let (file, _) = read_file(module, path, &check)?;
        candidates.push(Candidate {
            name: format!("{}, {} invocations a subgroup", path.display(), check.config.subgroup_size),
            options: with_slots(&check, &file),
            launch: cuda::compiled(&file.launch)?.into_owned(),
        });
    }
    let kernel = study(module.display().to_string(), candidates, true, options, progress)?;
    let mut report = MutationReport { kernels: vec![kernel], ..MutationReport::default() };
    nothing_left(&report, options)?;
    report.elapsed = started.elapsed();
    Ok(report)
}

/// A filter that no site of a kernel that was tried matches is a mistake of its author.
fn nothing_left(report: &MutationReport, options: &MutateOptions) -> Result<(), CheckError> {
    match &options.filter {
        Some(filter) if report.kernels.iter().all(|kernel| kernel.mutants.is_empty() && kernel.skipped.is_none()) => {
            Err(CheckError::NothingSelected { selection: format!("site `{filter}`") })
        }
        _ => Ok(()),
    }
}
