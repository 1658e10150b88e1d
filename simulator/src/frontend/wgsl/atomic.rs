//! Atomic operations. WGSL's are relaxed; their scope is the workgroup for workgroup memory, else the device.

use std::rc::Rc;

use naga::{AtomicFunction, Expression, Handle};

use super::Lowering;
use super::function::Frame;
use super::layout::Kind;
use super::value::{Place, Value};
use crate::ir::{Access, AccessKind, AtomicOp, Base, Order, Reg, Scalar, Scope};
use crate::outcome::SimulateError;

impl<'m> Lowering<'m> {
    /// An atomic access that gives nothing back yet.
    pub(super) fn atomic_access(
        &self,
        op: AtomicOp,
        scalar: Scalar,
        place: &Place,
        value: Reg,
    ) -> Result<Access, SimulateError> {
        let Place::Memory(memory) = place else { return Err(self.internal("an atomic in registers")) };
        let scope = if memory.base == Base::Workgroup { Scope::Workgroup } else { Scope::Device };
        Ok(Access {
            kind: AccessKind::Atomic { op, order: Order::Relaxed, scope },
            scalar,
            count: 1,
            value,
            result: None,
            compare: None,
            exchanged: None,
            address: memory.address(0),
            checks: memory.checks.clone(),
            alignment: scalar.bits() / 8,
            reaches: None,
        })
    }

    pub(super) fn atomic_load(&mut self, scalar: Scalar, place: &Place) -> Result<Rc<[Reg]>, SimulateError> {
        let result = self.asm.fresh(scalar.rows());
        let unused = self.asm.constant_of(scalar, 0);
        let access = self.atomic_access(AtomicOp::Load, scalar, place, unused)?;
        self.asm.access(Access { result: Some(result), ..access });
        Ok([result].into())
    }

    /// `Statement::Atomic`.
    pub(super) fn atomic(
        &mut self,
        frame: &mut Frame<'m>,
        pointer: Handle<Expression>,
        fun: AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
    ) -> Result<(), SimulateError> {
        let pointer = self.pointer(frame, pointer)?;
        let Kind::Atomic(scalar) = *self.types.kind(pointer.ty) else {
            return Err(self.internal("an atomic operation on a plain place"));
        };
        let operand = self.scalar(frame, value)?;
        let mut access = self.atomic_access(atomic_op(fun), scalar, &pointer.place, operand)?;
        let old = self.asm.fresh(scalar.rows());
        let mut registers = vec![old];
        access.result = Some(old);
        if let AtomicFunction::Exchange { compare: Some(compare) } = fun {
            let exchanged = self.asm.fresh(1);
            access.compare = Some(self.scalar(frame, compare)?);
            access.exchanged = Some(exchanged);
            registers.push(exchanged);
        }
        self.asm.access(access);
        if let Some(result) = result {
            // SPIR-V's compare-exchange gives the old value alone.
            let ty = self.type_of(frame, result);
            registers.truncate(self.types.scalars(ty));
            self.set(frame, result, Value::data(registers))?;
        }
        Ok(())
    }
}

const fn atomic_op(fun: AtomicFunction) -> AtomicOp {
    match fun {
        AtomicFunction::Add => AtomicOp::Add,
        AtomicFunction::Subtract => AtomicOp::Sub,
        AtomicFunction::And => AtomicOp::And,
        AtomicFunction::ExclusiveOr => AtomicOp::Xor,
        AtomicFunction::InclusiveOr => AtomicOp::Or,
        AtomicFunction::Min => AtomicOp::Min,
        AtomicFunction::Max => AtomicOp::Max,
        AtomicFunction::Exchange { compare: None } => AtomicOp::Exchange,
        AtomicFunction::Exchange { compare: Some(_) } => AtomicOp::CompareExchange,
    }
}
