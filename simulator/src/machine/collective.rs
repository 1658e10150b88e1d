//! What the operations across a subgroup mean: pure functions over the values of its invocations.
//!
//! Only active invocations take part. Reductions and scans combine them in the order of their index, starting
//! from the identity of the operation; WGSL and SPIR-V leave the order open, so float sums and products may
//! differ from a device's. Reading an invocation that is inactive or does not exist gives an indeterminate
//! value there; here it gives 0 and is reported to the caller.

use gridproof_launch::Arithmetic;

use super::semantics::binary;
use crate::cast::{at, narrow};
use crate::ir::{BinaryOp, Extent, Reduction, Scalar, SubgroupOp};

/// Sets `out[i]` to the result of `op` for every active invocation `i`, and gives the mask of those whose
/// result is indeterminate because they read an invocation that is inactive or does not exist.
///
/// Bit `i` of `active` and index `i` of the slices stand for invocation `i` of the subgroup; bits at or above
/// `subgroup_size` or the length of a slice count as inactive. `lane` is the second operand of shuffles and
/// quad operations, per invocation. [`SubgroupOp::Ballot`] has four rows of result and is the caller's; here
/// it gives 0.
#[expect(clippy::too_many_arguments, reason = "the operands of one instruction")]
pub fn subgroup_op(
    op: SubgroupOp,
    ty: Scalar,
    active: u128,
    subgroup_size: u32,
    src: &[u64],
    lane: &[u32],
    out: &mut [u64],
    arithmetic: Arithmetic,
) -> u128 {
    let size = subgroup_size.min(u128::BITS).min(narrow(src.len())).min(narrow(lane.len())).min(narrow(out.len()));
    let subgroup = Subgroup { active: active & lowest(size), size };
    match op {
        SubgroupOp::All => subgroup.fill(out, u64::from(subgroup.invocations().all(|i| src[at(i)] != 0))),
        SubgroupOp::Any => subgroup.fill(out, u64::from(subgroup.invocations().any(|i| src[at(i)] != 0))),
        SubgroupOp::Elect => {
            subgroup.fill(out, 0);
            subgroup.invocations().take(1).for_each(|i| out[at(i)] = 1);
        }
        SubgroupOp::Ballot => subgroup.fill(out, 0),
        SubgroupOp::BroadcastFirst => subgroup.fill(out, subgroup.invocations().next().map_or(0, |i| src[at(i)])),
        SubgroupOp::Combine(reduction, extent) => subgroup.combine(reduction, extent, ty, src, out, arithmetic),
        SubgroupOp::Shuffle
        | SubgroupOp::ShuffleDown
        | SubgroupOp::ShuffleUp
        | SubgroupOp::ShuffleXor
        | SubgroupOp::QuadBroadcast
        | SubgroupOp::QuadSwap => return subgroup.exchange(op, src, lane, out),
    }
    0
}

/// Which invocations there are.
#[derive(Clone, Copy)]
struct Subgroup {
    /// No bit at or above `size`.
    active: u128,
    /// At most 128.
    size: u32,
}

impl Subgroup {
    /// The active ones by index.
    fn invocations(self) -> impl Iterator<Item = u32> {
        (0..self.size).filter(move |&i| self.is_active(i))
    }

    fn is_active(self, invocation: u32) -> bool {
        invocation < self.size && self.active >> invocation & 1 == 1
    }

    fn fill(self, out: &mut [u64], value: u64) {
        self.invocations().for_each(|i| out[at(i)] = value);
    }

    fn combine(
        self,
        reduction: Reduction,
        extent: Extent,
        ty: Scalar,
        src: &[u64],
        out: &mut [u64],
        arithmetic: Arithmetic,
    ) {
        let op = operation(reduction);
        let mut total = identity(reduction, ty);
        for i in self.invocations() {
            let before = total;
            total = binary(op, ty, total, src[at(i)], arithmetic);
            out[at(i)] = if extent == Extent::Exclusive { before } else { total };
        }
        if extent == Extent::Reduce {
            self.fill(out, total);
        }
    }

    fn exchange(self, op: SubgroupOp, src: &[u64], lane: &[u32], out: &mut [u64]) -> u128 {
        let mut indeterminate = 0;
        for i in self.invocations() {
            let source = source(op, i, lane[at(i)]).filter(|&source| self.is_active(source));
            out[at(i)] = source.map_or(0, |source| src[at(source)]);
            if source.is_none() {
                indeterminate |= 1 << i;
            }
        }
        indeterminate
    }
}

/// The invocation that `invocation` reads, unless there can be none.
fn source(op: SubgroupOp, invocation: u32, lane: u32) -> Option<u32> {
    match op {
        SubgroupOp::Shuffle => Some(lane),
        SubgroupOp::ShuffleDown => invocation.checked_add(lane),
        SubgroupOp::ShuffleUp => invocation.checked_sub(lane),
        SubgroupOp::ShuffleXor => Some(invocation ^ lane),
        SubgroupOp::QuadBroadcast if lane < 4 => Some(invocation & !3 | lane),
        SubgroupOp::QuadSwap if lane < 3 => Some(invocation ^ (lane + 1)),
        _ => None,
    }
}

