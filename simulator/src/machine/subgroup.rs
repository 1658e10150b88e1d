//! One subgroup: registers, control flow, and the loop that executes instructions.
//!
//! Invocations that stand at the same program counter form a *group*. The group with the lowest program
//! counter runs; groups that meet join. That is divergence and reconvergence for structured and unstructured
//! code alike. A group at a barrier is parked; when none is left to run, the driver decides.

use gridproof_launch::Denormals;

use super::access::Done;
use super::clock::Kinds;
use super::environment::Environment;
use super::exact::{Exact, Follow};
use super::known::Known;
use super::order::Knowledge;
use super::pending::Pending;
use super::registers::{CHUNK, Lanes, Mask, Registers};
use super::relay::Relays;
use super::transfer::PendingCopy;
use super::{collective, quick, semantics};
use crate::cast::{at, f32_to_i32, f32_to_u32, i32_to_f32, u32_to_f32};
use crate::finding::{Action, Rule};
use crate::ir::{
    BarrierScope, BinaryOp, Builtin, Instr, Reg, RendezvousId, Scalar, Space, SubgroupOp, TernaryOp, UnaryOp, WarpId,
};
use crate::link::{Linked, array_length};
use crate::recorder::{FaultDetail, RawSite};

mod fingerprint;
pub mod snapshot;
#[cfg(test)]
mod tests;

/// A group parked at a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The barrier instruction.
    pub pc: u32,
    /// Who waits.
    pub lanes: u128,
    /// For whom.
    pub scope: BarrierScope,
    /// Whether it orders workgroup memory.
    pub workgroup_memory: bool,
    /// Whether it orders storage memory.
    pub storage_memory: bool,
}

/// Jumps back after which another group gets its turn, in a program whose invocations may wait for each other.
const PATIENCE: u32 = 1 << 12;

/// The same where schedules are explored and every round counts.
const LITTLE_PATIENCE: u32 = 4;

/// A group that waits for other invocations of its subgroup, or at a named barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The instruction.
    pub pc: u32,
    /// Who waits.
    pub lanes: u128,
    /// For whom.
    pub place: ParkedAt,
}

/// Where a group waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedAt {
    /// For the other invocations of the mask.
    Warp {
        /// The operation.
        id: WarpId,
        /// The mask.
        members: u128,
    },
    /// At a named barrier.
    Rendezvous {
        /// The instruction's entry.
        id: RendezvousId,
        /// Which barrier.
        barrier: u32,
    },
}

/// Why a subgroup stopped running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// All invocations have ended.
    Ended,
    /// No group can run: all wait at barriers (or have ended).
    Waiting,
    /// It stands before an access that is a scheduling point.
    Yielded,
    /// It used up its fuel and can go on.
    Paused,
}

/// See the file's head.
#[derive(Debug)]
pub struct Subgroup {
    /// Index in the workgroup.
    pub id: u32,
    /// Linear index of its first invocation.
    pub first_invocation: u32,
    /// Values.
    pub registers: Registers,
    /// Exact values of address registers.
    pub exact: Exact,
    /// The group that runs.
    pub mask: Mask,
    /// Instructions executed by this subgroup: its clock.
    pub clock: u64,
    /// Instructions times invocations.
    pub instructions: u64,
    /// Its clock for order: barriers passed without the whole workgroup.
    pub epoch: u32,
    /// What comes before what it does now.
    pub order: Knowledge,
    /// The same and more, where a history is kept.
    pub known: Option<Box<Known>>,
    /// Groups that wait for others of the subgroup, or at a named barrier.
    pub parked: Vec<Parked>,
    /// Asynchronous copies that have not arrived.
    pub(super) copies: Vec<PendingCopy>,
    /// Groups of copies committed so far, per invocation.
    pub(super) committed: Vec<u32>,
    /// Groups at barriers.
    pub waiting: Vec<Waiting>,
    /// Whether it stands before a scheduling point.
    standing: bool,
    /// What it is about to do, where it stands before a scheduling point and the watch asks for it.
    pub pending: Option<Pending>,
    /// Invocations whose part of the last atomic stored something.
    pub(super) stored: u128,
    /// Bytes of private memory that have a value, a bit per invocation; `None` where all have.
    pub private_initialised: Option<Vec<u128>>,
    pub(super) relays: Relays,
    pub(super) addresses: Vec<u64>,
    pub(super) scratch: Vec<u8>,
    private: Vec<u32>,
    pc: u32,
    live: u128,
    ready: Vec<(u32, u128)>,
    /// Lowest program counter in `ready`.
    meeting_point: u32,
    /// Jumps back while other groups stood still.
    rounds: u32,
    lanes: u32,
}

impl Subgroup {
    /// Subgroup `id` of a workgroup that has not started.
    pub fn new(linked: &Linked, id: u32) -> Self {
        let program = &linked.program;
        let mut registers = Registers::new(program.rows, linked.lanes);
        for &(reg, word) in &program.constants {
            registers.fill(reg, word);
        }
        let chunks = registers.per_row();
        Self {
            id,
            first_invocation: id * linked.lanes,
            registers,
            exact: Exact::new(program, &linked.address_registers, linked.lanes),
            mask: Mask::new(linked.lanes),
            clock: 0,
            instructions: 0,
            epoch: 0,
            order: Knowledge::default(),
            known: None,
            parked: Vec::new(),
            copies: Vec::new(),
            committed: Vec::new(),
            waiting: Vec::new(),
            standing: false,
            pending: None,
            stored: 0,
            private_initialised: None,
            relays: Relays::new(linked),
            addresses: vec![0; chunks * CHUNK],
            scratch: Vec::new(),
            private: vec![0; at(program.private_bytes.div_ceil(4)) * at(linked.lanes)],
            pc: 0,
            live: 0,
            ready: Vec::new(),
            meeting_point: u32::MAX,
            rounds: 0,
            lanes: linked.lanes,
        }
    }

