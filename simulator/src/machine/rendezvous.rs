//! Arriving at a named barrier. Who is let through, and when, is decided by [`crate::drive`].

use super::clock::View;
use super::environment::{Arrivals, Environment};
use super::registers::Lanes;
use super::subgroup::{Parked, ParkedAt, Subgroup};
use crate::cast::at;
use crate::finding::{Action, BoundsLimit, Rule};
use crate::ir::{RendezvousId, RendezvousKind};
use crate::recorder::{FaultDetail, RawSite};

/// Barriers of a workgroup.
pub const BARRIERS: u32 = 16;

impl Subgroup {
    /// The running group arrives. Whether it goes on.
    #[inline(never)]
    pub(super) fn arrive(&mut self, env: &mut Environment<'_>, id: RendezvousId) -> bool {
        let Some(entry) = env.linked.program.tables.rendezvous.get(at(id.0)).copied() else { return true };
        let mut left = self.mask.bits;
        while left != 0 {
            let lane = left.trailing_zeros();
            let barrier = self.registers.word(entry.barrier, lane);
            let expected = entry.count.map(|count| self.registers.word(count, lane));
            let same = |other: &u32| {
                self.registers.word(entry.barrier, *other) == barrier
                    && entry.count.map(|count| self.registers.word(count, *other)) == expected
            };
            let group = Lanes(left).filter(same).fold(0_u128, |bits, lane| bits | 1 << lane);
            left &= !group;
            if barrier >= BARRIERS {
                self.no_such_barrier(env, lane, barrier);
            }
            self.come(env, id, entry.kind, barrier, expected, group);
        }
        self.mask.bits != 0
    }

    fn come(
        &mut self,
        env: &mut Environment<'_>,
        id: RendezvousId,
        kind: RendezvousKind,
        barrier: u32,
        expected: Option<u32>,
        group: u128,
    ) {
        let subgroups = env.linked.subgroups;
        let pc = self.pc();
        let position = env.workgroup.arrivals.iter().position(|arrivals| arrivals.barrier == barrier);
        let first = (self.first_invocation + group.trailing_zeros(), pc);
        let position = position.unwrap_or_else(|| {
            let shared = vec![0; at(subgroups)];
            env.workgroup.arrivals.push(Arrivals {
                barrier,
                expected,
                first,
                gone_on: 0,
                shared,
                known: View::default(),
            });
            env.workgroup.arrivals.len() - 1
        });
        self.compare_counts(env, position, expected, group);
        let arrivals = &mut env.workgroup.arrivals[position];
        if kind == RendezvousKind::Arrive {
            // Everything before the arrival comes before what the waiting ones do next.
            let whole = group == self.live();
            if let Some(known) = &mut self.known {
                known.arrive(if whole { u128::MAX } else { group }, &mut arrivals.known);
            }
            arrivals.gone_on += if whole { self.lanes() } else { group.count_ones() };
            if whole {
                self.epoch += 1;
                let shared = self.order.share(self.id, self.epoch, subgroups);
                arrivals.shared.iter_mut().zip(shared).for_each(|(all, mine)| *all = (*all).max(mine));
            }
            return;
        }
        self.leave_group(group);
        self.compare_places(env, barrier, group);
        match self.parked.iter_mut().find(|parked| parked.pc == pc && is_at(parked, barrier)) {
            Some(parked) => parked.lanes |= group,
            None => self.parked.push(Parked { pc, lanes: group, place: ParkedAt::Rendezvous { id, barrier } }),
        }
    }

    /// An aligned barrier is one for the whole subgroup: its invocations must not come to it at different instructions.
    fn compare_places(&self, env: &mut Environment<'_>, barrier: u32, group: u128) {
        let rendezvous = &env.linked.program.tables.rendezvous;
        let is_aligned = |parked: &&Parked| match parked.place {
            ParkedAt::Rendezvous { id, .. } => rendezvous.get(at(id.0)).is_some_and(|entry| entry.aligned),
            ParkedAt::Warp { .. } => false,
        };
        let elsewhere = |parked: &&Parked| is_at(parked, barrier) && parked.pc != self.pc();
        let Some(other) = self.parked.iter().filter(elsewhere).find(is_aligned).copied() else { return };
        if !env.linked.config.detectors.barrier {
            return;
        }
        let site = self.standing(env, group.trailing_zeros(), Action::Barrier);
        let invocation = self.first_invocation + other.lanes.trailing_zeros();
        let second = RawSite { invocation, pc: other.pc, ..site.clone() };
        let (waiting, elsewhere) = (group.count_ones(), other.lanes.count_ones());
        let detail = FaultDetail::Divergence { waiting, elsewhere, other: Box::new(second) };
        env.recorder.fault(Rule::BarrierDivergence, 4, || (site, detail), self.pc());
    }

    /// Everyone at a barrier must expect as many.
    fn compare_counts(&self, env: &mut Environment<'_>, position: usize, expected: Option<u32>, group: u128) {
        let everyone = env.linked.subgroups * self.lanes();
        let Some(arrivals) = env.workgroup.arrivals.get(position) else { return };
        let (theirs, mine) = (arrivals.expected.unwrap_or(everyone), expected.unwrap_or(everyone));
        if theirs == mine || !env.linked.config.detectors.barrier {
            return;
        }
        let (invocation, pc) = arrivals.first;
        let site = self.standing(env, group.trailing_zeros(), Action::Barrier);
        let other = RawSite { invocation, pc, ..site.clone() };
        let detail = FaultDetail::Divergence { waiting: mine, elsewhere: theirs, other: Box::new(other) };
        env.recorder.fault(Rule::BarrierDivergence, 3, || (site, detail), self.pc());
    }

    fn no_such_barrier(&self, env: &mut Environment<'_>, lane: u32, barrier: u32) {
        if !env.linked.config.detectors.bounds {
            return;
        }
        let site = self.standing(env, lane, Action::Barrier);
        let limit = BoundsLimit::Array { index: i64::from(barrier), elements: u64::from(BARRIERS) };
        env.recorder.fault(Rule::OutOfBounds, 3, || (site, FaultDetail::Bounds(limit)), self.pc());
    }

    /// Invocations that wait at a named barrier.
    pub fn waiting_at(&self, barrier: u32) -> u128 {
        self.parked.iter().filter(|parked| is_at(parked, barrier)).fold(0, |lanes, parked| lanes | parked.lanes)
    }

    /// Lets the invocations that wait at a named barrier go on.
    pub fn leave_barrier(&mut self, barrier: u32) {
        let (go, stay): (Vec<Parked>, Vec<Parked>) = self.parked.iter().partition(|parked| is_at(parked, barrier));
        self.parked = stay;
        for parked in go {
            self.make_ready(parked.pc + 1, parked.lanes);
        }
    }
}

/// Whether a group waits at this barrier.
pub const fn is_at(parked: &Parked, wanted: u32) -> bool {
    matches!(parked.place, ParkedAt::Rendezvous { barrier, .. } if barrier == wanted)
}
