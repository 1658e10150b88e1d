//! Fuzz campaigns: one line while they run, a summary in the end.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::text::plain;

/// How far a campaign is, or what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Campaign {
    /// Its folder.
    pub folder: String,
    /// Since its start, or since it was resumed.
    pub elapsed: Duration,
    /// Inputs tried since then.
    pub executions: u64,
    /// Of these, refused by those who validate them.
    pub rejected: u64,
    /// Of these, not tried for lack of a compiler, a program or a budget.
    pub skipped: u64,
    /// Of these, with something that does not hold.
    pub failed: u64,
    /// Features that were come across.
    pub covered: u64,
    /// Processes that run.
    pub clients: u32,
    /// Processes that ended before their time and were started again.
    pub restarts: u32,
    /// Inputs in the folder.
    pub corpus: usize,
    /// Findings in the folder.
    pub findings: Vec<FuzzFinding>,
    /// Why others in the folder cannot be read, each with its place.
    pub unreadable: Vec<String>,
}

/// One finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FuzzFinding {
    /// Its folder.
    pub folder: String,
    /// What does not hold.
    pub property: String,
    /// What it is about.
    pub subject: String,
    /// What happened.
    pub message: String,
    /// From the start of the client that found it.
    pub after: Duration,
    /// The command that tries it again.
    pub replay: String,
}

impl Campaign {
    /// Inputs tried per second.
    pub fn per_second(&self) -> f64 {
        self.executions as f64 / self.elapsed.as_secs_f64().max(0.001)
    }

    /// The share of inputs that were not refused, from 0 to 1.
    pub fn accepted(&self) -> f64 {
        (self.executions - self.rejected.min(self.executions)) as f64 / self.executions.max(1) as f64
    }
}

/// The line of a campaign that runs.
pub fn line(campaign: &Campaign) -> String {
    let Campaign { executions, covered, corpus, findings, clients, restarts, .. } = campaign;
    let restarts = if *restarts == 0 { String::new() } else { format!(", {restarts} restarts") };
    format!(
        "{:>6.0} s  {executions} inputs, {:.0}/s  coverage {covered}  corpus {corpus}  accepted {:.0} %  findings {}  \
         ({clients} clients{restarts})",
        campaign.elapsed.as_secs_f64(),
        campaign.per_second(),
        100.0 * campaign.accepted(),
        findings.len()
    )
}

/// The summary for a person.
pub fn render(campaign: &Campaign) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        let written = writeln!(text, "{words}");
        debug_assert!(written.is_ok(), "writing to a string succeeds");
    };
    let Campaign { executions, rejected, skipped, failed, covered, corpus, .. } = campaign;
    line(format!("campaign in {}", plain(&campaign.folder)));
    if campaign.elapsed > Duration::ZERO {
        let (seconds, rate) = (campaign.elapsed.as_secs_f64(), campaign.per_second());
        line(format!("  {executions} inputs in {seconds:.1} s, {rate:.1} per second"));
        let accepted = 100.0 * campaign.accepted();
        line(format!(
            "  {accepted:.1} % accepted ({rejected} refused), {skipped} not tried, {failed} with something that fails"
        ));
        line(format!("  {covered} features covered"));
    }
    line(format!("  {corpus} inputs kept"));
    if campaign.restarts > 0 {
        line(format!("  {} clients ended before their time and were started again", campaign.restarts));
    }
    line(format!("  {} findings", campaign.findings.len()));
    for finding in &campaign.findings {
        let after = finding.after.as_secs_f64();
        line(format!("\n{}: {} (after {after:.1} s)", finding.property, plain(&finding.subject)));
        line(format!("  {}", plain(&finding.message)));
        line(format!("  {}", plain(&finding.replay)));
    }
    for reason in &campaign.unreadable {
        line(format!("\ncannot be read: {}", plain(reason)));
    }
    text
}

/// The summary as JSON, version 1.
pub fn json(campaign: &Campaign) -> String {
    let finding = |finding: &FuzzFinding| -> Value {
        json!({
            "folder": finding.folder,
            "property": finding.property,
            "subject": finding.subject,
            "message": finding.message,
            "after_seconds": finding.after.as_secs_f64(),
            "replay": finding.replay,
        })
    };
    let value = json!({
        "version": 1,
        "folder": campaign.folder,
        "seconds": campaign.elapsed.as_secs_f64(),
        "executions": campaign.executions,
        "executions_per_second": campaign.per_second(),
        "rejected": campaign.rejected,
        "accepted_share": campaign.accepted(),
        "skipped": campaign.skipped,
        "failed": campaign.failed,
        "coverage": campaign.covered,
        "corpus": campaign.corpus,
        "restarts": campaign.restarts,
        "findings": campaign.findings.iter().map(finding).collect::<Vec<_>>(),
        "unreadable": campaign.unreadable,
    });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_rates_are_of_the_inputs_tried() {
        let elapsed = Duration::from_secs(4);
        let campaign = Campaign { elapsed, executions: 200, rejected: 50, ..Campaign::default() };
        assert!(line(&campaign).contains("200 inputs, 50/s") && line(&campaign).contains("accepted 75 %"));
        assert!(render(&campaign).contains("75.0 % accepted (50 refused)"));
        assert!(json(&campaign).contains("\"accepted_share\": 0.75"));
    }

    #[test]
    fn what_cannot_be_read_is_told_of() {
        let campaign = Campaign { unreadable: vec!["findings/a/finding.toml: gone".to_owned()], ..Campaign::default() };
        assert!(render(&campaign).contains("findings/a/finding.toml: gone"));
        assert!(json(&campaign).contains("findings/a/finding.toml: gone"));
    }
}
