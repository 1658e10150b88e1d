//! Module-scope variables: bindings, workgroup memory, and private variables in registers or memory.

use naga::{AddressSpace, Expression, GlobalVariable, Handle};

use super::Lowering;
use super::layout::{Kind, TypeId};
use super::locate::saturating;
use super::value::{Memory, Place};
use crate::ir::{Base, Binding, BindingId, Space, Variable};
use crate::outcome::SimulateError;

/// Variables of more scalars than this live in memory even if they are never indexed dynamically.
const MAX_PROMOTED: u64 = 128;
/// Most bytes of private memory per invocation, and of workgroup memory.
const MAX_BYTES: u64 = 1 << 30;

/// Where a global variable is.
#[derive(Clone, Debug)]
pub(super) enum Global {
    /// Not used by the entry point.
    Unused,
    Place(TypeId, Place),
    /// Cannot be used; the construct's words.
    Unsupported(&'static str),
}

impl<'m> Lowering<'m> {
    /// Gives every global variable that the entry point uses its place.
    pub(super) fn place_globals(&mut self, entry: usize) -> Result<(), SimulateError> {
        let module = self.module;
        let used = self.info.get_entry_point(entry);
        for (handle, variable) in module.global_variables.iter() {
            let span = module.global_variables.get_span(handle);
            let global = match used[handle].is_empty() {
                true => Global::Unused,
                false => self.place_global(handle, variable, span)?,
            };
            self.globals.push(global);
        }
        Ok(())
    }

    fn place_global(
        &mut self,
        handle: Handle<GlobalVariable>,
        variable: &'m GlobalVariable,
        span: naga::Span,
    ) -> Result<Global, SimulateError> {
        let ty = self.types.of(variable.ty);
        if let Kind::Opaque(construct) = *self.types.kind(ty) {
            return Ok(Global::Unsupported(construct));
        }
        let place = match variable.space {
            AddressSpace::Storage { access } => {
                let writable = access.intersects(naga::StorageAccess::STORE | naga::StorageAccess::ATOMIC);
                self.bind(variable, ty, Space::Storage, writable, span)
            }
            AddressSpace::Uniform => self.bind(variable, ty, Space::Uniform, false, span),
            AddressSpace::WorkGroup => self.place_workgroup(variable, ty, span)?,
            AddressSpace::Private => {
                let promoted = !self.promotion.globals.contains(&handle);
                self.place_private(variable.name.as_deref(), ty, promoted, span)?
            }
            AddressSpace::Handle => return Ok(Global::Unsupported("texture or sampler")),
            AddressSpace::Immediate => return Ok(Global::Unsupported("immediate (push constant) variable")),
            AddressSpace::TaskPayload => return Ok(Global::Unsupported("task payload variable")),
            AddressSpace::RayPayload | AddressSpace::IncomingRayPayload => {
                return Ok(Global::Unsupported("ray payload variable"));
            }
            AddressSpace::Function => return Ok(Global::Unsupported("function variable at module scope")),
        };
        Ok(Global::Place(ty, place))
    }

    fn bind(&mut self, variable: &GlobalVariable, ty: TypeId, space: Space, writable: bool, span: naga::Span) -> Place {
        let id = BindingId(saturating(self.bindings.len()));
        let span = self.spans.intern(self.source, span, None);
        self.bindings.push(Binding {
            name: variable.name.clone().unwrap_or_else(|| format!("binding_{}", id.0)),
            slot: variable.binding.map(|binding| (binding.group, binding.binding)),
            parameter: None,
            space,
            writable,
            minimum_length: self.types.layout(ty).size,
            span,
            address: None,
            own: None,
        });
        Place::Memory(Memory::at(Base::Binding(id), 0))
    }

    fn place_workgroup(
        &mut self,
        variable: &GlobalVariable,
        ty: TypeId,
        span: naga::Span,
    ) -> Result<Place, SimulateError> {
        let (offset, entry) = self.reserve(self.workgroup_bytes, variable.name.as_deref(), ty, span)?;
        self.workgroup_bytes = offset.saturating_add(entry.length);
        self.workgroup_variables.push(entry);
        Ok(Place::Memory(Memory::at(Base::Workgroup, offset)))
    }

