//! What a subgroup does to the history: its accesses, its fences, and what its atomics pass on and find.

use super::access::{Pattern, Place, Touch, action_of, class_of, cross_class, element_of};
use super::clock::{Kinds, View};
use super::environment::Environment;
use super::known::{Kind, Known, Strength};
use super::registers::Lanes;
use super::subgroup::Subgroup;
use crate::analysis::commutes;
use crate::cast::{at, low};
use crate::finding::Action;
use crate::ir::{Access, AccessKind, AtomicOp, Order, Reg, Scope, Space};
use crate::memory::history::{Clash, History, Record, granules, is_wide, memory_of};
use crate::memory::messages::{Memory, Party, Place as Location};
use crate::memory::shadow::Class;
use crate::recorder::RawSite;

const fn acquires(order: Order) -> bool {
    matches!(order, Order::Acquire | Order::AcquireRelease | Order::SequentiallyConsistent)
}

const fn releases(order: Order) -> bool {
    matches!(order, Order::Release | Order::AcquireRelease | Order::SequentiallyConsistent)
}

/// One access on its way into the history.
struct Entering<'a> {
    touch: &'a Touch<'a>,
    memory: Memory,
    /// Granule size as a power of two.
    shift: u32,
    time: u32,
    in_step: bool,
}

impl Subgroup {
    /// Enters an access in the history and reports the races that it makes.
    #[inline(never)]
    pub(super) fn remember(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let place = touch.place;
        let shift = match place.space {
            Space::Storage if place.contested => env.linked.granule_shifts.get(place.buffer).copied().unwrap_or(0),
            Space::Workgroup => env.linked.workgroup_granule_shift,
            _ => return,
        };
        let Some(history) = env.history.take() else { return };
        let mut known = self.take_known(env);
        known.step();
        let memory = memory_of(place.space, place.buffer, env.workgroup.index);
        let entering = Entering { touch, memory, shift, time: known.time, in_step: known.in_step() };
        let plain_write = class_of(touch.access) == Class::Write;
        for (lanes, view) in known.groups(touch.lanes) {
            if matches!(touch.pattern, Pattern::Same { .. }) && !plain_write {
                self.remember_lanes(env, history, &entering, lanes, lanes.trailing_zeros(), &view);
                continue;
            }
            for lane in Lanes(lanes) {
                self.remember_lanes(env, history, &entering, 1 << lane, lane, &view);
                if plain_write {
                    history.messages.overwrite(memory, place.start + self.addresses[at(lane)], touch.size);
                }
            }
        }
        self.known = Some(known);
        env.history = Some(history);
    }

    /// The clocks, for a while. A subgroup that has none is one that nobody told of the history: it knows nothing.
    fn take_known(&mut self, env: &Environment<'_>) -> Box<Known> {
        let lockstep = env.linked.config.warp_lockstep;
        self.known.take().unwrap_or_else(|| Box::new(Known::new(env.workgroup.index, self.id, lockstep)))
    }

    /// Enters the same access of `lanes`, which know the same; `lane` is one of them.
    fn remember_lanes(
        &mut self,
        env: &mut Environment<'_>,
        history: &mut History,
        entering: &Entering<'_>,
        lanes: u128,
        lane: u32,
        view: &View,
    ) {
        let Touch { access, place, size, .. } = *entering.touch;
        let (bytes, start) = (access.scalar.bits() / 8, place.start + self.addresses[at(lane)]);
        let class = class_of(access);
        let cross = if place.space == Space::Workgroup { class } else { cross_class(access, class) };
        let who = (env.workgroup.index, self.id, lanes);
        let (mut clashes, mut shown) = (Vec::new(), None);
        for granule in granules(start, size, entering.shift) {
            let inside = (granule << entering.shift).max(start) - start;
            let element = low(inside / u64::from(bytes));
            let value = match shown {
                Some((last, value)) if last == element => value,
                _ => self.shown(env, access, place, lane, element),
            };
            shown = Some((element, value));
            let offset = start + u64::from(element * bytes);
            let (pc, barriers) = (self.pc(), env.workgroup.barriers);
            let fresh = Record::new(who, entering.time, pc, barriers, (class, cross), offset, bytes, value);
            history.touch(entering.memory, granule, &fresh, view.of(place.space), entering.in_step, &mut clashes);
            for clash in clashes.drain(..) {
                self.clash(env, entering, granule, &clash, &fresh);
            }
        }
    }

    /// The bits of one element that an access reads or writes, before it does.
    fn shown(&mut self, env: &Environment<'_>, access: &Access, place: &Place, lane: u32, element: u32) -> u64 {
        if matches!(class_of(access), Class::Read | Class::AtomicRead) {
            let bytes = access.scalar.bits() / 8;
            self.fetch(env, place, self.addresses[at(lane)] + u64::from(element * bytes), at(bytes));
            return element_of(&self.scratch, access.scalar, 0);
        }
        let rows = access.scalar.rows();
        self.registers.value(Reg(access.value.0 + element * rows), rows, lane)
    }

