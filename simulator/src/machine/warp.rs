//! Operations among the invocations of a subgroup that a mask names.
//!
//! Invocations of a subgroup are not ordered by running together: whoever comes to such an operation waits until every
//! invocation of the mask that has not ended stands at an operation of the same kind with the same mask, wherever in
//! the program that is. Then they execute it together. Only a barrier orders memory.

use super::environment::Environment;
use super::registers::Lanes;
use super::semantics;
use super::subgroup::{Parked, ParkedAt, Subgroup};
use crate::cast::{at, low};
use crate::finding::{Action, Rule};
use crate::ir::{
    BinaryOp, FloatReduction, Operand, Reduction, Reg, Scalar, ShuffleMode, UnaryOp, VoteMode, Warp, WarpId, WarpOp,
};
use crate::recorder::FaultDetail;

/// Invocations of a subgroup at most.
const MOST_LANES: usize = 128;

/// One instruction and the invocations that execute it.
struct Party<'a> {
    pc: u32,
    entry: &'a Warp,
    lanes: u128,
}

impl Subgroup {
    /// Runs a warp operation. Whether (some of) the running group goes on behind it.
    #[inline(never)]
    pub(super) fn warp(&mut self, env: &mut Environment<'_>, id: WarpId) -> bool {
        let Some(entry) = env.linked.program.tables.warps.get(at(id.0)) else { return true };
        let Some(mask) = entry.mask else {
            let party = Party { pc: self.pc(), entry, lanes: self.mask.bits };
            self.together(env, &[party], self.mask.bits);
            return true;
        };
        let mut left = self.mask.bits;
        while left != 0 {
            let word = self.registers.word(mask, left.trailing_zeros());
            let group = self.registers.lanes_with(mask, word, left);
            left &= !group;
            let members = u128::from(word) & self.live();
            if group & !members != 0 {
                self.not_a_member(env, group & !members, group & members);
            }
            let members = members | group;
            if members == group {
                let party = Party { pc: self.pc(), entry, lanes: group };
                self.together(env, &[party], group);
                continue;
            }
            self.leave_group(group);
            self.parked.push(Parked { pc: self.pc(), lanes: group, place: ParkedAt::Warp { id, members } });
        }
        let goes_on = self.mask.bits != 0;
        if !self.parked.is_empty() {
            self.wake(env);
        }
        goes_on
    }

    /// An invocation that executes an operation whose mask leaves it out.
    fn not_a_member(&self, env: &mut Environment<'_>, outside: u128, inside: u128) {
        if !env.linked.config.detectors.barrier {
            return;
        }
        let first = outside.trailing_zeros();
        let other = if inside == 0 { first } else { inside.trailing_zeros() };
        let (site, other) = (self.standing(env, first, Action::Barrier), self.standing(env, other, Action::Barrier));
        let (waiting, elsewhere) = (inside.count_ones(), outside.count_ones());
        let detail = FaultDetail::Divergence { waiting, elsewhere, other: Box::new(other) };
        env.recorder.fault(Rule::BarrierDivergence, 2, || (site, detail), self.pc());
    }

    /// Lets groups go on that wait for nobody any more.
    pub(super) fn wake(&mut self, env: &mut Environment<'_>) {
        let warps = &env.linked.program.tables.warps;
        while let Some(together) = self.complete(warps) {
            let parties: Vec<Party<'_>> = together
                .iter()
                .filter_map(|parked| match parked.place {
                    ParkedAt::Warp { id, .. } => {
                        warps.get(at(id.0)).map(|entry| Party { pc: parked.pc, entry, lanes: parked.lanes })
                    }
                    ParkedAt::Rendezvous { .. } => None,
                })
                .collect();
            let lanes = together.iter().fold(0, |lanes, parked| lanes | parked.lanes);
            self.together(env, &parties, lanes);
            self.parked.retain(|parked| !together.contains(parked));
            for party in parties {
                self.make_ready(party.pc + 1, party.lanes);
            }
        }
    }

