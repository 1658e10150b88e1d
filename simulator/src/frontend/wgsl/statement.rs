//! Statements: control flow as jumps in source order, stores, barriers, calls.

use naga::{Barrier, Block, Expression, Handle, Statement, SwitchCase, SwitchValue};

use super::Lowering;
use super::assembler::{Label, MAX_INSTRUCTIONS};
use super::function::{Frame, Target};
use super::globals::Global;
use super::promotion::{blocks, root};
use super::value::{Place, Value};
use crate::ir::{BarrierScope, BinaryOp, Instr, Order, Reg, Scalar, Scope};
use crate::outcome::SimulateError;

/// Most statements lowered, inlined ones each time: bounds work that emits no instructions.
const MAX_STEPS: u64 = 1 << 22;

impl<'m> Lowering<'m> {
    pub(super) fn block(&mut self, frame: &mut Frame<'m>, block: &'m Block) -> Result<(), SimulateError> {
        for (statement, span) in block.span_iter() {
            if !self.asm.is_reachable() {
                break;
            }
            self.steps += 1;
            if self.asm.is_full() || self.steps > MAX_STEPS {
                let construct = format!("program of more than {MAX_INSTRUCTIONS} instructions after inlining");
                return Err(self.refuse(*span, &construct));
            }
            self.at(*span);
            self.statement(frame, statement, *span)?;
        }
        Ok(())
    }

    fn statement(
        &mut self,
        frame: &mut Frame<'m>,
        statement: &'m Statement,
        span: naga::Span,
    ) -> Result<(), SimulateError> {
        match *statement {
            Statement::Emit(ref range) => self.emit(frame, range.clone(), span),
            Statement::Block(ref block) => self.block(frame, block),
            Statement::If { condition, ref accept, ref reject } => self.branch(frame, condition, accept, reject),
            Statement::Switch { selector, ref cases } => self.switch(frame, selector, cases),
            Statement::Loop { ref body, ref continuing, break_if } => self.repeat(frame, body, continuing, break_if),
            Statement::Break => self.jump_to(frame.targets.last().map(|target| target.leave)),
            Statement::Continue => self.jump_to(frame.targets.iter().rev().find_map(|target| target.again)),
            Statement::Return { value } => {
                let value = value.map(|value| self.value(frame, value)).transpose()?;
                self.leave(frame, value)
            }
            Statement::ControlBarrier(barrier) => self.barrier(barrier, span),
            Statement::MemoryBarrier(barrier) => self.fence(barrier, span),
            Statement::Store { pointer, value } => {
                let pointer = self.pointer(frame, pointer)?;
                let value = self.data(frame, value)?;
                self.store(pointer.ty, &pointer.place, &value)
            }
            Statement::Atomic { pointer, fun, value, result } => self.atomic(frame, pointer, fun, value, result),
            Statement::WorkGroupUniformLoad { pointer, result } => self.uniform_load(frame, pointer, result),
            Statement::Call { function, ref arguments, result } => {
                let values = arguments.iter().map(|&argument| self.value(frame, argument));
                let values = values.collect::<Result<Vec<_>, _>>()?;
                let given = self.call(function, values, span)?;
                match (result, given) {
                    (Some(result), Some(given)) => self.set(frame, result, given),
                    (Some(_), None) if self.asm.is_reachable() => Err(self.internal("a call without its result")),
                    _ => Ok(()),
                }
            }
            Statement::SubgroupBallot { result, predicate } => self.ballot(frame, result, predicate),
            Statement::SubgroupGather { mode, argument, result } => self.gather(frame, mode, argument, result),
            Statement::SubgroupCollectiveOperation { op, collective_op, argument, result } => {
                self.collective(frame, op, collective_op, argument, result)
            }
            Statement::Kill => Err(self.refuse(span, "discard")),
            Statement::ImageStore { .. } => Err(self.refuse(span, "texture store")),
            Statement::ImageAtomic { .. } => Err(self.refuse(span, "texture atomic")),
            Statement::RayQuery { .. } => Err(self.refuse(span, "ray query")),
            Statement::RayPipelineFunction(_) => Err(self.refuse(span, "ray tracing")),
            Statement::CooperativeStore { .. } => Err(self.refuse(span, "cooperative matrix")),
        }
    }

    fn jump_to(&mut self, label: Option<Label>) -> Result<(), SimulateError> {
        let label = label.ok_or_else(|| self.internal("a jump out of no loop"))?;
        self.asm.jump(label);
        Ok(())
    }

