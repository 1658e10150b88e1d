//! Memory accesses of a subgroup: addresses, bounds, shadows, data.
//!
//! An access runs in fixed steps: index checks, exact offsets, addresses, bounds and alignment (each removes the
//! invocations it faults, whose loads then read zero and whose stores are dropped), scheduling point, missing
//! values, race shadow, data. When the invocations read adjacent elements, the steps work on the whole range.

use gridproof_launch::{Arithmetic, Denormals};

use super::environment::{Environment, TraceEntry, Watch};
use super::order::Knowledge;
use super::pending::Pending;
use super::registers::{CHUNK, Chunk, Lanes};
use super::subgroup::Subgroup;
use crate::cast::{at, at64, low, wide};
use crate::coverage::Lens;
use crate::finding::{Action, BoundsLimit, Rule};
use crate::ir::{
    Access, AccessId, AccessKind, AtomicOp, Base, BindingId, PRIVATE_REGION, REGION_SHIFT, Reg, Scalar, Scope, Space,
    WORKGROUP_REGION,
};
use crate::link::Linked;
use crate::memory::page_of;
use crate::memory::shadow::{Class, Stamp, granules_of};
use crate::recorder::{FaultDetail, RawSite};

/// Whether an access ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It did.
    Ran,
    /// It is a scheduling point and was not granted; nothing happened.
    Yielded,
}

/// Where the bytes of an access are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) space: Space,
    /// Image, for storage and uniform memory.
    pub(super) buffer: usize,
    /// First byte of the window in its buffer.
    pub(super) start: u64,
    /// Bytes in the window.
    length: u64,
    /// Whether races on it are possible.
    pub(super) contested: bool,
}

/// How the addresses of the executing invocations lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Invocations 0..n, each right after the one before.
    Adjacent { first: u64, count: u32 },
    /// All the same.
    Same { address: u64 },
    /// Anything else.
    Scattered,
}

/// What an access has come to, once its faults are taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch<'a> {
    pub(super) access: &'a Access,
    pub(super) place: &'a Place,
    /// Invocations without a fault.
    pub(super) lanes: u128,
    /// How their addresses lie.
    pub(super) pattern: Pattern,
    /// Bytes of each.
    pub(super) size: u64,
}

impl Subgroup {
    /// Runs one access for the executing invocations.
    #[inline(always)]
    pub fn access(&mut self, env: &mut Environment<'_>, id: AccessId, granted: bool) -> Done {
        let linked = env.linked;
        self.access_entry(env, &linked.program.tables.accesses[at(id.0)], Some(id), granted)
    }

    /// The same, for an access that need not be in the table.
    #[inline(always)]
    pub(super) fn access_entry(
        &mut self,
        env: &mut Environment<'_>,
        access: &Access,
        id: Option<AccessId>,
        granted: bool,
    ) -> Done {
        let linked = env.linked;
        let mut lanes = self.mask.bits;
        if let Some(id) = id
            && !access.checks.is_empty()
        {
            lanes &= !self.failed_checks(env, access, id);
        }
        if linked.config.detectors.offset {
            self.check_offsets(env, access);
        }
        self.compute_addresses(linked, access);
        let size = u64::from(access.count) * u64::from(access.scalar.bits() / 8);
        let Some(place) = self.place(env, access) else {
            return self.access_by_address(env, access, lanes, size, granted);
        };
        self.access_in_place(env, access, &place, lanes, size, granted)
    }

    /// An access of all executing invocations but those with failed checks to one memory.
    #[inline(always)]
    fn access_in_place(
        &mut self,
        env: &mut Environment<'_>,
        access: &Access,
        place: &Place,
        lanes: u128,
        size: u64,
        granted: bool,
    ) -> Done {
        let (lanes, pattern) = self.without_faults(env, access, place, lanes, size);
        if let Some(watch) = env.watch
            && !granted
            && self.is_scheduling_point(watch, access, place, lanes, pattern, size)
        {
            if watch.describe {
                self.describe(access, &[(*place, lanes, pattern)], size);
            }
            return Done::Yielded;
        }
        if lanes != self.mask.bits {
            self.zero(access, self.mask.bits & !lanes);
        }
        self.perform(env, &Touch { access, place, lanes, pattern, size });
        self.follow_loaded(env, access);
        Done::Ran
    }

    /// Takes out the invocations whose bytes lie outside of the place, and reports them.
    #[inline(always)]
    pub(super) fn without_faults(
        &self,
        env: &mut Environment<'_>,
        access: &Access,
        place: &Place,
        mut lanes: u128,
        size: u64,
    ) -> (u128, Pattern) {
        let mut pattern = self.pattern(lanes, size);
        if !self.in_bounds(pattern, lanes, size, place.length) {
            lanes &= !self.out_of_bounds(env, access, place, lanes, size);
            pattern = self.pattern(lanes, size);
        }
        if access.alignment > 1 {
            self.check_alignment(env, access, place, lanes, pattern);
        }
        (lanes, pattern)
    }

    #[inline(always)]
    pub(super) fn perform(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        if touch.lanes != 0 {
            if let Some(lens) = &env.linked.lens {
                self.note_access(lens, touch);
            }
            self.relays.overwrite(touch);
            self.check_initialised(env, touch);
            self.shadow(env, touch);
            if env.history.as_ref().is_some_and(|history| history.versions.is_some()) {
                self.transfer_in_order(env, touch);
            } else {
                self.transfer(env, touch);
            }
            if self.relays.pending() {
                self.store_relayed(env, touch);
            }
        }
    }

    /// Counts an access: what it does, to which memory, how its addresses lie, whether all invocations make it, and how far
    /// it goes.
    #[inline(never)]
    fn note_access(&self, lens: &Lens, touch: &Touch<'_>) {
        let farthest = Lanes(touch.lanes).map(|lane| self.addresses[at(lane)]).max().unwrap_or(0);
        let action = u32::from(action_of(touch.access).is_write());
        let space = match touch.place.space {
            Space::Storage => 0,
            Space::Uniform => 1,
            Space::Workgroup => 2,
            _ => 3,
        };
        let pattern = match touch.pattern {
            Pattern::Adjacent { .. } => 0,
            Pattern::Same { .. } => 1,
            Pattern::Scattered => 2,
        };
        let whole = u32::from(touch.lanes == self.live());
        let what = action | space << 1 | pattern << 3 | whole << 5;
        lens.access(self.pc(), what, farthest);
    }

