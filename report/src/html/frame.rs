//! Where things lie in the drawing of a run, in CSS pixels. Whole numbers, so that the same run gives the same bytes.

use super::columns::Column;
use super::lanes::Lanes;

/// Width of the names at the left.
pub const NAMES: usize = 142;
/// Height of a lane.
pub const LANE: usize = 56;
/// Height of the line that names a workgroup and its slot, above its lanes.
pub const HEADING: usize = 22;
/// Room between columns.
pub const BETWEEN: usize = 14;
/// Room above the first lane, for arrows that stay in their lane.
const TOP: usize = 30;
/// Room between two lanes of a workgroup, for arrows.
const LANE_GAP: usize = 34;
/// Room between workgroups.
const GROUP_GAP: usize = 12;
/// Height of a line that says how many lanes are left out.
pub const LEFT_OUT: usize = 24;
/// Width of a box that holds one of the two accesses.
const MARKED: usize = 218;
/// Least and greatest width of a box with text.
const WIDE: [usize; 2] = [104, 176];
/// Least and greatest width of a box with numbers alone.
const NARROW: [usize; 2] = [40, 90];
/// Width of a column that stands for many turns.
const FOLDED: usize = 84;
/// More turns than this are drawn narrow.
const MOST_WIDE: usize = 14;

/// Width of a character of the drawing's text, in tenths of a pixel.
pub const CHARACTER: usize = 67;
/// Room at the left and right of text in a box.
pub const PADDING: usize = 7;

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x: usize,
    /// Upper edge.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

impl Area {
    /// Right edge.
    pub const fn right(self) -> usize {
        self.x + self.width
    }

    /// Lower edge.
    pub const fn bottom(self) -> usize {
        self.y + self.height
    }

    /// Middle, from left to right.
    pub const fn middle(self) -> usize {
        self.x + self.width / 2
    }
}

/// All positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Left edge and width of each column.
    pub columns: Vec<(usize, usize)>,
    /// Upper edge of each lane.
    pub lanes: Vec<usize>,
    /// Upper edge of the heading above a lane, for the first lane of each workgroup.
    pub headings: Vec<Option<usize>>,
    /// Upper edge of the line above a lane that says how many are left out.
    pub gaps: Vec<Option<usize>>,
    /// Upper edge of the same line after the last lane.
    pub last_gap: usize,
    /// Left edge of the column after the last, for what waits until the end.
    pub waiting: Option<usize>,
    /// Whether boxes have numbers alone, because there are many.
    pub narrow: bool,
    /// Width of the drawing.
    pub width: usize,
    /// Height of the drawing.
    pub height: usize,
}

impl Frame {
    /// Lays out columns and lanes. `marked` are the turns of the two accesses; `words` gives the text of a turn's box,
    /// and in a drawing with many boxes what a narrow one shows; `waiting` asks for a last column.
    pub fn new(
        lanes: &Lanes,
        columns: &[Column],
        marked: &[usize],
        waiting: bool,
        words: impl Fn(usize, bool) -> Vec<String>,
    ) -> Self {
        let narrow = columns.iter().filter(|column| matches!(column, Column::Turn(_))).count() > MOST_WIDE;
        let room = |column: &Column| match column {
            Column::Turn(index) if !marked.contains(index) => {
                words(*index, narrow).iter().map(|line| line.chars().count()).max()
            }
            _ => None,
        };
        let longest = columns.iter().filter_map(room).max().unwrap_or(0);
        let [least, most] = if narrow { NARROW } else { WIDE };
        let usual = ((longest * CHARACTER).div_ceil(10) + 2 * PADDING).clamp(least, most);
        let mut x = NAMES + BETWEEN;
        let mut place = |width| {
            let left = x;
            x += width + BETWEEN;
            (left, width)
        };
        let columns: Vec<_> = columns
            .iter()
            .map(|column| match column {
                Column::Turn(index) if marked.contains(index) => place(MARKED),
                Column::Turn(_) => place(usual),
                Column::Folded { .. } | Column::Unrecorded(_) => place(FOLDED),
            })
            .collect();
        let waiting = waiting.then(|| place(MARKED).0);
        let mut frame = Self {
            columns,
            lanes: Vec::new(),
            headings: Vec::new(),
            gaps: Vec::new(),
            last_gap: 0,
            waiting,
            width: x,
            height: 0,
            narrow,
        };
        frame.stack(lanes);
        frame
    }

    fn stack(&mut self, lanes: &Lanes) {
        let mut y = TOP;
        let mut before = None;
        for lane in &lanes.shown {
            let gap = (lane.left_out_before > 0).then_some(y);
            y += gap.map_or(0, |_| LEFT_OUT);
            let heading = (before != Some(lane.unit.0)).then(|| y + if before.is_some() { GROUP_GAP } else { 0 });
            y = heading.map_or(y, |heading| heading + HEADING);
            before = Some(lane.unit.0);
            self.gaps.push(gap);
            self.headings.push(heading);
            self.lanes.push(y);
            y += LANE + LANE_GAP;
        }
        self.last_gap = y;
        self.height = y + if lanes.left_out_after > 0 { LEFT_OUT } else { 0 };
    }

    /// The box of a column in a lane.
    pub fn area(&self, column: usize, lane: usize) -> Option<Area> {
        let (&(x, width), &y) = (self.columns.get(column)?, self.lanes.get(lane)?);
        Some(Area { x, y, width, height: LANE })
    }

    /// The box that reaches from after a column (from the beginning, where there is none) to the end of a lane.
    pub fn rest(&self, after: Option<usize>, lane: usize) -> Option<Area> {
        let y = *self.lanes.get(lane)?;
        let x = match after {
            Some(column) => self.columns.get(column).map(|(x, width)| x + width + BETWEEN)?,
            None => NAMES + BETWEEN,
        };
        Some(Area { x, y, width: (self.width - BETWEEN).saturating_sub(x), height: LANE })
    }

    /// Upper and lower edge of all lanes.
    pub fn lanes_from_to(&self) -> (usize, usize) {
        (self.lanes.first().copied().unwrap_or(TOP), self.lanes.last().map_or(TOP, |y| y + LANE))
    }
}
