//! Putting an expectation together from what a problem makes of a variant.

use crate::catalogue::{Expectation, ExpectedFinding, Outputs, SafeUnder, Verdict};

/// What has been found so far.
#[derive(Debug, Default)]
pub(crate) struct Found {
    findings: Vec<ExpectedFinding>,
    /// The label of a racy launch.
    pub(crate) safe_under: Option<SafeUnder>,
    /// What the outputs are.
    pub(crate) outputs: Outputs,
}

impl Found {
    /// Adds a finding once, with what it makes of outputs that were right without it.
    pub(crate) fn add(&mut self, rule: &'static str, place: &'static str, outputs: Outputs) {
        let finding = ExpectedFinding { rule, place };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
        if self.outputs == Outputs::Right {
            self.outputs = outputs;
        }
    }

    /// The whole, with its verdict.
    pub(crate) fn expectation(mut self) -> Expectation {
        self.findings.sort_by_key(|finding| (finding.rule, finding.place));
        let racy = self.findings.iter().any(|finding| matches!(finding.rule, "GP0001" | "GP0002"));
        let verdict = match racy {
            true => Verdict::Racy,
            false if self.findings.is_empty() => Verdict::RaceFree,
            false => Verdict::Faulty,
        };
        let safe_under = self.safe_under.unwrap_or(SafeUnder::AnyOrder);
        Expectation { verdict, findings: self.findings, safe_under, outputs: self.outputs }
    }
}