    /// What others must keep away from now, although the data comes later.
    pub(super) fn announce(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        if touch.lanes == 0 {
            return;
        }
        self.shadow(env, touch);
        if env.trace.is_some() {
            self.trace(env, touch.access, touch.place, touch.lanes, touch.size);
        }
    }

    /// An access whose address says by itself in which memory it lies: in one, most of the time.
    fn access_by_address(
        &mut self,
        env: &mut Environment<'_>,
        access: &Access,
        lanes: u128,
        size: u64,
        granted: bool,
    ) -> Done {
        if lanes == self.mask.bits
            && let Some(region) = self.common_region()
            && let Some((place, start)) = self.place_of_region(env, access, region)
        {
            self.addresses.iter_mut().for_each(|address| *address = address.wrapping_sub(start));
            return self.access_in_place(env, access, &place, lanes, size, granted);
        }
        let mut groups: Vec<(Place, u128, Pattern)> = Vec::with_capacity(1);
        let (mut left, mut done) = (lanes, 0);
        while left != 0 {
            let region = self.addresses[at(left.trailing_zeros())] >> REGION_SHIFT;
            let group = Lanes(left)
                .filter(|&lane| self.addresses[at(lane)] >> REGION_SHIFT == region)
                .fold(0, |bits, lane| bits | 1 << lane);
            left &= !group;
            let Some((place, start)) = self.place_of_region(env, access, region) else {
                self.unmapped(env, access, group);
                continue;
            };
            if place.space == Space::Uniform && action_of(access).is_write() {
                self.read_only(env, access, &place, start, group);
                continue;
            }
            for lane in Lanes(group) {
                self.addresses[at(lane)] = self.addresses[at(lane)].wrapping_sub(start);
            }
            let (group, pattern) = self.without_faults(env, access, &place, group, size);
            done |= group;
            groups.push((place, group, pattern));
        }
        if let Some(watch) = env.watch
            && !granted
            && groups
                .iter()
                .any(|(place, lanes, pattern)| self.is_scheduling_point(watch, access, place, *lanes, *pattern, size))
        {
            if watch.describe {
                self.describe(access, &groups, size);
            }
            return Done::Yielded;
        }
        if done != self.mask.bits {
            self.zero(access, self.mask.bits & !done);
        }
        for (place, lanes, pattern) in &groups {
            self.perform(env, &Touch { access, place, lanes: *lanes, pattern: *pattern, size });
        }
        self.follow_loaded(env, access);
        Done::Ran
    }

    /// Notes what the access that was not granted would do.
    #[inline(never)]
    fn describe(&mut self, access: &Access, groups: &[(Place, u128, Pattern)], size: u64) {
        let mut pending = Pending::new(self.pc(), access, self.mask.bits);
        for (place, lanes, pattern) in groups {
            pending.add(self, place, *lanes, *pattern, size);
        }
        self.pending = Some(pending);
    }

    /// The region in which all executing invocations' addresses lie, if there is one.
    #[inline(always)]
    fn common_region(&self) -> Option<u64> {
        let first = *self.addresses.get(at(self.mask.bits.trailing_zeros()))?;
        let mut differ = 0;
        for (addresses, keep) in self.addresses.chunks(CHUNK).zip(self.mask.words()) {
            for (address, keep) in addresses.iter().zip(keep.0) {
                differ |= if keep != 0 { address ^ first } else { 0 };
            }
        }
        (differ >> REGION_SHIFT == 0).then_some(first >> REGION_SHIFT)
    }

    /// The memory behind a region and the address of its first byte.
    fn place_of_region(&self, env: &Environment<'_>, access: &Access, region: u64) -> Option<(Place, u64)> {
        let own = |space, length| Place { space, buffer: 0, start: 0, length, contested: true };
        let windows = access.address.base == Base::Generic;
        match region {
            WORKGROUP_REGION if windows => {
                Some((own(Space::Workgroup, wide(env.workgroup.memory.len())), region << REGION_SHIFT))
            }
            PRIVATE_REGION if windows => {
                let length = u64::from(env.linked.program.private_bytes);
                Some((own(Space::Private, length), region << REGION_SHIFT))
            }
            _ => {
                let binding = (*env.linked.regions.get(at64(region))?)?;
                let bound = &env.linked.bindings[binding];
                let stray = |list: &Vec<BindingId>| !list.contains(&BindingId(crate::cast::narrow(binding)));
                let read_only = bound.space == Space::Uniform && !matches!(access.kind, AccessKind::Load);
                if read_only || access.reaches.as_ref().is_some_and(stray) {
                    return None;
                }
                let place = Place {
                    space: bound.space,
                    buffer: bound.buffer,
                    start: bound.start,
                    length: bound.length,
                    contested: bound.contested,
                };
                Some((place, bound.address))
            }
        }
    }

    fn follow_loaded(&mut self, env: &Environment<'_>, access: &Access) {
        let linked = env.linked;
        if !linked.config.detectors.offset {
            return;
        }
        let (signed, rows) = (access.scalar.is_signed(), access.scalar.rows());
        let mut given = |reg: Reg| match (linked.address_registers[at(reg.0)], rows) {
            (false, _) => {}
            (true, 2) => self.exact.given(reg, rows, &self.registers, &self.mask),
            (true, _) => self.exact.fresh(reg, signed, &self.registers, &self.mask),
        };
        match access.kind {
            AccessKind::Load => (0..access.count).for_each(|i| given(Reg(access.value.0 + i * rows))),
            AccessKind::Store => {}
            AccessKind::Atomic { .. } => access.result.into_iter().chain(access.exchanged).for_each(given),
        }
    }

    #[inline(always)]
    fn failed_checks(&mut self, env: &mut Environment<'_>, access: &Access, id: AccessId) -> u128 {
        let linked = env.linked;
        let mut failed = 0;
        for (check, &limit) in access.checks.iter().zip(&linked.limits[at(id.0)]) {
            let limit32 = u32::try_from(limit).unwrap_or(u32::MAX);
            let mut any = [0; CHUNK];
            for (row, keep) in self.registers.row(check.index).iter().zip(self.mask.words()) {
                for (lane, any) in any.iter_mut().enumerate() {
                    *any |= if row.0[lane] >= limit32 { keep.0[lane] } else { 0 };
                }
            }
            if any.iter().fold(0, |all, word| all | word) != 0 {
                let lanes = Lanes(self.mask.bits & !failed);
                for lane in lanes.filter(|&lane| self.registers.word(check.index, lane) >= limit32) {
                    failed |= 1 << lane;
                    self.index_fault(env, access, check.index, check.signed, lane, limit);
                }
            }
        }
        failed
    }