    #[inline(never)]
    fn clash(
        &mut self,
        env: &mut Environment<'_>,
        entering: &Entering<'_>,
        granule: u64,
        clash: &Clash,
        fresh: &Record,
    ) {
        let Touch { access, place, lanes, .. } = *entering.touch;
        let buffer = (place.space == Space::Storage).then_some(place.buffer);
        let site = |record: &Record, lane: u32, action: Action| RawSite {
            action,
            space: place.space,
            buffer,
            offset: i128::from(record.offset),
            bytes: record.bytes,
            workgroup: record.workgroup,
            invocation: record.subgroup * env.linked.lanes + lane,
            pc: record.pc,
            value: Some(record.value),
        };
        let first = site(&clash.first, clash.first_lane, action_of_class(clash.first.class));
        let second = site(fresh, clash.second_lane, action_of(access));
        let both_plain = (clash.first.class, fresh.class) == (Class::Write, Class::Write);
        let same = (first.offset, first.bytes, first.value) == (second.offset, second.bytes, second.value);
        let harmless = both_plain && same && !self.differs(env, access, place, lanes, clash.second_lane);
        let bytes = granule << entering.shift..(granule + 1) << entering.shift;
        let ranges = buffer.and_then(|buffer| env.linked.may_race.get(buffer));
        let covers = |range: &gridproof_launch::ByteRange| range.start <= bytes.start && bytes.end <= range.end;
        let declared = ranges.and_then(|ranges| ranges.iter().position(covers));
        let barrier_between = clash.first.barriers != fresh.barriers;
        env.recorder.pair(granule, declared, (first, second), harmless, barrier_between);
    }

    /// A fence by the running group.
    #[inline(never)]
    pub(super) fn fence(&mut self, order: Order, scope: Scope, kinds: Kinds) {
        let sequential = order == Order::SequentiallyConsistent;
        let strength = Strength { wide: is_wide(scope), sequential, kinds };
        let lanes = self.mask.bits;
        if let Some(known) = &mut self.known {
            known.fence(lanes, acquires(order), releases(order), strength);
        }
    }

    /// What one invocation's atomic finds and passes on; `wrote` unless it only read.
    #[inline(never)]
    pub(super) fn synchronise(
        &mut self,
        env: &mut Environment<'_>,
        access: &Access,
        place: &Place,
        lane: u32,
        wrote: bool,
    ) {
        let AccessKind::Atomic { op, order, scope } = access.kind else { return };
        if !matches!(place.space, Space::Storage | Space::Workgroup) {
            return;
        }
        let Some(history) = env.history.take() else { return };
        let mut known = self.take_known(env);
        let memory = memory_of(place.space, place.buffer, env.workgroup.index);
        let offset = place.start + self.addresses[at(lane)];
        let location = Location { memory, offset, bytes: u64::from(access.scalar.bits() / 8) };
        let party = Party { workgroup: env.workgroup.index, wide: is_wide(scope) };
        let kind = match op {
            AtomicOp::Load => Kind::Reads,
            _ if access.result.is_none() && access.exchanged.is_none() && commutes(op, access.scalar) => {
                Kind::Commutes(op, access.scalar)
            }
            _ => Kind::Other,
        };
        env.recorder.lanes_took_turns |= known.shares(lane, location, kind);
        if op != AtomicOp::Store && env.linked.atomics_order {
            let (message, (chain, index)) = history.messages.read(location, party).unwrap_or_default();
            if chain != 0 {
                known.saw(lane, chain, index);
            }
            known.find(lane, location, message, acquires(order).then_some(party.wide));
        }
        if wrote {
            let releases = releases(order).then_some(party.wide);
            let mut message = known.message(lane, location, releases, history.relaxed_stores);
            if !history.narrow_scopes {
                message.only_wide();
            }
            let modifies = op != AtomicOp::Store;
            let chained = history.is_mixed(memory);
            let chain = history.messages.write(location, party, message, modifies, chained);
            if chained {
                self.remember_chain(env, history, &location, (lane, known.time), access, chain);
            }
        }
        self.known = Some(known);
        env.history = Some(history);
    }

    /// Notes which write of its location an atomic was that is in the history already.
    fn remember_chain(
        &self,
        env: &Environment<'_>,
        history: &mut History,
        location: &Location,
        (lane, time): (u32, u32),
        access: &Access,
        chain: (u32, u32),
    ) {
        let (space, shift) = match location.memory {
            Memory::Storage(buffer) => (Space::Storage, env.linked.granule_shifts.get(buffer).copied().unwrap_or(0)),
            Memory::Workgroup(_) => (Space::Workgroup, env.linked.workgroup_granule_shift),
        };
        let class = class_of(access);
        let cross = if space == Space::Workgroup { class } else { cross_class(access, class) };
        let who = (env.workgroup.index, self.id, 1 << lane);
        let own = Record::new(who, time, self.pc(), 0, (class, cross), location.offset, 0, 0);
        for granule in granules(location.offset, location.bytes, shift) {
            history.chained(location.memory, granule, &own, lane, chain);
        }
    }
}

const fn action_of_class(class: Class) -> Action {
    match class {
        Class::Read => Action::Read,
        Class::Write => Action::Write,
        Class::AtomicRead => Action::AtomicRead,
        Class::AtomicWrite => Action::AtomicWrite,
    }
}