    /// Stands at the first instruction with every invocation of its share of the workgroup.
    pub fn start(&mut self, linked: &Linked) {
        let count = (linked.invocations - self.first_invocation).min(linked.lanes);
        self.live = if count >= 128 { u128::MAX } else { (1 << count) - 1 };
        self.pc = 0;
        self.clock = 0;
        self.instructions = 0;
        self.epoch = 0;
        self.order.reset();
        self.parked.clear();
        self.copies.clear();
        self.committed.clear();
        self.ready.clear();
        self.waiting.clear();
        self.standing = false;
        self.pending = None;
        self.meeting_point = u32::MAX;
        self.rounds = 0;
        self.private.fill(0);
        self.private_initialised = (!linked.program.private_zeroed).then(|| vec![0; at(linked.program.private_bytes)]);
        self.relays.reset();
        self.exact.reset();
        linked.program.zeroed.iter().for_each(|&reg| self.registers.fill(reg, 0));
        self.mask.set(self.live, true);
    }

    /// The instruction the running group stands at.
    #[inline(always)]
    pub const fn pc(&self) -> u32 {
        self.pc
    }

    /// Invocations that have not ended.
    pub const fn live(&self) -> u128 {
        self.live
    }

    /// Bytes it holds in memory.
    pub fn footprint(linked: &Linked) -> u64 {
        let words = u64::from(linked.program.rows) + u64::from(linked.program.private_bytes.div_ceil(4));
        words * u64::from(linked.lanes.max(8)) * 4
    }

    /// Runs until something happens. `granted`: the scheduling point it stands before may be passed.
    pub fn run(&mut self, env: &mut Environment<'_>, fuel: u64, granted: bool) -> Event {
        self.pending = None;
        let granted = std::mem::take(&mut self.standing) && granted;
        pulp::Arch::new().dispatch(Run { subgroup: self, env, fuel, granted })
    }

    /// Lets the groups that wait at a barrier of `scope` go on behind it.
    pub fn release(&mut self, scope: BarrierScope) {
        let (go, stay): (Vec<Waiting>, Vec<Waiting>) = self.waiting.iter().partition(|waiting| waiting.scope == scope);
        self.waiting = stay;
        self.ready.extend(go.into_iter().map(|waiting| (waiting.pc + 1, waiting.lanes)));
        self.mask.set(0, false);
        self.next_group();
    }

    /// Ends every invocation where it stands.
    pub fn abandon(&mut self) {
        self.live = 0;
        self.ready.clear();
        self.waiting.clear();
        self.parked.clear();
        self.mask.set(0, false);
    }

    #[inline(always)]
    fn execute(&mut self, env: &mut Environment<'_>, fuel: u64, mut granted: bool) -> Event {
        let linked = env.linked;
        let (code, followed) = (linked.program.code.as_slice(), linked.followed.as_slice());
        let follow = linked.config.detectors.offset;
        if self.mask.bits == 0 && !self.next_group() {
            return self.stopped();
        }
        let stop = self.clock.saturating_add(fuel);
        loop {
            if self.pc >= self.meeting_point {
                self.regroup();
            }
            let pc = at(self.pc);
            let Some(instr) = code.get(pc) else { return self.leave(env) };
            self.clock += 1;
            self.instructions += u64::from(self.mask.count);
            match *instr {
                Instr::Access(id) => {
                    if self.access(env, id, granted) == Done::Yielded {
                        self.clock -= 1;
                        self.instructions -= u64::from(self.mask.count);
                        self.standing = true;
                        return Event::Yielded;
                    }
                    granted = false;
                }
                Instr::Fence { order, scope, .. } if !granted && env.watch.is_some_and(|watch| watch.fences) => {
                    self.clock -= 1;
                    self.instructions -= u64::from(self.mask.count);
                    self.standing = true;
                    self.pending = Some(Pending::fence(self.pc, self.mask.bits, order, scope));
                    return Event::Yielded;
                }
                Instr::Jump { target } => {
                    let back = target.0 <= self.pc;
                    self.pc = target.0;
                    if back && linked.fair && !self.ready.is_empty() {
                        self.be_fair(env);
                    }
                    if back && self.clock >= stop {
                        return Event::Paused;
                    }
                    continue;
                }
                Instr::JumpIf { condition, when, target } => {
                    let from = self.pc;
                    let back = target.0 <= from;
                    self.branch(condition, when, target.0);
                    if let Some(lens) = &linked.lens {
                        lens.jump(from, self.pc);
                    }
                    if back && linked.fair && !self.ready.is_empty() {
                        self.be_fair(env);
                    }
                    if back && self.clock >= stop {
                        return Event::Paused;
                    }
                    continue;
                }
                Instr::Barrier { scope, workgroup_memory, storage_memory } => {
                    let waiting =
                        Waiting { pc: self.pc, lanes: self.mask.bits, scope, workgroup_memory, storage_memory };
                    if self.park(waiting) && !self.next_group() {
                        return Event::Waiting;
                    }
                    continue;
                }
                Instr::Warp(id) => {
                    if self.warp(env, id) {
                        self.pc += 1;
                    } else if !self.next_group() {
                        return self.stopped();
                    }
                    continue;
                }
                Instr::Rendezvous(id) => {
                    if self.arrive(env, id) {
                        self.pc += 1;
                    } else if !self.next_group() {
                        return self.stopped();
                    }
                    // Who comes next may already come for the next time: the driver looks at the barrier first.
                    return Event::Paused;
                }
                Instr::Transfer(id) => self.transfer_instruction(env, id),
                Instr::Exit | Instr::Trap => {
                    if matches!(instr, Instr::Trap) {
                        self.trapped(env);
                    }
                    self.live &= !self.mask.bits;
                    env.workgroup.live = env.workgroup.live.saturating_sub(self.mask.count);
                    self.mask.set(0, false);
                    if !self.parked.is_empty() {
                        self.wake(env);
                    }
                    if !self.next_group() {
                        return self.stopped();
                    }
                    continue;
                }
                Instr::Fence { .. } if env.history.is_none() => granted = false,
                Instr::Fence { order, scope, workgroup_memory, storage_memory } => {
                    granted = false;
                    self.fence(order, scope, Kinds { storage: storage_memory, workgroup: workgroup_memory });
                }
                Instr::AssertUniform { src } => self.assert_uniform(env, src),
                Instr::CheckIndex { dst, index, signed, limit } => {
                    self.check_index(env, dst, index, signed, limit);
                }
                _ if follow && followed[pc] => {
                    let next = self.exact.before(instr, &self.registers, &self.mask, self.pc);
                    self.compute(env, instr);
                    if let Some(dst) = crate::analysis::destination(instr) {
                        self.exact.after(dst, next, &self.registers, &self.mask);
                    }
                }
                _ => self.compute(env, instr),
            }
            self.pc += 1;
        }
    }

