//! What happened in one run, turn by turn: for people to look at.

use crate::finding::AccessSite;

/// Turns of one run, in the order in which they were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The turns.
    pub turns: Vec<TimelineTurn>,
    /// Turns that were taken and are not listed, because there were too many.
    pub left_out: u64,
    /// Workgroups that could be resident together.
    pub slots: u32,
    /// Subgroups of a workgroup in each dispatch.
    pub subgroups: Vec<u32>,
}

/// One turn: a subgroup ran from one scheduling point to just before the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineTurn {
    /// Position of the dispatch in the launch.
    pub dispatch: u32,
    /// Linear workgroup.
    pub workgroup: u32,
    /// Its subgroup.
    pub subgroup: u32,
    /// The slot that the workgroup held, counted from 0.
    pub slot: u32,
    /// Instructions that the subgroup executed.
    pub instructions: u64,
    /// Accesses to watched bytes: the first one is what the turn was about, and the place it started from.
    pub accesses: Vec<AccessSite>,
    /// Where it stopped.
    pub end: TurnEnd,
}

/// Where a turn stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    /// Before the next scheduling point.
    Point,
    /// At a barrier that not everyone has reached.
    Barrier,
    /// All invocations have ended.
    Ended,
}
