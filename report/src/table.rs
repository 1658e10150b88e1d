//! The main job's verdict table: aligned columns for a terminal, tab-separated fields for a pipe.

use annotate_snippets::renderer::{AnsiColor, Style};
use gridproof_simulator::finding::{Finding, Severity};

use crate::model::{CheckReport, SkippedRow, Subject, VerdictRow, Verdicts};
use crate::text::{count, plain};
use crate::verdict::{safe_under_short, shape_text};

/// Columns.
const COLUMNS: usize = 9;

const HEADINGS: [&str; COLUMNS] =
    ["kernel", "variant", "shape", "language", "verdict", "safe under", "rule", "seconds", "as expected"];

/// Where the table goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A person reads it: aligned columns, a line of totals, what differs below its row.
    Terminal {
        /// Whether to use ANSI colours.
        color: bool,
    },
    /// A program reads it: a line of headings, then one line per row, fields separated by tabs, the last one what
    /// differs, or why the check was skipped.
    Pipe,
}

/// The table with all rows, what was skipped at the end.
pub fn render(verdicts: &Verdicts, layout: Layout) -> String {
    match layout {
        Layout::Pipe => piped(verdicts),
        Layout::Terminal { color } => aligned(verdicts, color),
    }
}

/// How many rows are as expected, and how many were skipped, in one line.
pub fn summary(verdicts: &Verdicts) -> String {
    let expected = verdicts.rows.iter().filter(|row| row.as_expected).count() as u64;
    let all = verdicts.rows.len() as u64;
    let text = match all - expected {
        0 => format!("{}, all as expected", count(all, "verdict")),
        wrong => format!("{}, {wrong} not as expected", count(all, "verdict")),
    };
    match verdicts.skipped.len() {
        0 => text,
        skipped => format!("{text}, {skipped} skipped"),
    }
}

fn fields(row: &VerdictRow) -> [String; COLUMNS] {
    let report = &row.report;
    let [kernel, variant, shape, language] = names(&report.subject);
    [
        kernel,
        variant,
        shape,
        language,
        report.verdict.word().to_owned(),
        safe_under_short(report),
        rules(report),
        format!("{:.2}", report.elapsed.as_secs_f64()),
        if row.as_expected { "yes" } else { "NO" }.to_owned(),
    ]
}

fn skipped_fields(row: &SkippedRow) -> [String; COLUMNS] {
    let [kernel, variant, shape, language] = names(&row.subject);
    let none = || "-".to_owned();
    [kernel, variant, shape, language, "skipped".to_owned(), none(), none(), none(), none()]
}

fn names(subject: &Subject) -> [String; 4] {
    match subject {
        Subject::Catalogue { kernel, variant, shape, language, .. } => {
            [plain(kernel), plain(variant), shape_text(shape), language.to_string()]
        }
        Subject::File { module, entry, .. } => [plain(module), plain(entry), String::new(), String::new()],
    }
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

fn piped(verdicts: &Verdicts) -> String {
    let mut text = HEADINGS.join("\t") + "\tdifference\n";
    for row in &verdicts.rows {
        let difference = plain(row.mismatch.as_deref().unwrap_or_default());
        text += &format!("{}\t{difference}\n", fields(row).join("\t"));
    }
    for row in &verdicts.skipped {
        text += &format!("{}\t{}\n", skipped_fields(row).join("\t"), plain(&row.reason));
    }
    text
}

fn aligned(verdicts: &Verdicts, color: bool) -> String {
    let checked: Vec<_> = verdicts.rows.iter().map(fields).collect();
    let skipped: Vec<_> = verdicts.skipped.iter().map(skipped_fields).collect();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let cells = checked.iter().chain(&skipped).map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
    });
    let mut text = line(&HEADINGS.map(str::to_owned), &widths, None);
    for (row, fields) in verdicts.rows.iter().zip(&checked) {
        let style = color.then(|| style(row.as_expected));
        text += &line(fields, &widths, style);
        if let (false, mismatch) = (row.as_expected, row.mismatch.as_deref().unwrap_or("another verdict")) {
            text += &format!("    expected {}: {}\n", plain(&row.expected), plain(mismatch));
        }
    }
    text.extend(skipped.iter().map(|fields| line(fields, &widths, None)));
    for reason in reasons(&verdicts.skipped) {
        text += &format!("    skipped: {}\n", plain(reason));
    }
    text + "\n" + &summary(verdicts) + "\n"
}

/// Each reason once, in order.
fn reasons(skipped: &[SkippedRow]) -> Vec<&str> {
    let mut reasons: Vec<&str> = Vec::new();
    for row in skipped {
        if !reasons.contains(&row.reason.as_str()) {
            reasons.push(&row.reason);
        }
    }
    reasons
}

fn style(as_expected: bool) -> Style {
    let color = if as_expected { AnsiColor::Green } else { AnsiColor::BrightRed };
    color.on_default()
}

/// One line; numbers are flush right, the last field is coloured.
fn line(fields: &[String; COLUMNS], widths: &[usize; COLUMNS], style: Option<Style>) -> String {
    const SECONDS: usize = 7;
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