    #[inline(never)]
    fn index_fault(&self, env: &mut Environment<'_>, access: &Access, reg: Reg, signed: bool, lane: u32, limit: u64) {
        if !env.linked.config.detectors.bounds {
            return;
        }
        let word = self.registers.word(reg, lane);
        let index = if signed { i64::from(word.cast_signed()) } else { i64::from(word) };
        let (space, buffer, start) = match access.address.base {
            Base::Binding(id) => {
                let bound = &env.linked.bindings[at(id.0)];
                (bound.space, Some(bound.buffer), i128::from(bound.start))
            }
            Base::Workgroup => (Space::Workgroup, None, 0),
            Base::Private => (Space::Private, None, 0),
            Base::Absolute | Base::Generic => (Space::Storage, None, 0),
        };
        let scale = if access.address.index == Some(reg) { i128::from(access.address.scale) } else { 0 };
        let offset = start + i128::from(access.address.displacement) + i128::from(index) * scale;
        let site = self.site(env, access, lane, space, buffer, offset);
        let detail = FaultDetail::Bounds(BoundsLimit::Array { index, elements: limit });
        let pc = self.pc();
        env.recorder.fault(Rule::OutOfBounds, 0, || (site, detail), pc);
    }

    pub(super) fn site(
        &self,
        env: &Environment<'_>,
        access: &Access,
        lane: u32,
        space: Space,
        buffer: Option<usize>,
        offset: i128,
    ) -> RawSite {
        RawSite {
            action: action_of(access),
            space,
            buffer,
            offset,
            bytes: access.scalar.bits() / 8,
            workgroup: env.workgroup.index,
            invocation: self.first_invocation + lane,
            pc: self.pc(),
            value: None,
        }
    }

    #[inline(always)]
    pub(super) fn check_offsets(&self, env: &mut Environment<'_>, access: &Access) {
        let address = &access.address;
        let index = address.index.filter(|reg| !self.exact.is_clean(*reg)).map(|reg| (reg, address.index_signed));
        if address.wide
            && let Some(reg) = address.offset
            && !self.exact.is_clean_wide(reg)
        {
            self.wrapped_address(env, access, reg);
        }
        let narrow = address.offset.filter(|reg| !address.wide && !self.exact.is_clean(*reg));
        let offset = narrow.map(|reg| (reg, is_signed_offset(env.linked, access)));
        for check in &access.checks {
            if !self.exact.is_clean(check.index) && Some(check.index) != address.index {
                self.wrapped(env, access, check.index, check.signed);
            }
        }
        for (reg, signed) in index.into_iter().chain(offset) {
            self.wrapped(env, access, reg, signed);
        }
    }

    #[inline(never)]
    fn wrapped(&self, env: &mut Environment<'_>, access: &Access, reg: Reg, signed: bool) {
        for lane in self.mask.lanes() {
            let word = self.registers.word(reg, lane);
            let computed = if signed { i64::from(word.cast_signed()) } else { i64::from(word) };
            let value = self.exact.value(reg, lane, word);
            if value.may_be(computed) || (is_signed_offset(env.linked, access) && value.may_be(i64::from(word))) {
                continue;
            }
            let (space, buffer, start, scale) = match access.address.base {
                Base::Binding(id) => {
                    let bound = &env.linked.bindings[at(id.0)];
                    (bound.space, Some(bound.buffer), i128::from(bound.start), i128::from(access.address.scale.max(1)))
                }
                Base::Workgroup => (Space::Workgroup, None, 0, i128::from(access.address.scale.max(1))),
                _ => (Space::Private, None, 0, i128::from(access.address.scale.max(1))),
            };
            let offset = start + i128::from(access.address.displacement) + i128::from(computed) * scale;
            let site = self.site(env, access, lane, space, buffer, offset);
            let origin = if value.origin == u32::MAX { self.pc() } else { value.origin };
            let detail =
                FaultDetail::Wrapped { origin, exact: i128::from(value.exact()), computed: i128::from(computed) };
            let pc = self.pc();
            env.recorder.fault(Rule::WrappedOffset, 0, || (site, detail), pc);
        }
    }

    /// A 64-bit address made from a value that wrapped in 32 bits. Offsets are counted from the start of the memory.
    #[inline(never)]
    fn wrapped_address(&self, env: &mut Environment<'_>, access: &Access, reg: Reg) {
        for lane in self.mask.lanes() {
            let gap = self.exact.gap(reg, lane);
            if gap.difference == 0 && gap.doubt.distance == 0 {
                continue;
            }
            let address = self.registers.value(reg, 2, lane).wrapping_add_signed(access.address.displacement);
            let by_address = matches!(access.address.base, Base::Absolute | Base::Generic);
            let found = if by_address { self.place_of_region(env, access, address >> REGION_SHIFT) } else { None };
            let (space, buffer, start, origin_of_memory) = match found {
                Some((place, address)) => {
                    let buffer = matches!(place.space, Space::Storage | Space::Uniform).then_some(place.buffer);
                    (place.space, buffer, place.start, address)
                }
                None if by_address => (Space::Storage, None, 0, 0),
                None if access.address.base == Base::Workgroup => (Space::Workgroup, None, 0, 0),
                None => (Space::Private, None, 0, 0),
            };
            let offset = i128::from(address.wrapping_sub(origin_of_memory).cast_signed());
            let bytes = i128::from(access.scalar.bits() / 8) * i128::from(access.count);
            let last = found.as_ref().map(|(place, _)| i128::from(place.length) - bytes);
            let inside = |offset: i128| last.is_some_and(|last| (0..=last).contains(&offset));
            let other = offset + i128::from(gap.doubt.distance);
            let (difference, origin) = match gap.difference {
                0 if !inside(offset) && inside(other) => (gap.doubt.distance, gap.doubt.origin),
                0 => continue,
                difference => (difference, gap.origin),
            };
            let site = self.site(env, access, lane, space, buffer, i128::from(start) + offset);
            let origin = if origin == u32::MAX { self.pc() } else { origin };
            let detail = FaultDetail::Wrapped { origin, exact: offset + i128::from(difference), computed: offset };
            let pc = self.pc();
            env.recorder.fault(Rule::WrappedOffset, 0, || (site, detail), pc);
        }
    }

