//! The drawing of a run: a lane per subgroup, a box per turn in the order in which they were taken, and an arrow between
//! the two accesses. Inline SVG, whose looks are in `page.css`.

use std::collections::BTreeMap;

use gridproof_simulator::Finding;
use gridproof_simulator::finding::{AccessSite, Rule};
use gridproof_simulator::timeline::{Timeline, TimelineTurn, TurnEnd};

use super::columns::{Column, columns};
use super::escape::{cut, text};
use super::frame::{Area, CHARACTER, Frame, HEADING, LANE, LEFT_OUT, NAMES, PADDING};
use super::lanes::{Lanes, unit};
use crate::text::count;
use crate::turns::{Marks, access_short, access_words, amount, end, turn_number, who};
use crate::words::{hexadecimal, is_race, position};

/// A run, ready to be drawn.
pub struct Drawing<'a> {
    finding: &'a Finding,
    marks: Marks,
    timeline: &'a Timeline,
    lanes: Lanes,
    /// What each column shows.
    pub columns: Vec<Column>,
    frame: Frame,
    /// The areas of the first and the second access, and the names of their boxes.
    ends: [Option<(Area, String)>; 2],
}

impl<'a> Drawing<'a> {
    /// Lays a run out. `finding` and `marks` are as the run has them.
    pub fn new(finding: &'a Finding, marks: Marks, timeline: &'a Timeline) -> Self {
        let lanes = Lanes::new(finding, timeline);
        let marked: Vec<_> = marks.turns().collect();
        let columns = columns(timeline, &lanes, &marked);
        let words = |index: usize, narrow: bool| {
            timeline
                .turns
                .get(index)
                .map_or_else(Vec::new, |turn| box_words(index, turn, turn.accesses.first(), narrow))
        };
        let frame = Frame::new(&lanes, &columns, &marked, finding.rule == Rule::NoProgress, words);
        Self { finding, marks, timeline, lanes, columns, frame, ends: [None, None] }
    }

    /// The drawing as an SVG element.
    pub fn svg(mut self) -> String {
        let Frame { width, height, .. } = self.frame;
        let mut body = self.backdrop();
        body += &self.folded();
        body += &self.turns();
        body += &self.waits();
        body += &self.arrow();
        body += &self.names();
        format!(
            "<svg id=\"run\" class=\"run\" role=\"group\" aria-labelledby=\"run-title run-description\" width=\"{width}\" \
             height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<title id=\"run-title\">The run, turn by turn</title>\n\
             <desc id=\"run-description\">{}</desc>\n{DEFINITIONS}\n{body}</svg>\n",
            text(&self.description())
        )
    }

    /// The drawing in words, for those who do not see it.
    fn description(&self) -> String {
        let mut words = format!(
            "{} of {}, on {}. Time runs from left to right. ",
            count(self.timeline.turns.len() as u64 + self.timeline.left_out, "turn"),
            count((self.lanes.shown.len() + self.lanes.left_out()) as u64, "subgroup"),
            count(self.timeline.slots.into(), "slot")
        );
        for (which, mark, site) in [
            ("first", self.marks.first, Some(&self.finding.first)),
            ("second", self.marks.second, self.finding.second.as_ref()),
        ] {
            if let (Some(mark), Some(site)) = (mark, site) {
                words += &format!("The {which} access, in turn {}: {}. ", turn_number(mark.turn), access_words(site));
            }
        }
        words + "The list below the drawing says the same turn by turn."
    }

