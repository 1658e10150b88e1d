//! A finding as a page for a browser: one file that asks for nothing from anywhere else.
//!
//! A page has everything that a person needs to believe a finding and to mend it: what and where, the run turn by
//! turn as a drawing and as a list, the source with both places marked, and the command that runs it again. A strict
//! Content-Security-Policy names the hashes of the page's own style and script, so that nothing which slips in from a
//! kernel's text can run, load or send anything. Without a script the page is complete too.
//!
//! Nothing here depends on a clock: the same report gives the same bytes.

mod columns;
mod drawing;
pub(crate) mod escape;
mod facts;
mod frame;
mod lanes;
mod listing;
mod told;

use std::collections::BTreeSet;

use gridproof_simulator::Finding;
use gridproof_simulator::finding::{Rule, Severity};
use gridproof_simulator::timeline::Timeline;

use columns::Column;
use drawing::Drawing;
use escape::{prose, text};
use told::Told;

use crate::explain::explanation;
use crate::model::CheckReport;
use crate::turns::{Marks, as_run};
use crate::verdict;
use crate::words::{Words, severity, words};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// SHA-256 of [`STYLE`] in base64, as the browser wants it; a test compares.
const STYLE_HASH: &str = "sha256-15xHbIFYvtzRs0GY7mecwPQOC6byXrWJHhcTMoiYhzE=";
/// The same for [`SCRIPT`].
const SCRIPT_HASH: &str = "sha256-oVxMUZ/6DKKTVlklRL+NoEF81J467p7JnSKGaKPzG90=";

/// A page and the name of the file that it belongs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// File name without a folder.
    pub name: String,
    /// The page.
    pub text: String,
}

/// What leads from a page to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links {
    /// It stands alone.
    None,
    /// The others lie beside it.
    Index,
}

/// One page: of the finding that [`CheckReport::chief_finding`] chooses, or of the verdict where there is none.
pub fn check(report: &CheckReport) -> String {
    match report.chief_finding() {
        Some(position) => page(report, position, Links::None),
        None => overview(report, Links::None),
    }
}

/// A folder's worth of pages: `index.html`, and `finding-1.html` and so on beside it.
pub fn pages(report: &CheckReport) -> Vec<Page> {
    let index = Page { name: "index.html".to_owned(), text: overview(report, Links::Index) };
    let findings = (0..report.findings.len())
        .map(|position| Page { name: file_name(position), text: page(report, position, Links::Index) });
    std::iter::once(index).chain(findings).collect()
}

fn file_name(position: usize) -> String {
    format!("finding-{}.html", position + 1)
}

/// The verdict and the list of findings.
fn overview(report: &CheckReport, links: Links) -> String {
    let title = verdict::subject(&report.subject);
    let mut body =
        format!("<header><p class=\"rule\">{}</p><h1>{}</h1></header>\n", report.verdict.word(), text(&title));
    body += &facts::verdict(report);
    if report.findings.is_empty() {
        body += "<p>There is no finding.</p>\n";
    } else {
        body += "<section aria-labelledby=\"findings\"><h2 id=\"findings\">Findings</h2>\n<ol class=\"findings\">\n";
        for (position, finding) in report.findings.iter().enumerate() {
            let title = prose(&words(finding, &report.files, None).title);
            let title =
                if links == Links::Index { format!("<a href=\"{}\">{title}</a>", file_name(position)) } else { title };
            body += &format!("<li>{} {title}</li>\n", rule_badge(finding));
        }
        body += "</ol></section>\n";
    }
    body += &facts::check(report);
    document(&format!("{}: {title}", report.verdict.word()), &body)
}

fn rule_badge(finding: &Finding) -> String {
    format!("<span class=\"code {0}\">{0} {1}</span>", severity(finding.severity), finding.rule.code())
}

/// The page of one finding.
fn page(report: &CheckReport, position: usize, links: Links) -> String {
    let Some(found) = report.findings.get(position) else { return overview(report, links) };
    let timeline = report.timeline(position);
    let (finding, marks) =
        timeline.map_or_else(|| (found.clone(), Marks::default()), |timeline| as_run(found, timeline));
    let words = words(&finding, &report.files, None);
    let mut body = header(report, position, &finding, &words, links);
    body += &summary(report, &finding, &words);
    let mut also = BTreeSet::new();
    let mut steps = String::new();
    if let Some(timeline) = timeline {
        let drawing = Drawing::new(&finding, marks, timeline);
        let told = Told { finding: &finding, marks, timeline, files: &report.files };
        steps = format!(
            "<section class=\"told\" aria-labelledby=\"turns\"><h2 id=\"turns\">Turn by turn</h2>\n{}</section>\n",
            told.list(&drawing.columns)
        );
        also = places(timeline, &drawing.columns);
        body += &run(drawing, &finding, marks);
    }
    let listing = listing::listing(&finding, &words.labels, &also, &report.files);
    body += &format!(
        "<div class=\"{}\">\n{steps}<section aria-labelledby=\"source\"><h2 id=\"source\">Source</h2>\n{listing}</section>\n</div>\n",
        if steps.is_empty() { "alone" } else { "beside" }
    );
    body += &facts::reproduce(report, &finding, &words);
    body += &facts::check(report);
    body += &rule(&finding);
    document(&format!("{}: {}", finding.rule.code(), words.title), &body)
}

