//! What the process says with its exit code.

use std::process::ExitCode;

use gridproof_report::model::{CheckReport, Verdict};

/// The outcome of a command. The codes are public and documented in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Nothing wrong.
    Clean,
    /// Findings, or verdicts that are not the expected ones.
    Findings,
    /// The input is wrong, or we are.
    Error,
    /// No verdict: a budget ran out, a construct is unsupported, a device or a compiler is missing, a device was lost.
    Incomplete,
    /// Nothing was selected, or nothing of it could be checked.
    Nothing,
}

/// The table of exit codes, for `--help`.
pub const HELP: &str = "\
Exit codes:
  0  clean: no findings but accepted ones, or every verdict as expected
  1  findings, or a verdict that is not the expected one
  2  bad input, or an error of gridproof itself
  3  no verdict: a budget ran out, a construct is unsupported, a device or a compiler is missing, a device was lost, a share
     of the matrix is missing
  4  nothing checked: a filter that leaves nothing, a matrix whose every cell was skipped, a report without findings to replay";

impl Exit {
    /// The code of one check.
    pub fn of(report: &CheckReport) -> Self {
        match report.verdict {
            Verdict::RaceFree => Self::Clean,
            Verdict::Racy | Verdict::Faulty if report.open_errors() > 0 => Self::Findings,
            // Everything that was found is accepted; what nobody looked at is not.
            Verdict::Racy | Verdict::Faulty if !report.is_complete() => Self::Incomplete,
            Verdict::Racy | Verdict::Faulty => Self::Clean,
            Verdict::Unsupported | Verdict::Incomplete => Self::Incomplete,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Error => 2,
            Exit::Incomplete => 3,
            Exit::Nothing => 4,
        })
    }
}