    /// Lanes, and behind them who holds which slot from when to when.
    fn backdrop(&self) -> String {
        let mut out = String::new();
        for (range, slot, workgroup) in self.residency() {
            let (Some(&top), Some(&bottom)) =
                (self.frame.lanes.get(range.lanes.0), self.frame.lanes.get(range.lanes.1))
            else {
                continue;
            };
            let (y, height) = (top - HEADING, bottom + LANE + 6 - (top - HEADING));
            let (x, width) = (range.from, range.to.saturating_sub(range.from));
            out += &format!(
                "<g class=\"slot\"><title>workgroup {workgroup} holds slot {slot}</title><rect x=\"{x}\" y=\"{y}\" \
                 width=\"{width}\" height=\"{height}\" rx=\"7\"/><text x=\"{}\" y=\"{}\">slot {slot}</text></g>\n",
                x + 9,
                y + 15
            );
        }
        for &y in &self.frame.lanes {
            let (from, to, y) = (NAMES, self.frame.width, y + LANE / 2);
            out += &format!("<path class=\"lane\" d=\"M{from} {y}H{to}\"/>\n");
        }
        let (top, bottom) = self.frame.lanes_from_to();
        for (column, dispatch) in self.dispatches() {
            let Some((x, _)) = self.frame.columns.get(column) else { continue };
            out += &format!(
                "<g class=\"dispatch\"><path d=\"M{x} {}V{bottom}\" transform=\"translate(-7)\"/><text x=\"{x}\" y=\"12\">dispatch \
                 {dispatch}</text></g>\n",
                top - HEADING
            );
        }
        out
    }

    /// Stretches over which a workgroup holds a slot, with the slot and the workgroup.
    fn residency(&self) -> Vec<(Range, u32, u32)> {
        let mut stretches: BTreeMap<(u32, u32), (Range, u32, bool)> = BTreeMap::new();
        for (column, turn) in self.shown_turns() {
            let Some(lane) = self.lanes.of((turn.workgroup, turn.subgroup)) else { continue };
            let Some(area) = self.frame.area(column, lane) else { continue };
            let of_workgroup = |lane: &super::lanes::Lane| lane.unit.0 == turn.workgroup;
            let first = self.lanes.shown.iter().position(of_workgroup).unwrap_or(lane);
            let last = self.lanes.shown.iter().rposition(of_workgroup).unwrap_or(lane);
            let new = Range { from: area.x - 6, to: area.right() + 6, lanes: (first, last) };
            let entry = stretches.entry((turn.dispatch, turn.workgroup)).or_insert((new, turn.slot, false));
            entry.0.to = area.right() + 6;
            entry.2 = turn.end != TurnEnd::Ended;
        }
        let to_the_end = |stays: bool| stays && self.finding.rule == Rule::NoProgress;
        stretches
            .into_iter()
            .map(|((_, workgroup), (range, slot, stays))| {
                let to = if to_the_end(stays) { self.frame.width - 8 } else { range.to };
                (Range { to, ..range }, slot, workgroup)
            })
            .collect()
    }

    /// The first column of each dispatch, where there are several.
    fn dispatches(&self) -> Vec<(usize, u32)> {
        let mut starts: Vec<(usize, u32)> = Vec::new();
        for (column, turn) in self.shown_turns() {
            if starts.last().is_none_or(|(_, dispatch)| *dispatch != turn.dispatch) {
                starts.push((column, turn.dispatch));
            }
        }
        if starts.len() > 1 { starts } else { Vec::new() }
    }

    fn shown_turns(&self) -> impl Iterator<Item = (usize, &'a TimelineTurn)> {
        let timeline = self.timeline;
        self.columns.iter().enumerate().filter_map(move |(column, what)| match what {
            Column::Turn(index) => timeline.turns.get(*index).map(|turn| (column, turn)),
            _ => None,
        })
    }