fn header(report: &CheckReport, position: usize, finding: &Finding, words: &Words, links: Links) -> String {
    let all = report.findings.len();
    let which = if all > 1 { format!("finding {} of {all}", position + 1) } else { String::new() };
    let which = match links {
        Links::Index => format!("<a href=\"index.html\">{}</a>", if all > 1 { &which } else { "overview" }),
        Links::None => which,
    };
    format!(
        "<header><p class=\"rule\">{} <span>{}</span> <span class=\"quiet\">{which}</span></p>\n<h1>{}</h1>\n</header>\n",
        rule_badge(finding),
        text(&verdict::subject(&report.subject)),
        prose(&words.title)
    )
}

/// What happens where, why, and how to mend it.
fn summary(report: &CheckReport, finding: &Finding, words: &Words) -> String {
    let mut out = facts::verdict(report);
    out += "<section class=\"summary\" aria-label=\"summary\">\n<ul class=\"notes\">\n";
    for note in &words.notes {
        let (badge, note) = drawing::WHICH
            .iter()
            .find_map(|which| {
                note.strip_prefix(which).and_then(|rest| rest.strip_prefix(": ")).map(|rest| (Some(which), rest))
            })
            .unwrap_or((None, note));
        let badge = badge.map(|which| format!("<span class=\"badge {which}\">{which}</span> ")).unwrap_or_default();
        out += &format!("<li>{badge}{}</li>\n", prose(note));
    }
    out += "</ul>\n";
    let kind = if finding.severity == Severity::Error { "error" } else { "warning" };
    out + &format!("<p class=\"help {kind}\"><strong>How to mend it:</strong> {}</p>\n</section>\n", prose(&words.help))
}

/// The drawing with what belongs to it.
fn run(drawing: Drawing<'_>, finding: &Finding, marks: Marks) -> String {
    let left_out =
        drawing.left_out().map(|words| format!("<p class=\"quiet\">{}</p>\n", text(&words))).unwrap_or_default();
    let missing = match (finding.second.is_some(), marks.first, marks.second) {
        (_, None, _) | (true, _, None) if finding.rule != Rule::NoProgress => {
            "<p class=\"quiet\">The recorded turns do not have both accesses, so there is no arrow between them.</p>\n"
        }
        _ => "",
    };
    format!(
        "<section aria-labelledby=\"timeline\"><h2 id=\"timeline\">A run that shows it</h2>\n<div class=\"scroll\" id=\"timeline-scroll\" \
         tabindex=\"0\" role=\"region\" aria-label=\"timeline\">\n{}</div>\n{left_out}{missing}{LEGEND}</section>\n",
        drawing.svg()
    )
}

/// Lines that the steps link to.
fn places(timeline: &Timeline, columns: &[Column]) -> BTreeSet<(u32, u32)> {
    let turns = columns.iter().filter_map(|column| match column {
        Column::Turn(index) => timeline.turns.get(*index),
        _ => None,
    });
    turns
        .flat_map(|turn| turn.accesses.iter().take(3))
        .map(|site| (site.span.file, site.span.line))
        .filter(|(_, line)| *line > 0)
        .collect()
}

fn rule(finding: &Finding) -> String {
    let about = explanation(finding.rule);
    let paragraphs: String = about.meaning.split("\n\n").map(|part| format!("<p>{}</p>\n", prose(part))).collect();
    format!(
        "<details><summary>What {} means: {}</summary>\n{paragraphs}</details>\n",
        finding.rule.code(),
        prose(about.title)
    )
}

const LEGEND: &str = "<ul class=\"legend\" aria-label=\"legend\"><li><span class=\"key turn\"></span>a turn: a subgroup runs up to its next scheduling point</li>\
<li><span class=\"key first\"></span>the first access</li><li><span class=\"key second\"></span>the second access</li>\
<li><span class=\"key slot\"></span>a workgroup holds a slot</li><li><span class=\"key waits\"></span>waits</li>\
<li><span class=\"key barrier\"></span>stops at a barrier</li><li><span class=\"key ended\"></span>ends</li></ul>\n";

pub(crate) fn document(title: &str, body: &str) -> String {
    let assets = Assets { style: STYLE, style_hash: STYLE_HASH, script: SCRIPT, script_hash: SCRIPT_HASH };
    document_of(title, &format!("<main>\n{body}</main>\n"), &assets)
}

/// What a page carries with it, with the hashes (`sha256-` and base64) that let the browser use it.
pub(crate) struct Assets {
    pub style: &'static str,
    pub style_hash: &'static str,
    pub script: &'static str,
    pub script_hash: &'static str,
}

/// A whole document, which may use its own style and script and nothing else.
pub(crate) fn document_of(title: &str, body: &str, assets: &Assets) -> String {
    let Assets { style, style_hash, script, script_hash } = assets;
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{style_hash}'; script-src '{script_hash}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"generator\" content=\"gridproof\">\n\
         <title>{}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}<footer>Made by gridproof. This page loads nothing and sends nothing.</footer>\n<script>{script}</script>\n</body>\n</html>\n",
        text(title)
    )
}