    /// Fills `self.addresses` with byte offsets in the window (absolute addresses for [`Base::Absolute`]).
    #[inline(always)]
    pub(super) fn compute_addresses(&mut self, linked: &Linked, access: &Access) {
        let address = &access.address;
        let signed = is_signed_offset(linked, access);
        let base = address.displacement.cast_unsigned();
        let scale = u64::from(address.scale);
        for i in 0..self.registers.per_row() {
            let mut sum = [base; CHUNK];
            if let Some(reg) = address.index {
                let Chunk(index) = self.registers.row(reg)[i];
                for lane in 0..CHUNK {
                    sum[lane] = sum[lane].wrapping_add(u64::from(index[lane]) * scale);
                }
            }
            if let Some(reg) = address.offset {
                let Chunk(offset) = self.registers.row(reg)[i];
                for lane in 0..CHUNK {
                    sum[lane] = sum[lane].wrapping_add(u64::from(offset[lane]));
                }
                if signed {
                    for lane in 0..CHUNK {
                        sum[lane] = sum[lane].wrapping_sub(u64::from(offset[lane] >> 31) << 32);
                    }
                }
                if address.wide {
                    let Chunk(high) = self.registers.row(reg.high())[i];
                    for lane in 0..CHUNK {
                        sum[lane] = sum[lane].wrapping_add(u64::from(high[lane]) << 32);
                    }
                }
            }
            self.addresses[i * CHUNK..(i + 1) * CHUNK].copy_from_slice(&sum);
        }
    }

    #[inline(always)]
    pub(super) fn place(&self, env: &Environment<'_>, access: &Access) -> Option<Place> {
        let own = |space, length| Place { space, buffer: 0, start: 0, length, contested: true };
        match access.address.base {
            Base::Binding(id) => {
                let bound = &env.linked.bindings[at(id.0)];
                Some(Place {
                    space: bound.space,
                    buffer: bound.buffer,
                    start: bound.start,
                    length: bound.length,
                    contested: bound.contested,
                })
            }
            Base::Workgroup => Some(own(Space::Workgroup, wide(env.workgroup.memory.len()))),
            Base::Private => Some(own(Space::Private, u64::from(env.linked.program.private_bytes))),
            Base::Absolute | Base::Generic => None,
        }
    }

    #[inline(never)]
    fn unmapped(&self, env: &mut Environment<'_>, access: &Access, lanes: u128) {
        if !env.linked.config.detectors.bounds {
            return;
        }
        for lane in Lanes(lanes) {
            let address = self.addresses[at(lane)];
            let site = self.site(env, access, lane, Space::Storage, None, i128::from(address));
            let detail = FaultDetail::Bounds(BoundsLimit::Unmapped { address });
            let pc = self.pc();
            env.recorder.fault(Rule::OutOfBounds, 2, || (site, detail), pc);
        }
    }

    #[inline(never)]
    fn read_only(&self, env: &mut Environment<'_>, access: &Access, place: &Place, start: u64, lanes: u128) {
        if !env.linked.config.detectors.bounds {
            return;
        }
        for lane in Lanes(lanes) {
            let inside = i128::from(self.addresses[at(lane)].wrapping_sub(start).cast_signed());
            let site = self.site(env, access, lane, place.space, Some(place.buffer), i128::from(place.start) + inside);
            let pc = self.pc();
            env.recorder.fault(Rule::OutOfBounds, 4, || (site, FaultDetail::Bounds(BoundsLimit::ReadOnly)), pc);
        }
    }

    #[inline(always)]
    pub(super) fn pattern(&self, lanes: u128, size: u64) -> Pattern {
        let first = self.addresses[0];
        let is_prefix = lanes & 1 == 1 && lanes & lanes.wrapping_add(1) == 0;
        if !is_prefix {
            return self.pattern_of_some(lanes);
        }
        let count = at(lanes.trailing_ones());
        let (mut adjacent, mut same) = (0, 0);
        let mut expected = first;
        for &address in &self.addresses[..count] {
            adjacent |= address ^ expected;
            same |= address ^ first;
            expected = expected.wrapping_add(size);
        }
        if same == 0 && count > 1 {
            Pattern::Same { address: first }
        } else if adjacent == 0 {
            Pattern::Adjacent { first, count: lanes.trailing_ones() }
        } else {
            Pattern::Scattered
        }
    }

    fn pattern_of_some(&self, lanes: u128) -> Pattern {
        let first = self.addresses[at(lanes.trailing_zeros()) % self.addresses.len()];
        if lanes != 0 && Lanes(lanes).all(|lane| self.addresses[at(lane)] == first) {
            return Pattern::Same { address: first };
        }
        Pattern::Scattered
    }

    #[inline(always)]
    fn in_bounds(&self, pattern: Pattern, lanes: u128, size: u64, length: u64) -> bool {
        let fits = |address: u64, size: u64| address <= length && size <= length - address;
        match pattern {
            Pattern::Adjacent { first, count } => fits(first, size * u64::from(count)),
            Pattern::Same { address } => fits(address, size),
            Pattern::Scattered => Lanes(lanes).all(|lane| fits(self.addresses[at(lane)], size)),
        }
    }

    #[inline(never)]
    fn out_of_bounds(&self, env: &mut Environment<'_>, access: &Access, place: &Place, lanes: u128, size: u64) -> u128 {
        let mut failed = 0;
        for lane in Lanes(lanes) {
            let address = self.addresses[at(lane)];
            if address <= place.length && size <= place.length - address {
                continue;
            }
            failed |= 1 << lane;
            if env.linked.config.detectors.bounds {
                let buffer = matches!(place.space, Space::Storage | Space::Uniform).then_some(place.buffer);
                let offset = i128::from(place.start) + i128::from(address.cast_signed());
                let site = self.site(env, access, lane, place.space, buffer, offset);
                let detail = FaultDetail::Bounds(BoundsLimit::Binding { length: place.length });
                let pc = self.pc();
                env.recorder.fault(Rule::OutOfBounds, 1, || (site, detail), pc);
            }
        }
        failed
    }

    #[inline(always)]
    fn check_alignment(
        &self,
        env: &mut Environment<'_>,
        access: &Access,
        place: &Place,
        lanes: u128,
        pattern: Pattern,
    ) {
        let mask = u64::from(access.alignment) - 1;
        if has_aligned_start(access) {
            return self.misaligned(env, access, place, lanes);
        }
        let step = u64::from(access.count) * u64::from(access.scalar.bits() / 8);
        let off = match pattern {
            Pattern::Adjacent { first, .. } => (place.start + first) | step,
            Pattern::Same { address } => place.start + address,
            Pattern::Scattered => Lanes(lanes).fold(0, |all, lane| all | (place.start + self.addresses[at(lane)])),
        };
        if off & mask != 0 {
            self.misaligned(env, access, place, lanes);
        }
    }