const fn operation(reduction: Reduction) -> BinaryOp {
    match reduction {
        Reduction::Add => BinaryOp::Add,
        Reduction::Mul => BinaryOp::Mul,
        Reduction::Min => BinaryOp::Min,
        Reduction::Max => BinaryOp::Max,
        Reduction::And => BinaryOp::And,
        Reduction::Or => BinaryOp::Or,
        Reduction::Xor => BinaryOp::Xor,
    }
}

/// The value that combines with any other to that other one.
fn identity(reduction: Reduction, ty: Scalar) -> u64 {
    match reduction {
        Reduction::Add | Reduction::Or | Reduction::Xor => 0,
        Reduction::Mul => one(ty),
        Reduction::And if ty == Scalar::Bool => 1,
        Reduction::And => ones(ty),
        Reduction::Min => extremes(ty).1,
        Reduction::Max => extremes(ty).0,
    }
}

const fn one(ty: Scalar) -> u64 {
    match ty {
        Scalar::F16 => 0x3c00,
        Scalar::Bf16 => 0x3f80,
        Scalar::F32 => 0x3f80_0000,
        Scalar::F64 => 0x3ff0_0000_0000_0000,
        _ => 1,
    }
}

/// Smallest and largest value, infinities for floats.
const fn extremes(ty: Scalar) -> (u64, u64) {
    match ty {
        Scalar::F16 => (0xfc00, 0x7c00),
        Scalar::Bf16 => (0xff80, 0x7f80),
        Scalar::F32 => (0xff80_0000, 0x7f80_0000),
        Scalar::F64 => (0xfff0_0000_0000_0000, 0x7ff0_0000_0000_0000),
        Scalar::Bool => (0, 1),
        Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64 => (ones(ty) / 2 + 1, ones(ty) / 2),
        Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => (0, ones(ty)),
    }
}

/// As many one bits as the type has.
const fn ones(ty: Scalar) -> u64 {
    u64::MAX >> (u64::BITS - ty.bits())
}

