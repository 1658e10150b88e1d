//! Operators, conversions, selection and relational functions, component by component.
//!
//! A vector operation emits all components of one step before the next step, so that a vector's registers are
//! adjacent and can be stored as they are.

use std::rc::Rc;

use naga::{BinaryOperator, Expression, Handle, RelationalFunction, ScalarKind, UnaryOperator};

use super::Lowering;
use super::function::Frame;
use super::layout::scalar_of;
use super::value::Value;
use crate::ir::{BinaryOp, Reg, Rounding, Scalar, TernaryOp, UnaryOp};
use crate::outcome::SimulateError;

impl<'m> Lowering<'m> {
    /// `op` on every component.
    pub(super) fn each1(&mut self, op: UnaryOp, ty: Scalar, a: &[Reg]) -> Rc<[Reg]> {
        a.iter().map(|&a| self.asm.unary(op, ty, a)).collect()
    }

    /// `op` on every pair of components. One scalar operand serves all components of the other.
    pub(super) fn each2(&mut self, op: BinaryOp, ty: Scalar, a: &[Reg], b: &[Reg]) -> Rc<[Reg]> {
        let count = if a.is_empty() || b.is_empty() { 0 } else { a.len().max(b.len()) };
        let pairs = a.iter().cycle().zip(b.iter().cycle()).take(count);
        pairs.map(|(&a, &b)| self.asm.binary(op, ty, a, b)).collect()
    }

    /// `op` on every triple of components. Scalar operands serve all components of the others.
    pub(super) fn each3(&mut self, op: TernaryOp, ty: Scalar, a: &[Reg], b: &[Reg], c: &[Reg]) -> Rc<[Reg]> {
        let count = if a.is_empty() || b.is_empty() || c.is_empty() { 0 } else { a.len().max(b.len()).max(c.len()) };
        let triples = a.iter().cycle().zip(b.iter().cycle()).zip(c.iter().cycle()).take(count);
        triples.map(|((&a, &b), &c)| self.asm.ternary(op, ty, a, b, c)).collect()
    }

    /// Converts every component.
    pub(super) fn each_converted(&mut self, from: Scalar, to: Scalar, a: &[Reg]) -> Rc<[Reg]> {
        let rounding = if from.is_float() && !to.is_float() { Rounding::TowardsZero } else { Rounding::NearestEven };
        a.iter().map(|&a| self.asm.convert(from, to, rounding, a)).collect()
    }

    pub(super) fn unary(
        &mut self,
        frame: &mut Frame<'m>,
        op: UnaryOperator,
        operand: Handle<Expression>,
    ) -> Result<Value, SimulateError> {
        let data = self.data(frame, operand)?;
        let ty = self.component(frame, operand)?;
        let op = match op {
            UnaryOperator::Negate => UnaryOp::Neg,
            UnaryOperator::LogicalNot | UnaryOperator::BitwiseNot => UnaryOp::Not,
        };
        Ok(Value::Data(self.each1(op, ty, &data)))
    }

    pub(super) fn binary(
        &mut self,
        frame: &mut Frame<'m>,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Result<Value, SimulateError> {
        let (a, b) = (self.data(frame, left)?, self.data(frame, right)?);
        let ty = self.component(frame, left)?;
        let (left_type, right_type) = (self.type_of(frame, left), self.type_of(frame, right));
        if op == BinaryOperator::Multiply
            && let Some(product) = self.matrix_product((left_type, &a), (right_type, &b), ty)
        {
            return Ok(Value::Data(product));
        }
        let b = match op {
            BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight => {
                let count = self.component(frame, right)?;
                self.each_converted(count, Scalar::U32, &b)
            }
            _ => b,
        };
        Ok(Value::Data(self.each2(binary_op(op), ty, &a, &b)))
    }

    pub(super) fn select(
        &mut self,
        frame: &mut Frame<'m>,
        condition: Handle<Expression>,
        accept: Handle<Expression>,
        reject: Handle<Expression>,
    ) -> Result<Value, SimulateError> {
        let condition = self.data(frame, condition)?;
        let ty = self.type_of(frame, accept);
        let (accept, reject) = (self.data(frame, accept)?, self.data(frame, reject)?);
        let leaves = self.types.leaves(ty);
        let parts = condition.iter().cycle().zip(accept.iter().zip(reject.iter())).zip(leaves.iter());
        let chosen =
            parts.map(|((&when, (&accept, &reject)), leaf)| self.asm.select(leaf.scalar, when, accept, reject));
        Ok(Value::data(chosen.collect::<Rc<[_]>>()))
    }

    pub(super) fn relational(
        &mut self,
        frame: &mut Frame<'m>,
        fun: RelationalFunction,
        argument: Handle<Expression>,
    ) -> Result<Value, SimulateError> {
        let data = self.data(frame, argument)?;
        let ty = self.component(frame, argument)?;
        Ok(match fun {
            RelationalFunction::IsNan => Value::Data(self.each1(UnaryOp::IsNan, ty, &data)),
            RelationalFunction::IsInf => Value::Data(self.each1(UnaryOp::IsInf, ty, &data)),
            RelationalFunction::All => Value::data([self.chain(BinaryOp::And, Scalar::Bool, &data)?]),
            RelationalFunction::Any => Value::data([self.chain(BinaryOp::Or, Scalar::Bool, &data)?]),
        })
    }

    /// `((a op b) op c) op d`.
    pub(super) fn chain(&mut self, op: BinaryOp, ty: Scalar, data: &[Reg]) -> Result<Reg, SimulateError> {
        let all = data.iter().copied().reduce(|all, next| self.asm.binary(op, ty, all, next));
        all.ok_or_else(|| self.internal("a vector without components"))
    }

    /// `As`: a conversion, or a reinterpretation of the same bits, which takes no instruction.
    pub(super) fn convert(
        &mut self,
        frame: &mut Frame<'m>,
        operand: Handle<Expression>,
        kind: ScalarKind,
        width: Option<naga::Bytes>,
    ) -> Result<Value, SimulateError> {
        let data = self.data(frame, operand)?;
        let Some(width) = width else { return Ok(Value::Data(data)) };
        let from = self.component(frame, operand)?;
        let to = scalar_of(naga::Scalar { kind, width });
        let to = to.ok_or_else(|| self.internal("a conversion to an abstract type"))?;
        Ok(Value::Data(self.each_converted(from, to, &data)))
    }
}

const fn binary_op(op: BinaryOperator) -> BinaryOp {
    match op {
        BinaryOperator::Add => BinaryOp::Add,
        BinaryOperator::Subtract => BinaryOp::Sub,
        BinaryOperator::Multiply => BinaryOp::Mul,
        BinaryOperator::Divide => BinaryOp::Div,
        BinaryOperator::Modulo => BinaryOp::Rem,
        BinaryOperator::Equal => BinaryOp::Eq,
        BinaryOperator::NotEqual => BinaryOp::Ne,
        BinaryOperator::Less => BinaryOp::Lt,
        BinaryOperator::LessEqual => BinaryOp::Le,
        BinaryOperator::Greater => BinaryOp::Gt,
        BinaryOperator::GreaterEqual => BinaryOp::Ge,
        BinaryOperator::And | BinaryOperator::LogicalAnd => BinaryOp::And,
        BinaryOperator::ExclusiveOr => BinaryOp::Xor,
        BinaryOperator::InclusiveOr | BinaryOperator::LogicalOr => BinaryOp::Or,
        BinaryOperator::ShiftLeft => BinaryOp::Shl,
        BinaryOperator::ShiftRight => BinaryOp::Shr,
    }
}
