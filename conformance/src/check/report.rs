//! A check's results, put together for the renderer.

use std::time::{Duration, Instant};

use gridproof_launch::{Launch, Module};
use gridproof_report::model::{
    Accepted, CheckReport, ExplorationReport, OutputError, Rung, SafeUnder, Settings, Subject, Threshold, Verdict,
};
use gridproof_simulator::explore::Progress;
use gridproof_simulator::finding::Finding;
use gridproof_simulator::ir::SourceFile;
use gridproof_simulator::timeline::Timeline;
use gridproof_simulator::{Outcome, Stats, Unsupported, ladder};

use super::options::CheckOptions;
use super::verdict::assumption;

/// What a check found besides its proof.
#[derive(Default)]
pub(super) struct Extras {
    pub findings: Vec<Finding>,
    pub safe_under: Option<SafeUnder>,
    pub rungs: Vec<ladder::Rung>,
    pub threshold: Option<Threshold>,
    pub output_errors: Vec<OutputError>,
    pub explored: u64,
    pub explorations: Vec<ExplorationReport>,
    pub timelines: Vec<Option<Timeline>>,
}

/// Who asked what, and since when.
pub(super) struct Asked<'a> {
    pub subject: Subject,
    pub command: String,
    pub options: &'a CheckOptions,
    pub started: Instant,
}

impl Asked<'_> {
    /// The report on a launch that was proved.
    pub fn proved(self, verdict: Verdict, proof: Outcome, extras: Extras) -> CheckReport {
        let mut report = self.empty(verdict);
        report.safe_under = extras.safe_under;
        report.rungs = extras.rungs.iter().map(rung).collect();
        report.threshold = extras.threshold;
        report.findings = extras.findings;
        report.findings_dropped = proof.findings_dropped;
        report.files = proof.files;
        report.approximations = proof.approximations;
        let unfinished = extras.rungs.into_iter().find_map(|rung| rung.failing.and_then(|outcome| outcome.exhausted));
        report.exhausted = proof.exhausted.or(unfinished);
        report.decides_every_schedule = proof.decides_every_schedule;
        report.schedules_explored = extras.explored;
        report.explorations = extras.explorations;
        report.timelines = extras.timelines;
        report.output_errors = extras.output_errors;
        report.stats = proof.stats;
        report
    }

    /// The report on a launch that the simulator does not model.
    pub fn unsupported(self, unsupported: Unsupported, launch: &Launch) -> CheckReport {
        let mut report = self.empty(Verdict::Unsupported);
        report.unsupported = Some(unsupported);
        report.files = launch.modules.iter().map(source_file).collect();
        report
    }

    fn empty(self, verdict: Verdict) -> CheckReport {
        let Self { subject, command, options, started } = self;
        let config = options.config;
        CheckReport {
            subject,
            arithmetic: config.arithmetic,
            settings: Settings {
                slots: options.slots,
                seed: options.seed,
                subgroup_size: config.subgroup_size,
                warp_lockstep: config.warp_lockstep,
                progress: Progress::default(),
                detectors: config.detectors,
            },
            verdict,
            safe_under: None,
            rungs: Vec::new(),
            threshold: None,
            findings: Vec::new(),
            timelines: Vec::new(),
            findings_dropped: 0,
            files: Vec::new(),
            approximations: Vec::new(),
            chosen_outputs: Vec::new(),
            unsupported: None,
            exhausted: None,
            decides_every_schedule: false,
            schedules_explored: 0,
            explorations: Vec::new(),
            output_errors: Vec::new(),
            accepted: Accepted::new(),
            command,
            stats: Stats { elapsed: Duration::ZERO, ..Stats::default() },
            elapsed: started.elapsed(),
        }
    }
}

fn rung(tried: &ladder::Rung) -> Rung {
    let (assumption, slots) = assumption(&tried.policy);
    Rung {
        assumption,
        slots,
        schedules: tried.schedules,
        outputs_equal: tried.failing.is_none(),
        differing_bytes: tried.differing_bytes,
        schedule: tried.failing.as_ref().map(|outcome| outcome.schedule.to_string()).filter(|text| text.len() <= SHORT),
    }
}

fn source_file(module: &Module) -> SourceFile {
    SourceFile { name: module.name.clone(), text: module.text().map(Into::into) }
}

/// Characters of a schedule worth printing: longer ones are told by their policy, slots and seed.
const SHORT: usize = 2_000;
