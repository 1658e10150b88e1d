//! Evaluation of expressions, and the cache of their values.

use std::rc::Rc;

use naga::{Expression, Handle, Literal, Range};

use super::Lowering;
use super::function::Frame;
use super::layout::TypeId;
use super::value::{Pointer, Value};
use crate::ir::{Reg, Scalar};
use crate::outcome::SimulateError;

impl<'m> Lowering<'m> {
    /// `Statement::Emit`: evaluates the expressions in order. Those without a span take the statement's.
    pub(super) fn emit(
        &mut self,
        frame: &mut Frame<'m>,
        range: Range<Expression>,
        statement: naga::Span,
    ) -> Result<(), SimulateError> {
        for handle in range {
            let span = frame.expressions.get_span(handle);
            self.at(if span.is_defined() { span } else { statement });
            let value = self.evaluate(frame, handle)?;
            self.set(frame, handle, value)?;
        }
        Ok(())
    }

    /// The value of an expression: computed before, or one that needs no `Emit`.
    pub(super) fn value(&mut self, frame: &mut Frame<'m>, handle: Handle<Expression>) -> Result<Value, SimulateError> {
        if let Some(Some(value)) = frame.values.get(handle.index()) {
            return Ok(value.clone());
        }
        let value = self.evaluate(frame, handle)?;
        self.set(frame, handle, value.clone())?;
        Ok(value)
    }

    /// Keeps the value of an expression.
    pub(super) fn set(
        &mut self,
        frame: &mut Frame<'m>,
        handle: Handle<Expression>,
        value: Value,
    ) -> Result<(), SimulateError> {
        self.spill(frame, handle, &value)?;
        if let Some(slot) = frame.values.get_mut(handle.index()) {
            *slot = Some(value);
        }
        Ok(())
    }

    /// The registers of an expression that is not a pointer.
    pub(super) fn data(
        &mut self,
        frame: &mut Frame<'m>,
        handle: Handle<Expression>,
    ) -> Result<Rc<[Reg]>, SimulateError> {
        match self.value(frame, handle)? {
            Value::Data(data) => Ok(data),
            Value::Pointer(_) => Err(self.internal("a pointer where a value belongs")),
        }
    }

    /// The register of a scalar expression.
    pub(super) fn scalar(&mut self, frame: &mut Frame<'m>, handle: Handle<Expression>) -> Result<Reg, SimulateError> {
        let data = self.data(frame, handle)?;
        data.first().copied().ok_or_else(|| self.internal("a value without scalars"))
    }

    /// A pointer expression.
    pub(super) fn pointer(
        &mut self,
        frame: &mut Frame<'m>,
        handle: Handle<Expression>,
    ) -> Result<Rc<Pointer>, SimulateError> {
        match self.value(frame, handle)? {
            Value::Pointer(pointer) => Ok(pointer),
            Value::Data(_) => Err(self.internal("a value where a pointer belongs")),
        }
    }

    /// The scalar type an expression's components have.
    pub(super) fn component(&mut self, frame: &Frame<'m>, handle: Handle<Expression>) -> Result<Scalar, SimulateError> {
        let ty = self.type_of(frame, handle);
        self.types.component(ty).ok_or_else(|| self.internal("arithmetic on a composite value"))
    }