    /// The last instruction was not an exit: the invocations end all the same.
    fn leave(&mut self, env: &mut Environment<'_>) -> Event {
        self.live &= !self.mask.bits;
        env.workgroup.live = env.workgroup.live.saturating_sub(self.mask.count);
        self.mask.set(0, false);
        if self.next_group() { Event::Paused } else { self.stopped() }
    }

    fn stopped(&self) -> Event {
        if self.waiting.is_empty() && self.parked.is_empty() { Event::Ended } else { Event::Waiting }
    }

    /// Parks the running group. Whether it really waits: a subgroup barrier that everyone reached does not.
    fn park(&mut self, waiting: Waiting) -> bool {
        match self.waiting.iter_mut().find(|other| other.pc == waiting.pc) {
            Some(other) => other.lanes |= waiting.lanes,
            None => self.waiting.push(waiting),
        }
        self.mask.set(0, false);
        let complete = |waiting: &Waiting| waiting.scope == BarrierScope::Subgroup && waiting.lanes == self.live;
        if !self.waiting.iter().any(complete) {
            return true;
        }
        self.pass_subgroup_barrier();
        false
    }

    /// Everyone in the subgroup has reached its barrier.
    pub fn pass_subgroup_barrier(&mut self) {
        if let Some(known) = &mut self.known {
            known.meet(u128::MAX);
        }
        self.tick_whole();
        self.release(BarrierScope::Subgroup);
    }

    /// All invocations of the subgroup have met.
    pub(super) const fn tick_whole(&mut self) {
        self.epoch += 1;
        self.order.whole = self.epoch;
    }

    /// Invocations that go on elsewhere.
    pub(super) fn make_ready(&mut self, pc: u32, lanes: u128) {
        self.ready.push((pc, lanes));
        self.meeting_point = self.meeting_point.min(pc);
    }

    /// Invocations leave the running group; whether any stay.
    pub(super) fn leave_group(&mut self, lanes: u128) -> bool {
        let rest = self.mask.bits & !lanes;
        self.mask.set(rest, false);
        rest != 0
    }

    pub(super) const fn lanes(&self) -> u32 {
        self.lanes
    }

    /// Pretends to stand elsewhere, so that reports name that place.
    pub(super) const fn stand_at(&mut self, pc: u32) -> u32 {
        std::mem::replace(&mut self.pc, pc)
    }

    #[inline(never)]
    fn trapped(&self, env: &mut Environment<'_>) {
        for lane in self.mask.lanes() {
            let site = self.standing(env, lane, Action::Ended);
            env.recorder.fault(Rule::Trap, 0, || (site, FaultDetail::None), self.pc);
        }
    }

    /// Makes the ready group with the lowest program counter the running one. Whether there is one.
    fn next_group(&mut self) -> bool {
        if self.mask.bits != 0 {
            return true;
        }
        let Some(lowest) = self.ready.iter().map(|group| group.0).min() else { return false };
        self.pc = lowest;
        self.meeting_point = lowest;
        self.regroup();
        true
    }

    /// Joins groups at the lowest program counter and runs them.
    #[inline(never)]
    fn regroup(&mut self) {
        if self.mask.bits != 0 {
            self.ready.push((self.pc, self.mask.bits));
        }
        let lowest = self.ready.iter().map(|group| group.0).min().unwrap_or(u32::MAX);
        let mut lanes = 0;
        self.ready.retain(|&(pc, group)| {
            lanes |= if pc == lowest { group } else { 0 };
            pc != lowest
        });
        self.pc = lowest;
        self.meeting_point = self.ready.iter().map(|group| group.0).min().unwrap_or(u32::MAX);
        self.mask.set(lanes, self.ready.is_empty() && self.waiting.is_empty() && self.parked.is_empty());
    }

