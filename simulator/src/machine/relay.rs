//! Bytes that nobody wrote, on their way from one place of private memory to another.
//!
//! Compilers that do not optimise copy structures whole: padding, fields of empty classes, variables that no path has
//! set. Such a copy is no use of the bytes. What it stores counts as unwritten again, so that the first use is found. Nor
//! is the reading of the word around a bit field that is written; a byte that holds written and unwritten bits counts as
//! written.

use super::access::Touch;
use super::environment::Environment;
use super::registers::{Lanes, Registers};
use super::subgroup::Subgroup;
use crate::cast::{at, at64, wide};
use crate::finding::{Action, Rule};
use crate::ir::{AccessKind, BinaryOp, Reg, Space};
use crate::link::Linked;
use crate::recorder::FaultDetail;

/// Where the rows that only carry values hold bytes nobody wrote.
#[derive(Clone, Debug, Default)]
pub struct Relays {
    /// By row; empty where no row is one.
    rows: Vec<Option<Box<Carried>>>,
    any: bool,
}

#[derive(Clone, Debug, Default)]
struct Carried {
    /// Per byte, the invocations whose byte nobody wrote.
    unset: [u128; 4],
    /// Where they come from: the load and, per invocation, its offset in private memory.
    pc: u32,
    offsets: Vec<u64>,
}

impl Relays {
    pub fn new(linked: &Linked) -> Self {
        let make = |&is: &bool| is.then(Box::<Carried>::default);
        Self { rows: linked.relays.iter().map(make).collect(), any: false }
    }

    /// For the next workgroup.
    pub fn reset(&mut self) {
        if self.any {
            self.rows.iter_mut().flatten().for_each(|row| row.unset = [0; 4]);
            self.any = false;
        }
    }

    /// Whether any row may hold such bytes.
    #[inline(always)]
    pub const fn pending(&self) -> bool {
        self.any
    }

    #[inline(always)]
    pub fn copy(&mut self, dst: Reg, src: Reg, lanes: u128) {
        if self.any {
            self.copy_rows(dst, src, lanes);
        }
    }

    #[inline(never)]
    fn copy_rows(&mut self, dst: Reg, src: Reg, lanes: u128) {
        let from = self.rows.get(at(src.0)).and_then(Clone::clone);
        let Some(Some(to)) = self.rows.get_mut(at(dst.0)) else { return };
        to.unset.iter_mut().for_each(|unset| *unset &= !lanes);
        let Some(from) = from.filter(|from| from.unset.iter().any(|unset| unset & lanes != 0)) else { return };
        for (to, from) in to.unset.iter_mut().zip(from.unset) {
            *to |= from & lanes;
        }
        (to.pc, to.offsets) = (from.pc, from.offsets);
    }

    /// `dst <- a op b`, of which each keeps bits: the bytes that come from unwritten ones unchanged.
    #[inline(never)]
    pub fn combine(&mut self, op: BinaryOp, [dst, a, b]: [Reg; 3], registers: &Registers, lanes: u128) {
        if !self.rows.get(at(dst.0)).is_some_and(Option::is_some) {
            return;
        }
        let carried = |reg: Reg| self.rows.get(at(reg.0)).and_then(Option::as_deref).cloned().unwrap_or_default();
        let (from_a, from_b) = (carried(a), carried(b));
        let keeps = if op == BinaryOp::And { 0xff } else { 0 };
        let mut unset = [0; 4];
        for (byte, unset) in unset.iter_mut().enumerate() {
            let (in_a, in_b) = (from_a.unset[byte] & lanes, from_b.unset[byte] & lanes);
            let kept = |reg: Reg, lane: u32| registers.word(reg, lane).to_le_bytes()[byte] == keeps;
            let by = |candidates: u128, other: Reg| {
                Lanes(candidates).filter(|&lane| kept(other, lane)).fold(0, |lanes, lane| lanes | 1_u128 << lane)
            };
            *unset = (in_a & in_b) | by(in_a & !in_b, b) | by(in_b & !in_a, a);
        }
        let Some(Some(to)) = self.rows.get_mut(at(dst.0)) else { return };
        for (to, from) in to.unset.iter_mut().zip(unset) {
            *to = *to & !lanes | from;
        }
        let origin = if from_a.unset.iter().any(|unset| unset & lanes != 0) { from_a } else { from_b };
        if !origin.offsets.is_empty() {
            (to.pc, to.offsets) = (origin.pc, origin.offsets);
        }
    }