    /// The columns that stand for many turns.
    fn folded(&self) -> String {
        let mut out = String::new();
        let (top, bottom) = self.frame.lanes_from_to();
        let band = |column: usize| {
            let (x, width) = self.frame.columns.get(column).copied().unwrap_or_default();
            Area { x, y: top, width, height: bottom.saturating_sub(top) }
        };
        for (column, what) in self.columns.iter().enumerate() {
            let (area, words, title) = match what {
                Column::Turn(_) => continue,
                Column::Unrecorded(turns) => (
                    band(column),
                    count(*turns, "turn"),
                    format!("{} were not recorded", count(*turns, "further turn")),
                ),
                Column::Folded { from, to, lane } => {
                    let turns = count((to - from) as u64, "turn");
                    let title =
                        format!("turns {} to {}, not drawn one by one", turn_number(*from), turn_number(to - 1));
                    (lane.and_then(|lane| self.frame.area(column, lane)).unwrap_or_else(|| band(column)), turns, title)
                }
            };
            let (number, word) = words.split_once(' ').unwrap_or((&words, ""));
            let (middle, y) = (area.middle(), area.y + area.height.min(LANE) / 2);
            out += &format!(
                "<g class=\"folded\"><title>{title}</title>{}<text x=\"{middle}\" y=\"{}\">{}</text><text x=\"{middle}\" \
                 y=\"{}\">{word}</text></g>\n",
                rectangle(area, ""),
                y - 3,
                cut(number, 12),
                y + 12
            );
        }
        out
    }

    fn turns(&mut self) -> String {
        let mut out = String::new();
        for column in 0..self.columns.len() {
            let Some(Column::Turn(index)) = self.columns.get(column) else { continue };
            let index = *index;
            let Some(turn) = self.timeline.turns.get(index) else { continue };
            let Some(lane) = self.lanes.of((turn.workgroup, turn.subgroup)) else { continue };
            let Some(area) = self.frame.area(column, lane) else { continue };
            out += &self.turn(index, turn, column, area);
        }
        out
    }

    /// Which of the two accesses a turn made. Without progress none did: one waits, and the other never comes.
    fn marked(&self, index: usize) -> Vec<(usize, &'a AccessSite)> {
        if self.finding.rule == Rule::NoProgress {
            return Vec::new();
        }
        let sites = [(self.marks.first, Some(&self.finding.first)), (self.marks.second, self.finding.second.as_ref())];
        let mut marked = Vec::new();
        for (which, (mark, site)) in sites.into_iter().enumerate() {
            let here = mark.is_some_and(|mark| mark.turn == index);
            marked.extend(site.filter(|_| here).map(|site| (which, site)));
        }
        marked
    }

    fn turn(&mut self, index: usize, turn: &TimelineTurn, column: usize, area: Area) -> String {
        let marked = self.marked(index);
        let id = index + 1;
        let classes: String = marked.iter().map(|(which, _)| format!(" {}", WHICH[*which])).collect();
        let shown = marked.first().map(|(_, site)| *site).or(turn.accesses.first());
        let title = self.title(index, turn, &marked);
        let mut out = format!(
            "<a class=\"turn{classes}\" id=\"turn-{id}\" href=\"#step-{id}\" data-turn=\"{id}\" aria-label=\"{0}\">\
             <title>{0}</title>{1}",
            text(&title),
            rectangle(area, " rx=\"4\"")
        );
        let words = box_words(index, turn, shown, self.frame.narrow && marked.is_empty());
        out += &lines(area, &words, !marked.is_empty());
        for (position, (which, _)) in marked.iter().enumerate() {
            out += &badge(area, WHICH[*which], position);
        }
        out += &end_mark(area, turn.end);
        out += "</a>\n";
        if turn.end == TurnEnd::Barrier {
            out += &self.until_next(index, turn, column, area);
        }
        for (which, _) in marked {
            self.ends[which] = Some((area, format!("turn-{id}")));
        }
        out
    }

    fn title(&self, index: usize, turn: &TimelineTurn, marked: &[(usize, &AccessSite)]) -> String {
        let mut title = format!("turn {}: {}, slot {}", turn_number(index), who(turn), turn.slot);
        match marked {
            [] => title += &turn.accesses.first().map_or_else(String::new, |site| format!(": {}", access_words(site))),
            _ => marked.iter().for_each(|(which, site)| {
                title += &format!("; the {} access: {}", WHICH[*which], access_words(site));
            }),
        }
        title += &format!("; {}", amount(turn));
        title + &end(turn.end).map_or_else(String::new, |end| format!(", then {end}"))
    }