/// A mask of the lowest `count` bits, at most 128.
fn lowest(count: u32) -> u128 {
    u128::MAX.checked_shr(u128::BITS - count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs on eight invocations; inactive ones keep the marker 99.
    fn run(op: SubgroupOp, ty: Scalar, active: u128, src: [u64; 8], lane: u32) -> ([u64; 8], u128) {
        let mut out = [99; 8];
        let indeterminate = subgroup_op(op, ty, active, 8, &src, &[lane; 8], &mut out, Arithmetic::FUSED);
        (out, indeterminate)
    }

    #[track_caller]
    fn check(op: SubgroupOp, ty: Scalar, active: u128, src: [u64; 8], lane: u32, expected: ([u64; 8], u128)) {
        assert_eq!(run(op, ty, active, src, lane), expected, "{op:?} of {ty:?}, active {active:#b}, lane {lane}");
    }

    const UP: [u64; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn votes_see_active_invocations_only() {
        let src = [0, 1, 1, 1, 1, 1, 1, 0];
        check(SubgroupOp::All, Scalar::Bool, 0b0111_1110, src, 0, ([99, 1, 1, 1, 1, 1, 1, 99], 0));
        check(SubgroupOp::All, Scalar::Bool, 0b1100_0000, src, 0, ([99, 99, 99, 99, 99, 99, 0, 0], 0));
        check(SubgroupOp::Any, Scalar::Bool, 0b1000_0001, src, 0, ([0, 99, 99, 99, 99, 99, 99, 0], 0));
        check(SubgroupOp::Elect, Scalar::Bool, 0b0000_1100, src, 0, ([99, 99, 1, 0, 99, 99, 99, 99], 0));
        check(SubgroupOp::BroadcastFirst, Scalar::U32, 0b0000_1100, UP, 0, ([99, 99, 3, 3, 99, 99, 99, 99], 0));
        check(SubgroupOp::All, Scalar::Bool, 0, src, 0, ([99; 8], 0));
    }

    #[test]
    fn reductions_and_scans_run_in_index_order() {
        let combine = |reduction, extent| SubgroupOp::Combine(reduction, extent);
        let (add, u32) = (Reduction::Add, Scalar::U32);
        check(combine(add, Extent::Reduce), u32, 0b1010_1010, UP, 0, ([99, 20, 99, 20, 99, 20, 99, 20], 0));
        check(combine(add, Extent::Inclusive), u32, 0xff, UP, 0, ([1, 3, 6, 10, 15, 21, 28, 36], 0));
        check(combine(add, Extent::Exclusive), u32, 0b0000_1101, UP, 0, ([0, 99, 1, 4, 99, 99, 99, 99], 0));
        let (large, one) = (u64::from(1e30_f32.to_bits()), u64::from(1_f32.to_bits()));
        let src = [large, large | 1 << 31, one, 0, 0, 0, 0, 0];
        check(combine(add, Extent::Inclusive), Scalar::F32, 0b111, src, 0, ([large, 0, one, 99, 99, 99, 99, 99], 0));
        let src = [one, large, large | 1 << 31, 0, 0, 0, 0, 0];
        check(combine(add, Extent::Reduce), Scalar::F32, 0b111, src, 0, ([0, 0, 0, 99, 99, 99, 99, 99], 0));
    }

    #[test]
    fn the_first_exclusive_result_is_the_identity() {
        for (reduction, ty, expected) in [
            (Reduction::Add, Scalar::F32, 0),
            (Reduction::Mul, Scalar::I8, 1),
            (Reduction::Mul, Scalar::F16, 0x3c00),
            (Reduction::Min, Scalar::I32, 0x7fff_ffff),
            (Reduction::Max, Scalar::I32, 0x8000_0000),
            (Reduction::Min, Scalar::U16, 0xffff),
            (Reduction::Max, Scalar::U64, 0),
            (Reduction::Min, Scalar::I64, 0x7fff_ffff_ffff_ffff),
            (Reduction::Min, Scalar::F32, 0x7f80_0000),
            (Reduction::Max, Scalar::F64, 0xfff0_0000_0000_0000),
            (Reduction::And, Scalar::Bool, 1),
            (Reduction::And, Scalar::U8, 0xff),
            (Reduction::Or, Scalar::U32, 0),
            (Reduction::Xor, Scalar::U32, 0),
        ] {
            let (out, _) = run(SubgroupOp::Combine(reduction, Extent::Exclusive), ty, 0b100, UP, 0);
            assert_eq!(out[2], expected, "{reduction:?} of {ty:?}");
        }
    }

    #[test]
    fn reading_an_absent_invocation_is_indeterminate() {
        let u32 = Scalar::U32;
        check(SubgroupOp::Shuffle, u32, 0b0000_0111, UP, 2, ([3, 3, 3, 99, 99, 99, 99, 99], 0));
        check(SubgroupOp::Shuffle, u32, 0b0000_0011, UP, 2, ([0, 0, 99, 99, 99, 99, 99, 99], 0b11));
        check(SubgroupOp::Shuffle, u32, 1, UP, 128, ([0, 99, 99, 99, 99, 99, 99, 99], 1));
        check(SubgroupOp::ShuffleDown, u32, 0xff, UP, 3, ([4, 5, 6, 7, 8, 0, 0, 0], 0b1110_0000));
        check(SubgroupOp::ShuffleDown, u32, 0xff, UP, u32::MAX, ([0; 8], 0xff));
        check(SubgroupOp::ShuffleUp, u32, 0xff, UP, 6, ([0, 0, 0, 0, 0, 0, 1, 2], 0b0011_1111));
        check(SubgroupOp::ShuffleXor, u32, 0xff, UP, 5, ([6, 5, 8, 7, 2, 1, 4, 3], 0));
        check(SubgroupOp::ShuffleXor, u32, 0xff, UP, 8, ([0; 8], 0xff));
        check(SubgroupOp::QuadBroadcast, u32, 0xff, UP, 3, ([4, 4, 4, 4, 8, 8, 8, 8], 0));
        check(SubgroupOp::QuadBroadcast, u32, 0b0111_1111, UP, 3, ([4, 4, 4, 4, 0, 0, 0, 99], 0b0111_0000));
        check(SubgroupOp::QuadBroadcast, u32, 0xff, UP, 4, ([0; 8], 0xff));
        check(SubgroupOp::QuadSwap, u32, 0xff, UP, 0, ([2, 1, 4, 3, 6, 5, 8, 7], 0));
        check(SubgroupOp::QuadSwap, u32, 0xff, UP, 1, ([3, 4, 1, 2, 7, 8, 5, 6], 0));
        check(SubgroupOp::QuadSwap, u32, 0xff, UP, 2, ([4, 3, 2, 1, 8, 7, 6, 5], 0));
    }

    #[test]
    fn the_largest_subgroup_fits() {
        let (src, lane, mut out) = ([1; 128], [127; 128], [0; 128]);
        let sum = SubgroupOp::Combine(Reduction::Add, Extent::Reduce);
        assert_eq!(subgroup_op(sum, Scalar::U32, u128::MAX, 128, &src, &lane, &mut out, Arithmetic::FUSED), 0);
        assert_eq!(out, [128; 128]);
        let shuffle = SubgroupOp::Shuffle;
        let active = u128::MAX >> 1;
        let lost = subgroup_op(shuffle, Scalar::U32, active, 128, &src, &lane, &mut out, Arithmetic::FUSED);
        assert_eq!(lost, active);
    }
}
