//! Indexing: into memory by address arithmetic, into values held in registers by selection.
//!
//! The outermost dynamic index of an address is its `index` times `scale`; further ones are added up in the
//! `offset` row. Every dynamic index is recorded with its declared limit. A large value that is indexed
//! dynamically is put in private memory when it is computed; a table of constants once, before the first
//! instruction of the kernel that is not such a store.

use std::rc::Rc;

use naga::{Expression, Handle};

use super::Lowering;
use super::function::Frame;
use super::layout::{Kind, TypeId};
use super::value::{Index, Memory, Place, Pointer, Value};
use crate::ir::{Base, BinaryOp, IndexCheck, Limit, Reg, Rounding, Scalar, Variable};
use crate::outcome::SimulateError;

/// Values of more scalars than this are indexed in memory.
const MAX_SELECTED: usize = 8;

/// A part of a type: what it is, where, and the scalars before it.
struct Part {
    ty: TypeId,
    offset: u32,
    first: usize,
}

impl<'m> Lowering<'m> {
    /// `AccessIndex`: a part at a known position.
    pub(super) fn access_static(
        &mut self,
        frame: &mut Frame<'m>,
        base: Handle<Expression>,
        position: u32,
    ) -> Result<Value, SimulateError> {
        match self.value(frame, base)? {
            Value::Pointer(pointer) => self.point_static(&pointer, position),
            Value::Data(data) => {
                let ty = self.type_of(frame, base);
                let part = self.part(ty, position)?;
                let end = part.first.saturating_add(self.types.scalars(part.ty));
                let range = data.get(part.first..end).ok_or_else(|| self.internal("an index past the value"))?;
                Ok(Value::data(range))
            }
        }
    }

    /// `Access`: a part at a computed position.
    pub(super) fn access_dynamic(
        &mut self,
        frame: &mut Frame<'m>,
        base: Handle<Expression>,
        index: Handle<Expression>,
    ) -> Result<Value, SimulateError> {
        let (index, signed) = self.index_row(frame, index)?;
        let value = self.value(frame, base)?;
        let ty = match &value {
            Value::Pointer(pointer) => pointer.ty,
            Value::Data(_) => self.type_of(frame, base),
        };
        let known = self.asm.value(index);
        if let Some(position) = known.filter(|&position| self.elements(ty).is_some_and(|count| position < count)) {
            return self.access_static(frame, base, position);
        }
        match value {
            Value::Pointer(pointer) => self.point_dynamic(&pointer, index, signed),
            Value::Data(data) => self.pick(frame, base, ty, &data, index, signed),
        }
    }

    /// The index as a U32 row, and whether it is signed. 64-bit indices saturate, so that none comes back in
    /// bounds by losing its high word.
    fn index_row(&mut self, frame: &mut Frame<'m>, index: Handle<Expression>) -> Result<(Reg, bool), SimulateError> {
        let ty = self.type_of(frame, index);
        let row = self.scalar(frame, index)?;
        Ok(match self.types.component(ty) {
            Some(scalar @ (Scalar::I64 | Scalar::U64)) => {
                let limit = self.asm.constant_of(Scalar::U64, u64::from(u32::MAX));
                let clamped = self.asm.binary(BinaryOp::Min, Scalar::U64, row, limit);
                let _ = scalar;
                (self.asm.convert(Scalar::U64, Scalar::U32, Rounding::default(), clamped), false)
            }
            Some(Scalar::I16) => (self.asm.convert(Scalar::I16, Scalar::I32, Rounding::default(), row), true),
            Some(scalar) => (row, scalar.is_signed()),
            None => return Err(self.internal("an index that is no number")),
        })
    }

    /// Elements that can be indexed; `None` for a runtime-sized array.
    fn elements(&self, ty: TypeId) -> Option<u32> {
        match *self.types.kind(ty) {
            Kind::Vector { size, .. } => Some(size),
            Kind::Matrix { columns, .. } => Some(columns),
            Kind::Array { count, .. } => count,
            _ => None,
        }
    }

    /// The type of the elements of an array, matrix or vector.
    fn element(&self, ty: TypeId) -> Result<TypeId, SimulateError> {
        match *self.types.kind(ty) {
            Kind::Vector { component, .. } => Ok(component),
            Kind::Matrix { column, .. } => Ok(column),
            Kind::Array { element, .. } => Ok(element),
            _ => Err(self.internal("an index into a type without elements")),
        }
    }