    /// From a barrier to when the subgroup goes on.
    fn until_next(&self, index: usize, turn: &TimelineTurn, column: usize, area: Area) -> String {
        let same = |other: &&(usize, &TimelineTurn)| {
            other.0 > column && (other.1.workgroup, other.1.subgroup) == (turn.workgroup, turn.subgroup)
        };
        let shown: Vec<_> = self.shown_turns().collect();
        let next = shown.iter().find(same).and_then(|(column, _)| self.frame.columns.get(*column)).map(|(x, _)| *x);
        if next.is_none() && self.finding.rule == Rule::NoProgress {
            return String::new();
        }
        let to = next.unwrap_or(self.frame.width.saturating_sub(8));
        let strip =
            Area { x: area.right(), y: area.y + LANE / 2 - 5, width: to.saturating_sub(area.right()), height: 10 };
        let title = format!("waits at a barrier after turn {}", turn_number(index));
        format!("<g class=\"at-barrier\"><title>{title}</title>{}</g>\n", rectangle(strip, ""))
    }

    /// Without progress: whoever has not ended waits from its last turn to the end, and whoever should end the waiting
    /// never runs.
    fn waits(&mut self) -> String {
        if self.finding.rule != Rule::NoProgress {
            return String::new();
        }
        let mut last: BTreeMap<usize, (usize, TurnEnd)> = BTreeMap::new();
        for (column, turn) in self.shown_turns() {
            if let Some(lane) = self.lanes.of((turn.workgroup, turn.subgroup)) {
                last.insert(lane, (column, turn.end));
            }
        }
        let lane_of = |site: &AccessSite| self.lanes.of(unit(site, self.timeline));
        let waiting = lane_of(&self.finding.first);
        let missing = self.finding.second.as_ref().and_then(lane_of);
        let mut out = String::new();
        for lane in 0..self.lanes.shown.len() {
            let column = last.get(&lane).map(|(column, _)| *column);
            let ended = last.get(&lane).is_some_and(|(_, end)| *end == TurnEnd::Ended);
            let Some(area) = self.frame.rest(column, lane).filter(|_| !ended) else { continue };
            if Some(lane) == waiting {
                let site = self.finding.first.clone();
                out += &self.wait(0, "waits", "waits", area, &site);
            } else if Some(lane) == missing {
                let word = if column.is_some() { "does not get there" } else { "gets no slot" };
                let site = self.finding.second.clone();
                out += &site.map(|site| self.wait(1, "missing", word, area, &site)).unwrap_or_default();
            } else if column.is_some() {
                let seen = self.last_column(area);
                out += &format!(
                    "<g class=\"waits\"><title>waits</title>{}{}</g>\n",
                    rectangle(area, " rx=\"4\""),
                    lines(seen, &["waits".to_owned()], false)
                );
            }
        }
        out
    }

    fn wait(&mut self, which: usize, class: &str, word: &str, area: Area, site: &AccessSite) -> String {
        let name = WHICH[which];
        let title = match which {
            0 => format!("waits until the end: {}", access_words(site)),
            _ => format!("{word}, so this never happens: {}", access_words(site)),
        };
        let seen = self.last_column(area);
        self.ends[which] = Some((seen, class.to_owned()));
        format!(
            "<g class=\"{class} {name}\" id=\"{class}\" tabindex=\"0\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>{1}{2}{3}</g>\n",
            text(&title),
            rectangle(area, " rx=\"4\""),
            lines(seen, &access_lines(word, site, 0), true),
            badge(seen, name, 0)
        )
    }

    /// The part of a box that lies in the last column, which is wide enough for words.
    fn last_column(&self, area: Area) -> Area {
        let x = self.frame.waiting.unwrap_or(area.x).max(area.x);
        Area { x, width: area.right().saturating_sub(x), ..area }
    }

