//! The run as a numbered list: the turns that the drawing shows, in words, with links to box and source.

use gridproof_simulator::Finding;
use gridproof_simulator::finding::AccessSite;
use gridproof_simulator::ir::SourceFile;
use gridproof_simulator::timeline::{Timeline, TimelineTurn};

use super::columns::Column;
use super::drawing::WHICH;
use super::escape::{prose, text};
use super::listing::anchor;
use crate::text::{count, number};
use crate::turns::{Marks, access_words, amount, end, turn_number, who};
use crate::words::place;

/// Accesses of a turn that are listed besides the marked ones.
const MOST_ACCESSES: usize = 3;

/// What the list is made of.
pub struct Told<'a> {
    /// The finding as the run has it.
    pub finding: &'a Finding,
    /// Where its accesses are.
    pub marks: Marks,
    /// The run.
    pub timeline: &'a Timeline,
    /// Sources.
    pub files: &'a [SourceFile],
}

impl Told<'_> {
    /// The list.
    pub fn list(&self, columns: &[Column]) -> String {
        let mut out = String::from("<ol class=\"steps\">\n");
        for column in columns {
            out += &match column {
                Column::Turn(index) => {
                    self.timeline.turns.get(*index).map_or_else(String::new, |turn| self.step(*index, turn))
                }
                Column::Folded { from, to, lane } => {
                    let by = self
                        .timeline
                        .turns
                        .get(*from)
                        .filter(|_| lane.is_some())
                        .map(|turn| format!(": {}", who(turn)));
                    let turns = count((to - from) as u64, "turn");
                    format!(
                        "<li class=\"folded\">turns {} to {} left out ({turns}{})</li>\n",
                        turn_number(*from),
                        turn_number(to - 1),
                        by.unwrap_or_default()
                    )
                }
                Column::Unrecorded(turns) => {
                    format!("<li class=\"folded\">{} not recorded</li>\n", count(*turns, "further turn"))
                }
            };
        }
        out + "</ol>\n"
    }

    fn step(&self, index: usize, turn: &TimelineTurn) -> String {
        let (id, turn_number) = (index + 1, turn_number(index));
        let mut out = format!(
            "<li id=\"step-{id}\"><a class=\"number\" href=\"#turn-{id}\">{turn_number}</a> <span class=\"who\">{}</span> \
             <span class=\"quiet\">slot {}</span>",
            text(&who(turn)),
            turn.slot
        );
        out += "<ul>";
        let mut listed = Vec::new();
        for (which, mark, site) in
            [(0, self.marks.first, Some(&self.finding.first)), (1, self.marks.second, self.finding.second.as_ref())]
        {
            if let (Some(mark), Some(site)) = (mark.filter(|mark| mark.turn == index), site) {
                listed.extend(mark.access);
                out += &self.access(site, Some(WHICH[which]));
            }
        }
        let rest = turn.accesses.iter().enumerate().filter(|(access, _)| !listed.contains(access));
        let shown = if listed.is_empty() { MOST_ACCESSES } else { 1 };
        rest.clone().take(shown).for_each(|(_, site)| out += &self.access(site, None));
        let more = rest.count().saturating_sub(shown);
        if more > 0 {
            out += &format!(
                "<li class=\"quiet\">and {}</li>",
                if more == 1 { "1 more access".to_owned() } else { format!("{} more accesses", number(more as u64)) }
            );
        }
        let then = end(turn.end).map_or_else(String::new, |end| format!(", then {end}"));
        out + &format!("<li class=\"quiet\">{}{then}</li></ul></li>\n", amount(turn))
    }

    fn access(&self, site: &AccessSite, which: Option<&str>) -> String {
        let badge = which.map(|which| format!("<span class=\"badge {which}\">{which}</span> ")).unwrap_or_default();
        let place = text(&place(site.span, self.files));
        format!(
            "<li>{badge}{} <a class=\"place\" href=\"#{}\">{place}</a></li>",
            prose(&access_words(site)),
            anchor(site.span)
        )
    }
}
