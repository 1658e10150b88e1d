//! A finding reproduced: the same launch, the same schedule, bit for bit.

use std::path::Path;

use gridproof_launch::Launch;
use gridproof_report::model::{ExpectedFinding, Replay, Subject};
use gridproof_simulator::explore::{ExploreOptions, follow};
use gridproof_simulator::finding::Rule;
use gridproof_simulator::{Config, Outcome, Schedule, ladder};

use super::examination::{Examination, Examined, examine};
use super::options::CheckOptions;
use super::{CheckError, catalogue_instance, outputs, read_file};
use crate::cuda;
use crate::family::shape_text;

/// What a replay gave.
#[derive(Clone, Debug)]
pub struct ReplayResult {
    /// The run of the schedule; the proof, where the finding needs no schedule.
    pub outcome: Outcome,
    /// Whether it showed what it was to show.
    pub reproduced: bool,
    /// Output bytes in which the run differs from the race-free reading.
    pub differing_bytes: u64,
    /// A number that stands for the bytes of all outputs: equal for equal outputs.
    pub digest: u64,
}

/// Runs a finding again. Subject, arithmetic, slots, seed and subgroup size are the finding's own; budgets,
/// threads and detectors are the caller's.
///
/// # Errors
/// As the check of the same subject; and when the schedule does not fit the launch.
pub fn replay(replay: &Replay, options: &CheckOptions) -> Result<ReplayResult, CheckError> {
    let mut options = CheckOptions {
        slots: replay.settings.slots,
        seed: replay.settings.seed,
        config: Config {
            arithmetic: replay.arithmetic,
            subgroup_size: replay.settings.subgroup_size,
            warp_lockstep: replay.settings.warp_lockstep,
            ..options.config
        },
        ..*options
    };
    match &replay.subject {
        Subject::Catalogue { kernel, variant, shape, seed, language } => {
            options.data_seed = *seed;
            options.language = *language;
            let named = catalogue_instance(kernel, Some(variant), &shape_text(shape, None), &options)?;
            replay_launch(&named.instance.launch, replay, &options)
        }
        Subject::File { module, launch, seed, .. } => {
            options.data_seed = *seed;
            let (file, _) = read_file(Path::new(module), Path::new(launch), &options)?;
            replay_launch(&file.launch, replay, &options)
        }
    }
}

fn replay_launch(launch: &Launch, replay: &Replay, options: &CheckOptions) -> Result<ReplayResult, CheckError> {
    let launch = &*cuda::compiled(launch)?;
    if let Some(schedule) = replay.schedule.as_ref().filter(|schedule| schedule.all_points || schedule.any_start) {
        return follow_launch(launch, replay, options, schedule);
    }
    let mut examination = match examine(launch, &options.config)? {
        Examined::Proved(examination) => *examination,
        Examined::Unsupported(unsupported) => {
            return Err(gridproof_simulator::SimulateError::Unsupported(unsupported).into());
        }
    };
    let run = replay.schedule.as_ref().map(|schedule| examination.replay(schedule)).transpose()?;
    let differing_bytes = run.as_ref().map_or(0, |outcome| examination.differing_bytes(outcome));
    let reproduced = reproduced(replay, &examination, run.as_ref(), differing_bytes);
    let outcome = run.unwrap_or(examination.proof);
    let digest = outputs::digest(launch, &outcome.buffers);
    Ok(ReplayResult { outcome, reproduced, differing_bytes, digest })
}

/// Runs a schedule that was explored. Its outputs are compared with those of the schedule that leaves all turns open.
fn follow_launch(
    launch: &Launch,
    replay: &Replay,
    options: &CheckOptions,
    schedule: &Schedule,
) -> Result<ReplayResult, CheckError> {
    let explored =
        ExploreOptions { slots: schedule.slots, progress: replay.settings.progress, ..ExploreOptions::default() };
    let outcome = follow(launch, &options.config, &explored, schedule)?;
    let usual = Schedule { slots: u32::MAX, ..Schedule::default() };
    let fair = ExploreOptions { slots: u32::MAX, ..explored };
    let usual = follow(launch, &options.config, &fair, &usual)?;
    let differing_bytes = ladder::differing_outputs(launch, &usual, &outcome);
    let shows = |expected: &ExpectedFinding| {
        let is_there = outcome.findings.iter().any(|finding| expected.matches(finding, &outcome.files));
        is_there || (expected.rule == Rule::ScheduleDependent && outcome.exhausted.is_none())
    };
    let waits = outcome.findings.iter().any(|finding| finding.rule == Rule::NoProgress);
    let reproduced = replay.expected.as_ref().map_or(differing_bytes > 0 || waits, shows);
    let digest = outputs::digest(launch, &outcome.buffers);
    Ok(ReplayResult { outcome, reproduced, differing_bytes, digest })
}

/// The finding is there again, in the proof or in the run, and the run damaged at least as many bytes as were
/// counted when it was ended early. With a schedule alone: the run damaged some.
fn reproduced(replay: &Replay, examination: &Examination<'_>, run: Option<&Outcome>, differing_bytes: u64) -> bool {
    let Some(expected) = &replay.expected else { return differing_bytes > 0 };
    let shows = |outcome: &Outcome| outcome.findings.iter().any(|finding| expected.matches(finding, &outcome.files));
    let counted = expected.differing_bytes.is_none_or(|bytes| run.is_none() || bytes <= differing_bytes);
    counted && (shows(&examination.proof) || run.is_some_and(shows))
}