    /// From the first to the second access.
    fn arrow(&self) -> String {
        let [Some((from, from_name)), Some((to, to_name))] = &self.ends else { return String::new() };
        let (path, middle) = if from == to { around(*from) } else { between(*from, *to) };
        let word = match self.finding.rule {
            rule if is_race(rule) => "unordered",
            Rule::NoProgress => "waits for",
            _ => "",
        };
        format!(
            "<g class=\"arrow\" data-from=\"{from_name}\" data-to=\"{to_name}\"><path class=\"halo\" d=\"{path}\"/><path \
             id=\"arrow\" d=\"{path}\" marker-end=\"url(#head)\"/><text x=\"{}\" y=\"{}\">{word}</text></g>\n",
            middle.0, middle.1
        )
    }

    /// The names at the left, above all else, so that they can stay in sight when the drawing is scrolled.
    fn names(&self) -> String {
        let mut out =
            format!("<g class=\"names\" id=\"names\"><rect width=\"{NAMES}\" height=\"{}\"/>\n", self.frame.height);
        let left_out = |y: usize, lanes: usize| {
            format!(
                "<text class=\"left-out\" x=\"10\" y=\"{}\">… {}</text>\n",
                y + LEFT_OUT - 8,
                count(lanes as u64, "lane")
            )
        };
        for (index, lane) in self.lanes.shown.iter().enumerate() {
            if let Some(Some(y)) = self.frame.gaps.get(index) {
                out += &left_out(*y, lane.left_out_before);
            }
            let workgroup = lane.position.map_or_else(|| lane.unit.0.to_string(), position);
            if let Some(Some(y)) = self.frame.headings.get(index) {
                out += &format!(
                    "<text class=\"workgroup\" x=\"6\" y=\"{}\">{}</text>\n",
                    y + 15,
                    cut(&format!("workgroup {workgroup}"), 20)
                );
            }
            let y = self.frame.lanes.get(index).copied().unwrap_or_default() + LANE / 2 + 4;
            out += &format!(
                "<text class=\"subgroup\" x=\"16\" y=\"{y}\" data-lane=\"{workgroup}.{0}\">subgroup {0}</text>\n",
                lane.unit.1
            );
        }
        if self.lanes.left_out_after > 0 {
            out += &left_out(self.frame.last_gap, self.lanes.left_out_after);
        }
        out + "</g>\n"
    }

    /// What the drawing leaves out, in a sentence; `None` where it shows everything.
    pub fn left_out(&self) -> Option<String> {
        let mut parts = Vec::new();
        let folded: usize = self
            .columns
            .iter()
            .map(|column| if let Column::Folded { from, to, .. } = column { to - from } else { 0 })
            .sum();
        parts.extend((folded > 0).then(|| format!("{} not drawn one by one", count(folded as u64, "turn"))));
        let lanes = self.lanes.left_out();
        parts.extend(
            (lanes > 0).then(|| format!("{} without a lane of their own", count(lanes as u64, "further subgroup"))),
        );
        let unrecorded = self.timeline.left_out;
        parts.extend((unrecorded > 0).then(|| format!("{} not recorded", count(unrecorded, "further turn"))));
        (!parts.is_empty()).then(|| format!("Left out: {}.", parts.join(", ")))
    }
}

/// What the two accesses are called.
pub const WHICH: [&str; 2] = ["first", "second"];

#[derive(Clone, Copy)]
struct Range {
    from: usize,
    to: usize,
    /// First and last lane.
    lanes: (usize, usize),
}

/// The lines of a turn's box: up to three, or in a narrow one the numbers of the turn and its line.
fn box_words(index: usize, turn: &TimelineTurn, site: Option<&AccessSite>, narrow: bool) -> Vec<String> {
    let number = turn_number(index);
    match site {
        Some(site) if narrow => vec![number, format!("l.{}", site.span.line)],
        None if narrow => vec![number],
        Some(site) => access_lines(&format!("turn {number}"), site, turn.accesses.len().saturating_sub(1)),
        None => vec![format!("turn {number}"), "runs".to_owned(), count(turn.instructions, "instruction")],
    }
}

