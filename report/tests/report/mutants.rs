//! The mutation report: for a person, and against its schema.

use std::time::Duration;

use gridproof_launch::{Construct, Site};
use gridproof_report::human::{Amount, Options};
use gridproof_report::json;
use gridproof_report::mutation::{Evidence, Fate, Kernel, LeftOut, Mutant, MutationReport, Together, render};
use gridproof_simulator::Exhausted;
use gridproof_simulator::ir::SourceFile;
use serde_json::{Value, json};

use crate::{made, schema};

fn mutant(construct: Construct, after: &str, needle: &str, fate: Fate) -> Mutant {
    let span = made::span(after, needle);
    let site = Site { file: "kernel.wgsl".to_owned(), line: span.line, column: span.column, construct };
    Mutant { site, span, entries: vec!["main".to_owned()], fate }
}

fn files() -> Vec<SourceFile> {
    vec![SourceFile { name: "kernel.wgsl".to_owned(), text: Some(made::KERNEL.into()) }]
}

fn needed(launch: usize, evidence: Evidence) -> Fate {
    Fate::Needed { launch, evidence: Box::new(evidence) }
}

fn kernel(launches: &[&str]) -> Kernel {
    let finding = Box::new(made::cross_workgroup_race());
    let exhausted =
        Exhausted { budget: "instructions", limit: 16_000_000, workgroups_done: 1, workgroups: 2, at: None };
    let undecided = Fate::Undecided { launch: 0, reason: "20000 executions were not all there are".to_owned() };
    Kernel {
        name: "kernel:variant (wgsl)".to_owned(),
        launches: launches.iter().map(|&launch| launch.to_owned()).collect(),
        files: files(),
        mutants: vec![
            mutant(Construct::Guard, "fn main", "load(i)", needed(0, Evidence::Outputs { differing_bytes: 8 })),
            mutant(Construct::Barrier, "fn main", "workgroupBarrier()", Fate::Redundant),
            mutant(Construct::Barrier, "let total", "partial[0]", Fate::Redundant),
            mutant(Construct::Barrier, "let total", "partial[i]", Fate::Idle),
            mutant(Construct::Guard, "let offset", "row.x", Fate::Idle),
            mutant(Construct::Guard, "let offset", "16384u", Fate::Redundant),
            mutant(Construct::Barrier, "output[offset]", "partial[i]", undecided),
            mutant(Construct::Guard, "output[offset]", "residual[i]", needed(1, Evidence::Endless { exhausted })),
            mutant(
                Construct::Barrier,
                "output[offset]",
                "x + 1.0",
                needed(0, Evidence::Finding { finding, others: 2, files: files() }),
            ),
        ],
        together: Some(Together { without: vec![1], not_with_these: vec![2] }),
        ..Kernel::default()
    }
}

fn report(kernels: Vec<Kernel>) -> MutationReport {
    MutationReport { kernels, elapsed: Duration::from_millis(1500) }
}

fn left_out(reason: &str, wrong: bool) -> LeftOut {
    LeftOut { launch: "n=9".to_owned(), reason: reason.to_owned(), wrong }
}

fn skipped() -> Kernel {
    let reason = "wrong as it is: GP0001: race between workgroups on `a`";
    Kernel {
        name: "other:variant (wgsl)".to_owned(),
        skipped: Some(reason.to_owned()),
        left_out: vec![left_out(reason, true)],
        ..Kernel::default()
    }
}

fn several() -> MutationReport {
    let all = Kernel { left_out: vec![left_out("too large", false)], ..kernel(&["n=1", "n=2"]) };
    report(vec![all, skipped()])
}

#[test]
fn for_a_person() {
    insta::assert_snapshot!("mutation_several", render(&several(), &Options::default()));
    let brief = Options { amount: Amount::Brief, ..Options::default() };
    insta::assert_snapshot!("mutation_brief", render(&several(), &brief));
}

#[test]
fn a_kernel_that_is_wrong_elsewhere_is_mended_first() {
    let mut one = kernel(&["n=1"]);
    one.mutants.truncate(2);
    one.left_out = vec![left_out("wrong as it is: GP0001", true)];
    one.explored = true;
    one.together = None;
    insta::assert_snapshot!("mutation_wrong", render(&report(vec![one]), &Options::default()));
}

#[test]
fn every_key_fits_the_schema_and_none_is_missing_there() {
    let root = schema::file("mutation-v1.json");
    let value: Value = serde_json::from_str(&json::mutation(&several())).unwrap();
    assert_eq!(schema::faults(&value, &root, &root, "report"), Vec::<String>::new());
    let known = |name: &str, value: &Value| {
        let properties = root.pointer(&format!("/$defs/{name}")).unwrap()["properties"].as_object().unwrap();
        let keys = value.as_object().unwrap().keys().filter(|key| !properties.contains_key(*key));
        assert_eq!(keys.collect::<Vec<_>>(), Vec::<&String>::new(), "{name}");
    };
    for kernel in value["kernels"].as_array().unwrap() {
        known("kernel", kernel);
        kernel["left_out"].as_array().unwrap().iter().for_each(|one| known("left_out", one));
        for mutant in kernel["mutants"].as_array().unwrap() {
            known("mutant", mutant);
            if let Some(kind) = mutant["evidence"]["kind"].as_str() {
                known(kind, &mutant["evidence"]);
            }
        }
    }
}

#[test]
fn the_schema_notices_what_is_wrong() {
    let root = schema::file("mutation-v1.json");
    for (pointer, wrong) in [
        ("/kernels/0/mutants/0/fate", json!("fine")),
        ("/kernels/0/mutants/0/evidence", json!({ "kind": "outputs" })),
        ("/kernels/0/mutants/8/evidence/first/workgroup", json!("0")),
        ("/kernels/0/together", json!({})),
    ] {
        let mut value: Value = serde_json::from_str(&json::mutation(&several())).unwrap();
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert_eq!(schema::faults(&value, &root, &root, "report").len(), 1, "{pointer}");
    }
}
