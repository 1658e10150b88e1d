//! The turns of a recorded run in words, and which of them made the accesses of a finding: for the renderers that
//! show a timeline.
//!
//! A timeline belongs to one schedule, a finding to the run that found it, so the two accesses may have come in the
//! other order and with other values. [`as_run`] says the finding as its timeline has it.

use gridproof_simulator::Finding;
use gridproof_simulator::finding::{AccessSite, Action, Rule};
use gridproof_simulator::ir::SourceFile;
use gridproof_simulator::timeline::{Timeline, TimelineTurn, TurnEnd};

use crate::text::{count, number, plain};
use crate::words::{element, hexadecimal, invocation, is_race, kind, place, position, same_place, verb};

/// Where in a timeline an access of a finding was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Index of the turn.
    pub turn: usize,
    /// Index among the accesses of the turn; `None` where the turn does not list it.
    pub access: Option<usize>,
}

/// Where both accesses of a finding were made, as far as the timeline has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The first access.
    pub first: Option<Mark>,
    /// The second access.
    pub second: Option<Mark>,
}

impl Marks {
    /// The marked turns.
    pub fn turns(self) -> impl Iterator<Item = usize> {
        [self.first, self.second].into_iter().flatten().map(|mark| mark.turn)
    }
}

/// The finding as its timeline has it, with the places of its accesses. Those of a race come in the order in which
/// this run makes them, with the values that it reads and writes.
pub fn as_run(finding: &Finding, timeline: &Timeline) -> (Finding, Marks) {
    let mut finding = finding.clone();
    let mut marks = marks(&finding, timeline);
    for (site, mark) in [(Some(&mut finding.first), marks.first), (finding.second.as_mut(), marks.second)] {
        if let (Some(site), Some(seen)) = (site, mark.and_then(|mark| access(timeline, mark))) {
            let same_bytes = (seen.byte_offset, seen.bytes) == (site.byte_offset, site.bytes);
            site.value = seen.value.filter(|_| same_bytes).or(site.value);
        }
    }
    if let (true, Some(first), Some(second)) = (is_race(finding.rule), marks.first, marks.second)
        && second < first
        && let Some(site) = finding.second.take()
    {
        finding.second = Some(std::mem::replace(&mut finding.first, site));
        marks = Marks { first: Some(second), second: Some(first) };
    }
    (finding, marks)
}

fn access(timeline: &Timeline, mark: Mark) -> Option<&AccessSite> {
    timeline.turns.get(mark.turn)?.accesses.get(mark.access?)
}

/// The linear index of an access's workgroup. The grid is not known here: where y or z is not zero, only turns with an
/// access tell.
pub fn workgroup(site: &AccessSite, timeline: &Timeline) -> Option<u32> {
    if let [x, 0, 0] = site.workgroup {
        return Some(x);
    }
    let same = |turn: &&TimelineTurn| turn.accesses.iter().any(|other| other.workgroup == site.workgroup);
    timeline.turns.iter().find(same).map(|turn| turn.workgroup)
}

fn marks(finding: &Finding, timeline: &Timeline) -> Marks {
    let first = candidates(&finding.first, timeline);
    let second = finding.second.as_ref().map(|site| candidates(site, timeline)).unwrap_or_default();
    if finding.rule == Rule::NoProgress {
        return Marks { first: first.last().copied(), second: second.last().copied() };
    }
    match closest(&first, &second) {
        Some((first, second)) => Marks { first: Some(first), second: Some(second) },
        None => Marks { first: first.first().copied(), second: second.first().copied() },
    }
}

