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
    /// Nothing was selected.
    Nothing,
}

/// The table of exit codes, for `--help`.
pub const HELP: &str = "\
Exit codes:
  0  clean: no findings, or every verdict as expected
  1  findings, or a verdict that is not the expected one
  2  bad input, or an error of gridproof itself
  3  no verdict: a budget ran out, a construct is unsupported, a device or a compiler is missing, a device was lost
  4  nothing selected: a filter that leaves nothing, a report without findings to replay";

impl Exit {
    /// The code of one check.
    pub const fn of(report: &CheckReport) -> Self {
        match report.verdict {
            Verdict::RaceFree => Self::Clean,
            Verdict::Racy | Verdict::Faulty => Self::Findings,
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
