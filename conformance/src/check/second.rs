//! The second engine: the same launch inside loom, in child processes of this program.
//!
//! loom has threads for four units. A launch is given to it in pieces: the workgroups of each dispatch, and the subgroups
//! of its workgroups. What it does not fit into is named, never passed over; so are places where invocations of one subgroup
//! touch common bytes, as loom does not tell them apart.

use std::path::Path;
use std::time::Duration;

use gridproof_launch::Launch;
use gridproof_report::model::ExplorationReport;
use gridproof_simulator::Config;
use gridproof_simulator::explore::loom::{Limit, LoomOptions, LoomOutcome, MOST_UNITS, Units, Verdict};
use gridproof_simulator::explore::{Progress, Stopped};
use gridproof_simulator::finding::{Detail, Finding, Rule, Severity, Unordered};
use gridproof_simulator::ir::SourceFile;

use super::exploration::ExploreChoice;
use crate::explore::child::{self, ChildError, ChildLimits};

/// What loom says about a launch.
pub struct Second {
    /// What it took.
    pub report: ExplorationReport,
    /// Races it found.
    pub findings: Vec<Finding>,
    /// Whether somebody waits for ever.
    pub waits: bool,
    /// Whether every model ran to an answer.
    pub decided: bool,
    /// Whether races between invocations of one subgroup may have been passed over.
    pub inside_unseen: bool,
    /// Files that spans point into.
    pub files: Vec<SourceFile>,
}

/// Runs all models of a launch. `executable` is `gridproof` itself.
///
/// # Errors
/// A child that cannot be started.
pub fn explore(
    executable: &Path,
    launch: &Launch,
    config: &Config,
    slots: u32,
    choice: &ExploreChoice,
) -> Result<Second, ChildError> {
    let mut second = Second {
        report: ExplorationReport {
            engine: "loom",
            progress: choice.progress,
            slots: choice.progress.has_slots().then_some(slots),
            executions: 0,
            redundant: 0,
            orders: 0.0,
            units: 0,
            turns: 0,
            stopped: None,
            symmetric: false,
            outputs: Vec::new(),
            bound: None,
            note: None,
            elapsed: Duration::ZERO,
        },
        findings: Vec::new(),
        waits: false,
        decided: true,
        inside_unseen: false,
        files: Vec::new(),
    };
    let mut notes = Vec::new();
    for (position, dispatch) in launch.dispatches.iter().enumerate() {
        let workgroups = dispatch.grid.iter().fold(1_u32, |all, &extent| all.saturating_mul(extent));
        let together = (workgroups > 1).then_some(Units::Workgroups);
        // More do not fit into loom together either.
        let most = u32::try_from(MOST_UNITS).unwrap_or(u32::MAX);
        let inside = (0..workgroups.min(most)).map(|workgroup| Units::Subgroups { workgroup });
        for units in together.into_iter().chain(inside) {
            let options = LoomOptions {
                units,
                dispatch: Some(position),
                slots: if choice.progress == Progress::Fair { u32::MAX } else { slots },
                preemption_bound: choice.preemptions,
                max_iterations: choice.executions,
                max_duration: config.budget.time,
                ..LoomOptions::default()
            };
            let name = match units {
                Units::Workgroups => format!("dispatch {position}, {workgroups} workgroups"),
                Units::Subgroups { workgroup } => format!("dispatch {position}, subgroups of workgroup {workgroup}"),
            };
            // A workgroup whose subgroups are explored is alone, and may wait for others in vain.
            let alone = workgroups > 1 && units != Units::Workgroups;
            match child::explore(executable, launch, config, &options, &ChildLimits::default()) {
                Ok(outcome) => second.add(outcome, &name, alone, &mut notes),
                Err(error @ ChildError::Start { .. }) => return Err(error),
                Err(error) => second.undecided(&name, &with_threads(&error.to_string()), &mut notes),
            }
        }
    }
    if let Some(bound) = choice.preemptions {
        notes.push(format!("executions with more than {bound} preemptions were left out"));
    }
    second.report.note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(second)
}

impl Second {
    fn undecided(&mut self, name: &str, why: &str, notes: &mut Vec<String>) {
        self.decided = false;
        self.report.stopped.get_or_insert(Stopped::Undecided);
        notes.push(format!("{name}: not decided: {why}"));
    }

    fn add(&mut self, outcome: LoomOutcome, name: &str, alone: bool, notes: &mut Vec<String>) {
        self.report.executions += outcome.iterations;
        self.report.elapsed += outcome.elapsed;
        if self.files.is_empty() {
            self.files = outcome.files;
        }
        match outcome.verdict {
            Verdict::Clean => {}
            Verdict::Race(race) => {
                let across = race.first.workgroup != race.second.workgroup;
                let rule = if across { Rule::CrossWorkgroupRace } else { Rule::WorkgroupRace };
                let why = if across { Unordered::Workgroups } else { Unordered::NoBarrier };
                notes.push(format!("{name}: a race after {} executions", outcome.iterations));
                self.findings.push(Finding {
                    rule,
                    severity: Severity::Error,
                    first: race.first,
                    second: Some(race.second),
                    benign: false,
                    declared: None,
                    output_visible: None,
                    count: 1,
                    detail: Detail::Unordered { why },
                    schedule: None,
                });
            }
            Verdict::NoProgress(_) if alone => {
                notes.push(format!("{name}: waits for other workgroups, so loom sees only what comes before"));
            }
            Verdict::NoProgress(_) => {
                self.waits = true;
                notes.push(format!("{name}: no progress, found after {} executions", outcome.iterations));
            }
            Verdict::Limit(limit) => {
                self.inside_unseen |= matches!(limit, Limit::InsideSubgroup(..));
                self.undecided(name, &words(&limit), notes);
            }
        }
    }
}

fn with_threads(why: &str) -> String {
    format!("{why} (loom has threads for {MOST_UNITS} units)")
}

fn words(limit: &Limit) -> String {
    match limit {
        Limit::Iterations(most) => format!("{most} executions were not enough"),
        Limit::Duration => "the time was up".to_owned(),
        Limit::Branches(most) => format!("an execution had more than {most} choices"),
        Limit::Instructions(span) => format!("the instruction budget ran out at line {}", span.line),
        Limit::Operations(most) => format!("a unit did more than {most} operations"),
        Limit::Granules(most) => format!("more than {most} places are contested"),
        Limit::Accesses(most) => format!("more than {most} accesses between two scheduling points"),
        Limit::Divergence => "barriers diverge, which this engine does not judge".to_owned(),
        Limit::Arrival => {
            "a named barrier of a part of the subgroups, or that some only arrive at, is not modelled by this engine"
                .to_owned()
        }
        Limit::EarlierDispatch(budget) => format!("an earlier dispatch ran out of {budget}"),
        Limit::InsideSubgroup(first, second) => {
            let lines = match (first.line, second.line) {
                (one, other) if one == other => format!("line {one}"),
                (one, other) => format!("lines {one} and {other}"),
            };
            format!(
                "invocations of one subgroup touch the same bytes at {lines} with no barrier between, and loom tells \
                 subgroups apart, not the invocations of one"
            )
        }
        Limit::Loom(text) => text.clone(),
    }
}