    #[inline(never)]
    fn misaligned(&self, env: &mut Environment<'_>, access: &Access, place: &Place, lanes: u128) {
        if !env.linked.config.detectors.alignment {
            return;
        }
        for lane in Lanes(lanes) {
            let offset = place.start + self.addresses[at(lane)];
            let index = access.address.index.filter(|_| has_aligned_start(access));
            let behind = index.map_or(0, |reg| u64::from(self.registers.word(reg, lane) * access.address.scale));
            if offset.wrapping_sub(behind).is_multiple_of(u64::from(access.alignment)) {
                continue;
            }
            let buffer = matches!(place.space, Space::Storage | Space::Uniform).then_some(place.buffer);
            let site = self.site(env, access, lane, place.space, buffer, i128::from(offset));
            let pc = self.pc();
            let detail = FaultDetail::Alignment(access.alignment);
            env.recorder.fault(Rule::Misaligned, 0, || (site, detail), pc);
        }
    }

    fn is_scheduling_point(
        &self,
        watch: &Watch,
        access: &Access,
        place: &Place,
        lanes: u128,
        pattern: Pattern,
        size: u64,
    ) -> bool {
        let ranges = match place.space {
            Space::Storage => watch.storage.get(place.buffer).map_or(&[][..], Vec::as_slice),
            Space::Workgroup => &watch.workgroup,
            Space::Uniform | Space::Private => return false,
        };
        if matches!(access.kind, AccessKind::Atomic { .. }) || (watch.everything && place.contested) {
            return true;
        }
        if ranges.is_empty() {
            return false;
        }
        match pattern {
            Pattern::Adjacent { first, count } => Watch::hits(ranges, place.start + first, size * u64::from(count)),
            Pattern::Same { address } => Watch::hits(ranges, place.start + address, size),
            Pattern::Scattered => {
                Lanes(lanes).any(|lane| Watch::hits(ranges, place.start + self.addresses[at(lane)], size))
            }
        }
    }

    #[inline(always)]
    fn check_initialised(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let Touch { access, place, .. } = *touch;
        let reads = !matches!(access.kind, AccessKind::Store | AccessKind::Atomic { op: AtomicOp::Store, .. });
        let unsure = match place.space {
            Space::Storage | Space::Uniform => env.storage.may_be_uninitialised(place.buffer),
            Space::Workgroup => env.workgroup.initialised.is_some(),
            Space::Private => self.private_initialised.is_some(),
        };
        if reads && unsure && env.linked.config.detectors.uninitialised {
            self.find_uninitialised(env, touch);
        }
    }

    #[inline(never)]
    fn find_uninitialised(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let Touch { access, place, lanes, pattern, size } = *touch;
        if let (Pattern::Adjacent { first, count }, Space::Storage) = (pattern, place.space)
            && env.storage.is_initialised(place.buffer, place.start + first, at64(size * u64::from(count)))
        {
            return;
        }
        if let (Pattern::Same { address }, Space::Private, Some(known)) =
            (pattern, place.space, &self.private_initialised)
            && known[at64(address)..at64(address + size)].iter().all(|known| known & lanes == lanes)
        {
            return;
        }
        for lane in Lanes(lanes) {
            let offset = place.start + self.addresses[at(lane)];
            let range = at64(offset)..at64(offset + size);
            let known = match place.space {
                Space::Storage | Space::Uniform => env.storage.is_initialised(place.buffer, offset, at64(size)),
                Space::Workgroup => {
                    env.workgroup.initialised.as_ref().is_none_or(|known| known[range].iter().all(|&k| k))
                }
                Space::Private => self
                    .private_initialised
                    .as_ref()
                    .is_none_or(|known| range.into_iter().all(|byte| known[byte] >> lane & 1 == 1)),
            };
            if !known && !self.relay(touch, lane) {
                let buffer = matches!(place.space, Space::Storage | Space::Uniform).then_some(place.buffer);
                let site = self.site(env, access, lane, place.space, buffer, i128::from(offset));
                let pc = self.pc();
                env.recorder.fault(Rule::UninitialisedRead, 0, || (site, FaultDetail::None), pc);
            }
        }
    }

    #[inline(always)]
    fn shadow(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let place = touch.place;
        if env.shadows.is_empty() {
            if env.history.is_some() {
                self.remember(env, touch);
            }
            return;
        }
        if env.linked.config.warp_lockstep {
            self.tick_whole();
        }
        match place.space {
            Space::Storage if place.contested => self.shadow_storage(env, touch),
            Space::Workgroup => self.shadow_workgroup(env, touch),
            _ => {}
        }
    }