    /// Where a block leads that does nothing but jump.
    fn only_jump(frame: &Frame<'m>, block: &Block) -> Option<Label> {
        match (block.len(), block.first()?) {
            (1, Statement::Break) => frame.targets.last().map(|target| target.leave),
            (1, Statement::Continue) => frame.targets.iter().rev().find_map(|target| target.again),
            (1, Statement::Block(inner)) => Self::only_jump(frame, inner),
            _ => None,
        }
    }

    fn branch(
        &mut self,
        frame: &mut Frame<'m>,
        condition: Handle<Expression>,
        accept: &'m Block,
        reject: &'m Block,
    ) -> Result<(), SimulateError> {
        let condition = self.scalar(frame, condition)?;
        if let (Some(label), true) = (Self::only_jump(frame, accept), reject.is_empty()) {
            self.asm.jump_if(condition, true, label);
            return Ok(());
        }
        if let (Some(label), true) = (Self::only_jump(frame, reject), accept.is_empty()) {
            self.asm.jump_if(condition, false, label);
            return Ok(());
        }
        let (otherwise, end) = (self.asm.label(), self.asm.label());
        let before = self.asm.fork();
        self.asm.jump_if(condition, false, otherwise);
        self.scoped(frame, accept)?;
        let accepted = self.asm.fork();
        if !reject.is_empty() && accepted.is_reachable() {
            self.asm.jump(end);
        }
        self.asm.bind(otherwise);
        if reject.is_empty() {
            match accepted.is_reachable() {
                true => self.asm.join(&before),
                false => self.asm.rewind(&before),
            }
            return Ok(());
        }
        self.asm.rewind(&before);
        self.scoped(frame, reject)?;
        let rejected = self.asm.fork();
        self.asm.bind(end);
        match (accepted.is_reachable(), rejected.is_reachable()) {
            (true, true) => self.asm.join(&before),
            (true, false) => self.asm.adopt(&accepted),
            (false, _) => {}
        }
        Ok(())
    }

    fn scoped(&mut self, frame: &mut Frame<'m>, block: &'m Block) -> Result<(), SimulateError> {
        self.asm.open();
        let result = self.block(frame, block);
        self.asm.close();
        result
    }

    fn switch(
        &mut self,
        frame: &mut Frame<'m>,
        selector: Handle<Expression>,
        cases: &'m [SwitchCase],
    ) -> Result<(), SimulateError> {
        let selector = self.scalar(frame, selector)?;
        let labels: Vec<_> = cases.iter().map(|_| self.asm.label()).collect();
        let leave = self.asm.label();
        let before = self.asm.fork();
        let mut default = leave;
        for (case, &label) in cases.iter().zip(&labels) {
            let value = match case.value {
                SwitchValue::I32(value) => value.cast_unsigned(),
                SwitchValue::U32(value) => value,
                SwitchValue::Default => {
                    default = label;
                    continue;
                }
            };
            let value = self.asm.constant(value);
            let equal = self.asm.binary(BinaryOp::Eq, Scalar::U32, selector, value);
            self.asm.jump_if(equal, true, label);
        }
        self.asm.jump(default);
        frame.targets.push(Target { leave, again: None });
        for (case, &label) in cases.iter().zip(&labels) {
            let fell = self.asm.is_reachable();
            self.asm.bind(label);
            match fell {
                true => self.asm.join(&before),
                false => self.asm.rewind(&before),
            }
            self.scoped(frame, &case.body)?;
            if !case.fall_through && self.asm.is_reachable() {
                self.asm.jump(leave);
            }
        }
        frame.targets.pop();
        self.asm.bind(leave);
        self.asm.join(&before);
        Ok(())
    }

    fn repeat(
        &mut self,
        frame: &mut Frame<'m>,
        body: &'m Block,
        continuing: &'m Block,
        break_if: Option<Handle<Expression>>,
    ) -> Result<(), SimulateError> {
        let (head, again, leave) = (self.asm.label(), self.asm.label(), self.asm.label());
        let mut stored = Vec::new();
        self.stored(frame, body, &mut stored);
        self.stored(frame, continuing, &mut stored);
        self.asm.forget(&stored);
        let before = self.asm.fork();
        self.asm.bind(head);
        frame.targets.push(Target { leave, again: Some(again) });
        self.asm.open();
        self.block(frame, body)?;
        if self.asm.is_used(again) {
            // A `continue` skips part of the body, so what the body computed is not known any more.
            self.asm.close();
            self.asm.open();
            self.asm.bind(again);
            self.asm.rewind(&before);
        }
        self.block(frame, continuing)?;
        if self.asm.is_reachable() {
            match break_if {
                Some(condition) => {
                    let condition = self.scalar(frame, condition)?;
                    self.asm.jump_if(condition, false, head);
                }
                None => self.asm.jump(head),
            }
        }
        self.asm.close();
        frame.targets.pop();
        self.asm.bind(leave);
        self.asm.rewind(&before);
        Ok(())
    }