    /// The groups that wait for each other with the same mask and operation, of which everyone is there.
    fn complete(&self, warps: &[Warp]) -> Option<Vec<Parked>> {
        let kind = |id: WarpId| warps.get(at(id.0)).map(|entry| std::mem::discriminant(&entry.op));
        self.parked.iter().find_map(|parked| {
            let ParkedAt::Warp { id, members } = parked.place else { return None };
            let same = |other: &Parked| match other.place {
                ParkedAt::Warp { id: theirs, members: mask } => {
                    mask & self.live() == members & self.live() && kind(theirs) == kind(id)
                }
                ParkedAt::Rendezvous { .. } => false,
            };
            let together: Vec<Parked> = self.parked.iter().copied().filter(same).collect();
            let lanes = together.iter().fold(0, |lanes, parked| lanes | parked.lanes);
            (lanes == members & self.live()).then_some(together)
        })
    }

    /// Executes the operation for all parties at once.
    fn together(&mut self, env: &Environment<'_>, parties: &[Party<'_>], lanes: u128) {
        let Some(first) = parties.first() else { return };
        if first.entry.op == WarpOp::Barrier {
            let met = if lanes == self.live() { u128::MAX } else { lanes };
            if let Some(known) = &mut self.known {
                known.meet(met);
            }
            if lanes == self.live() {
                self.tick_whole();
            } else {
                self.epoch += 1;
                let (now, count) = (self.epoch, self.lanes());
                self.order.meet_lanes(lanes, now, count);
            }
            return;
        }
        if let ([party], WarpOp::Shuffle(mode)) = (parties, &first.entry.op)
            && self.shuffle_words(*mode, party.entry, lanes)
        {
            return self.follow_results(env, party);
        }
        let count = parties.iter().map(|party| party.entry.sources.len()).max().unwrap_or(0);
        let mut sources: Vec<Vec<u64>> = vec![vec![0; at(self.lanes())]; count];
        for party in parties {
            for (values, operand) in sources.iter_mut().zip(&party.entry.sources) {
                self.registers.values(operand.reg, operand.rows, party.lanes, values);
            }
        }
        let results = outcome(&first.entry.op, lanes, &sources, env.linked.program.nan);
        for party in parties {
            for (values, operand) in results.iter().zip(&party.entry.results) {
                for lane in Lanes(party.lanes) {
                    self.registers.set_value(operand.reg, operand.rows, lane, values[at(lane)]);
                }
            }
            self.follow_results(env, party);
        }
    }

    /// A shuffle of words by one group at one place; whether it is one.
    fn shuffle_words(&mut self, mode: ShuffleMode, entry: &Warp, lanes: u128) -> bool {
        let ([value, b, c], [first, rest @ ..]) = (entry.sources.as_slice(), entry.results.as_slice()) else {
            return false;
        };
        if [value, b, c, first].into_iter().chain(rest).any(|operand| operand.rows != 1) {
            return false;
        }
        let mut values = [0; MOST_LANES];
        for lane in 0..self.lanes() {
            values[at(lane)] = self.registers.word(value.reg, lane);
        }
        for lane in Lanes(lanes) {
            let (b, c) = (self.registers.word(b.reg, lane), self.registers.word(c.reg, lane));
            let (source, in_range) = source_lane(mode, lane, b, c);
            let there = lanes >> source & 1 == 1;
            self.registers.set_word(first.reg, lane, if there { values[at(source)] } else { 0 });
            if let Some(flag) = rest.first() {
                self.registers.set_word(flag.reg, lane, u32::from(in_range));
            }
        }
        true
    }

    /// The invocations of a group where a `bool` row holds.
    pub fn lanes_where(&self, row: Reg, lanes: u128) -> u128 {
        Lanes(lanes).filter(|&lane| self.registers.word(row, lane) != 0).fold(0, |all, lane| all | 1 << lane)
    }

    /// What another invocation gave is taken as it is.
    fn follow_results(&mut self, env: &Environment<'_>, party: &Party<'_>) {
        let linked = env.linked;
        if !linked.config.detectors.offset {
            return;
        }
        for &Operand { reg, rows } in &party.entry.results {
            if (0..rows).any(|row| linked.address_registers[at(reg.0 + row)]) {
                let mut mask = super::registers::Mask::new(self.lanes());
                mask.set(party.lanes, false);
                self.exact.given(reg, rows, &self.registers, &mask);
            }
        }
    }
}

