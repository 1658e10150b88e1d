//! The bench report: for a person, as a plot, and against its schema.

use std::collections::BTreeSet;
use std::time::Duration;

use gridproof_report::bench::{BenchReport, Machine, Measured, Resources, Row, page, render};
use gridproof_report::human::{Amount, Options};
use gridproof_report::json;
use serde_json::{Value, json};

use crate::schema;

fn measured(microseconds: f64, is_cold: bool) -> Result<Measured, String> {
    Ok(Measured {
        read: 1_500_000,
        written: 300_000,
        handed_on: 100_000,
        bytes: 2_000_000,
        samples: vec![microseconds, microseconds + 0.25, microseconds - 0.25],
        microseconds,
        copies: 3,
        launches: 60,
        is_cold,
        resources: vec![Resources {
            entry: "main".to_owned(),
            registers: 96,
            workgroup_bytes: 2_048,
            private_bytes: 16,
        }],
    })
}

fn row(variant: &str, shape: &str, measured: Result<Measured, String>) -> Row {
    Row { kernel: "kernel".to_owned(), variant: variant.to_owned(), shape: shape.to_owned(), measured }
}

fn report() -> BenchReport {
    BenchReport {
        machine: Machine {
            leg: "cuda:0".to_owned(),
            device: "A <device>".to_owned(),
            driver: Some("580.65.06".to_owned()),
            cuda: "13.0".to_owned(),
            compiler: "NVRTC 13.1".to_owned(),
            arithmetic: "fused".to_owned(),
            clock_khz: 1_980_000,
            memory_clock_khz: 2_500_000,
            bus_bits: 8000,
            cache: 60 << 20,
            copy_length: 1 << 30,
            copy_rate: 4_000_000.0,
        },
        rows: vec![
            row("fast", "n=1", measured(0.625, true)),
            row("slow", "n=1,long=shape", measured(1250.0, false)),
            row("broken", "n=2", Err("the kernel <faulted>".to_owned())),
        ],
        elapsed: Duration::from_millis(2500),
    }
}

#[test]
fn the_table_of_a_run() {
    insta::assert_snapshot!("bench_normal", render(&report(), &Options::default()));
    let options = Options { amount: Amount::Brief, ..Options::default() };
    let unknown = Machine { leg: "cuda:1".to_owned(), copy_rate: 1.0, ..Machine::default() };
    let nothing = BenchReport { machine: unknown.clone(), ..BenchReport::default() };
    insta::assert_snapshot!("bench_brief", render(&nothing, &options));
    assert_eq!(unknown.peak_rate(), None);
    assert!(render(&nothing, &Options::default()).contains("unknown version, for CUDA"));
}

#[test]
fn rates_are_bytes_by_time() {
    let report = report();
    let fast = report.rows[0].measured.as_ref().unwrap();
    assert_eq!((fast.rate(), fast.share(&report.machine), fast.spread()), (3_200_000.0, 0.8, 0.8));
    // 2.5 GHz, two transfers of 1,000 bytes each.
    assert_eq!(report.machine.peak_rate(), Some(5_000_000.0));
}

#[test]
fn the_plot_has_a_bar_for_each_time_and_no_markup_of_others() {
    let page = page(&report());
    assert_eq!(page.matches("<rect ").count(), 2);
    // 80 % of 420 pixels, and next to nothing.
    assert!(page.contains("width=\"336\"") && page.contains("width=\"0\""), "{page}");
    assert!(page.contains("80.0 % · 0.6 us · 3.20 TB/s<") && page.contains("0.00 TB/s · warm?"), "{page}");
    assert!(page.contains("not measured: the kernel &lt;faulted&gt;") && !page.contains("<device>"), "{page}");
    assert!(
        !page.contains(" style=") && !page.contains("http-equiv=\"refresh"),
        "the policy forbids styles of elements"
    );
}

#[test]
fn every_key_fits_the_schema_and_none_is_missing_there() {
    let root = schema::file("bench-v1.json");
    let value: Value = serde_json::from_str(&json::bench(&report())).unwrap();
    assert_eq!(schema::faults(&value, &root, &root, "report"), Vec::<String>::new());
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let known = |value: &Value, schema: &Value| assert_eq!(keys(value), keys(&schema["properties"]));
    known(&value, &root);
    known(&value["machine"], &root["$defs"]["machine"]);
    known(&value["rows"][2], &root["$defs"]["row"]);
    known(&value["rows"][0]["measured"], &root["$defs"]["measured"]);
    assert_eq!(value["rows"][0]["measured"]["share_of_floor"], json!(0.8));
    assert_eq!(value["rows"][2]["measured"], Value::Null);
    assert_eq!(value["machine"]["copy_bytes_per_second"], json!(4e12));
}

#[test]
fn the_schema_notices_what_is_wrong() {
    let root = schema::file("bench-v1.json");
    for (pointer, wrong) in [
        ("/version", json!(2)),
        ("/machine/driver", json!(580)),
        ("/rows/0/measured", json!({ "microseconds": 1 })),
        ("/rows/0/measured/samples/1", json!("fast")),
        ("/rows/2/not_measured", json!(7)),
    ] {
        let mut value: Value = serde_json::from_str(&json::bench(&report())).unwrap();
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert_eq!(schema::faults(&value, &root, &root, "report").len(), 1, "{pointer}");
    }
}
