//! Which subgroups of a run get a lane: those of the two accesses and their neighbours, where there are too many for all.

use std::collections::{BTreeMap, BTreeSet};

use gridproof_simulator::Finding;
use gridproof_simulator::finding::AccessSite;
use gridproof_simulator::timeline::Timeline;

use crate::turns;

/// Lanes drawn at most.
const MOST: usize = 10;

/// Workgroup and subgroup.
pub type Unit = (u32, u32);

/// One lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Whose it is.
    pub unit: Unit,
    /// Position of the workgroup in the grid, where an access tells.
    pub position: Option<[u32; 3]>,
    /// Lanes between the one before and this one that are not drawn.
    pub left_out_before: usize,
}

/// The lanes that are drawn, by workgroup and subgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// The lanes.
    pub shown: Vec<Lane>,
    /// Lanes after the last one that are not drawn.
    pub left_out_after: usize,
}

impl Lanes {
    /// Chooses the lanes.
    pub fn new(finding: &Finding, timeline: &Timeline) -> Self {
        let focus: Vec<Unit> = [Some(&finding.first), finding.second.as_ref()]
            .into_iter()
            .flatten()
            .map(|site| unit(site, timeline))
            .collect();
        let mut all: BTreeSet<Unit> = timeline.turns.iter().map(|turn| (turn.workgroup, turn.subgroup)).collect();
        all.extend(&focus);
        let positions = positions(finding, timeline);
        let chosen = choose(&all, &focus);
        let mut lanes = Self::default();
        for unit in all {
            if chosen.contains(&unit) {
                let position = positions.get(&unit.0).copied();
                lanes.shown.push(Lane { unit, position, left_out_before: std::mem::take(&mut lanes.left_out_after) });
            } else {
                lanes.left_out_after += 1;
            }
        }
        lanes
    }

    /// The index of a unit's lane, where it has one.
    pub fn of(&self, unit: Unit) -> Option<usize> {
        self.shown.binary_search_by_key(&unit, |lane| lane.unit).ok()
    }

    /// Lanes that are not drawn.
    pub fn left_out(&self) -> usize {
        self.shown.iter().map(|lane| lane.left_out_before).sum::<usize>() + self.left_out_after
    }
}

/// Whose lane an access belongs to. A workgroup whose linear index nothing tells comes last.
pub fn unit(site: &AccessSite, timeline: &Timeline) -> Unit {
    (turns::workgroup(site, timeline).unwrap_or(u32::MAX), site.subgroup)
}

fn positions(finding: &Finding, timeline: &Timeline) -> BTreeMap<u32, [u32; 3]> {
    let mut positions = BTreeMap::new();
    for site in [Some(&finding.first), finding.second.as_ref()].into_iter().flatten() {
        positions.insert(unit(site, timeline).0, site.workgroup);
    }
    for turn in &timeline.turns {
        if let Some(site) = turn.accesses.first() {
            positions.insert(turn.workgroup, site.workgroup);
        }
    }
    positions
}

/// The lanes nearest to those in focus: first their own, then their workgroups', then the neighbouring workgroups'.
fn choose(all: &BTreeSet<Unit>, focus: &[Unit]) -> BTreeSet<Unit> {
    let distance = |&(workgroup, subgroup): &Unit| {
        let to = |&(other, beside): &Unit| {
            let apart = other.abs_diff(workgroup);
            (apart, if apart == 0 { beside.abs_diff(subgroup) } else { subgroup })
        };
        focus.iter().map(to).min().unwrap_or((workgroup, subgroup))
    };
    let mut nearest: Vec<_> = all.iter().copied().collect();
    nearest.sort_by_key(|unit| (distance(unit), *unit));
    nearest.into_iter().take(MOST).collect()
}