/// An access in three lines, and how many others there are where that fits beside its value.
fn access_lines(head: &str, site: &AccessSite, others: usize) -> Vec<String> {
    let mut lines = vec![format!("{head} · line {}", site.span.line), access_short(site)];
    let others = (others > 0).then(|| format!("+{others} more"));
    lines.extend(value(site).or(others));
    lines
}

fn value(site: &AccessSite) -> Option<String> {
    site.value.map(|value| format!("= {}", hexadecimal(value, site.bytes)))
}

/// Text in a box, cut to its width. In a box with a badge the first line leaves room for it.
fn lines(area: Area, words: &[String], badge: bool) -> String {
    let mut out = String::new();
    for (index, words) in words.iter().enumerate() {
        let taken = 2 * PADDING + if badge && index == 0 { BADGE } else { 0 };
        let room = area.width.saturating_sub(taken) * 10 / CHARACTER;
        let class = if index == 0 { " class=\"head\"" } else { "" };
        let (x, y) = (area.x + PADDING, area.y + 15 + index * 16);
        out += &format!("<text{class} x=\"{x}\" y=\"{y}\">{}</text>", text(&cut(words, room)));
    }
    out
}

/// Width of a badge.
const BADGE: usize = 56;

fn badge(area: Area, name: &str, position: usize) -> String {
    let (x, y, width) = (area.right() - BADGE - 5, area.y + 5 + position * 17, BADGE - 4);
    format!(
        "<g class=\"badge {name}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"15\" rx=\"7\"/><text x=\"{}\" y=\"{}\">{name}</text></g>",
        x + width / 2,
        y + 11
    )
}

fn end_mark(area: Area, end: TurnEnd) -> String {
    let (right, top, bottom) = (area.right(), area.y + 5, area.bottom() - 5);
    match end {
        TurnEnd::Point => String::new(),
        TurnEnd::Barrier => {
            format!("<path class=\"barrier\" d=\"M{right} {top}V{bottom}M{} {top}V{bottom}\"/>", right + 4)
        }
        TurnEnd::Ended => format!("<path class=\"ended\" d=\"M{right} {top}V{bottom}\"/>"),
    }
}

fn rectangle(area: Area, more: &str) -> String {
    let Area { x, y, width, height } = area;
    format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"{more}/>")
}

/// The path of an arrow inside one box, and where its word stands.
fn around(area: Area) -> (String, (usize, usize)) {
    let (from, to, y, up) = (area.middle() - 30, area.middle() + 30, area.y + 3, area.y.saturating_sub(22));
    (format!("M{from} {y}C{from} {up} {to} {up} {to} {y}"), (area.middle(), area.y.saturating_sub(15)))
}

/// The path of an arrow from one box to another, and where its word stands.
fn between(from: Area, to: Area) -> (String, (usize, usize)) {
    let (x, end_x) = (from.middle(), to.middle());
    let middle_x = usize::midpoint(x, end_x);
    if from.y == to.y {
        let (y, up) = (from.y + 3, from.y.saturating_sub(26));
        return (format!("M{x} {y}C{x} {up} {end_x} {up} {end_x} {y}"), (middle_x, from.y.saturating_sub(20)));
    }
    let (y, end_y) = if from.y < to.y { (from.bottom() - 3, to.y + 3) } else { (from.y + 3, to.bottom() - 3) };
    let middle_y = usize::midpoint(y, end_y);
    let word = if x == end_x { (x + 36, middle_y + 4) } else { (middle_x, middle_y + 4) };
    (format!("M{x} {y}C{x} {middle_y} {end_x} {middle_y} {end_x} {end_y}"), word)
}

/// Hatching, and the head of the arrow.
const DEFINITIONS: &str = "<defs><pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" \
patternTransform=\"rotate(45)\"><path d=\"M0 0V7\"/></pattern><marker id=\"head\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" \
markerWidth=\"9\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L10 5L0 10z\"/></marker></defs>";
