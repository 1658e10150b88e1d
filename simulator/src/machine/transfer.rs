//! Asynchronous copies from storage to workgroup memory.
//!
//! What a copy reads is read when it starts; what it writes arrives when the invocation waits for it. It counts as a
//! write at both times, so that nobody may touch its destination from start to arrival; and in between the destination
//! counts as uninitialised, so that a read that comes too early is found, by whomever.
//!
//! Not seen: a write to the source, or to the destination behind a barrier, while the copy is on its way.

use std::sync::Arc;

use super::access::Touch;
use super::environment::Environment;
use super::registers::Lanes;
use super::subgroup::Subgroup;
use crate::cast::{at, at64};
use crate::ir::{Access, AccessKind, Reg, Scalar, Transfer, TransferId};

/// A copy on its way.
#[derive(Clone, Debug)]
pub struct PendingCopy {
    pc: u32,
    lanes: u128,
    /// Offset in workgroup memory, per invocation.
    addresses: Vec<u64>,
    bytes: u32,
    access: Arc<Access>,
    /// Bytes of every invocation, one after the other.
    data: Vec<u8>,
    /// Its group, per invocation: the number of groups committed before it.
    groups: Vec<u32>,
}

impl PendingCopy {
    /// What is on its way, to which addresses, and for whom.
    pub(super) fn cargo(&self) -> (&[u8], &[u64], u128) {
        (&self.data, &self.addresses, self.lanes)
    }
}

impl Subgroup {
    #[inline(never)]
    pub(super) fn transfer_instruction(&mut self, env: &mut Environment<'_>, id: TransferId) {
        let Some(&transfer) = env.linked.program.tables.transfers.get(at(id.0)) else { return };
        self.committed.resize(at(self.lanes()), 0);
        match transfer {
            Transfer::Copy { .. } => self.start_copy(env, &transfer),
            Transfer::Commit => {
                for lane in Lanes(self.mask.bits) {
                    self.committed[at(lane)] += 1;
                }
            }
            Transfer::Wait { pending } => {
                let limits = self.committed.clone();
                self.finish_copies(env, |lane, group| group < limits[at(lane)] && limits[at(lane)] - group > pending);
            }
            Transfer::WaitAll => self.finish_copies(env, |_, _| true),
        }
    }

    fn start_copy(&mut self, env: &mut Environment<'_>, transfer: &Transfer) {
        let Transfer::Copy { destination, source, bytes, source_bytes, ignore, scratch } = *transfer else { return };
        let words = bytes / 4;
        let access = |kind, address, scalar: Scalar, count: u32| Access {
            kind,
            scalar,
            count,
            value: scratch,
            result: None,
            compare: None,
            exchanged: None,
            address,
            checks: Vec::new(),
            alignment: bytes,
            reaches: None,
        };
        let all = self.mask.bits;
        let read_bytes = |subgroup: &Self, lane: u32| {
            let ignored = ignore.is_some_and(|row| subgroup.registers.word(row, lane) != 0);
            let asked = source_bytes.map_or(bytes, |row| subgroup.registers.word(row, lane).min(bytes));
            if ignored { 0 } else { asked }
        };
        let sizes: Vec<u32> = (0..self.lanes()).map(|lane| read_bytes(self, lane)).collect();
        let (whole, count) = (self.mask.whole, at(self.lanes()));
        let mut data = vec![0; count * at(bytes)];
        let mut left = all;
        while left != 0 {
            let size = sizes[at(left.trailing_zeros())];
            let group = Lanes(left).filter(|&lane| sizes[at(lane)] == size).fold(0_u128, |bits, lane| bits | 1 << lane);
            left &= !group;
            if size == 0 {
                continue;
            }
            let (scalar, elements) = if size.is_multiple_of(4) { (Scalar::U32, size / 4) } else { (Scalar::U8, size) };
            let mut load = access(AccessKind::Load, source, scalar, elements);
            load.alignment = load.alignment.min(bytes);
            let old = self.save(scratch, elements);
            self.mask.set(group, false);
            self.touch_now(env, &load);
            for lane in Lanes(group) {
                for element in 0..elements {
                    let word = self.registers.word(Reg(scratch.0 + element), lane).to_le_bytes();
                    let width = at(scalar.bits() / 8);
                    let start = at(lane) * at(bytes) + at(element) * width;
                    data[start..start + width].copy_from_slice(&word[..width]);
                }
            }
            self.restore(scratch, &old);
        }
        self.mask.set(all, whole);
        let store = access(AccessKind::Store, destination, Scalar::U32, words);
        if env.linked.config.detectors.offset {
            self.check_offsets(env, &store);
        }
        self.locate(env, &store);
        let addresses = self.addresses.clone();
        let Some(place) = self.place(env, &store) else { return };
        let size = u64::from(bytes);
        let (lanes, pattern) = self.without_faults(env, &store, &place, all, size);
        let old = self.save(scratch, words);
        self.fill(scratch, &data, bytes, lanes);
        self.announce(env, &Touch { access: &store, place: &place, lanes, pattern, size });
        self.restore(scratch, &old);
        for lane in Lanes(lanes) {
            let start = addresses[at(lane)];
            if let Some(known) = &mut env.workgroup.initialised
                && let Some(range) = start.checked_add(size).and_then(|end| known.get_mut(at64(start)..at64(end)))
            {
                range.fill(false);
            }
        }
        let groups = self.committed.clone();
        let pc = self.pc();
        self.copies.push(PendingCopy { pc, lanes, addresses, bytes, access: Arc::new(store), data, groups });
    }

