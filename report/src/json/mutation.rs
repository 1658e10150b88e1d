//! The mutation report for programs.

use serde_json::{Value, json};

use super::VERSION;
use super::write::{access, exhausted, print, span};
use crate::mutation::{Evidence, Fate, Kernel, Mutant, MutationReport};
use crate::words::{severity, words};

/// The mutation report. `report/schema/mutation-v1.json` describes every key.
pub fn mutation(report: &MutationReport) -> String {
    print(&json!({
        "version": VERSION,
        "kernels": report.kernels.iter().map(kernel).collect::<Vec<_>>(),
        "seconds": report.elapsed.as_secs_f64(),
    }))
}

fn kernel(kernel: &Kernel) -> Value {
    let site = |position: &usize| kernel.mutants.get(*position).map(|mutant| mutant.site.to_string());
    let sites = |positions: &[usize]| positions.iter().filter_map(site).collect::<Vec<_>>();
    json!({
        "kernel": kernel.name,
        "skipped": kernel.skipped,
        "launches": kernel.launches,
        "explored": kernel.explored,
        "left_out": kernel.left_out.iter().map(|one| {
            json!({ "launch": one.launch, "reason": one.reason, "wrong": one.wrong })
        }).collect::<Vec<_>>(),
        "noticed": kernel.noticed(),
        "mutants": kernel.mutants.iter().map(|one| mutant(one, kernel)).collect::<Vec<_>>(),
        "together": kernel.together.as_ref().map(|together| json!({
            "without": sites(&together.without),
            "not_with_these": sites(&together.not_with_these),
        })),
    })
}

fn mutant(mutant: &Mutant, kernel: &Kernel) -> Value {
    let (launch, reason, found) = match &mutant.fate {
        Fate::Needed { launch, evidence } => (Some(*launch), None, Some(self::evidence(evidence))),
        Fate::Undecided { launch, reason } => (Some(*launch), Some(reason), None),
        Fate::Redundant | Fate::Idle => (None, None, None),
    };
    json!({
        "site": mutant.site.to_string(),
        "construct": mutant.site.construct.name(),
        "span": span(mutant.span, &kernel.files),
        "entries": mutant.entries,
        "fate": mutant.fate.word(),
        "launch": launch.and_then(|launch| kernel.launches.get(launch)),
        "reason": reason,
        "evidence": found,
    })
}

fn evidence(evidence: &Evidence) -> Value {
    match evidence {
        Evidence::Finding { finding, others, files } => json!({
            "kind": "finding",
            "rule": finding.rule.code(),
            "severity": severity(finding.severity),
            "title": words(finding, files, None).title,
            "first": access(&finding.first, files),
            "second": finding.second.as_ref().map(|second| access(second, files)),
            "benign": finding.benign,
            "others": others,
        }),
        Evidence::Outputs { differing_bytes } => json!({ "kind": "outputs", "differing_bytes": differing_bytes }),
        Evidence::Endless { exhausted: ran_out } => {
            json!({ "kind": "endless", "exhausted": exhausted(ran_out, &[]) })
        }
    }
}
