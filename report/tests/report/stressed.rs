//! The stress report: for a person, and against its schema.

use std::time::Duration;

use gridproof_report::human::Options;
use gridproof_report::model::Verdict;
use gridproof_report::stress::{FirstWrong, Mode, Row, Runs, Sanitized, StressReport, json, render};
use serde_json::Value;

use crate::{made, schema};

fn wrong(element: u64, bytes: u64) -> Option<FirstWrong> {
    Some(FirstWrong { buffer: "output".to_owned(), element, bytes })
}

fn runs(mode: Mode, delays: usize, all: &[Option<FirstWrong>]) -> Runs {
    let mut runs = Runs { delays, ..Runs::new(mode) };
    all.iter().for_each(|one| runs.add(one.clone()));
    runs
}

fn report() -> StressReport {
    let mut racy = Row::new("kernel:fused n=4".to_owned(), &made::racy(), ["kernel.cu:7".to_owned()].into_iter());
    racy.runs = vec![
        runs(Mode::Plain, 0, &[None, None]),
        runs(Mode::Company, 0, &[None, wrong(1_234, 9)]),
        runs(Mode::Delays, 3, &[wrong(5, 2_000), wrong(7, 3_000)]),
    ];
    racy.sanitized = vec![Sanitized { tool: "racecheck".to_owned(), summary: "RACECHECK SUMMARY: 0".to_owned() }];
    let clean = made::report(Verdict::RaceFree, Vec::new());
    let mut right = Row::new("kernel:split n=4".to_owned(), &clean, std::iter::empty());
    right.runs = vec![runs(Mode::Plain, 0, &[None])];
    let mut wrongly = Row { name: "kernel:split n=5".to_owned(), ..right.clone() };
    wrongly.runs[0].fault("the kernel faulted".to_owned());
    let mut not_run = Row { name: "kernel:split n=6".to_owned(), ..right.clone() };
    not_run.runs = vec![Runs { not_run: Some("too little memory".to_owned()), ..Runs::new(Mode::Plain) }];
    let mut unseen = Row { name: "kernel:fused n=1".to_owned(), ..racy.clone() };
    unseen.runs.truncate(1);
    StressReport {
        device: "Device 0".to_owned(),
        runs: 2,
        rows: vec![racy, right, wrongly, unseen, not_run],
        elapsed: Duration::from_secs(3),
    }
}

#[test]
fn for_a_person() {
    insta::assert_snapshot!("stress", render(&report(), &Options::default()));
}

#[test]
fn the_first_wrong_element_of_all_runs_is_told_with_the_most_bytes() {
    let runs = runs(Mode::Plain, 0, &[wrong(9, 1), None, wrong(3, 2), wrong(5, 8)]);
    assert_eq!((runs.done, runs.wrong, runs.most_bytes), (4, 3, 8));
    assert_eq!(runs.first.map(|first| first.element), Some(3));
}

#[test]
fn it_fits_the_schema_which_notices_what_is_wrong() {
    let root = schema::file("stress-v1.json");
    let mut value: Value = serde_json::from_str(&json(&report())).unwrap();
    assert_eq!(schema::faults(&value, &root, &root, "report"), Vec::<String>::new());
    let known = |name: &str, value: &Value| {
        let properties = root.pointer(&format!("/$defs/{name}")).unwrap()["properties"].as_object().unwrap();
        assert!(value.as_object().unwrap().keys().all(|key| properties.contains_key(key)), "{name}: {value}");
    };
    known("launch", &value["launches"][0]);
    known("runs", &value["launches"][0]["runs"][1]);
    value["launches"][0]["runs"][0]["mode"] = "fast".into();
    assert_eq!(schema::faults(&value, &root, &root, "report").len(), 1);
}