    /// A group that goes round and round may be waiting for one that stands still: after many rounds the one that has
    /// stood longest runs, alone, until it ends, waits, or goes round as often itself.
    fn be_fair(&mut self, env: &Environment<'_>) {
        self.rounds += 1;
        if self.rounds < if env.watch.is_some() { LITTLE_PATIENCE } else { PATIENCE } {
            return;
        }
        self.rounds = 0;
        let (pc, lanes) = self.ready.remove(0);
        if self.mask.bits != 0 {
            self.ready.push((self.pc, self.mask.bits));
        }
        self.pc = pc;
        self.meeting_point = u32::MAX;
        self.mask.set(lanes, false);
    }

    #[inline(always)]
    fn branch(&mut self, condition: Reg, when: bool, target: u32) {
        let (mut set, mut clear) = ([0; CHUNK], [0; CHUNK]);
        for (row, keep) in self.registers.row(condition).iter().zip(self.mask.words()) {
            for lane in 0..CHUNK {
                let truth = if row.0[lane] != 0 { keep.0[lane] } else { 0 };
                set[lane] |= truth;
                clear[lane] |= keep.0[lane] & !truth;
            }
        }
        let any = |words: [u32; CHUNK]| words.iter().fold(0, |all, word| all | word) != 0;
        let (jumps, stays) = if when { (any(set), any(clear)) } else { (any(clear), any(set)) };
        match (jumps, stays) {
            (true, false) => self.pc = target,
            (false, _) => self.pc += 1,
            (true, true) => self.split(condition, when, target),
        }
    }

    #[inline(never)]
    fn split(&mut self, condition: Reg, when: bool, target: u32) {
        let jumping = |lane: &u32| (self.registers.word(condition, *lane) != 0) == when;
        let jumps = self.mask.lanes().filter(jumping).fold(0, |bits, lane| bits | 1_u128 << lane);
        let stays = self.mask.bits & !jumps;
        self.ready.push((target, jumps));
        self.ready.push((self.pc + 1, stays));
        self.mask.set(0, false);
        self.next_group();
    }

    #[inline(never)]
    fn assert_uniform(&self, env: &mut Environment<'_>, src: Reg) {
        let mut lanes = self.mask.lanes();
        let Some(first) = lanes.next() else { return };
        let word = self.registers.word(src, first);
        let Some(other) = lanes.find(|&lane| self.registers.word(src, lane) != word) else { return };
        if env.linked.config.detectors.barrier {
            let site = |lane: u32| self.standing(env, lane, Action::Barrier);
            let (first, other) = (site(first), site(other));
            let detail = FaultDetail::Divergence { waiting: self.mask.count, elsewhere: 1, other: Box::new(other) };
            env.recorder.fault(Rule::BarrierDivergence, 1, || (first, detail), self.pc);
        }
    }

    /// Where an invocation stands, without a memory access.
    pub fn standing(&self, env: &Environment<'_>, lane: u32, action: Action) -> RawSite {
        RawSite {
            action,
            space: Space::Private,
            buffer: None,
            offset: 0,
            bytes: 0,
            workgroup: env.workgroup.index,
            invocation: self.first_invocation + lane,
            pc: self.pc,
            value: None,
        }
    }

    fn check_index(&mut self, env: &mut Environment<'_>, dst: Reg, index: Reg, signed: bool, limit: u32) {
        let failing: Vec<u32> = self.mask.lanes().filter(|&lane| self.registers.word(index, lane) >= limit).collect();
        if env.linked.config.detectors.bounds {
            for &lane in &failing {
                let word = self.registers.word(index, lane);
                let index = if signed { i64::from(word.cast_signed()) } else { i64::from(word) };
                let site = self.standing(env, lane, Action::Read);
                let limit = crate::finding::BoundsLimit::Array { index, elements: u64::from(limit) };
                env.recorder.fault(Rule::OutOfBounds, 3, || (site, FaultDetail::Bounds(limit)), self.pc);
            }
        }
        self.registers.map1(&self.mask, dst, index, |word| if word >= limit { 0 } else { word });
        if env.linked.address_registers[at(dst.0)] {
            self.exact.after(dst, Follow::Fresh { signed: false }, &self.registers, &self.mask);
        }
    }

