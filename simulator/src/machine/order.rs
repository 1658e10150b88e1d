//! What orders the accesses of a workgroup's invocations besides the barriers that everyone passes.
//!
//! Every subgroup has a clock that ticks whenever some of its invocations synchronise without the whole workgroup. A
//! barrier of all its invocations orders everything before it, and one number says so. Barriers of a part of a subgroup
//! (`bar.warp.sync` with a mask) and of a part of a workgroup (named barriers with a count) need vector clocks: how far
//! the clock of another invocation or subgroup had come at the last meeting with it.

use std::sync::Arc;

use crate::cast::at;

/// Which of the earlier accesses of others come before what an invocation of one subgroup does now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// Everything the own subgroup did before this time of its clock.
    pub whole: u32,
    /// What lane `j` did before time `lanes[i * n + j]`, for lane `i` of `n`.
    lanes: Option<Arc<[u32]>>,
    /// What subgroup `k` did before time `subgroups[k]`.
    subgroups: Option<Arc<[u32]>>,
}

impl Knowledge {
    /// The start of a workgroup.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether what lane `other` of the own subgroup did at `time` comes before what `lane` does.
    pub fn covers_lane(&self, lane: u32, other: u32, time: u32) -> bool {
        let known = |lanes: &Arc<[u32]>| {
            let count = lanes.len().isqrt();
            lanes.get(at(lane) * count + at(other)).is_some_and(|&known| time < known)
        };
        time < self.whole || self.lanes.as_ref().is_some_and(known)
    }

    /// Whether what any other lane of the own subgroup did at `time` comes before what `lane` does.
    pub fn covers_lanes(&self, lane: u32, time: u32) -> bool {
        let known = |lanes: &Arc<[u32]>| {
            let count = lanes.len().isqrt();
            let row = lanes.get(at(lane) * count..(at(lane) + 1) * count).unwrap_or_default();
            !row.is_empty() && row.iter().enumerate().all(|(other, &known)| other == at(lane) || time < known)
        };
        time < self.whole || self.lanes.as_ref().is_some_and(known)
    }

    /// Whether what another subgroup did at `time` comes before.
    pub fn covers_subgroup(&self, subgroup: u32, time: u32) -> bool {
        self.subgroups.as_ref().and_then(|known| known.get(at(subgroup))).is_some_and(|&known| time < known)
    }

    /// The lanes of `members` have met; the subgroup's clock now stands at `now`, of `count` lanes.
    pub fn meet_lanes(&mut self, members: u128, now: u32, count: u32) {
        let size = at(count);
        let mut lanes: Vec<u32> = match &self.lanes {
            Some(lanes) => lanes.to_vec(),
            None => vec![0; size * size],
        };
        let inside = |lane: usize| members >> lane & 1 == 1;
        let merged: Vec<u32> = (0..size)
            .map(|other| {
                let best = (0..size).filter(|&lane| inside(lane)).map(|lane| lanes[lane * size + other]).max();
                if inside(other) { now } else { best.unwrap_or(0) }
            })
            .collect();
        for lane in (0..size).filter(|&lane| inside(lane)) {
            lanes[lane * size..(lane + 1) * size].copy_from_slice(&merged);
        }
        self.lanes = Some(lanes.into());
    }

    /// What the subgroup knows of others, and others may learn from it: itself up to `now`.
    pub fn share(&self, own: u32, now: u32, subgroups: u32) -> Vec<u32> {
        let mut known = match &self.subgroups {
            Some(known) => known.to_vec(),
            None => vec![0; at(subgroups)],
        };
        if let Some(mine) = known.get_mut(at(own)) {
            *mine = now;
        }
        known
    }

    /// Learns what others shared.
    pub fn learn(&mut self, shared: &[u32]) {
        let known = match &self.subgroups {
            Some(known) => known.iter().zip(shared).map(|(&mine, &theirs)| mine.max(theirs)).collect(),
            None => shared.into(),
        };
        self.subgroups = Some(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_know_whom_they_met_and_what_those_knew() {
        let mut order = Knowledge::default();
        order.meet_lanes(0b0011, 1, 4);
        assert!(order.covers_lane(0, 1, 0) && order.covers_lane(1, 0, 0));
        assert!(!order.covers_lane(0, 1, 1) && !order.covers_lane(2, 0, 0));
        order.meet_lanes(0b0110, 2, 4);
        assert!(order.covers_lane(2, 0, 0), "through lane 1");
        assert!(!order.covers_lane(2, 0, 1));
        assert!(order.covers_lane(2, 1, 1) && !order.covers_lane(0, 2, 0));
        assert!(!order.covers_lanes(0, 0));
        order.meet_lanes(0b1111, 3, 4);
        assert!(order.covers_lanes(0, 2) && !order.covers_lanes(0, 3));
    }

    #[test]
    fn subgroups_pass_on_what_they_know() {
        let (mut first, mut second, mut third) = (Knowledge::default(), Knowledge::default(), Knowledge::default());
        let shared = first.share(0, 5, 3);
        second.learn(&shared);
        assert!(second.covers_subgroup(0, 4) && !second.covers_subgroup(0, 5));
        third.learn(&second.share(1, 2, 3));
        assert!(third.covers_subgroup(0, 4) && third.covers_subgroup(1, 1));
        assert!(!first.covers_subgroup(1, 0));
        first.reset();
        assert_eq!(first, Knowledge::default());
    }
}