/// Results per operand and lane. `members`: who takes part.
fn outcome(op: &WarpOp, members: u128, sources: &[Vec<u64>], nan: u32) -> Vec<Vec<u64>> {
    let size = sources.first().map_or(32, Vec::len);
    let value = |lane: u32| sources.first().and_then(|values| values.get(at(lane))).copied().unwrap_or(0);
    let everyone = |result: u64| vec![result; size];
    let bits =
        |test: &dyn Fn(u32) -> bool| Lanes(members).filter(|&lane| test(lane)).fold(0_u64, |all, lane| all | 1 << lane);
    let all = bits(&|_| true);
    match op {
        WarpOp::Barrier => Vec::new(),
        WarpOp::ActiveMask => vec![everyone(all)],
        WarpOp::Shuffle(mode) => shuffle(*mode, members, sources),
        WarpOp::Vote(mode) => vec![everyone(vote(*mode, bits(&|lane| value(lane) != 0), all))],
        WarpOp::MatchAny => {
            let mut result = everyone(0);
            for lane in Lanes(members) {
                result[at(lane)] = bits(&|other| value(other) == value(lane));
            }
            vec![result]
        }
        WarpOp::MatchAll => {
            let first = Lanes(members).next().map_or(0, value);
            let same = Lanes(members).all(|lane| value(lane) == first);
            vec![everyone(if same { all } else { 0 }), everyone(u64::from(same))]
        }
        WarpOp::Reduce(reduction, ty, float) => {
            let values = Lanes(members).map(value);
            vec![everyone(reduce(*reduction, *ty, *float, values, nan))]
        }
        WarpOp::Elect => {
            let leader = members.trailing_zeros();
            let mut is_leader = everyone(0);
            if let Some(slot) = is_leader.get_mut(at(leader)) {
                *slot = 1;
            }
            vec![everyone(u64::from(leader)), is_leader]
        }
        WarpOp::MultiplyAccumulate(matrix) => {
            let [.., registers] = semantics::register_counts(*matrix);
            let mut results = vec![everyone(0); at(registers)];
            semantics::multiply_accumulate(*matrix, sources, &mut results);
            results
        }
    }
}

/// What a vote gives for the invocations where the predicate holds, among all.
pub(super) fn vote(mode: VoteMode, holds: u64, all: u64) -> u64 {
    match mode {
        VoteMode::All => u64::from(holds == all),
        VoteMode::Any => u64::from(holds != 0),
        VoteMode::Uniform => u64::from(holds == all || holds == 0),
        VoteMode::Ballot => holds,
        VoteMode::Count => u64::from(holds.count_ones()),
    }
}

/// `shfl.sync`: the value of another lane, and whether it is in range. An invocation that is not there gives 0.
fn shuffle(mode: ShuffleMode, members: u128, sources: &[Vec<u64>]) -> Vec<Vec<u64>> {
    let size = sources.first().map_or(0, Vec::len);
    let operand =
        |which: usize, lane: u32| sources.get(which).and_then(|values| values.get(at(lane))).copied().unwrap_or(0);
    let (mut values, mut flags) = (vec![0; size], vec![0; size]);
    for lane in Lanes(members) {
        let (source, in_range) = source_lane(mode, lane, low(operand(1, lane)), low(operand(2, lane)));
        let there = members >> source & 1 == 1;
        values[at(lane)] = if there { operand(0, source) } else { 0 };
        flags[at(lane)] = u64::from(in_range);
    }
    vec![values, flags]
}

/// The lane that `shfl` reads, and its predicate: PTX ISA, "shfl.sync", semantics.
fn source_lane(mode: ShuffleMode, lane: u32, b: u32, c: u32) -> (u32, bool) {
    let (b, clamp, segment) = (b & 31, c & 31, c >> 8 & 31);
    let limit = lane & segment | clamp & !segment;
    let (source, in_range) = match mode {
        ShuffleMode::Up => (i64::from(lane) - i64::from(b), i64::from(lane) - i64::from(b) >= i64::from(limit)),
        ShuffleMode::Down => (i64::from(lane + b), lane + b <= limit),
        ShuffleMode::Butterfly => (i64::from(lane ^ b), lane ^ b <= limit),
        ShuffleMode::Index => {
            let source = lane & segment | b & !segment;
            (i64::from(source), source <= limit)
        }
    };
    (if in_range { u32::try_from(source).unwrap_or(lane) } else { lane }, in_range)
}