    #[inline(always)]
    fn compute(&mut self, env: &Environment<'_>, instr: &Instr) {
        let config = &env.linked.config;
        let keeps_denormals = config.arithmetic.denormals == Denormals::Keep;
        match *instr {
            Instr::Copy { dst, src } => {
                self.registers.map1(&self.mask, dst, src, |x| x);
                self.relays.copy(dst, src, self.mask.bits);
            }
            Instr::Binary { op, ty, dst, a, b } if self.relays.pending() && crate::analysis::is_field_step(op, ty) => {
                self.relays.combine(op, [dst, a, b], &self.registers, self.mask.bits);
                match ty {
                    Scalar::U16 | Scalar::I16 => {
                        quick::binary_small(&mut self.registers, &self.mask, op, ty, [dst, a, b]);
                    }
                    _ => self.binary_word(env, op, ty, dst, a, b),
                }
            }
            Instr::Binary { op, ty, dst, a, b } => match ty {
                Scalar::F32 if keeps_denormals => self.binary_f32(env, op, dst, a, b),
                Scalar::U32 | Scalar::I32 if op == BinaryOp::MulWide => {
                    quick::multiply_wide(&mut self.registers, &self.mask, ty, [dst, a, b]);
                }
                Scalar::U32 | Scalar::I32 | Scalar::Bool => self.binary_word(env, op, ty, dst, a, b),
                Scalar::U64 | Scalar::I64 | Scalar::F64 => {
                    if !quick::binary_wide(&mut self.registers, &self.mask, op, ty, [dst, a, b]) {
                        self.slowly(env, instr);
                    }
                }
                Scalar::U16 | Scalar::I16 => {
                    if !quick::binary_small(&mut self.registers, &self.mask, op, ty, [dst, a, b]) {
                        self.slowly(env, instr);
                    }
                }
                _ => self.slowly(env, instr),
            },
            Instr::Ternary { op: TernaryOp::MultiplyAdd, ty, dst, a, b, c } => {
                self.multiply_add(env, instr, ty, dst, [a, b, c]);
            }
            Instr::Select { condition, dst, accept, reject } => {
                let rows = [condition, accept, reject];
                self.registers.map3(&self.mask, dst, rows, |c, x, y| if c != 0 { x } else { y });
            }
            Instr::Convert { from, to, dst, src, .. } => self.convert(env, instr, from, to, dst, src),
            Instr::Unary { op, ty, dst, a } => self.unary(env, instr, op, ty, dst, a),
            Instr::Extended(id) => self.extended(env, id),
            Instr::Builtin { dst, which } => self.builtin(env, dst, which),
            Instr::Subgroup { op, ty, dst, src, lane } => self.collective(env, op, ty, dst, src, lane),
            _ => self.slowly(env, instr),
        }
    }

    #[inline(always)]
    fn binary_f32(&mut self, env: &Environment<'_>, op: BinaryOp, dst: Reg, a: Reg, b: Reg) {
        let nan = env.linked.program.nan;
        let (r, m) = (&mut self.registers, &self.mask);
        let f = f32::from_bits;
        let canonical = |value: f32| if value.is_nan() { nan } else { value.to_bits() };
        match op {
            BinaryOp::Add => r.map2(m, dst, a, b, |x, y| canonical(f(x) + f(y))),
            BinaryOp::Sub => r.map2(m, dst, a, b, |x, y| canonical(f(x) - f(y))),
            BinaryOp::Mul => r.map2(m, dst, a, b, |x, y| canonical(f(x) * f(y))),
            BinaryOp::Div => r.map2(m, dst, a, b, |x, y| canonical(f(x) / f(y))),
            BinaryOp::Min => r.map2(m, dst, a, b, |x, y| canonical(smaller(f(x), f(y)))),
            BinaryOp::Max => r.map2(m, dst, a, b, |x, y| canonical(-smaller(-f(x), -f(y)))),
            BinaryOp::Eq => r.map2(m, dst, a, b, |x, y| u32::from(f(x) == f(y))),
            BinaryOp::Ne => r.map2(m, dst, a, b, |x, y| u32::from(f(x) != f(y))),
            BinaryOp::Lt => r.map2(m, dst, a, b, |x, y| u32::from(f(x) < f(y))),
            BinaryOp::Le => r.map2(m, dst, a, b, |x, y| u32::from(f(x) <= f(y))),
            BinaryOp::Gt => r.map2(m, dst, a, b, |x, y| u32::from(f(x) > f(y))),
            BinaryOp::Ge => r.map2(m, dst, a, b, |x, y| u32::from(f(x) >= f(y))),
            _ => self.slowly(env, &Instr::Binary { op, ty: Scalar::F32, dst, a, b }),
        }
    }

    #[inline(always)]
    fn binary_word(&mut self, env: &Environment<'_>, op: BinaryOp, ty: Scalar, dst: Reg, a: Reg, b: Reg) {
        let (r, m) = (&mut self.registers, &self.mask);
        let signed = ty == Scalar::I32;
        match op {
            BinaryOp::Add => r.map2(m, dst, a, b, u32::wrapping_add),
            BinaryOp::Sub => r.map2(m, dst, a, b, u32::wrapping_sub),
            BinaryOp::Mul => r.map2(m, dst, a, b, u32::wrapping_mul),
            BinaryOp::And => r.map2(m, dst, a, b, |x, y| x & y),
            BinaryOp::Or => r.map2(m, dst, a, b, |x, y| x | y),
            BinaryOp::Xor => r.map2(m, dst, a, b, |x, y| x ^ y),
            BinaryOp::Shl => r.map2(m, dst, a, b, |x, y| x << (y & 31)),
            BinaryOp::Shr if signed => {
                r.map2(m, dst, a, b, |x, y| (x.cast_signed() >> (y & 31)).cast_unsigned());
            }
            BinaryOp::Shr => r.map2(m, dst, a, b, |x, y| x >> (y & 31)),
            BinaryOp::ShlClamp => r.map2(m, dst, a, b, |x, y| if y < 32 { x << y } else { 0 }),
            BinaryOp::ShrClamp if signed => {
                r.map2(m, dst, a, b, |x, y| (x.cast_signed() >> y.min(31)).cast_unsigned());
            }
            BinaryOp::ShrClamp => r.map2(m, dst, a, b, |x, y| if y < 32 { x >> y } else { 0 }),
            BinaryOp::Eq => r.map2(m, dst, a, b, |x, y| u32::from(x == y)),
            BinaryOp::Ne => r.map2(m, dst, a, b, |x, y| u32::from(x != y)),
            BinaryOp::Lt if signed => r.map2(m, dst, a, b, |x, y| u32::from(x.cast_signed() < y.cast_signed())),
            BinaryOp::Le if signed => r.map2(m, dst, a, b, |x, y| u32::from(x.cast_signed() <= y.cast_signed())),
            BinaryOp::Gt if signed => r.map2(m, dst, a, b, |x, y| u32::from(x.cast_signed() > y.cast_signed())),
            BinaryOp::Ge if signed => r.map2(m, dst, a, b, |x, y| u32::from(x.cast_signed() >= y.cast_signed())),
            BinaryOp::Lt => r.map2(m, dst, a, b, |x, y| u32::from(x < y)),
            BinaryOp::Le => r.map2(m, dst, a, b, |x, y| u32::from(x <= y)),
            BinaryOp::Gt => r.map2(m, dst, a, b, |x, y| u32::from(x > y)),
            BinaryOp::Ge => r.map2(m, dst, a, b, |x, y| u32::from(x >= y)),
            BinaryOp::Min if !signed => r.map2(m, dst, a, b, u32::min),
            BinaryOp::Max if !signed => r.map2(m, dst, a, b, u32::max),
            BinaryOp::Min if signed => {
                r.map2(m, dst, a, b, |x, y| x.cast_signed().min(y.cast_signed()).cast_unsigned());
            }
            BinaryOp::Max if signed => {
                r.map2(m, dst, a, b, |x, y| x.cast_signed().max(y.cast_signed()).cast_unsigned());
            }
            _ => self.slowly(env, &Instr::Binary { op, ty, dst, a, b }),
        }
    }