    const fn stamp<'a>(&self, order: &'a Knowledge, interval: u32, linked: &Linked) -> Stamp<'a> {
        let subgroup_shift = linked.lanes.trailing_zeros();
        let first_invocation = self.first_invocation;
        Stamp { interval, epoch: self.epoch, order, first_invocation, subgroup_shift, partial: linked.partial_order }
    }

    #[inline(always)]
    fn shadow_workgroup(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let Touch { access, place, lanes, pattern, size } = *touch;
        let shift = env.linked.workgroup_granule_shift;
        let granules = (env.workgroup.memory.len() >> shift) + 1;
        let order = self.order.clone();
        let stamp = self.stamp(&order, env.workgroup.workgroup_interval, env.linked);
        let class = class_of(access);
        if let Pattern::Adjacent { first, count } = pattern
            && let Some(per_shift) = granules_per_lane(first, size, shift)
        {
            let range = granules_of(at64(first), at64(size * u64::from(count)), shift);
            if !env.workgroup.shadow.touch_range(class, range, granules, self.first_invocation, per_shift, &stamp) {
                return;
            }
        }
        for lane in Lanes(lanes) {
            let range = granules_of(at64(self.addresses[at(lane)]), at64(size), shift);
            let invocation = self.first_invocation + lane;
            if env.workgroup.shadow.touch_free(class, range.clone(), granules, invocation, &stamp) {
                continue;
            }
            for granule in range {
                if env.workgroup.shadow.touch(class, granule, granules, invocation, &stamp) {
                    let differs = self.differs(env, access, place, lanes, lane);
                    env.recorder.race(None, wide(granule), self.pc(), env.workgroup.index, differs);
                }
            }
        }
    }

    #[inline(always)]
    fn shadow_storage(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let Touch { access, place, lanes, pattern, size } = *touch;
        let shadow = &env.shadows[place.buffer];
        let (shift, granules) = (shadow.granule_shift, shadow.granules());
        let order = self.order.clone();
        let stamp = self.stamp(&order, env.workgroup.storage_interval, env.linked);
        let (class, workgroup) = (class_of(access), env.workgroup.index);
        if let Pattern::Adjacent { first, count } = pattern
            && let Some(per_shift) = granules_per_lane(place.start + first, size, shift)
        {
            let (page, inside) = page_of(place.start + first);
            let total = at64(size * u64::from(count));
            if inside + total <= crate::memory::PAGE {
                let (local, cross) = env.shadows[place.buffer].page(page);
                let range = granules_of(inside, total, shift);
                cross.touch(cross_class(access, class), range.clone(), granules, workgroup);
                if !local.touch_range(class, range, granules, self.first_invocation, per_shift, &stamp) {
                    return;
                }
            }
        }
        for lane in Lanes(lanes) {
            let mut offset = place.start + self.addresses[at(lane)];
            let end = offset + size;
            let (page, inside) = page_of(offset);
            if inside + at64(size) <= crate::memory::PAGE {
                let (local, cross) = env.shadows[place.buffer].page(page);
                let range = granules_of(inside, at64(size), shift);
                if local.touch_free(class, range.clone(), granules, self.first_invocation + lane, &stamp) {
                    cross.touch(cross_class(access, class), range, granules, workgroup);
                    continue;
                }
            }
            while offset < end {
                let (page, inside) = page_of(offset);
                let (local, cross) = env.shadows[place.buffer].page(page);
                let granule = inside >> shift;
                cross.touch(cross_class(access, class), granule..granule + 1, granules, workgroup);
                if local.touch(class, granule, granules, self.first_invocation + lane, &stamp) {
                    let global = page * wide(granules) + wide(granule);
                    let differs = self.differs(env, access, place, lanes, lane);
                    env.recorder.race(Some(place.buffer), global, self.pc(), workgroup, differs);
                }
                offset = ((offset >> shift) + 1) << shift;
            }
        }
    }

    /// Whether a racing access is anything but a plain write of the value that memory holds, or that an earlier
    /// invocation of the same instruction is about to give it.
    #[inline(never)]
    pub(super) fn differs(
        &mut self,
        env: &Environment<'_>,
        access: &Access,
        place: &Place,
        lanes: u128,
        lane: u32,
    ) -> bool {
        if class_of(access) != Class::Write {
            return true;
        }
        let address = self.addresses[at(lane)];
        let mut mine = Vec::new();
        gather(&self.registers, access, lane, &mut mine);
        let before = Lanes(lanes & ((1_u128 << lane) - 1))
            .filter(|&other| self.addresses[at(other)].abs_diff(address) < wide(mine.len()));
        if let Some(other) = before.last() {
            let mut theirs = Vec::new();
            gather(&self.registers, access, other, &mut theirs);
            return self.addresses[at(other)] != address || theirs != mine;
        }
        self.fetch(env, place, address, mine.len());
        self.scratch != mine
    }

    #[inline(always)]
    pub(super) fn transfer(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let Touch { access, place, lanes, size, .. } = *touch;
        match access.kind {
            AccessKind::Load => self.load(env, touch),
            AccessKind::Store => self.store(env, touch),
            AccessKind::Atomic { op, .. } => self.atomics(env, access, op, place, lanes),
        }
        if env.trace.is_some() {
            self.trace(env, access, place, lanes, size);
        }
    }

    #[inline(always)]
    fn load(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let Touch { access, place, lanes, pattern, size } = *touch;
        if place.space == Space::Private {
            return self.load_private(access, lanes, pattern);
        }
        match pattern {
            Pattern::Adjacent { first, count } => {
                let total = at64(size * u64::from(count));
                let start = place.start + first;
                let direct = match place.space {
                    Space::Workgroup => env.workgroup.memory.get(at64(start)..at64(start) + total),
                    _ => env.storage.slice(place.buffer, start, total),
                };
                if let Some(bytes) = direct {
                    return scatter(&mut self.registers, access, count, bytes);
                }
                self.scratch.resize(total, 0);
                env.storage.read(place.buffer, start, &mut self.scratch);
                scatter(&mut self.registers, access, count, &self.scratch);
            }
            Pattern::Same { address } => {
                self.fetch(env, place, address, at64(size));
                for element in 0..access.count {
                    let value = element_of(&self.scratch, access.scalar, element);
                    let reg = Reg(access.value.0 + element * access.scalar.rows());
                    self.broadcast(reg, access.scalar.rows(), value, lanes);
                }
            }
            Pattern::Scattered => {
                for lane in Lanes(lanes) {
                    self.fetch(env, place, self.addresses[at(lane)], at64(size));
                    for element in 0..access.count {
                        let value = element_of(&self.scratch, access.scalar, element);
                        let rows = access.scalar.rows();
                        self.registers.set_value(Reg(access.value.0 + element * rows), rows, lane, value);
                    }
                }
            }
        }
    }

    #[inline(always)]
    pub(super) fn fetch(&mut self, env: &Environment<'_>, place: &Place, address: u64, size: usize) {
        let start = place.start + address;
        self.scratch.resize(size, 0);
        if place.space == Space::Workgroup {
            self.scratch.copy_from_slice(&env.workgroup.memory[at64(start)..at64(start) + size]);
        } else if let Some(bytes) = env.storage.slice(place.buffer, start, size) {
            self.scratch.copy_from_slice(bytes);
        } else {
            env.storage.read(place.buffer, start, &mut self.scratch);
        }
    }

    #[inline(always)]
    fn broadcast(&mut self, reg: Reg, rows: u32, value: u64, lanes: u128) {
        if self.mask.whole && lanes == self.mask.bits {
            self.registers.fill(reg, low(value));
            if rows == 2 {
                self.registers.fill(reg.high(), crate::cast::high(value));
            }
            return;
        }
        for lane in Lanes(lanes) {
            self.registers.set_value(reg, rows, lane, value);
        }
    }

    #[inline(always)]
    fn store(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let Touch { access, place, lanes, pattern, size } = *touch;
        if place.space == Space::Private {
            return self.store_private(access, lanes, pattern);
        }
        if let Pattern::Adjacent { first, count } = pattern {
            self.scratch.clear();
            for lane in 0..count {
                gather(&self.registers, access, lane, &mut self.scratch);
            }
            return put(env, place, first, &self.scratch);
        }
        for lane in Lanes(lanes) {
            self.scratch.clear();
            gather(&self.registers, access, lane, &mut self.scratch);
            debug_assert_eq!(wide(self.scratch.len()), size);
            put(env, place, self.addresses[at(lane)], &self.scratch);
        }
    }

    fn load_private(&mut self, access: &Access, lanes: u128, pattern: Pattern) {
        let (bytes, rows) = (access.scalar.bits() / 8, access.scalar.rows());
        if let Pattern::Same { address } = pattern
            && let Some(words) = whole_words(access, address)
        {
            for (word, row) in words.zip(access.value.0..) {
                let (private, registers) = self.private_row(word);
                registers.load_row(Reg(row), lanes, private);
            }
            return;
        }
        for lane in Lanes(lanes) {
            for element in 0..access.count {
                let address = at64(self.addresses[at(lane)]) + at(element * bytes);
                let value = (0..at(bytes)).fold(0, |value, i| {
                    let word = self.private_word(address + i, lane);
                    value | u64::from(word >> ((address + i) % 4 * 8) & 0xff) << (i * 8)
                });
                self.registers.set_value(Reg(access.value.0 + element * rows), rows, lane, value);
            }
        }
    }

    fn store_private(&mut self, access: &Access, lanes: u128, pattern: Pattern) {
        let (bytes, rows) = (access.scalar.bits() / 8, access.scalar.rows());
        if let Pattern::Same { address } = pattern
            && let Some(words) = whole_words(access, address)
        {
            for (word, row) in words.clone().zip(access.value.0..) {
                let (private, registers) = self.private_row(word);
                registers.store_row(Reg(row), lanes, private);
            }
            if let Some(known) = &mut self.private_initialised {
                known[words.start * 4..words.end * 4].iter_mut().for_each(|known| *known |= lanes);
            }
            return;
        }
        for lane in Lanes(lanes) {
            for element in 0..access.count {
                let value = self.registers.value(Reg(access.value.0 + element * rows), rows, lane);
                let address = at64(self.addresses[at(lane)]) + at(element * bytes);
                for i in 0..at(bytes) {
                    let shift = (address + i) % 4 * 8;
                    let byte = low(value >> (i * 8)) & 0xff;
                    let word = self.private_word_mut(address + i, lane);
                    *word = *word & !(0xff << shift) | byte << shift;
                    if let Some(known) = &mut self.private_initialised {
                        known[address + i] |= 1 << lane;
                    }
                }
            }
        }
    }

    #[inline(never)]
    fn atomics(&mut self, env: &mut Environment<'_>, access: &Access, op: AtomicOp, place: &Place, lanes: u128) {
        let (rows, bytes) = (access.scalar.rows(), access.scalar.bits() / 8);
        self.stored = 0;
        for lane in Lanes(lanes) {
            let address = self.addresses[at(lane)];
            self.fetch(env, place, address, at(bytes));
            let old = element_of(&self.scratch, access.scalar, 0);
            let operand = self.registers.value(access.value, rows, lane);
            let expected = access.compare.map_or(0, |reg| self.registers.value(reg, rows, lane));
            let arithmetic = self.atomic_arithmetic(env, access, place);
            let new = super::atomics::new_value(op, access.scalar, old, operand, expected, arithmetic);
            if let Some(new) = new {
                self.stored |= 1 << lane;
                self.scratch.clear();
                self.scratch.extend_from_slice(&new.to_le_bytes()[..at(bytes)]);
                put(env, place, address, &self.scratch);
            }
            if let Some(reg) = access.result {
                self.registers.set_value(reg, rows, lane, old);
            }
            if let Some(reg) = access.exchanged {
                self.registers.set_word(reg, lane, u32::from(old == expected));
            }
            if env.history.is_some() {
                self.synchronise(env, access, place, lane, new.is_some());
            }
        }
    }

    /// PTX adds floats in storage with denormals flushed, whatever the rest of the program does: PTX ISA, "atom".
    fn atomic_arithmetic(&self, env: &Environment<'_>, access: &Access, place: &Place) -> Arithmetic {
        let arithmetic = env.linked.config.arithmetic;
        let flushes = env.linked.program.arithmetic.is_some() && place.space == Space::Storage;
        if flushes && access.scalar == Scalar::F32 {
            return Arithmetic { denormals: Denormals::Flush, ..arithmetic };
        }
        arithmetic
    }

    /// Sets what a faulting load would have read to zero.
    #[inline(never)]
    fn zero(&mut self, access: &Access, lanes: u128) {
        let rows = access.scalar.rows();
        let loaded = match access.kind {
            AccessKind::Load => access.count * rows,
            _ => 0,
        };
        for lane in Lanes(lanes) {
            (0..loaded).for_each(|row| self.registers.set_word(Reg(access.value.0 + row), lane, 0));
            if let Some(reg) = access.result {
                self.registers.set_value(reg, rows, lane, 0);
            }
            if let Some(reg) = access.exchanged {
                self.registers.set_word(reg, lane, 0);
            }
        }
    }

    #[inline(never)]
    fn trace(&mut self, env: &mut Environment<'_>, access: &Access, place: &Place, lanes: u128, size: u64) {
        let Some(trace) = env.trace.as_deref_mut() else { return };
        let (ranges, buffer, interval) = match place.space {
            Space::Storage => {
                let ranges = trace.watch.storage.get(place.buffer).map_or(&[][..], Vec::as_slice);
                (ranges, Some(place.buffer), env.workgroup.storage_interval)
            }
            Space::Workgroup => (trace.watch.workgroup.as_slice(), None, env.workgroup.workgroup_interval),
            _ => return,
        };
        let (bytes, rows) = (u64::from(access.scalar.bits() / 8), access.scalar.rows());
        let shown =
            if class_of(access) == Class::AtomicRead { access.result.unwrap_or(access.value) } else { access.value };
        let mut found = Vec::new();
        for lane in Lanes(lanes) {
            let start = place.start + self.addresses[at(lane)];
            if !Watch::hits(ranges, start, size) {
                continue;
            }
            for element in 0..access.count {
                let offset = start + u64::from(element) * bytes;
                if Watch::hits(ranges, offset, bytes) {
                    found.push(TraceEntry {
                        buffer,
                        space: place.space,
                        offset,
                        bytes: low(bytes),
                        class: class_of(access),
                        cross_class: cross_class(access, class_of(access)),
                        action: action_of(access),
                        workgroup: env.workgroup.index,
                        invocation: self.first_invocation + lane,
                        subgroup: self.id,
                        pc: self.pc(),
                        value: self.registers.value(Reg(shown.0 + element * rows), rows, lane),
                        stored: self.stored >> lane & 1 == 1,
                        interval,
                        epoch: self.epoch,
                        order: self.order.clone(),
                        barriers: env.workgroup.barriers,
                    });
                }
            }
        }
        found.into_iter().for_each(|entry| trace.log(entry));
    }
}