fn reduce(reduction: Reduction, ty: Scalar, float: FloatReduction, values: impl Iterator<Item = u64>, nan: u32) -> u64 {
    let op = match reduction {
        Reduction::Add => BinaryOp::Add,
        Reduction::Mul => BinaryOp::Mul,
        Reduction::Min => BinaryOp::Min,
        Reduction::Max => BinaryOp::Max,
        Reduction::And => BinaryOp::And,
        Reduction::Or => BinaryOp::Or,
        Reduction::Xor => BinaryOp::Xor,
    };
    let arithmetic = gridproof_launch::Arithmetic::FUSED;
    let is_nan = |value: u64| semantics::unary(UnaryOp::IsNan, ty, value, arithmetic) == 1;
    let mut seen_nan = false;
    let prepared = values.map(|value| {
        let value = if float.absolute { semantics::unary(UnaryOp::Abs, ty, value, arithmetic) } else { value };
        seen_nan |= ty.is_float() && is_nan(value);
        value
    });
    let result = prepared.reduce(|a, b| semantics::binary(op, ty, a, b, arithmetic)).unwrap_or(0);
    if ty.is_float() && (is_nan(result) || (float.nan && seen_nan)) { u64::from(nan) } else { result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffles_stay_in_their_segment() {
        let whole = |clamp: u32| clamp;
        assert_eq!(source_lane(ShuffleMode::Down, 30, 1, whole(31)), (31, true));
        assert_eq!(source_lane(ShuffleMode::Down, 31, 1, whole(31)), (31, false));
        assert_eq!(source_lane(ShuffleMode::Up, 0, 1, 0), (0, false));
        assert_eq!(source_lane(ShuffleMode::Up, 5, 2, 0), (3, true));
        assert_eq!(source_lane(ShuffleMode::Butterfly, 5, 16, 31), (21, true));
        // Segments of 8: segment mask 0b11000.
        let eight = |clamp: u32| 24 << 8 | clamp;
        assert_eq!(source_lane(ShuffleMode::Down, 7, 1, eight(31)), (7, false));
        assert_eq!(source_lane(ShuffleMode::Down, 9, 4, eight(31)), (13, true));
        assert_eq!(source_lane(ShuffleMode::Up, 8, 1, eight(0)), (8, false));
        assert_eq!(source_lane(ShuffleMode::Index, 19, 2, eight(31)), (18, true));
        assert_eq!(source_lane(ShuffleMode::Butterfly, 9, 16, eight(31)), (9, false));
    }

    #[test]
    fn votes_and_matches_count_members_only() {
        let values = vec![(0..32).map(|lane| u64::from(lane % 4 == 0)).collect::<Vec<u64>>()];
        let members = 0xff;
        assert_eq!(outcome(&WarpOp::Vote(VoteMode::Ballot), members, &values, 0)[0][3], 0x11);
        assert_eq!(outcome(&WarpOp::Vote(VoteMode::All), members, &values, 0)[0][0], 0);
        assert_eq!(outcome(&WarpOp::Vote(VoteMode::Any), 0b10, &values, 0)[0][1], 0);
        assert_eq!(outcome(&WarpOp::Vote(VoteMode::Uniform), 0b1110, &values, 0)[0][1], 1);
        assert_eq!(outcome(&WarpOp::MatchAny, members, &values, 0)[0][1], 0xee);
        assert_eq!(outcome(&WarpOp::MatchAll, members, &values, 0)[0][1], 0);
        assert_eq!(outcome(&WarpOp::MatchAll, 0b0110, &values, 0)[0][1], 0b0110);
        assert_eq!(outcome(&WarpOp::Elect, 0b0110, &[vec![0; 32]], 0)[0][2], 1);
        let sum = WarpOp::Reduce(Reduction::Add, Scalar::U32, FloatReduction::default());
        assert_eq!(outcome(&sum, members, &values, 0)[0][7], 2);
    }
}