    fn part(&self, ty: TypeId, position: u32) -> Result<Part, SimulateError> {
        if let Kind::Struct(members) = self.types.kind(ty) {
            let at = usize::try_from(position).unwrap_or(usize::MAX);
            let member = members.get(at).ok_or_else(|| self.internal("a member that does not exist"))?;
            let first = usize::try_from(member.first).unwrap_or(usize::MAX);
            return Ok(Part { ty: member.ty, offset: member.offset, first });
        }
        let element = self.element(ty)?;
        let layout = self.types.layout(ty);
        let offset = position.checked_mul(layout.stride);
        let offset = offset.ok_or_else(|| self.unsupported_here("index beyond 4 GiB".to_owned()))?;
        let first = usize::try_from(position).unwrap_or(usize::MAX).saturating_mul(self.types.scalars(element));
        Ok(Part { ty: element, offset, first })
    }

    fn point_static(&self, pointer: &Pointer, position: u32) -> Result<Value, SimulateError> {
        let part = self.part(pointer.ty, position)?;
        let place = match &pointer.place {
            Place::Registers { scalars, first } => {
                Place::Registers { scalars: scalars.clone(), first: first.saturating_add(part.first) }
            }
            Place::Memory(memory) => {
                let displacement = memory.displacement.checked_add(part.offset);
                let displacement =
                    displacement.ok_or_else(|| self.unsupported_here("index beyond 4 GiB".to_owned()))?;
                Place::Memory(Memory { displacement, ..memory.clone() })
            }
        };
        Ok(Value::Pointer(Rc::new(Pointer { ty: part.ty, place })))
    }

    fn point_dynamic(&mut self, pointer: &Pointer, row: Reg, signed: bool) -> Result<Value, SimulateError> {
        let Place::Memory(memory) = &pointer.place else {
            return Err(self.internal("a dynamic index into registers"));
        };
        let element = self.element(pointer.ty)?;
        let stride = self.types.layout(pointer.ty).stride;
        let limit = match (self.elements(pointer.ty), memory.base) {
            (Some(count), _) => Limit::Elements(count),
            (None, Base::Binding(binding)) => Limit::RuntimeArray { binding, first: memory.displacement, stride },
            (None, _) => return Err(self.internal("a runtime-sized array outside a binding")),
        };
        let mut memory = memory.clone();
        memory.checks.push(IndexCheck { index: row, signed, limit });
        if memory.index.is_none() {
            memory.index = Some(Index { row, signed, scale: stride });
        } else {
            let stride = self.asm.constant(stride);
            let bytes = self.asm.binary(BinaryOp::Mul, Scalar::U32, row, stride);
            memory.offset = Some(match memory.offset {
                Some(offset) => self.asm.binary(BinaryOp::Add, Scalar::U32, offset, bytes),
                None => bytes,
            });
        }
        Ok(Value::Pointer(Rc::new(Pointer { ty: element, place: Place::Memory(memory) })))
    }

    /// One element of a value that is not behind a pointer.
    fn pick(
        &mut self,
        frame: &Frame<'m>,
        base: Handle<Expression>,
        ty: TypeId,
        data: &[Reg],
        index: Reg,
        signed: bool,
    ) -> Result<Value, SimulateError> {
        let element = self.element(ty)?;
        let count = self.elements(ty).unwrap_or(0);
        let index = self.asm.check_index(index, signed, count);
        if let Some(memory) = frame.spilled.get(&base) {
            let scale = self.types.layout(ty).stride;
            let memory = Memory { index: Some(Index { row: index, signed: false, scale }), ..memory.clone() };
            return Ok(Value::Data(self.load(element, &Place::Memory(memory))?));
        }
        let size = self.types.scalars(element).max(1);
        let leaves = self.types.leaves(element);
        let mut elements = data.chunks(size);
        let mut picked = elements.next().unwrap_or_default().to_vec();
        for (other, position) in elements.zip(1_u32..) {
            let position = self.asm.constant(position);
            let here = self.asm.binary(BinaryOp::Eq, Scalar::U32, index, position);
            for ((register, &other), leaf) in picked.iter_mut().zip(other).zip(leaves.iter()) {
                *register = self.asm.select(leaf.scalar, here, other, *register);
            }
        }
        Ok(Value::data(picked))
    }