    #[inline(always)]
    fn multiply_add(&mut self, env: &Environment<'_>, instr: &Instr, ty: Scalar, dst: Reg, operands: [Reg; 3]) {
        let (arithmetic, nan) = (env.linked.config.arithmetic, env.linked.program.nan);
        let (r, m) = (&mut self.registers, &self.mask);
        let f = f32::from_bits;
        let canonical = |value: f32| if value.is_nan() { nan } else { value.to_bits() };
        match ty {
            Scalar::U32 | Scalar::I32 => {
                r.map3(m, dst, operands, |x, y, z| x.wrapping_mul(y).wrapping_add(z));
            }
            Scalar::F32 if arithmetic == gridproof_launch::Arithmetic::FUSED => {
                r.map3(m, dst, operands, |x, y, z| canonical(f(x).mul_add(f(y), f(z))));
            }
            Scalar::F32 if arithmetic == gridproof_launch::Arithmetic::SEPARATE => {
                r.map3(m, dst, operands, |x, y, z| canonical(f(x) * f(y) + f(z)));
            }
            Scalar::U64 | Scalar::I64 => {
                quick::multiply_add_wide(r, m, ty, dst, operands);
            }
            Scalar::F64 if arithmetic.multiply_add == gridproof_launch::MultiplyAdd::Fused => {
                quick::multiply_add_wide(r, m, ty, dst, operands);
            }
            _ => self.slowly(env, instr),
        }
    }

    #[inline(always)]
    fn convert(&mut self, env: &Environment<'_>, instr: &Instr, from: Scalar, to: Scalar, dst: Reg, src: Reg) {
        let keeps_denormals = env.linked.config.arithmetic.denormals == Denormals::Keep;
        let (r, m) = (&mut self.registers, &self.mask);
        match (from, to) {
            (Scalar::U32 | Scalar::I32, Scalar::U32 | Scalar::I32) | (Scalar::Bool, Scalar::U32 | Scalar::I32) => {
                r.map1(m, dst, src, |x| x);
            }
            (Scalar::U32, Scalar::F32) if to_nearest(instr) => r.map1(m, dst, src, |x| u32_to_f32(x).to_bits()),
            (Scalar::I32, Scalar::F32) if to_nearest(instr) => {
                r.map1(m, dst, src, |x| i32_to_f32(x.cast_signed()).to_bits());
            }
            (Scalar::F32, Scalar::U32) if keeps_denormals && toward_zero(instr) => {
                r.map1(m, dst, src, |x| f32_to_u32(f32::from_bits(x)));
            }
            (Scalar::F32, Scalar::I32) if keeps_denormals && toward_zero(instr) => {
                r.map1(m, dst, src, |x| f32_to_i32(f32::from_bits(x)).cast_unsigned());
            }
            (Scalar::U32 | Scalar::I32, Scalar::Bool) => r.map1(m, dst, src, |x| u32::from(x != 0)),
            (Scalar::F16 | Scalar::Bf16, Scalar::F32) if !keeps_denormals => self.slowly(env, instr),
            _ => {
                if !quick::convert(r, m, from, to, [dst, src], env.linked.program.nan) {
                    self.slowly(env, instr);
                }
            }
        }
    }