/// Whether an offset of 32 bits with the top bit set lies before the memory, from where a displacement may come back: in
/// PTX, where addresses in workgroup and private memory have 32 bits.
fn is_signed_offset(linked: &Linked, access: &Access) -> bool {
    !linked.program.signs_known
        && !access.address.wide
        && matches!(access.address.base, Base::Workgroup | Base::Private)
}

/// Whether the alignment is that of the place that `index` counts from: a step of it keeps less.
const fn has_aligned_start(access: &Access) -> bool {
    access.address.index.is_some() && !access.address.scale.is_multiple_of(access.alignment)
}

/// The words of private memory that an access at `address` covers, if it does so exactly.
#[inline(always)]
fn whole_words(access: &Access, address: u64) -> Option<std::ops::Range<usize>> {
    let bytes = access.scalar.bits() / 8;
    let start = at64(address);
    (bytes >= 4 && start.is_multiple_of(4)).then(|| start / 4..start / 4 + at(access.count * bytes / 4))
}

/// How many granules each invocation covers, as a power of two, when that is one and the start is on a granule.
#[inline(always)]
fn granules_per_lane(start: u64, size: u64, shift: u32) -> Option<u32> {
    let per = size >> shift;
    (per.is_power_of_two() && per << shift == size && start.trailing_zeros() >= shift).then(|| per.trailing_zeros())
}