    /// The variables in registers that a block stores to.
    fn stored(&self, frame: &Frame<'m>, block: &Block, rows: &mut Vec<Reg>) {
        for statement in block {
            match statement {
                Statement::Store { pointer, .. } => self.variable_rows(frame, *pointer, rows),
                Statement::Call { function, arguments, .. } => {
                    arguments.iter().for_each(|&argument| self.variable_rows(frame, argument, rows));
                    for ((_, global), (handle, _)) in
                        self.globals.iter().enumerate().zip(self.module.global_variables.iter())
                    {
                        if let Global::Place(_, Place::Registers { scalars, .. }) = global
                            && self.info[*function][handle].contains(naga::valid::GlobalUse::WRITE)
                        {
                            rows.extend_from_slice(scalars);
                        }
                    }
                }
                other => blocks(other).for_each(|block| self.stored(frame, block, rows)),
            }
        }
    }

    /// The rows of the variable that a pointer was made from.
    fn variable_rows(&self, frame: &Frame<'m>, pointer: Handle<Expression>, rows: &mut Vec<Reg>) {
        let at = |position: u32| usize::try_from(position).unwrap_or(usize::MAX);
        let place = match root(frame.expressions, pointer) {
            Some(Expression::LocalVariable(local)) => frame.locals.get(local.index()).map(|(_, place)| place),
            Some(Expression::GlobalVariable(global)) => match self.globals.get(global.index()) {
                Some(Global::Place(_, place)) => Some(place),
                _ => None,
            },
            Some(Expression::FunctionArgument(position)) => match frame.arguments.get(at(*position)) {
                Some(Value::Pointer(pointer)) => Some(&pointer.place),
                _ => None,
            },
            _ => None,
        };
        if let Some(Place::Registers { scalars, .. }) = place {
            rows.extend_from_slice(scalars);
        }
    }

    fn barrier(&mut self, barrier: Barrier, span: naga::Span) -> Result<(), SimulateError> {
        if barrier == Barrier::TEXTURE {
            return Err(self.refuse(span, "texture barrier"));
        }
        // A subgroup barrier names no other memory and orders all of it between the subgroup's invocations.
        // GLSL's `barrier()` names every kind, and is the workgroup's. Textures are refused where they are used.
        let memory = barrier & (Barrier::WORK_GROUP | Barrier::STORAGE);
        let subgroup = barrier.contains(Barrier::SUB_GROUP) && memory.is_empty();
        self.asm.push(Instr::Barrier {
            scope: if subgroup { BarrierScope::Subgroup } else { BarrierScope::Workgroup },
            workgroup_memory: subgroup || barrier.contains(Barrier::WORK_GROUP),
            storage_memory: subgroup || barrier.contains(Barrier::STORAGE),
        });
        Ok(())
    }

    fn fence(&mut self, barrier: Barrier, span: naga::Span) -> Result<(), SimulateError> {
        if barrier == Barrier::TEXTURE {
            return Err(self.refuse(span, "texture barrier"));
        }
        let scope = if barrier.contains(Barrier::STORAGE) { Scope::Device } else { Scope::Workgroup };
        let (workgroup_memory, storage_memory) =
            (barrier.contains(Barrier::WORK_GROUP), barrier.contains(Barrier::STORAGE));
        self.asm.push(Instr::Fence { order: Order::AcquireRelease, scope, workgroup_memory, storage_memory });
        Ok(())
    }

    /// `workgroupUniformLoad`: a barrier, a load of an address that must be uniform, a barrier.
    fn uniform_load(
        &mut self,
        frame: &mut Frame<'m>,
        pointer: Handle<Expression>,
        result: Handle<Expression>,
    ) -> Result<(), SimulateError> {
        let barrier = Instr::Barrier { scope: BarrierScope::Workgroup, workgroup_memory: true, storage_memory: false };
        let pointer = self.pointer(frame, pointer)?;
        self.asm.push(barrier);
        if let Place::Memory(memory) = &pointer.place {
            let rows = memory.index.map(|index| index.row).into_iter().chain(memory.offset);
            rows.for_each(|src| self.asm.push(Instr::AssertUniform { src }));
        }
        let value = self.load(pointer.ty, &pointer.place)?;
        self.asm.push(barrier);
        self.set(frame, result, Value::Data(value))
    }
}
