//! Which turns of a run get a column: all of a short run; of a long one those around the two accesses, its beginning and
//! its end. What is left out becomes columns that say how many turns they stand for.

use gridproof_simulator::timeline::Timeline;

use super::lanes::Lanes;

/// Turns that are drawn one by one at most.
const MOST: usize = 120;
/// Of these, how many come from the beginning and the end of the run.
const BEGINNING: usize = 12;
const END: usize = 8;
/// More turns of one subgroup in a row than this are drawn as one box, but for those at the ends.
const LONGEST_ROW: usize = 5;

/// One column, from left to right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// One turn, by its index.
    Turn(usize),
    /// Turns that are not drawn one by one.
    Folded {
        /// Index of the first.
        from: usize,
        /// Index after the last.
        to: usize,
        /// The lane they all belong to, where it is one and it is drawn.
        lane: Option<usize>,
    },
    /// Turns that were never recorded.
    Unrecorded(u64),
}

/// The columns. `marked` are the turns that must be there.
pub fn columns(timeline: &Timeline, lanes: &Lanes, marked: &[usize]) -> Vec<Column> {
    let lane: Vec<_> = timeline.turns.iter().map(|turn| lanes.of((turn.workgroup, turn.subgroup))).collect();
    let mut kept: Vec<bool> = lane.iter().map(Option::is_some).collect();
    fold_rows(timeline, marked, &mut kept);
    thin(marked, &mut kept);
    let mut columns = Vec::new();
    let mut index = 0;
    while index < kept.len() {
        let folded = kept[index..].iter().take_while(|kept| !**kept).count();
        match (folded, lane[index]) {
            // One turn needs no more room than a column that stands for it.
            (0, _) | (1, Some(_)) => columns.push(Column::Turn(index)),
            _ => {
                let to = index + folded;
                let one = lane[index..to].iter().all(|other| *other == lane[index]);
                columns.push(Column::Folded { from: index, to, lane: lane[index].filter(|_| one) });
            }
        }
        index += folded.max(1);
    }
    columns.extend((timeline.left_out > 0).then_some(Column::Unrecorded(timeline.left_out)));
    columns
}

/// Drops the middle of long rows of turns by one subgroup.
fn fold_rows(timeline: &Timeline, marked: &[usize], kept: &mut [bool]) {
    let near = |index: usize| marked.iter().any(|mark| mark.abs_diff(index) <= 1);
    let mut from = 0;
    for row in
        timeline.turns.chunk_by(|a, b| (a.dispatch, a.workgroup, a.subgroup) == (b.dispatch, b.workgroup, b.subgroup))
    {
        let to = from + row.len();
        if row.len() > LONGEST_ROW {
            let middle = from + 1..to - 1;
            middle.filter(|index| !near(*index)).for_each(|index| kept[index] = false);
        }
        from = to;
    }
}

/// Keeps at most [`MOST`] turns: those nearest to the marked ones, the first and the last.
fn thin(marked: &[usize], kept: &mut [bool]) {
    let mut turns: Vec<usize> = (0..kept.len()).filter(|index| kept[*index]).collect();
    if turns.len() <= MOST {
        return;
    }
    let marked: Vec<_> = marked.iter().map(|mark| turns.partition_point(|turn| turn < mark)).collect();
    let last = turns.len() - END;
    let distance = |position: usize| marked.iter().map(|mark| mark.abs_diff(position)).min().unwrap_or(position);
    let mut order: Vec<_> = (BEGINNING..last).collect();
    order.sort_by_key(|&position| (distance(position), position));
    order.truncate(MOST - BEGINNING - END);
    let mut keep: Vec<_> = (0..BEGINNING).chain(order).chain(last..turns.len()).collect();
    keep.sort_unstable();
    turns = keep.into_iter().map(|position| turns[position]).collect();
    kept.fill(false);
    turns.into_iter().for_each(|index| kept[index] = true);
}
