//! The main job's verdict table: aligned columns for a terminal, tab-separated fields for a pipe.

use annotate_snippets::renderer::{AnsiColor, Style};
use gridproof_simulator::finding::{Finding, Severity};

use crate::model::{CheckReport, Subject, VerdictRow};
use crate::text::{count, plain};
use crate::verdict::{safe_under_short, shape_text};

const HEADINGS: [&str; 8] = ["kernel", "variant", "shape", "verdict", "safe under", "rule", "seconds", "as expected"];

/// Where the table goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A person reads it: aligned columns, a line of totals, what differs below its row.
    Terminal {
        /// Whether to use ANSI colours.
        color: bool,
    },
    /// A program reads it: a line of headings, then one line per row, fields separated by tabs, the last one what
    /// differs.
    Pipe,
}

/// The table with all rows.
pub fn render(rows: &[VerdictRow], layout: Layout) -> String {
    match layout {
        Layout::Pipe => piped(rows),
        Layout::Terminal { color } => aligned(rows, color),
    }
}

/// How many rows are as expected, in one line.
pub fn summary(rows: &[VerdictRow]) -> String {
    let expected = rows.iter().filter(|row| row.as_expected).count() as u64;
    let all = rows.len() as u64;
    match all - expected {
        0 => format!("{}, all as expected", count(all, "verdict")),
        wrong => format!("{}, {wrong} not as expected", count(all, "verdict")),
    }
}

fn fields(row: &VerdictRow) -> [String; 8] {
    let report = &row.report;
    let (kernel, variant, shape) = match &report.subject {
        Subject::Catalogue { kernel, variant, shape, .. } => (plain(kernel), plain(variant), shape_text(shape)),
        Subject::File { module, entry, .. } => (plain(module), plain(entry), String::new()),
    };
    [
        kernel,
        variant,
        shape,
        report.verdict.word().to_owned(),
        safe_under_short(report),
        rules(report),
        format!("{:.2}", report.elapsed.as_secs_f64()),
        if row.as_expected { "yes" } else { "NO" }.to_owned(),
    ]
}

/// Codes of all errors, or of the warnings where there are only those, in order.
fn rules(report: &CheckReport) -> String {
    let of = |severity| {
        let findings = report.findings.iter().filter(move |finding: &&Finding| finding.severity == severity);
        let mut codes: Vec<_> = findings.map(|finding| finding.rule.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    };
    let errors = of(Severity::Error);
    let warnings = of(Severity::Warning);
    match (errors.is_empty(), warnings.is_empty()) {
        (false, _) => errors.join(" "),
        (true, false) => format!("({})", warnings.join(" ")),
        (true, true) => "-".to_owned(),
    }
}

fn piped(rows: &[VerdictRow]) -> String {
    let mut text = HEADINGS.join("\t") + "\tdifference\n";
    for row in rows {
        let difference = plain(row.mismatch.as_deref().unwrap_or_default());
        text += &format!("{}\t{difference}\n", fields(row).join("\t"));
    }
    text
}

fn aligned(rows: &[VerdictRow], color: bool) -> String {
    let fields: Vec<_> = rows.iter().map(fields).collect();
    let widths: [usize; 8] = std::array::from_fn(|column| {
        let cells = fields.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
    });
    let mut text = line(&HEADINGS.map(str::to_owned), &widths, None);
    for (row, fields) in rows.iter().zip(&fields) {
        let style = color.then(|| style(row.as_expected));
        text += &line(fields, &widths, style);
        if let (false, mismatch) = (row.as_expected, row.mismatch.as_deref().unwrap_or("another verdict")) {
            text += &format!("    expected {}: {}\n", plain(&row.expected), plain(mismatch));
        }
    }
    text + "\n" + &summary(rows) + "\n"
}

fn style(as_expected: bool) -> Style {
    let color = if as_expected { AnsiColor::Green } else { AnsiColor::BrightRed };
    color.on_default()
}

/// One line; numbers are flush right, the last field is coloured.
fn line(fields: &[String; 8], widths: &[usize; 8], style: Option<Style>) -> String {
    const SECONDS: usize = 6;
    let mut cells = Vec::new();
    for (column, (field, &width)) in fields.iter().zip(widths).enumerate() {
        cells.push(match column {
            SECONDS => format!("{field:>width$}"),
            _ if column + 1 < fields.len() => format!("{field:<width$}"),
            _ => match style {
                Some(style) => format!("{style}{field}{style:#}"),
                None => field.clone(),
            },
        });
    }
    cells.join("  ") + "\n"
}