    fn evaluate(&mut self, frame: &mut Frame<'m>, handle: Handle<Expression>) -> Result<Value, SimulateError> {
        let expression = &frame.expressions[handle];
        let span = frame.expressions.get_span(handle);
        let unsupported = |construct: &str| Err(self.refuse(span, construct));
        Ok(match *expression {
            Expression::Literal(literal) => Value::data([self.literal(literal)?]),
            Expression::Constant(constant) => {
                let init = self.module.constants[constant].init;
                Value::Data(self.constant_expression(init)?)
            }
            Expression::Override(handle) => match self.module.overrides[handle].init {
                Some(init) => Value::Data(self.constant_expression(init)?),
                None => return Err(self.internal("an override without a value")),
            },
            Expression::ZeroValue(ty) => {
                let ty = self.types.of(ty);
                Value::Data(self.zero(ty)?)
            }
            Expression::Compose { ty, ref components } => self.compose(frame, self.types.of(ty), components)?,
            Expression::Access { base, index } => self.access_dynamic(frame, base, index)?,
            Expression::AccessIndex { base, index } => self.access_static(frame, base, index)?,
            Expression::Splat { size, value } => {
                let value = self.scalar(frame, value)?;
                Value::data(vec![value; usize::from(u8::from(size))])
            }
            Expression::Swizzle { size, vector, pattern } => self.swizzle(frame, size, vector, pattern)?,
            Expression::FunctionArgument(position) => {
                let argument = usize::try_from(position).ok().and_then(|at| frame.arguments.get(at)).cloned();
                argument.ok_or_else(|| self.internal("an argument that was not passed"))?
            }
            Expression::GlobalVariable(global) => {
                let (ty, place) = self.global(global, span)?;
                Value::Pointer(Rc::new(Pointer { ty, place }))
            }
            Expression::LocalVariable(local) => self.local(frame, local)?,
            Expression::Load { pointer } => {
                let pointer = self.pointer(frame, pointer)?;
                Value::Data(self.load(pointer.ty, &pointer.place)?)
            }
            Expression::Unary { op, expr } => self.unary(frame, op, expr)?,
            Expression::Binary { op, left, right } => self.binary(frame, op, left, right)?,
            Expression::Select { condition, accept, reject } => self.select(frame, condition, accept, reject)?,
            Expression::Relational { fun, argument } => self.relational(frame, fun, argument)?,
            Expression::Math { fun, arg, arg1, arg2, arg3 } => {
                self.math(frame, handle, fun, [Some(arg), arg1, arg2, arg3])?
            }
            Expression::As { expr, kind, convert } => self.convert(frame, expr, kind, convert)?,
            Expression::ArrayLength(array) => self.array_length(frame, array)?,
            Expression::CallResult(_)
            | Expression::AtomicResult { .. }
            | Expression::WorkGroupUniformLoadResult { .. }
            | Expression::SubgroupBallotResult
            | Expression::SubgroupOperationResult { .. } => {
                return Err(self.internal("a result before its statement"));
            }
            Expression::Derivative { .. } => return unsupported("derivative"),
            Expression::ImageSample { .. } => return unsupported("texture sampling"),
            Expression::ImageLoad { .. } => return unsupported("texture load"),
            Expression::ImageQuery { .. } => return unsupported("texture query"),
            Expression::RayQueryVertexPositions { .. }
            | Expression::RayQueryProceedResult
            | Expression::RayQueryGetIntersection { .. } => return unsupported("ray query"),
            Expression::CooperativeLoad { .. } | Expression::CooperativeMultiplyAdd { .. } => {
                return unsupported("cooperative matrix");
            }
        })
    }

    /// A construct that is not modelled: at its own span, or else where we are.
    pub(super) fn refuse(&self, span: naga::Span, construct: &str) -> SimulateError {
        match span.is_defined() {
            true => self.source.unsupported(span, construct),
            false => self.unsupported_here(construct.to_owned()),
        }
    }

    fn literal(&mut self, literal: Literal) -> Result<Reg, SimulateError> {
        let (ty, bits) = match literal {
            Literal::F64(value) => (Scalar::F64, value.to_bits()),
            Literal::F32(value) => (Scalar::F32, u64::from(value.to_bits())),
            Literal::F16(value) => (Scalar::F16, u64::from(value.to_bits())),
            Literal::U16(value) => (Scalar::U16, u64::from(value)),
            Literal::I16(value) => (Scalar::I16, u64::from(value.cast_unsigned())),
            Literal::U32(value) => (Scalar::U32, u64::from(value)),
            Literal::I32(value) => (Scalar::I32, u64::from(value.cast_unsigned())),
            Literal::U64(value) => (Scalar::U64, value),
            Literal::I64(value) => (Scalar::I64, value.cast_unsigned()),
            Literal::Bool(value) => (Scalar::Bool, u64::from(value)),
            Literal::AbstractInt(_) | Literal::AbstractFloat(_) => {
                return Err(self.internal("an abstract literal in a validated module"));
            }
        };
        Ok(self.asm.constant_of(ty, bits))
    }

    /// A float constant, rounded to its type.
    pub(super) fn float(&mut self, ty: Scalar, value: f64) -> Reg {
        let bits = match ty {
            Scalar::F16 => u64::from(half::f16::from_f64(value).to_bits()),
            Scalar::F64 => value.to_bits(),
            #[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "rounds to nearest, as meant")]
            _ => u64::from((value as f32).to_bits()),
        };
        self.asm.constant_of(ty, bits)
    }

    /// Scalars of the components one after the other: for vectors made of vectors, too.
    fn compose(
        &mut self,
        frame: &mut Frame<'m>,
        ty: TypeId,
        components: &[Handle<Expression>],
    ) -> Result<Value, SimulateError> {
        self.check_size(ty)?;
        let mut registers = Vec::with_capacity(self.types.scalars(ty));
        for &component in components {
            registers.extend_from_slice(&self.data(frame, component)?);
        }
        Ok(Value::data(registers))
    }

    fn swizzle(
        &mut self,
        frame: &mut Frame<'m>,
        size: naga::VectorSize,
        vector: Handle<Expression>,
        pattern: [naga::SwizzleComponent; 4],
    ) -> Result<Value, SimulateError> {
        let data = self.data(frame, vector)?;
        let picked: Option<Vec<_>> = pattern
            .iter()
            .take(usize::from(u8::from(size)))
            .map(|component| {
                let at = match component {
                    naga::SwizzleComponent::X => 0,
                    naga::SwizzleComponent::Y => 1,
                    naga::SwizzleComponent::Z => 2,
                    naga::SwizzleComponent::W => 3,
                };
                data.get(at).copied()
            })
            .collect();
        picked.map(Value::data).ok_or_else(|| self.internal("a swizzle past the vector"))
    }
}