/// Where an access may have been made: the places that resemble it most, in order.
fn candidates(site: &AccessSite, timeline: &Timeline) -> Vec<Mark> {
    let Some(workgroup) = workgroup(site, timeline) else { return Vec::new() };
    let unit = (site.dispatch, workgroup, site.subgroup);
    let turns = timeline.turns.iter().enumerate();
    let mut turns = turns.filter(|(_, turn)| (turn.dispatch, turn.workgroup, turn.subgroup) == unit);
    if matches!(site.action, Action::Barrier | Action::Ended) {
        return turns.next_back().map(|(turn, _)| Mark { turn, access: None }).into_iter().collect();
    }
    let mut best = usize::MAX;
    let mut marks = Vec::new();
    for (turn, accesses) in turns.map(|(index, turn)| (index, &turn.accesses)) {
        for (index, other) in accesses.iter().enumerate() {
            let Some(unlike) = unlike(site, other) else { continue };
            if unlike < best {
                best = unlike;
                marks.clear();
            }
            let mark = Mark { turn, access: (unlike < OTHER_BYTES).then_some(index) };
            if unlike == best && marks.last() != Some(&mark) {
                marks.push(mark);
            }
        }
    }
    marks
}

/// What [`unlike`] gives for the same instruction on other bytes.
const OTHER_BYTES: usize = 2;

/// How far two accesses of one subgroup are from being the same; `None` where they are different instructions.
fn unlike(site: &AccessSite, other: &AccessSite) -> Option<usize> {
    if site.action != other.action || site.buffer != other.buffer || !same_place(site.span, other.span) {
        return None;
    }
    let end = |site: &AccessSite| site.byte_offset.saturating_add(site.bytes.into());
    let overlap = site.byte_offset < end(other) && other.byte_offset < end(site);
    Some(if !overlap {
        OTHER_BYTES
    } else {
        usize::from(site.local != other.local || site.byte_offset != other.byte_offset)
    })
}

/// The two marks with the fewest turns between them; of equal ones, the earliest.
fn closest(first: &[Mark], second: &[Mark]) -> Option<(Mark, Mark)> {
    let mut best: Option<(usize, Mark, Mark)> = None;
    for &a in first {
        let after = second.partition_point(|b| *b <= a);
        let before = second.get(..after).unwrap_or_default().iter().rfind(|b| **b != a);
        for &b in before.into_iter().chain(second.get(after)) {
            let distance = a.turn.abs_diff(b.turn);
            if best.is_none_or(|(least, ..)| distance < least) {
                best = Some((distance, a, b));
            }
        }
    }
    best.map(|(_, a, b)| (a, b))
}

/// Who runs: `workgroup 3, subgroup 1`.
pub fn who(turn: &TimelineTurn) -> String {
    format!("workgroup {}, subgroup {}", workgroup_name(turn), turn.subgroup)
}

/// A workgroup as findings name it: with x, y and z where it has more than x.
fn workgroup_name(turn: &TimelineTurn) -> String {
    turn.accesses.first().map_or_else(|| turn.workgroup.to_string(), |site| position(site.workgroup))
}

/// What an access did: ``invocation 3 reads element 3 of `residual`, value 0x3f800000``.
pub fn access_words(site: &AccessSite) -> String {
    let value = site.value.map(|value| format!(", value {}", hexadecimal(value, site.bytes))).unwrap_or_default();
    format!("{} {} {}{value}", invocation(site), verb(site.action), element(site))
}

/// As [`access_words`], with its place in the source.
pub fn access_at(site: &AccessSite, files: &[SourceFile]) -> String {
    format!("{}, at {}", access_words(site), place(site.span, files))
}

/// What an access did, in as few characters as can be: `write partial[63]`.
pub fn access_short(site: &AccessSite) -> String {
    let name = plain(&site.buffer);
    match site.element {
        Some(index) => format!("{} {name}[{index}]", kind(site.action)),
        None => format!("{} {name}+{} B", kind(site.action), site.byte_offset),
    }
}

/// How much a turn ran.
pub fn amount(turn: &TimelineTurn) -> String {
    format!("runs {}", count(turn.instructions, "instruction"))
}

/// Where a turn stopped, where that is worth a word.
pub const fn end(end: TurnEnd) -> Option<&'static str> {
    match end {
        TurnEnd::Point => None,
        TurnEnd::Barrier => Some("waits at a barrier"),
        TurnEnd::Ended => Some("ends"),
    }
}

/// The number of a turn, counted from 1.
pub fn turn_number(index: usize) -> String {
    number(index.saturating_add(1) as u64)
}