pub(super) fn put(env: &mut Environment<'_>, place: &Place, address: u64, bytes: &[u8]) {
    let start = place.start + address;
    if env.workgroup.changes.is_some() {
        count_change(env, place, start, bytes);
    }
    if place.space == Space::Workgroup {
        let range = at64(start)..at64(start) + bytes.len();
        env.workgroup.memory[range.clone()].copy_from_slice(bytes);
        if let Some(known) = &mut env.workgroup.initialised {
            known[range].fill(true);
        }
    } else {
        if let Some(written) = &mut env.workgroup.written {
            written.push((place.buffer, start, crate::cast::narrow(bytes.len())));
        }
        env.storage.write(place.buffer, start, bytes);
    }
}

/// Counts a write to come where it changes memory.
#[inline(never)]
fn count_change(env: &mut Environment<'_>, place: &Place, start: u64, bytes: &[u8]) {
    let same = if place.space == Space::Workgroup {
        env.workgroup.memory.get(at64(start)..at64(start) + bytes.len()) == Some(bytes)
    } else {
        let mut old = vec![0; bytes.len()];
        env.storage.read(place.buffer, start, &mut old);
        old == bytes
    };
    if !same && let Some(changes) = &mut env.workgroup.changes {
        *changes += 1;
    }
}

#[inline(always)]
fn scatter(registers: &mut super::registers::Registers, access: &Access, lanes: u32, bytes: &[u8]) {
    let (lanes, count) = (at(lanes), at(access.count));
    if access.scalar.bits() == 32 {
        let words = bytes.as_chunks::<4>().0;
        for element in 0..count {
            let row = registers.row_mut(Reg(access.value.0 + crate::cast::narrow(element)));
            for (i, chunk) in row.iter_mut().enumerate().take(lanes.div_ceil(CHUNK)) {
                let here = &words[i * CHUNK * count..(((i + 1) * CHUNK).min(lanes)) * count];
                if here.len() == CHUNK * count {
                    for lane in 0..CHUNK {
                        chunk.0[lane] = u32::from_le_bytes(here[lane * count + element]);
                    }
                } else {
                    for lane in 0..here.len() / count {
                        chunk.0[lane] = u32::from_le_bytes(here[lane * count + element]);
                    }
                }
            }
        }
        return;
    }
    let (size, rows) = (at(access.scalar.bits() / 8) * count, access.scalar.rows());
    for lane in 0..lanes {
        for element in 0..access.count {
            let value = element_of(&bytes[lane * size..(lane + 1) * size], access.scalar, element);
            registers.set_value(Reg(access.value.0 + element * rows), rows, crate::cast::narrow(lane), value);
        }
    }
}

/// Element `element` of adjacent bytes.
#[inline(always)]
pub(super) fn element_of(bytes: &[u8], scalar: Scalar, element: u32) -> u64 {
    let size = at(scalar.bits() / 8);
    let start = at(element) * size;
    if size == 4
        && let Some(word) = bytes.get(start..).and_then(<[u8]>::first_chunk::<4>)
    {
        return u64::from(u32::from_le_bytes(*word));
    }
    bytes[start..start + size].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

#[inline(always)]
fn gather(registers: &super::registers::Registers, access: &Access, lane: u32, out: &mut Vec<u8>) {
    let (size, rows) = (at(access.scalar.bits() / 8), access.scalar.rows());
    for element in 0..access.count {
        let value = registers.value(Reg(access.value.0 + element * rows), rows, lane);
        out.extend_from_slice(&value.to_le_bytes()[..size]);
    }
}

/// How an access takes part in conflicts inside its workgroup.
#[inline(always)]
pub const fn class_of(access: &Access) -> Class {
    match access.kind {
        AccessKind::Load => Class::Read,
        AccessKind::Store => Class::Write,
        AccessKind::Atomic { op: AtomicOp::Load, .. } => Class::AtomicRead,
        AccessKind::Atomic { .. } => Class::AtomicWrite,
    }
}

/// The same across workgroups, where an atomic at workgroup scope is no better than a plain access.
#[inline(always)]
pub(super) const fn cross_class(access: &Access, class: Class) -> Class {
    match (access.kind, class) {
        (AccessKind::Atomic { scope: Scope::Workgroup, .. }, Class::AtomicRead) => Class::Read,
        (AccessKind::Atomic { scope: Scope::Workgroup, .. }, _) => Class::Write,
        _ => class,
    }
}

/// What an access does, in the report's terms.
pub const fn action_of(access: &Access) -> Action {
    match access.kind {
        AccessKind::Load => Action::Read,
        AccessKind::Store => Action::Write,
        AccessKind::Atomic { op: AtomicOp::Load, .. } => Action::AtomicRead,
        AccessKind::Atomic { .. } => Action::AtomicWrite,
    }
}
