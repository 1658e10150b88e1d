//! The matrix as JUnit XML: one test case per cell, in a class for each leg.

use std::time::Duration;

use super::{CellResult, MatrixReport};
use crate::RenderError;
use crate::junit::{Case, Outcome, suite};

/// All cells. What a baseline accepts passes, and says so.
///
/// # Errors
/// When the format's library fails; no report is known to cause it.
pub fn render(report: &MatrixReport) -> Result<String, RenderError> {
    let missing = report.missing.iter().map(|share| Case {
        name: share.clone(),
        class: "gridproof.conform.shares".to_owned(),
        outcome: Outcome::Failed("its report was not given".to_owned()),
        elapsed: Duration::ZERO,
    });
    suite(
        "conform",
        missing.chain(report.cells.iter().map(|cell| {
            let outcome = match &cell.result {
                CellResult::Agreed => Outcome::Passed,
                CellResult::Disagreed(reason) => match report.acceptance(cell) {
                    Some(accepted) => Outcome::Accepted(format!("{reason}\naccepted: {accepted}")),
                    None => Outcome::Failed(reason.clone()),
                },
                CellResult::Skipped(reason) => Outcome::Skipped(reason.clone()),
            };
            Case {
                name: cell.name.clone(),
                class: format!("gridproof.conform.{}", cell.leg),
                outcome,
                elapsed: Duration::try_from_secs_f64(cell.seconds).unwrap_or_default(),
            }
        })),
    )
}
