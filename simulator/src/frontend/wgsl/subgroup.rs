//! Operations across a subgroup, component by component.

use naga::{CollectiveOperation, Direction, Expression, GatherMode, Handle, SubgroupOperation};

use super::Lowering;
use super::function::Frame;
use super::value::Value;
use crate::ir::{Extent, Instr, Reduction, Reg, Scalar, SubgroupOp};
use crate::outcome::SimulateError;

impl<'m> Lowering<'m> {
    fn subgroup(&mut self, op: SubgroupOp, ty: Scalar, rows: u32, src: Reg, lane: Reg) -> Reg {
        let dst = self.asm.fresh(rows);
        self.asm.push(Instr::Subgroup { op, ty, dst, src, lane });
        dst
    }

    /// `Statement::SubgroupBallot`. Without a predicate every active invocation counts.
    pub(super) fn ballot(
        &mut self,
        frame: &mut Frame<'m>,
        result: Handle<Expression>,
        predicate: Option<Handle<Expression>>,
    ) -> Result<(), SimulateError> {
        let src = match predicate {
            Some(predicate) => self.scalar(frame, predicate)?,
            None => self.asm.constant(1),
        };
        let lane = self.asm.constant(0);
        let dst = self.subgroup(SubgroupOp::Ballot, Scalar::Bool, 4, src, lane);
        self.set(frame, result, Value::data([0, 1, 2, 3].map(|row| Reg(dst.0 + row))))
    }

    /// `Statement::SubgroupCollectiveOperation`.
    pub(super) fn collective(
        &mut self,
        frame: &mut Frame<'m>,
        op: SubgroupOperation,
        extent: CollectiveOperation,
        argument: Handle<Expression>,
        result: Handle<Expression>,
    ) -> Result<(), SimulateError> {
        let extent = match extent {
            CollectiveOperation::Reduce => Extent::Reduce,
            CollectiveOperation::InclusiveScan => Extent::Inclusive,
            CollectiveOperation::ExclusiveScan => Extent::Exclusive,
        };
        let combine = |reduction| SubgroupOp::Combine(reduction, extent);
        let op = match op {
            SubgroupOperation::All => SubgroupOp::All,
            SubgroupOperation::Any => SubgroupOp::Any,
            SubgroupOperation::Add => combine(Reduction::Add),
            SubgroupOperation::Mul => combine(Reduction::Mul),
            SubgroupOperation::Min => combine(Reduction::Min),
            SubgroupOperation::Max => combine(Reduction::Max),
            SubgroupOperation::And => combine(Reduction::And),
            SubgroupOperation::Or => combine(Reduction::Or),
            SubgroupOperation::Xor => combine(Reduction::Xor),
        };
        let lane = self.asm.constant(0);
        self.subgroup_each(frame, op, argument, lane, result)
    }

    /// `Statement::SubgroupGather`.
    pub(super) fn gather(
        &mut self,
        frame: &mut Frame<'m>,
        mode: GatherMode,
        argument: Handle<Expression>,
        result: Handle<Expression>,
    ) -> Result<(), SimulateError> {
        let (op, lane) = match mode {
            GatherMode::BroadcastFirst => (SubgroupOp::BroadcastFirst, None),
            GatherMode::Broadcast(lane) | GatherMode::Shuffle(lane) => (SubgroupOp::Shuffle, Some(lane)),
            GatherMode::ShuffleDown(lane) => (SubgroupOp::ShuffleDown, Some(lane)),
            GatherMode::ShuffleUp(lane) => (SubgroupOp::ShuffleUp, Some(lane)),
            GatherMode::ShuffleXor(lane) => (SubgroupOp::ShuffleXor, Some(lane)),
            GatherMode::QuadBroadcast(lane) => (SubgroupOp::QuadBroadcast, Some(lane)),
            GatherMode::QuadSwap(_) => (SubgroupOp::QuadSwap, None),
        };
        let lane = match (lane, mode) {
            (Some(lane), _) => self.scalar(frame, lane)?,
            (None, GatherMode::QuadSwap(Direction::Y)) => self.asm.constant(1),
            (None, GatherMode::QuadSwap(Direction::Diagonal)) => self.asm.constant(2),
            (None, _) => self.asm.constant(0),
        };
        self.subgroup_each(frame, op, argument, lane, result)
    }

    fn subgroup_each(
        &mut self,
        frame: &mut Frame<'m>,
        op: SubgroupOp,
        argument: Handle<Expression>,
        lane: Reg,
        result: Handle<Expression>,
    ) -> Result<(), SimulateError> {
        let data = self.data(frame, argument)?;
        let ty = self.component(frame, argument)?;
        let registers: Vec<_> = data.iter().map(|&src| self.subgroup(op, ty, ty.rows(), src, lane)).collect();
        self.set(frame, result, Value::data(registers))
    }
}
