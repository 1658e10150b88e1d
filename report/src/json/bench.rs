//! The bench report for programs.

use serde_json::{Value, json};

use super::VERSION;
use super::write::print;
use crate::bench::{BenchReport, Machine, Resources, Row};

/// The bench report. `report/schema/bench-v1.json` describes every key.
pub fn bench(report: &BenchReport) -> String {
    print(&json!({
        "version": VERSION,
        "machine": machine(&report.machine),
        "rows": report.rows.iter().map(|one| row(one, &report.machine)).collect::<Vec<_>>(),
        "seconds": report.elapsed.as_secs_f64(),
    }))
}

fn machine(machine: &Machine) -> Value {
    json!({
        "leg": machine.leg,
        "device": machine.device,
        "driver": machine.driver,
        "cuda": machine.cuda,
        "compiler": machine.compiler,
        "arithmetic": machine.arithmetic,
        "clock_khz": machine.clock_khz,
        "memory_clock_khz": machine.memory_clock_khz,
        "bus_bits": machine.bus_bits,
        "cache": machine.cache,
        "copy_length": machine.copy_length,
        "copy_bytes_per_second": machine.copy_rate * 1e6,
    })
}

fn resources(kernel: &Resources) -> Value {
    json!({
        "entry": kernel.entry,
        "registers": kernel.registers,
        "workgroup_bytes": kernel.workgroup_bytes,
        "private_bytes": kernel.private_bytes,
    })
}

fn row(row: &Row, machine: &Machine) -> Value {
    let measured = row.measured.as_ref().ok().map(|measured| {
        json!({
            "microseconds": measured.microseconds,
            "samples": measured.samples,
            "read": measured.read,
            "written": measured.written,
            "handed_on": measured.handed_on,
            "bytes": measured.bytes,
            "bytes_per_second": measured.rate() * 1e6,
            "share_of_floor": measured.share(machine),
            "copies": measured.copies,
            "launches": measured.launches,
            "cold": measured.is_cold,
            "resources": measured.resources.iter().map(resources).collect::<Vec<_>>(),
        })
    });
    json!({
        "kernel": row.kernel,
        "variant": row.variant,
        "shape": row.shape,
        "measured": measured,
        "not_measured": row.measured.as_ref().err(),
    })
}