    /// Puts a value that will be indexed dynamically in memory, if it is too large for selection.
    pub(super) fn spill(
        &mut self,
        frame: &mut Frame<'m>,
        handle: Handle<Expression>,
        value: &Value,
    ) -> Result<(), SimulateError> {
        let Value::Data(data) = value else { return Ok(()) };
        if !frame.indexed.values.contains(&handle) || data.len() <= MAX_SELECTED {
            return Ok(());
        }
        let ty = self.type_of(frame, handle);
        let memory = if data.iter().all(|&row| self.asm.value(row).is_some()) {
            self.table(ty, data)?
        } else {
            let memory = self.spill_slot(ty, (frame.key, handle.index()))?;
            self.store(ty, &Place::Memory(memory.clone()), data)?;
            memory
        };
        frame.spilled.insert(handle, memory);
        Ok(())
    }

    /// A table of constants, stored once per invocation at the start of the program.
    fn table(&mut self, ty: TypeId, data: &[Reg]) -> Result<Memory, SimulateError> {
        if let Some(memory) = self.statics.tables.get(data) {
            return Ok(memory.clone());
        }
        let memory = self.scratch("constant table", ty)?;
        let body = self.asm.begin_prologue();
        let stored = self.store(ty, &Place::Memory(memory.clone()), data);
        self.asm.end_prologue(body);
        stored?;
        self.statics.tables.insert(data.to_vec(), memory.clone());
        Ok(memory)
    }

    fn spill_slot(&mut self, ty: TypeId, key: (Option<usize>, usize)) -> Result<Memory, SimulateError> {
        if let Some(memory) = self.statics.values.get(&key) {
            return Ok(memory.clone());
        }
        let memory = self.scratch("indexed value", ty)?;
        self.statics.values.insert(key, memory.clone());
        Ok(memory)
    }

    fn scratch(&mut self, name: &str, ty: TypeId) -> Result<Memory, SimulateError> {
        let layout = self.types.layout(ty).clone();
        let offset = self.private_bytes.next_multiple_of(layout.alignment.max(4));
        let length = u32::try_from(layout.size).unwrap_or(u32::MAX);
        let end = offset.checked_add(length).filter(|&end| end < 1 << 30);
        self.private_bytes = end.ok_or_else(|| self.unsupported_here("private memory beyond 1 GiB".to_owned()))?;
        let stride = if layout.stride == 0 { length } else { layout.stride };
        self.private_variables.push(Variable { name: name.to_owned(), offset, length, stride });
        Ok(Memory::at(Base::Private, offset))
    }

    /// Puts the arguments that are indexed dynamically in memory, once, on entry.
    pub(super) fn spill_arguments(&mut self, frame: &mut Frame<'m>) -> Result<(), SimulateError> {
        let mut indexed: Vec<_> = frame.indexed.values.iter().copied().collect();
        indexed.sort_by_key(|handle| handle.index());
        for handle in indexed {
            if matches!(frame.expressions[handle], Expression::FunctionArgument(_)) {
                self.value(frame, handle)?;
            }
        }
        Ok(())
    }

    /// `ArrayLength`.
    pub(super) fn array_length(
        &mut self,
        frame: &mut Frame<'m>,
        array: Handle<Expression>,
    ) -> Result<Value, SimulateError> {
        let pointer = self.pointer(frame, array)?;
        let stride = self.types.layout(pointer.ty).stride;
        let Place::Memory(memory) = &pointer.place else { return Err(self.internal("an array length in registers")) };
        let Base::Binding(binding) = memory.base else {
            return Err(self.internal("a runtime-sized array outside a binding"));
        };
        Ok(Value::data([self.asm.array_length(binding, memory.displacement, stride)]))
    }

    /// An unsupported construct at the place being lowered.
    pub(super) fn unsupported_here(&self, construct: String) -> SimulateError {
        let span = self.spans.get(self.asm.span());
        SimulateError::Unsupported(crate::Unsupported {
            construct,
            file: self.source.name.clone(),
            line: span.line,
            column: span.column,
        })
    }
}
