//! The source of a finding: each file with its lines numbered, the places of the finding marked and labelled, and long
//! files cut around them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use gridproof_simulator::Finding;
use gridproof_simulator::ir::{SourceFile, Span};

use super::escape::{cut, prose, text};
use crate::source;
use crate::text::{count, plain};
use crate::words::{Label, place, same_place};

/// Files of at most this many lines are shown in full.
const SHORT: usize = 120;
/// Lines shown before and after a marked one, where a file is cut.
const AROUND: usize = 7;
/// Lines shown of all files, at most; those nearest to the top of a file stay.
const MOST: usize = 600;
/// Characters of a line.
const LONGEST_LINE: usize = 240;

/// A place of the finding in a file.
struct Spot {
    line: usize,
    /// Bytes of the file.
    range: Range<usize>,
    class: &'static str,
    label: String,
}

/// What the lines of a page are called, for links: `file-line`.
pub fn anchor(span: Span) -> String {
    format!("source-{}-{}", span.file, span.line)
}

/// The files that `labels` and `also` point into. `also` are places that are shown without a mark.
pub fn listing(finding: &Finding, labels: &[Label], also: &BTreeSet<(u32, u32)>, files: &[SourceFile]) -> String {
    let mut spots: BTreeMap<u32, Vec<Spot>> = BTreeMap::new();
    let mut unquoted = String::new();
    for label in labels {
        match spot(finding, label, files) {
            Some(spot) => spots.entry(label.span.file).or_default().push(spot),
            None => {
                unquoted += &format!(
                    "<p class=\"note\"><code>{}</code>: {}</p>\n",
                    text(&place(label.span, files)),
                    prose(&label.text)
                )
            }
        }
    }
    let order: BTreeSet<u32> =
        labels.iter().map(|label| label.span.file).chain(also.iter().map(|(file, _)| *file)).collect();
    let mut room = MOST;
    let mut out = unquoted;
    for file in order {
        let Some(SourceFile { name, text: Some(source) }) =
            usize::try_from(file).ok().and_then(|index| files.get(index))
        else {
            continue;
        };
        let no_spots = Vec::new();
        let spots = spots.get(&file).unwrap_or(&no_spots);
        let also = also.iter().filter(|(other, _)| *other == file).filter_map(|(_, line)| usize::try_from(*line).ok());
        out += &quote(file, name, source, spots, &also.collect(), &mut room);
    }
    out
}

fn spot(finding: &Finding, label: &Label, files: &[SourceFile]) -> Option<Spot> {
    let source = source::file(label.span, files)?.text.as_deref()?;
    let range = source::range(label.span, source)?;
    let line = source.get(..range.start)?.matches('\n').count() + 1;
    let is = |span| same_place(span, label.span);
    let class = match (is(finding.first.span), finding.second.as_ref().is_some_and(|second| is(second.span))) {
        (true, true) => "first second",
        (true, false) => "first",
        (false, true) => "second",
        (false, false) => "other",
    };
    Some(Spot { line, range, class, label: label.text.clone() })
}

fn quote(file: u32, name: &str, source: &str, spots: &[Spot], also: &BTreeSet<usize>, room: &mut usize) -> String {
    let lines: Vec<&str> = source.split('\n').collect();
    let shown = shown(lines.len(), spots, also, room);
    let mut out = format!(
        "<figure class=\"file\"><figcaption>{}</figcaption>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"source of {0}\"><ol class=\"source\">\n",
        text(&plain(name))
    );
    let mut start = 0;
    let mut left_out = 0;
    for (number, line) in (1..).zip(&lines) {
        // The empty line after the last line break is no line.
        let is_line = number < lines.len() || !line.is_empty();
        if is_line && !shown.contains(&number) {
            left_out += 1;
        } else if is_line {
            out += &gap(left_out);
            left_out = 0;
            out += &one_line(file, number, line, start, spots);
        }
        start += line.len() + 1;
    }
    out + &gap(left_out) + "</ol></div></figure>\n"
}

fn gap(lines: u64) -> String {
    if lines == 0 { String::new() } else { format!("<li class=\"gap\">… {} left out</li>\n", count(lines, "line")) }
}

/// Numbers of the lines that are shown; the marked ones come first when there is too little room.
fn shown(lines: usize, spots: &[Spot], also: &BTreeSet<usize>, room: &mut usize) -> BTreeSet<usize> {
    let marked = spots.iter().map(|spot| spot.line);
    let around = |line: usize, by: usize| line.saturating_sub(by).max(1)..=line.saturating_add(by).min(lines);
    let all = (1..=lines).take(if lines <= SHORT { lines } else { 0 });
    let wanted = marked.clone().chain(marked.flat_map(|line| around(line, AROUND)));
    let wanted = wanted.chain(also.iter().flat_map(|line| around(*line, 2))).chain(all);
    let mut shown = BTreeSet::new();
    for line in wanted {
        if *room == 0 {
            break;
        }
        *room -= usize::from(shown.insert(line));
    }
    shown
}

fn one_line(file: u32, number: usize, line: &str, start: usize, spots: &[Spot]) -> String {
    let line = line.trim_end_matches('\r');
    let here: Vec<_> = spots.iter().filter(|spot| spot.line == number).collect();
    let mut classes: Vec<_> = here.iter().flat_map(|spot| spot.class.split(' ')).collect();
    classes.sort_unstable();
    classes.dedup();
    let class = if classes.is_empty() { String::new() } else { format!(" class=\"marked {}\"", classes.join(" ")) };
    let mut out = format!(
        "<li id=\"source-{file}-{number}\"{class}><span class=\"number\">{number}</span><code>{}</code>",
        marked(line, start, &here)
    );
    for spot in here {
        out += &format!("<span class=\"label {}\">{}</span>", spot.class, prose(&spot.label));
    }
    out + "</li>\n"
}

/// A line with its marked stretches. They may overlap, so it is cut at every end of every stretch.
fn marked(line: &str, start: usize, spots: &[&Spot]) -> String {
    let within = |at: usize| at.saturating_sub(start).min(line.len());
    let mut cuts: BTreeSet<usize> =
        spots.iter().flat_map(|spot| [within(spot.range.start), within(spot.range.end)]).collect();
    cuts.extend([0, line.len()]);
    let cuts: Vec<_> = cuts.into_iter().collect();
    let mut out = String::new();
    let mut room = LONGEST_LINE;
    for (&from, &to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let part = line.get(from..to).unwrap_or_default().replace('\t', "    ");
        let classes: Vec<_> = spots
            .iter()
            .filter(|spot| within(spot.range.start) <= from && to <= within(spot.range.end))
            .map(|spot| spot.class)
            .collect();
        let shown = text(&cut(&part, room));
        room = room.saturating_sub(part.chars().count());
        out +=
            &if classes.is_empty() { shown } else { format!("<mark class=\"{}\">{shown}</mark>", classes.join(" ")) };
        if room == 0 {
            break;
        }
    }
    out
}
