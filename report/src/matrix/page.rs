//! The matrix as a page for a browser: one file that asks for nothing from anywhere else.
//!
//! A row is a case, a column a leg. Every cell has a symbol besides its colour. Reasons of skips have numbers, as thousands
//! of cells share a few of them. Without its script the page is complete, but for the filter. It carries no clock.

use std::collections::BTreeMap;

use super::human::legs;
use super::{CellReport, CellResult, Counts, MatrixReport};
use crate::html::escape::{cut, prose, text};
use crate::html::{Assets, document_of};
use crate::text::{count, number};

const ASSETS: Assets = Assets {
    style: include_str!("page.css"),
    style_hash: "sha256-eyLZjY7xvztWuPSazyRFooRy07NTHFZOwsG5Hn5t33o=",
    script: include_str!("page.js"),
    script_hash: "sha256-Eruoo53hKHb1NFDxoMObc5QGstU0aGrs1bpnYegpY8c=",
};
/// Most characters of a column's name.
const LEG: usize = 40;

/// The page.
pub fn page(report: &MatrixReport) -> String {
    let reasons = Reasons::new(report);
    let mut body = format!("<h1>Conformance matrix</h1>\n{}", summary(report));
    body += &disagreements(report);
    body += &by_leg(report);
    body += &matrix(report, &reasons);
    body += &reasons.list();
    body += &findings(report);
    document_of("gridproof conform", &format!("<main>\n{body}</main>\n"), &ASSETS)
}

fn summary(report: &MatrixReport) -> String {
    let counts = report.counts();
    let class = match counts {
        Counts { disagreed: 1.., .. } => "bad",
        _ if !report.missing.is_empty() => "bad",
        Counts { agreed: 1.., .. } => "good",
        _ => "open",
    };
    let all = count(report.cells.len() as u64, "cell");
    let missing = match report.missing.join(", ") {
        none if none.is_empty() => none,
        shares => format!("<p class=\"verdict bad\" id=\"missing\">Missing: {}</p>\n", text(&shares)),
    };
    let partition = report.partition.as_ref().map(|part| format!(", {}", text(part))).unwrap_or_default();
    format!(
        "<p class=\"verdict {class}\" id=\"verdict\">{all}: {}</p>\n<p class=\"quiet\">Selected: {}{partition}</p>\n{missing}",
        counts.words(),
        text(&report.selection)
    )
}

fn disagreements(report: &MatrixReport) -> String {
    let mut items = String::new();
    for cell in &report.cells {
        let CellResult::Disagreed(reason) = &cell.result else { continue };
        let accepted = report.acceptance(cell);
        let (class, symbol) = if accepted.is_some() { ("o", "!") } else { ("d", "✗") };
        let accepted = accepted.map(|why| format!("<span class=\"reason quiet\">accepted: {}</span>", text(why)));
        items += &format!(
            "<li><span class=\"key {class}\">{symbol}</span><code>{}</code> <span class=\"reason\">{}</span>{}</li>\n",
            text(&cell.name),
            prose(reason),
            accepted.unwrap_or_default()
        );
    }
    if items.is_empty() {
        return String::new();
    }
    format!("<section><h2>Disagreements</h2>\n<ul class=\"wrong\">\n{items}</ul></section>\n")
}

fn by_leg(report: &MatrixReport) -> String {
    let mut rows = String::new();
    for leg in legs(report) {
        let Counts { agreed, disagreed, accepted, skipped } = leg.counts(report);
        let device = report.devices.iter().find(|(name, _)| *name == leg.name).map_or("", |(_, device)| device);
        rows += &format!("<tr><td><code>{}</code></td>", text(leg.name));
        for amount in [agreed, disagreed, accepted, skipped] {
            rows += &format!("<td class=\"n\">{}</td>", number(amount as u64));
        }
        rows += &format!("<td>{}</td></tr>\n", text(device));
    }
    format!(
        "<section><h2>Legs</h2>\n<div class=\"scroll\"><table id=\"legs\"><thead><tr><th>leg</th><th>agreed</th><th>disagreed</th>\
         <th>accepted</th><th>skipped</th><th>device</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div></section>\n"
    )
}

/// The distinct reasons of skips, numbered in the order of the cells.
struct Reasons<'a> {
    numbers: BTreeMap<&'a str, usize>,
    list: Vec<(&'a str, u64)>,
}

impl<'a> Reasons<'a> {
    fn new(report: &'a MatrixReport) -> Self {
        let (mut numbers, mut list) = (BTreeMap::new(), Vec::<(&str, u64)>::new());
        for cell in &report.cells {
            let CellResult::Skipped(reason) = &cell.result else { continue };
            let position = *numbers.entry(reason.as_str()).or_insert_with(|| {
                list.push((reason.as_str(), 0));
                list.len()
            });
            list[position - 1].1 += 1;
        }
        Self { numbers, list }
    }

