//! How far a campaign is.

use std::path::Path;
use std::time::Duration;

use gridproof_conformance::check::quoted;
use gridproof_report::fuzz::{Campaign, FuzzFinding};
use serde::{Deserialize, Serialize};

use super::finding::{Findings, Record};

/// What one client has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Inputs tried.
    pub executions: u64,
    /// Inputs that were refused by those who validate them.
    pub rejected: u64,
    /// Inputs that could not be tried: a compiler or a program is missing, a budget ran out.
    pub skipped: u64,
    /// Inputs of which something does not hold.
    pub failed: u64,
    /// Features that were ever come across.
    pub covered: u64,
}

impl Tally {
    /// Both together; coverage is that of whoever has seen more, as clients see the same features.
    pub fn with(self, other: Self) -> Self {
        Self {
            executions: self.executions + other.executions,
            rejected: self.rejected + other.rejected,
            skipped: self.skipped + other.skipped,
            failed: self.failed + other.failed,
            covered: self.covered.max(other.covered),
        }
    }
}

/// How far a campaign is, or what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Since its start, or since it was resumed.
    pub elapsed: Duration,
    /// What all clients have done since then.
    pub tally: Tally,
    /// Clients that run.
    pub clients: u32,
    /// Clients that ended before their time and were started again.
    pub restarts: u32,
    /// Inputs in the directory.
    pub corpus: usize,
    /// Findings in the directory, with the names of their folders.
    pub findings: Findings,
}

impl Status {
    /// What is reported of a campaign in this folder.
    pub fn report(&self, folder: &Path) -> Campaign {
        let Tally { executions, rejected, skipped, failed, covered } = self.tally;
        let finding = |(name, record): &(String, Record)| {
            let folder = folder.join("findings").join(name).display().to_string();
            FuzzFinding {
                replay: format!("gridproof fuzz replay {}", quoted(&folder)),
                folder,
                property: record.property.clone(),
                subject: record.subject.clone(),
                message: record.message.clone(),
                after: Duration::from_millis(record.after_milliseconds),
            }
        };
        Campaign {
            folder: folder.display().to_string(),
            elapsed: self.elapsed,
            executions,
            rejected,
            skipped,
            failed,
            covered,
            clients: self.clients,
            restarts: self.restarts,
            corpus: self.corpus,
            findings: self.findings.read.iter().map(finding).collect(),
            unreadable: self.findings.unreadable.clone(),
        }
    }
}