    /// A load replaces what its rows held.
    #[inline(always)]
    pub(super) fn overwrite(&mut self, touch: &Touch<'_>) {
        if self.any && touch.access.kind == AccessKind::Load {
            for row in rows_of(touch) {
                if let Some(Some(row)) = self.rows.get_mut(at(row.0)) {
                    row.unset.iter_mut().for_each(|unset| *unset &= !touch.lanes);
                }
            }
        }
    }
}

/// The rows of the value of an access.
fn rows_of(touch: &Touch<'_>) -> impl Iterator<Item = Reg> + use<> {
    let first = touch.access.value.0;
    (first..first + touch.access.count * touch.access.scalar.rows()).map(Reg)
}

/// Row and byte in it, for each byte of an access.
fn bytes_of(touch: &Touch<'_>) -> impl Iterator<Item = (Reg, usize)> + use<> {
    let (first, rows, bytes) = (touch.access.value.0, touch.access.scalar.rows(), touch.access.scalar.bits() / 8);
    let place = move |byte: u32| (Reg(first + byte / bytes * rows + byte % bytes / 4), at(byte % bytes % 4));
    (0..touch.access.count * bytes).map(place)
}

impl Subgroup {
    /// A load by `lane` of private bytes nobody wrote: whether its rows only pass them on.
    pub(super) fn relay(&mut self, touch: &Touch<'_>, lane: u32) -> bool {
        let is_relay = |row: Reg| self.relays.rows.get(at(row.0)).is_some_and(Option::is_some);
        if touch.place.space != Space::Private || touch.access.kind != AccessKind::Load || !rows_of(touch).all(is_relay)
        {
            return false;
        }
        let start = self.addresses[at(lane)];
        let (pc, lanes) = (self.pc(), at(self.lanes()));
        let Some(known) = &self.private_initialised else { return false };
        for (offset, (row, byte)) in (start..).zip(bytes_of(touch)) {
            if known.get(at64(offset)).is_some_and(|known| known >> lane & 1 == 0)
                && let Some(Some(row)) = self.relays.rows.get_mut(at(row.0))
            {
                row.unset[byte] |= 1 << lane;
                row.pc = pc;
                row.offsets.resize(lanes, 0);
                row.offsets[at(lane)] = start;
                self.relays.any = true;
            }
        }
        true
    }

    /// After a store: bytes that nobody wrote still are, or have left private memory.
    #[inline(never)]
    pub(super) fn store_relayed(&mut self, env: &mut Environment<'_>, touch: &Touch<'_>) {
        let Touch { access, place, lanes, .. } = *touch;
        if access.kind != AccessKind::Store || !env.linked.config.detectors.uninitialised {
            return;
        }
        let mut told = 0_u128;
        for (position, (row, byte)) in bytes_of(touch).enumerate() {
            let Some(Some(carried)) = self.relays.rows.get(at(row.0)) else { continue };
            let unset = carried.unset[byte] & lanes;
            for lane in Lanes(unset) {
                let offset = place.start + self.addresses[at(lane)] + wide(position);
                match place.space {
                    Space::Private => {
                        if let Some(known) = self.private_initialised.as_mut().and_then(|k| k.get_mut(at64(offset))) {
                            *known &= !(1 << lane);
                        }
                    }
                    Space::Workgroup if env.workgroup.initialised.is_some() => {
                        if let Some(known) = env.workgroup.initialised.as_mut().and_then(|k| k.get_mut(at64(offset))) {
                            *known = false;
                        }
                    }
                    _ if told >> lane & 1 == 0 => {
                        told |= 1 << lane;
                        let from = carried.offsets.get(at(lane)).copied().unwrap_or(0);
                        let mut site = self.site(env, access, lane, Space::Private, None, i128::from(from));
                        (site.action, site.pc) = (Action::Read, carried.pc);
                        env.recorder.fault(Rule::UninitialisedRead, 0, || (site, FaultDetail::None), carried.pc);
                    }
                    _ => {}
                }
            }
        }
    }
}
