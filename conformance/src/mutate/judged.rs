//! One launch, as it is or edited, with what decides whether a mutant is noticed.

use gridproof_launch::{Change, Edit, Launch, Site};
use gridproof_simulator::explore::explore;
use gridproof_simulator::finding::{Finding, Rule};
use gridproof_simulator::ir::SourceFile;
use gridproof_simulator::memory::Image;
use gridproof_simulator::{Exhausted, Outcome, SimulateError, ladder, prove};

use crate::check::{CheckOptions, counts, within_check};

/// What came of a launch.
pub(super) struct Judged {
    pub findings: Vec<Finding>,
    pub files: Vec<SourceFile>,
    pub exhausted: Option<Exhausted>,
    /// Why not every schedule is decided, where that is so.
    pub undecided: Option<String>,
    /// The buffers at the end: of the one run that decides all, or of all that exploration found.
    pub outputs: Vec<Vec<Image>>,
    pub instructions: u64,
    /// Whether it was explored, which takes the invocations of one subgroup together between two turns.
    pub explored: bool,
}

/// Proves a launch, or explores it where one run does not decide it.
pub(super) fn judge(launch: &Launch, options: &CheckOptions) -> Result<Judged, SimulateError> {
    if gridproof_simulator::depends_on_atomics(launch, &options.config)? {
        let exploration = explore(launch, &options.config, &within_check().options(options))?;
        let stopped = exploration.stopped.filter(|_| exploration.outcome.exhausted.is_none());
        let undecided = stopped.map(|_| format!("{} executions were not all there are", exploration.executions));
        let outputs = exploration.outputs.into_iter().map(|output| output.buffers).collect();
        return Ok(Judged { outputs, undecided, explored: true, ..Judged::of(exploration.outcome) });
    }
    let mut outcome = prove(launch, &options.config)?;
    let undecided = (!outcome.decides_every_schedule).then(|| "one run does not decide the launch".to_owned());
    let buffers = std::mem::take(&mut outcome.buffers);
    Ok(Judged { outputs: vec![buffers], undecided, ..Judged::of(outcome) })
}

impl Judged {
    fn of(outcome: Outcome) -> Self {
        Self {
            findings: outcome.findings,
            files: outcome.files,
            exhausted: outcome.exhausted,
            undecided: None,
            outputs: Vec::new(),
            instructions: outcome.stats.instructions,
            explored: false,
        }
    }

    /// What makes the launch wrong as it is.
    pub fn wrong(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| counts(finding))
    }

    /// Findings that `other` does not have at the same places, the most serious first.
    pub fn beyond<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Finding> {
        let key = |finding: &Finding| {
            let place = |pc: u32, dispatch: u32| (pc, dispatch);
            let second = finding.second.as_ref().map(|site| place(site.pc, site.dispatch));
            // What is benign or declared with it may not be without.
            (counts(finding), finding.rule, place(finding.first.pc, finding.first.dispatch), second)
        };
        let known: Vec<_> = other.findings.iter().map(key).collect();
        let new = move |finding: &&Finding| !known.contains(&key(finding));
        let (serious, other): (Vec<_>, Vec<_>) = self.findings.iter().filter(new).partition(|finding| counts(finding));
        serious.into_iter().chain(other)
    }

    /// Whether some run stopped at a trap.
    pub fn trapped(&self) -> bool {
        self.findings.iter().any(|finding| finding.rule == Rule::Trap)
    }

    /// Output bytes in which the closest run of `other` differs, for the run that differs most.
    pub fn differing_bytes(&self, other: &Self, launch: &Launch) -> u64 {
        let outcome = |buffers: &Vec<Image>| Outcome { buffers: buffers.clone(), ..Outcome::empty() };
        let others: Vec<Outcome> = other.outputs.iter().map(outcome).collect();
        let closest = |buffers: &Vec<Image>| {
            let own = outcome(buffers);
            others.iter().map(|other| ladder::differing_outputs(launch, other, &own)).min().unwrap_or(0)
        };
        self.outputs.iter().map(closest).max().unwrap_or(0)
    }
}

/// The launch with a change at each of some sites.
pub(super) fn edited<'a>(launch: &Launch, sites: impl Iterator<Item = &'a Site> + Clone, change: Change) -> Launch {
    let mut launch = launch.clone();
    for module in &mut launch.modules {
        module.edits.extend(sites.clone().map(|site| Edit { site: site.clone(), change }));
    }
    launch
}
