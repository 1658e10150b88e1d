//! The table for a person.

use super::{BenchReport, Machine, Row};
use crate::human::{Amount, Options};
use crate::text::{bytes, count, number, plain, seconds};

/// Columns before the texts of the header.
const LABELS: usize = 14;

const HEADINGS: [&str; 8] = ["kernel", "variant", "shape", "us", "spread", "bytes", "TB/s", "of the floor"];

/// Columns that hold words; the others hold numbers, which are flush right.
const WORDS: usize = 3;

/// The machine, a line for each launch, and what the columns mean.
pub fn render(report: &BenchReport, options: &Options) -> String {
    let mut text = format!("{}: {}\n", plain(&report.machine.leg), plain(&report.machine.device));
    if options.amount != Amount::Brief {
        text.extend(facts(&report.machine).iter().map(|(label, fact)| format!("  {label:<LABELS$}  {fact}\n")));
    }
    text.push('\n');
    let lines: Vec<[String; 8]> = report.rows.iter().map(|row| fields(row, &report.machine)).collect();
    let widths: [usize; 8] = std::array::from_fn(|column| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
    });
    text += &line(&HEADINGS.map(str::to_owned), &widths);
    for (row, fields) in report.rows.iter().zip(&lines) {
        text += &line(fields, &widths);
        text.extend(notes(row).map(|note| format!("    {note}\n")));
    }
    if options.amount != Amount::Brief {
        text += &resources(&report.rows);
    }
    let rows = count(report.rows.len() as u64, "row");
    text + &format!("\n{rows}, in {}\n", seconds(report.elapsed))
}

/// What is known about the machine: a label and words.
pub(super) fn facts(machine: &Machine) -> Vec<(&'static str, String)> {
    let clock = |kilohertz: u32| match kilohertz {
        0 => "unknown".to_owned(),
        kilohertz => format!("at most {} MHz", number(kilohertz / 1000)),
    };
    let driver = machine.driver.as_deref().map_or_else(|| "unknown version".to_owned(), plain);
    let cache = if machine.cache == 0 { "unknown".to_owned() } else { bytes(machine.cache) };
    let peak = machine.peak_rate().map_or_else(String::new, |peak| {
        format!(", {:.0} % of the {} that its memory clock and bus give", 100.0 * machine.copy_rate / peak, tera(peak))
    });
    vec![
        ("driver", format!("{driver}, for CUDA {}", plain(&machine.cuda))),
        ("compiler", plain(&machine.compiler)),
        ("arithmetic", plain(&machine.arithmetic)),
        (
            "clocks",
            format!(
                "{}, memory {}; the driver does not tell the current ones",
                clock(machine.clock_khz),
                clock(machine.memory_clock_khz)
            ),
        ),
        ("cache", cache),
        (
            "copy bandwidth",
            format!("{}, copies of {} read and written{peak}", tera(machine.copy_rate), bytes(machine.copy_length)),
        ),
        ("us", "median of the samples; spread is from the fastest to the slowest".to_owned()),
        ("bytes", "what must cross the memory bus at least".to_owned()),
        ("of the floor", "the time of those bytes at copy bandwidth, by the time measured".to_owned()),
    ]
}

fn tera(bytes_per_microsecond: f64) -> String {
    format!("{:.2} TB/s", bytes_per_microsecond * 1e-6)
}

fn fields(row: &Row, machine: &Machine) -> [String; 8] {
    let names = [&row.kernel, &row.variant, &row.shape].map(|name| plain(name));
    let [kernel, variant, shape] = names;
    let numbers = match &row.measured {
        Ok(measured) => [
            format!("{:.1}", measured.microseconds),
            format!("{:.1} %", 100.0 * measured.spread()),
            number(measured.bytes),
            format!("{:.2}", measured.rate() * 1e-6),
            format!("{:.1} %", 100.0 * measured.share(machine)),
        ],
        Err(_) => ["-"; 5].map(str::to_owned),
    };
    let [time, spread, bytes, rate, share] = numbers;
    [kernel, variant, shape, time, spread, bytes, rate, share]
}

/// What the kernels of the rows take: a kernel once, however many rows have it.
fn resources(rows: &[Row]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for row in rows {
        for kernel in row.measured.iter().flat_map(|measured| &measured.resources) {
            let line = format!(
                "  {}, {}: {} registers, {} of workgroup memory, {} of private memory\n",
                plain(&row.kernel),
                plain(&kernel.entry),
                number(kernel.registers),
                bytes(kernel.workgroup_bytes.into()),
                bytes(kernel.private_bytes.into()),
            );
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if lines.is_empty() {
        String::new()
    } else {
        format!("\nthe kernels take, for an invocation or a workgroup\n{}", lines.concat())
    }
}

fn notes(row: &Row) -> impl Iterator<Item = String> {
    let note = match &row.measured {
        Ok(measured) if measured.is_cold => None,
        Ok(measured) => Some(format!(
            "the cache may be warm: there was memory for {} copies of the buffers only",
            number(measured.copies)
        )),
        Err(reason) => Some(format!("not measured: {}", plain(reason))),
    };
    note.into_iter()
}

fn line(fields: &[String; 8], widths: &[usize; 8]) -> String {
    let cells = fields.iter().zip(widths).enumerate().map(|(column, (field, &width))| match column < WORDS {
        true => format!("{field:<width$}"),
        false => format!("{field:>width$}"),
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
}
