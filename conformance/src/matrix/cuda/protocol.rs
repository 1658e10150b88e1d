//! What the matrix and a worker say to each other: one JSON value in a line.
//!
//! A worker begins with `Ready` or `Unavailable`. Then, for every `Cell`: it asks for the device with `Turn`, waits for
//! `Go`, says `Ran` when it no longer uses the device, and ends with `Done`. A cell that needs no device is `Done` at
//! once.

use gridproof_launch::Arithmetic;
use gridproof_report::matrix::CellResult;
use serde::{Deserialize, Serialize};

use super::super::case_file::{Case, profile};

/// What a worker is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// A cell to run.
    Cell(CellText),
    /// The device is free.
    Go,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Ready(Ready),
    /// Why the device cannot be used.
    Unavailable(String),
    /// May I use the device?
    Turn,
    /// I no longer use it.
    Ran,
    Done(Reply),
}

/// A device that was opened and measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ready {
    /// Device, driver and compiler.
    pub device: String,
    /// The profiles in which it may be compared.
    pub profiles: Vec<String>,
}

/// A case as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CellText {
    kernel: String,
    variant: String,
    shape: String,
    seed: u64,
    arithmetic: String,
}

impl CellText {
    pub fn new(case: &Case) -> Self {
        Self {
            kernel: case.kernel.clone(),
            variant: case.variant.clone(),
            shape: case.shape.clone(),
            seed: case.seed,
            arithmetic: case.arithmetic.to_string(),
        }
    }

    /// The case, without legs.
    pub fn case(&self) -> Result<Case, String> {
        let arithmetic: Arithmetic = profile(&self.arithmetic)?;
        Ok(Case {
            kernel: self.kernel.clone(),
            variant: self.variant.clone(),
            shape: self.shape.clone(),
            seed: self.seed,
            arithmetic,
            subgroup_sizes: Vec::new(),
            legs: Vec::new(),
            file: String::new(),
        })
    }
}

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reply {
    outcome: Outcome,
    reason: String,
    /// Whether the worker has lost its device, so that it is of no more use.
    pub lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Agreed,
    Disagreed,
    Skipped,
}

impl Reply {
    pub fn new(result: CellResult, lost: bool) -> Self {
        let (outcome, reason) = match result {
            CellResult::Agreed => (Outcome::Agreed, String::new()),
            CellResult::Disagreed(reason) => (Outcome::Disagreed, reason),
            CellResult::Skipped(reason) => (Outcome::Skipped, reason),
        };
        Self { outcome, reason, lost }
    }

    pub fn result(self) -> CellResult {
        match self.outcome {
            Outcome::Agreed => CellResult::Agreed,
            Outcome::Disagreed => CellResult::Disagreed(self.reason),
            Outcome::Skipped => CellResult::Skipped(self.reason),
        }
    }
}
