//! The launches that mutants are run on, as they are: what each is compared with.

use gridproof_launch::{Dispatch, Launch};
use gridproof_report::mutation::LeftOut;
use gridproof_report::verdict;
use gridproof_report::words::words;
use gridproof_simulator::SimulateError;

use super::judged::{Judged, judge};
use crate::check::CheckOptions;

/// How many times the instructions of the whole launch as it is a workgroup of a mutant may take.
const PATIENCE: u64 = 8;

/// A launch that nobody has looked at.
pub(super) struct Candidate {
    /// Its name in reports.
    pub name: String,
    /// What runs, CUDA C++ compiled.
    pub launch: Launch,
    /// How.
    pub options: CheckOptions,
}

/// A launch that is right as it is.
pub(super) struct Case {
    pub name: String,
    pub launch: Launch,
    /// How mutants of it run.
    pub options: CheckOptions,
    pub as_it_is: Judged,
}

/// Runs a launch as it is. What is wrong, unsupported or not decided is no measure for mutants, and is left out.
pub(super) fn case(candidate: Candidate) -> Result<Result<Case, LeftOut>, SimulateError> {
    let Candidate { name, launch, mut options } = candidate;
    let left_out = |reason, wrong| Ok(Err(LeftOut { launch: name.clone(), reason, wrong }));
    let as_it_is = match judge(&launch, &options) {
        Ok(judged) => judged,
        Err(SimulateError::Unsupported(unsupported)) => return left_out(unsupported.to_string(), false),
        Err(error) => return Err(error),
    };
    if let Some(wrong) = as_it_is.wrong() {
        let title = words(wrong, &as_it_is.files, None).title;
        return left_out(format!("wrong as it is: {}: {title}", wrong.rule.code()), true);
    }
    if let Some(exhausted) = &as_it_is.exhausted {
        return left_out(verdict::exhausted_words(exhausted, &as_it_is.files), false);
    }
    if let Some(reason) = &as_it_is.undecided {
        return left_out(reason.clone(), false);
    }
    // Workgroups share a budget equally, and one may do nearly all the work.
    let workgroups = launch.dispatches.iter().filter_map(Dispatch::workgroups).max().unwrap_or(1).max(1);
    let patience = as_it_is.instructions.saturating_mul(PATIENCE).saturating_mul(workgroups);
    let budget = &mut options.config.budget;
    budget.instructions = budget.instructions.min(patience);
    Ok(Ok(Case { name, launch, options, as_it_is }))
}
