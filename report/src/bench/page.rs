//! The plot: a page for a browser with one bar for each launch, as long as its share of the floor.

use super::human::facts;
use super::{BenchReport, Machine, Row};
use crate::html::document;
use crate::html::escape::{cut, text};
use crate::text::number;

/// Width of the names at the left, in CSS pixels.
const NAMES: usize = 470;
/// Width of a bar that reaches the floor.
const FLOOR: usize = 420;
/// Width of what stands behind the bars.
const NUMBERS: usize = 300;
/// Height of a row.
const ROW: usize = 22;
/// Height above the first row.
const TOP: usize = 26;
/// Longest bar, in shares of the floor: what is handed on in the cache can be faster than memory.
const LONGEST: f64 = 1.25;
/// Most characters of a name.
const NAME: usize = 66;

/// A page with the machine and the plot.
pub fn page(report: &BenchReport) -> String {
    let mut body =
        "<header><p class=\"rule\">bench</p><h1>Share of the floor</h1></header>\n<ul class=\"notes\">\n".to_owned();
    body += &format!("<li>{}: {}</li>\n", text(&report.machine.leg), text(&report.machine.device));
    for (label, fact) in facts(&report.machine) {
        body += &format!("<li>{label}: {}</li>\n", text(&fact));
    }
    body += "</ul>\n<div class=\"scroll\">\n";
    body += &plot(report);
    body += "</div>\n";
    document("gridproof bench", &body)
}

fn plot(report: &BenchReport) -> String {
    let bars = bar(LONGEST);
    let (width, height) = (NAMES + bars + NUMBERS, TOP + ROW * report.rows.len() + 8);
    let mut svg = format!(
        "<svg class=\"run\" role=\"img\" aria-label=\"Share of the floor of each launch\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n"
    );
    for percent in [25, 50, 75, 90, 100] {
        let x = NAMES + FLOOR * percent / 100;
        svg += &format!(
            "<path class=\"lane\" d=\"M{x} {TOP}V{height}\"/><text class=\"head\" x=\"{x}\" y=\"{}\" \
             text-anchor=\"middle\">{percent} %</text>\n",
            TOP - 8
        );
    }
    for (position, row) in report.rows.iter().enumerate() {
        svg += &drawn(row, &report.machine, TOP + ROW * position);
    }
    svg + "</svg>\n"
}

fn drawn(row: &Row, machine: &Machine, y: usize) -> String {
    let name = format!("{}:{} {}", row.kernel, row.variant, row.shape);
    let baseline = y + 15;
    let names =
        format!("<text x=\"8\" y=\"{baseline}\"><title>{}</title>{}</text>", text(&name), text(&cut(&name, NAME)));
    let measured = match &row.measured {
        Ok(measured) => measured,
        Err(reason) => {
            let reason = text(&cut(&format!("not measured: {reason}"), 100));
            return format!(
                "<g>{names}<text class=\"head\" x=\"{}\" y=\"{baseline}\">{reason}</text></g>\n",
                NAMES + 4
            );
        }
    };
    let share = measured.share(machine);
    let length = bar(share.clamp(0.0, LONGEST));
    let told = format!(
        "{:.1} % · {:.1} us · {:.2} TB/s{}",
        100.0 * share,
        measured.microseconds,
        measured.rate() * 1e-6,
        if measured.is_cold { "" } else { " · warm?" }
    );
    format!(
        "<g>{names}<rect x=\"{NAMES}\" y=\"{}\" width=\"{length}\" height=\"{}\" fill=\"#4a86c5\"><title>{} bytes</title>\
         </rect><text x=\"{}\" y=\"{baseline}\">{told}</text></g>\n",
        y + 3,
        ROW - 6,
        number(measured.bytes),
        NAMES + length + 6
    )
}

/// The length of a bar, whole pixels.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share from 0 to 1.25")]
#[expect(clippy::cast_precision_loss, reason = "a few hundred pixels")]
fn bar(share: f64) -> usize {
    (share * FLOOR as f64).round() as usize
}