    fn list(&self) -> String {
        if self.list.is_empty() {
            return String::new();
        }
        let items: String = self
            .list
            .iter()
            .map(|(reason, times)| format!("<li>{}: {}</li>\n", count(*times, "cell"), prose(reason)))
            .collect();
        format!("<section><h2>Why cells were skipped</h2>\n<ol class=\"reasons\">\n{items}</ol></section>\n")
    }
}

/// A row: the case's cells by leg.
type Row<'a> = (&'a str, BTreeMap<&'a str, &'a CellReport>);

fn matrix(report: &MatrixReport, reasons: &Reasons<'_>) -> String {
    let columns: Vec<&str> = legs(report).into_iter().map(|leg| leg.name).collect();
    let mut groups: Vec<((&str, &str), Vec<Row<'_>>)> = Vec::new();
    let mut known = BTreeMap::new();
    let mut rows = BTreeMap::new();
    for cell in &report.cells {
        let subject = (cell.kernel.as_str(), cell.variant.as_str());
        let group = *known.entry(subject).or_insert_with(|| {
            groups.push((subject, Vec::new()));
            groups.len() - 1
        });
        let list = &mut groups[group].1;
        let row = *rows.entry((subject, cell.case.as_str())).or_insert_with(|| {
            list.push((cell.case.as_str(), BTreeMap::new()));
            list.len() - 1
        });
        list[row].1.insert(cell.leg.as_str(), cell);
    }
    let mut out = FILTER.to_owned();
    out += "<div class=\"scroll matrix\" tabindex=\"0\" role=\"region\" aria-label=\"matrix\"><table id=\"cells\">\n<thead><tr><th>case</th>";
    for column in &columns {
        // A name may be broken behind its colons and nowhere inside a word.
        out += &format!("<th>{}</th>", text(&cut(column, LEG)).replace(':', ":<wbr>"));
    }
    out += "</tr></thead>\n";
    for ((kernel, variant), rows) in groups {
        out +=
            &format!("<tbody><tr><th colspan=\"{}\">{}/{}</th></tr>\n", columns.len() + 1, text(kernel), text(variant));
        for (case, cells) in rows {
            out += &format!("<tr><th>{}</th>", text(case));
            for column in &columns {
                out += &cells.get(column).map_or_else(|| "<td></td>".to_owned(), |cell| drawn(report, cell, reasons));
            }
            out += "</tr>\n";
        }
        out += "</tbody>\n";
    }
    out + "</table></div></section>\n"
}

fn drawn(report: &MatrixReport, cell: &CellReport, reasons: &Reasons<'_>) -> String {
    match &cell.result {
        CellResult::Agreed => "<td class=\"a\">✓</td>".to_owned(),
        CellResult::Disagreed(reason) => {
            let (class, symbol) = if report.acceptance(cell).is_some() { ("o", "!") } else { ("d", "✗") };
            format!("<td class=\"{class}\" title=\"{}\">{symbol}</td>", text(&cut(reason, 300)))
        }
        CellResult::Skipped(reason) => {
            let number = reasons.numbers.get(reason.as_str()).copied().unwrap_or_default();
            format!("<td class=\"s\">– {number}</td>")
        }
    }
}

fn findings(report: &MatrixReport) -> String {
    let all = report.findings();
    if all.is_empty() {
        return String::new();
    }
    let mut items = String::new();
    for (found, cells) in all {
        let class = if found.demanded { "a" } else { "d" };
        let demanded = if found.demanded { "demanded by the catalogue" } else { "NOT demanded" };
        let first = cells.first().map_or("", |cell| cell.name.as_str());
        let places: Vec<String> =
            found.places.iter().map(|place| format!("{}:{}:{}", place.file, place.line, place.column)).collect();
        items += &format!(
            "<li><span class=\"key {class}\">{}</span> {} <span class=\"quiet\">{demanded}; {}, the first is <code>{}</code>; \
             at {}</span></li>\n",
            text(&found.rule),
            prose(&found.title),
            count(cells.len() as u64, "cell"),
            text(first),
            text(&places.join(" and "))
        );
    }
    format!(
        "<section><h2>What the simulator found</h2>\n<details><summary>Findings</summary><ol class=\"found\">\n{items}</ol></details></section>\n"
    )
}

const FILTER: &str = "<section><h2>Cells</h2>\n<ul class=\"legend\" aria-label=\"legend\"><li><span class=\"key a\">✓</span>agreed</li>\
<li><span class=\"key d\">✗</span>disagreed</li><li><span class=\"key o\">!</span>disagreed, and a baseline accepts it</li>\
<li><span class=\"key s\">– 1</span>skipped, for the reason of that number below</li><li>empty: the case does not ask this leg</li></ul>\n\
<div class=\"filter\"><label>Cases with <input id=\"words\" type=\"search\" placeholder=\"kernel, variant, shape, profile\"></label>\
<label>and <select id=\"which\"><option value=\"\">any cell</option><option value=\"d\">a disagreement</option>\
<option value=\"o\">an accepted one</option><option value=\"s\">a skip</option><option value=\"a\">an agreement</option></select></label>\
<output id=\"shown\" class=\"quiet\"></output></div>\n";