    #[inline(always)]
    fn unary(&mut self, env: &Environment<'_>, instr: &Instr, op: UnaryOp, ty: Scalar, dst: Reg, a: Reg) {
        let (r, m) = (&mut self.registers, &self.mask);
        match (op, ty) {
            (UnaryOp::Flush, Scalar::F32) => {
                r.map1(m, dst, a, |x| if x & 0x7f80_0000 == 0 { x & 0x8000_0000 } else { x });
            }
            // Where the language says what a NaN is, changing its sign gives that one, too.
            (UnaryOp::Neg, Scalar::F32) if env.linked.program.arithmetic.is_some() => {
                let nan = env.linked.program.nan;
                r.map1(m, dst, a, |x| if x & 0x7fff_ffff > 0x7f80_0000 { nan } else { x ^ 0x8000_0000 });
            }
            (UnaryOp::Abs, Scalar::F32) if env.linked.program.arithmetic.is_some() => {
                let nan = env.linked.program.nan;
                r.map1(m, dst, a, |x| if x & 0x7fff_ffff > 0x7f80_0000 { nan } else { x & 0x7fff_ffff });
            }
            (UnaryOp::Sqrt, Scalar::F32) if env.linked.config.arithmetic.denormals == Denormals::Keep => {
                let nan = env.linked.program.nan;
                r.map1(m, dst, a, |x| {
                    let root = f32::from_bits(x).sqrt();
                    if root.is_nan() { nan } else { root.to_bits() }
                });
            }
            (UnaryOp::Neg, Scalar::F32) => r.map1(m, dst, a, |x| x ^ 0x8000_0000),
            (UnaryOp::Abs, Scalar::F32) => r.map1(m, dst, a, |x| x & 0x7fff_ffff),
            (UnaryOp::Neg, Scalar::U32 | Scalar::I32) => r.map1(m, dst, a, u32::wrapping_neg),
            (UnaryOp::Not, Scalar::U32 | Scalar::I32) => r.map1(m, dst, a, |x| !x),
            (UnaryOp::Not, Scalar::Bool) => r.map1(m, dst, a, |x| u32::from(x == 0)),
            _ => self.slowly(env, instr),
        }
    }

    #[inline(never)]
    fn extended(&mut self, env: &Environment<'_>, id: crate::ir::ExtendedId) {
        let Some(entry) = env.linked.program.tables.extended.get(at(id.0)) else { return };
        let quick = quick::extended(&mut self.registers, &self.mask, entry.op, &entry.sources, &entry.results);
        for lane in Lanes(if quick { 0 } else { self.mask.bits }) {
            let mut sources = [0; 4];
            for (value, operand) in sources.iter_mut().zip(&entry.sources) {
                *value = self.registers.value(operand.reg, operand.rows, lane);
            }
            let results = semantics::extended(entry.op, sources);
            for (value, operand) in results.into_iter().zip(&entry.results) {
                self.registers.set_value(operand.reg, operand.rows, lane, value);
            }
        }
        if env.linked.config.detectors.offset {
            for operand in entry.results.iter().filter(|operand| env.linked.address_registers[at(operand.reg.0)]) {
                self.exact.given(operand.reg, operand.rows, &self.registers, &self.mask);
            }
        }
    }

    #[inline(never)]
    fn builtin(&mut self, env: &Environment<'_>, dst: Reg, which: Builtin) {
        let linked = env.linked;
        let size = linked.program.workgroup_size;
        let first = self.first_invocation;
        let axis = |component: u8| usize::from(component.min(2));
        for lane in Lanes(self.mask.bits) {
            let local = linked.local(first + lane);
            let word = match which {
                Builtin::WorkgroupId(c) => env.workgroup.position[axis(c)],
                Builtin::NumWorkgroups(c) => linked.grid[axis(c)],
                Builtin::LocalInvocationId(c) => local[axis(c)],
                Builtin::LocalInvocationIndex => first + lane,
                Builtin::GlobalInvocationId(c) => {
                    let group = env.workgroup.position[axis(c)];
                    group.wrapping_mul(size[axis(c)]).wrapping_add(local[axis(c)])
                }
                Builtin::WorkgroupSize(c) => size[axis(c)],
                Builtin::SubgroupId => self.id,
                Builtin::NumSubgroups => linked.subgroups,
                Builtin::SubgroupSize => linked.lanes,
                Builtin::SubgroupInvocationId => lane,
            };
            self.registers.set_word(dst, lane, word);
        }
    }

    #[inline(never)]
    fn collective(&mut self, env: &Environment<'_>, op: SubgroupOp, ty: Scalar, dst: Reg, src: Reg, lane: Reg) {
        let active = self.mask.bits;
        if op == SubgroupOp::Ballot {
            let votes = Lanes(active).filter(|&lane| self.registers.word(src, lane) != 0);
            let bits = votes.fold(0_u128, |bits, lane| bits | 1 << lane);
            for word in 0..4 {
                let part = u32::try_from(bits >> (word * 32) & 0xffff_ffff).unwrap_or(0);
                Lanes(active).for_each(|lane| self.registers.set_word(Reg(dst.0 + word), lane, part));
            }
            return;
        }
        let rows = ty.rows();
        let sources: Vec<u64> = (0..self.lanes).map(|i| self.registers.value(src, rows, i)).collect();
        let others: Vec<u32> = (0..self.lanes).map(|i| self.registers.word(lane, i)).collect();
        let mut out = vec![0; sources.len()];
        let arithmetic = env.linked.config.arithmetic;
        let _unknown = collective::subgroup_op(op, ty, active, self.lanes, &sources, &others, &mut out, arithmetic);
        for lane in Lanes(active) {
            self.registers.set_value(dst, rows, lane, out[at(lane)]);
        }
    }