    /// Lets the copies arrive that the executing invocations wait for.
    fn finish_copies(&mut self, env: &mut Environment<'_>, arrives: impl Fn(u32, u32) -> bool) {
        let mut copies = std::mem::take(&mut self.copies);
        for copy in &mut copies {
            let due = Lanes(copy.lanes & self.mask.bits).filter(|&lane| arrives(lane, copy.groups[at(lane)]));
            let due = due.fold(0_u128, |bits, lane| bits | 1 << lane);
            if due != 0 {
                self.deliver(env, copy, due);
                copy.lanes &= !due;
            }
        }
        copies.retain(|copy| copy.lanes != 0);
        self.copies = copies;
    }

    fn deliver(&mut self, env: &mut Environment<'_>, copy: &PendingCopy, due: u128) {
        let (value, words) = (copy.access.value, copy.bytes / 4);
        let old = self.save(value, words);
        self.fill(value, &copy.data, copy.bytes, due);
        self.addresses.copy_from_slice(&copy.addresses);
        let here = self.stand_at(copy.pc);
        self.store_at(env, &copy.access, due);
        self.stand_at(here);
        self.restore(value, &old);
    }

    /// The bytes of a copy in the rows from `first` on.
    fn fill(&mut self, first: Reg, data: &[u8], bytes: u32, lanes: u128) {
        for lane in Lanes(lanes) {
            let start = at(lane) * at(bytes);
            let (chunks, _) = data[start..start + at(bytes)].as_chunks::<4>();
            for (element, chunk) in (0..).zip(chunks) {
                self.registers.set_word(Reg(first.0 + element), lane, u32::from_le_bytes(*chunk));
            }
        }
    }

    fn save(&self, first: Reg, rows: u32) -> Vec<u32> {
        let lanes = self.lanes();
        (0..rows)
            .flat_map(|row| (0..lanes).map(move |lane| (row, lane)))
            .map(|(row, lane)| self.registers.word(Reg(first.0 + row), lane))
            .collect()
    }

    fn restore(&mut self, first: Reg, words: &[u32]) {
        let lanes = self.lanes();
        for (position, &word) in (0..).zip(words) {
            self.registers.set_word(Reg(first.0 + position / lanes), position % lanes, word);
        }
    }
}

/// What the access file offers to this one.
impl Subgroup {
    /// One access of the running group at once, without looking at schedules.
    fn touch_now(&mut self, env: &mut Environment<'_>, access: &Access) {
        self.access_entry(env, access, None, true);
    }

    /// A store by `lanes` at `self.addresses`, which were found to be in bounds.
    fn store_at(&mut self, env: &mut Environment<'_>, access: &Access, lanes: u128) {
        let Some(place) = self.place(env, access) else { return };
        let size = u64::from(access.count) * u64::from(access.scalar.bits() / 8);
        let pattern = self.pattern(lanes, size);
        self.perform(env, &Touch { access, place: &place, lanes, pattern, size });
    }

    fn locate(&mut self, env: &Environment<'_>, access: &Access) {
        self.compute_addresses(env.linked, access);
    }
}