    /// A place for a variable of one invocation: registers where `promoted`, else private memory.
    pub(super) fn place_private(
        &mut self,
        name: Option<&str>,
        ty: TypeId,
        promoted: bool,
        span: naga::Span,
    ) -> Result<Place, SimulateError> {
        let scalars = self.types.layout(ty).scalars;
        if promoted && scalars <= MAX_PROMOTED {
            let leaves = self.types.leaves(ty);
            let rows = leaves.iter().map(|leaf| leaf.scalar.rows()).sum();
            let mut row = self.asm.variable(rows);
            let registers = leaves.iter().map(|leaf| {
                let register = row;
                row.0 += leaf.scalar.rows();
                register
            });
            return Ok(Place::Registers { scalars: registers.collect(), first: 0 });
        }
        let (offset, entry) = self.reserve(self.private_bytes, name, ty, span)?;
        self.private_bytes = offset.saturating_add(entry.length);
        self.private_variables.push(entry);
        Ok(Place::Memory(Memory::at(Base::Private, offset)))
    }

    /// The next free offset after `end` that is aligned for `ty`, and the variable's entry in the program.
    fn reserve(
        &self,
        end: u32,
        name: Option<&str>,
        ty: TypeId,
        span: naga::Span,
    ) -> Result<(u32, Variable), SimulateError> {
        let layout = self.types.layout(ty);
        // Word alignment keeps the length of private memory a multiple of 4.
        let alignment = layout.alignment.max(4);
        let offset = end.next_multiple_of(alignment);
        if u64::from(offset).saturating_add(layout.size) > MAX_BYTES {
            return Err(self.source.unsupported(span, format!("variables of more than {MAX_BYTES} bytes")));
        }
        let length = u32::try_from(layout.size).unwrap_or(u32::MAX);
        let stride = match layout.kind {
            Kind::Array { .. } => layout.stride,
            _ => length,
        };
        let name = name.unwrap_or("unnamed").to_owned();
        Ok((offset, Variable { name, offset, length: length.next_multiple_of(4), stride }))
    }

    /// Stores the initial values of private variables.
    pub(super) fn initialise_globals(&mut self) -> Result<(), SimulateError> {
        let module = self.module;
        for (handle, variable) in module.global_variables.iter() {
            let Some(Global::Place(ty, place)) = self.globals.get(handle.index()).cloned() else { continue };
            if variable.space != AddressSpace::Private {
                continue;
            }
            self.at(module.global_variables.get_span(handle));
            match variable.init {
                Some(init) => {
                    let value = self.constant_expression(init)?;
                    self.store(ty, &place, &value)?;
                }
                None => self.remember_zero(ty, &place),
            }
        }
        Ok(())
    }

    /// Notes that a variable still holds the zeros it starts with.
    pub(super) fn remember_zero(&mut self, ty: TypeId, place: &Place) {
        let Place::Registers { scalars, .. } = place else { return };
        let leaves = self.types.leaves(ty);
        for (register, leaf) in scalars.iter().zip(leaves.iter()) {
            let zero = self.asm.constant_of(leaf.scalar, 0);
            self.asm.remember(*register, zero);
        }
    }

    /// The place of a global variable that an expression names.
    pub(super) fn global(
        &self,
        handle: Handle<GlobalVariable>,
        span: naga::Span,
    ) -> Result<(TypeId, Place), SimulateError> {
        match self.globals.get(handle.index()) {
            Some(Global::Place(ty, place)) => Ok((*ty, place.clone())),
            Some(Global::Unsupported(construct)) => Err(self.source.unsupported(span, *construct)),
            Some(Global::Unused) | None => Err(self.internal("a global variable that the entry point does not use")),
        }
    }

    /// The value of an expression at module scope.
    pub(super) fn constant_expression(
        &mut self,
        handle: Handle<Expression>,
    ) -> Result<std::rc::Rc<[crate::ir::Reg]>, SimulateError> {
        let mut frame = super::function::Frame::module(self.module, self.info);
        self.data(&mut frame, handle)
    }
}
