//! A finding tried again, in a process of its own: what hangs, aborts or takes all memory ends that one.

use std::io::{BufRead, BufReader};
use std::path::Path;

use super::client::{Line, scratch};
use super::finding::{Record, read_finding};
use super::guard::{aborted, keep_panics, try_input};
use super::parent::{CampaignError, ended, spawn, was_killed};
use crate::input::{Scope, decode};
use crate::oracle::{Bench, Trial};

/// What came of a finding that was tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What was found.
    pub record: Record,
    /// What came of it now.
    pub trial: Trial,
}

impl Replayed {
    /// Whether it fails as it did.
    pub fn fails_again(&self) -> bool {
        matches!(&self.trial, Trial::Fails(failure) if failure.signature() == self.record.signature())
    }
}

/// Tries the input of a finding's folder in a child, within the limit of its campaign. `executable` is `gridproof` itself.
///
/// # Errors
/// A folder that is no finding; a child that cannot be started or cannot go on.
pub fn replay(folder: &Path, executable: &Path) -> Result<Replayed, CampaignError> {
    let (bytes, record) = read_finding(folder)?;
    // A name that begins with a dash is no path to the child.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut child = spawn(executable, &folder, 0, 0)?;
    // It is to stop when this ends, as it does when this process ends.
    let input = child.stdin.take();
    let lines = child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines().map_while(Result::ok));
    let said = lines.filter_map(|line| serde_json::from_str(&line).ok()).last();
    let status = child.wait();
    drop(input);
    // It does so itself unless it was ended.
    drop(std::fs::remove_dir_all(scratch(child.id())));
    let trial = match (said, status) {
        (Some(Line::Tried(trial)), _) => trial,
        (Some(Line::Failed(reason)), _) => return Err(CampaignError::Client(reason)),
        (_, Ok(status)) if was_killed(status) => Trial::Skipped("the process that tried it was killed".into()),
        (_, status) => Trial::Fails(aborted(&decode(&bytes, &record.scope), &ended(status.ok()))),
    };
    Ok(Replayed { record, trial })
}

/// Tries an input in this process; a panic is a failure. Takes away the panic hook.
pub fn replay_bytes(bench: &Bench, bytes: &[u8], scope: &Scope) -> Trial {
    keep_panics();
    try_input(bench, &decode(bytes, scope))
}