    /// Everything that has no fast path: one invocation after the other, by the scalar meaning.
    #[inline(never)]
    fn slowly(&mut self, env: &Environment<'_>, instr: &Instr) {
        let arithmetic = env.linked.config.arithmetic;
        for lane in Lanes(self.mask.bits) {
            let value = |reg: Reg, ty: Scalar| self.registers.value(reg, ty.rows(), lane);
            let (dst, rows, result) = match *instr {
                Instr::Unary { op, ty, dst, a } => {
                    let rows = match op {
                        UnaryOp::IsNan | UnaryOp::IsInf | UnaryOp::FrexpExponent => 1,
                        _ => ty.rows(),
                    };
                    (dst, rows, semantics::unary(op, ty, value(a, ty), arithmetic))
                }
                Instr::Binary { op, ty, dst, a, b } => {
                    let second = match op {
                        BinaryOp::Shl | BinaryOp::Shr | BinaryOp::ShlClamp | BinaryOp::ShrClamp => Scalar::U32,
                        BinaryOp::Ldexp => Scalar::I32,
                        _ => ty,
                    };
                    let rows = if is_comparison(op) {
                        1
                    } else if op == BinaryOp::MulWide {
                        2
                    } else {
                        ty.rows()
                    };
                    (dst, rows, semantics::binary(op, ty, value(a, ty), value(b, second), arithmetic))
                }
                Instr::Ternary { op, ty, dst, a, b, c } => {
                    let rest = if op == TernaryOp::ExtractBits { Scalar::U32 } else { ty };
                    let result = semantics::ternary(op, ty, value(a, ty), value(b, rest), value(c, rest), arithmetic);
                    (dst, ty.rows(), result)
                }
                Instr::Convert { from, to, rounding, dst, src } => {
                    (dst, to.rows(), semantics::convert(from, to, rounding, value(src, from), arithmetic))
                }
                Instr::InsertBits { dst, base, new, place } => {
                    let word = |reg: Reg| self.registers.word(reg, lane);
                    let result = semantics::insert_bits(word(base), word(new), word(place), word(place.high()));
                    (dst, 1, u64::from(result))
                }
                Instr::ArrayLength { dst, binding, first, stride } => {
                    let length = array_length(&env.linked.bindings[at(binding.0)], first, stride);
                    (dst, 1, length.min(u64::from(u32::MAX)))
                }
                _ => return,
            };
            let is_nan = result == NAN && rows == 1 && matches!(float_result(instr), Some(Scalar::F32));
            let result = if is_nan { u64::from(env.linked.program.nan) } else { result };
            let result = match *instr {
                Instr::Unary { op: UnaryOp::Neg | UnaryOp::Abs, ty, a, .. }
                    if env.linked.program.arithmetic.is_some() =>
                {
                    sign_of_nan(ty, self.registers.value(a, ty.rows(), lane), result)
                }
                _ => result,
            };
            self.registers.set_value(dst, rows, lane, result);
        }
    }

    /// One word of private memory of every invocation, and the registers.
    pub(super) fn private_row(&mut self, word: usize) -> (&mut [u32], &mut Registers) {
        let lanes = at(self.lanes);
        (&mut self.private[word * lanes..(word + 1) * lanes], &mut self.registers)
    }

    pub(super) fn private_word(&self, byte: usize, lane: u32) -> u32 {
        self.private[byte / 4 * at(self.lanes) + at(lane)]
    }

    pub(super) fn private_word_mut(&mut self, byte: usize, lane: u32) -> &mut u32 {
        &mut self.private[byte / 4 * at(self.lanes) + at(lane)]
    }
}

/// The quiet NaN that [`semantics`] gives for f32.
const NAN: u64 = 0x7fc0_0000;

/// What devices make of a double NaN whose sign is to change (seen on an H200): it stays as it is, but quiet.
const fn sign_of_nan(ty: Scalar, operand: u64, result: u64) -> u64 {
    match ty {
        Scalar::F64 if operand << 1 > 0x7ff0_0000_0000_0000 << 1 => operand | 1 << 51,
        _ => result,
    }
}

/// The type of an instruction's result, where that is a float computed from others.
const fn float_result(instr: &Instr) -> Option<Scalar> {
    match *instr {
        Instr::Unary { op: UnaryOp::Neg | UnaryOp::Abs, .. } => None,
        Instr::Unary { ty, .. } | Instr::Binary { ty, .. } | Instr::Ternary { ty, .. } => Some(ty),
        Instr::Convert { from, to, .. } if from.is_float() => Some(to),
        _ => None,
    }
}

/// The smaller of two, of which NaN is none; the total order puts -0 below +0.
#[inline(always)]
fn smaller(x: f32, y: f32) -> f32 {
    if x.is_nan() {
        y
    } else if y.is_nan() || x < y || (x == y && x.is_sign_negative()) {
        x
    } else {
        y
    }
}

const fn is_comparison(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
}

const fn toward_zero(instr: &Instr) -> bool {
    matches!(instr, Instr::Convert { rounding: crate::ir::Rounding::TowardsZero, .. })
}

const fn to_nearest(instr: &Instr) -> bool {
    matches!(instr, Instr::Convert { rounding: crate::ir::Rounding::NearestEven, .. })
}

/// The execution loop as one function object, so that it is compiled for the vector width at hand.
struct Run<'s, 'e, 'd> {
    subgroup: &'s mut Subgroup,
    env: &'e mut Environment<'d>,
    fuel: u64,
    granted: bool,
}

impl pulp::NullaryFnOnce for Run<'_, '_, '_> {
    type Output = Event;

    #[inline(always)]
    fn call(self) -> Event {
        self.subgroup.execute(self.env, self.fuel, self.granted)
    }
}
