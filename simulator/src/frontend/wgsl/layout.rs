//! Types as the lowering sees them: sizes, alignments, and the scalars a value consists of.
//!
//! Offsets and strides are naga's (so that `@size` and `@align` count) wherever they are consistent; a type
//! that naga lays out too tightly, because it gives a `bool` one byte or because it is a predeclared result
//! struct, gets WGSL's natural layout with four bytes per `bool`. Such types never reach a buffer.

use std::collections::HashMap;
use std::rc::Rc;

use naga::proc::IndexableLength;
use naga::{Handle, ScalarKind, TypeInner};

use super::locate::Source;
use crate::ir::Scalar;
use crate::outcome::SimulateError;

/// Most scalars a value may consist of.
pub(super) const MAX_SCALARS: u64 = 4096;

/// Index into [`Types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TypeId(usize);

/// One member of a structure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) ty: TypeId,
    /// Byte offset in memory.
    pub(super) offset: u32,
    /// Scalars of the members before it.
    pub(super) first: u32,
}

/// What a type is made of.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    Atomic(Scalar),
    Vector {
        size: u32,
        component: TypeId,
    },
    Matrix {
        columns: u32,
        column: TypeId,
    },
    /// `count` is `None` for a runtime-sized array.
    Array {
        element: TypeId,
        count: Option<u32>,
    },
    Struct(Rc<[Member]>),
    Pointer,
    /// Textures and everything else that has no bytes.
    Opaque(&'static str),
}

/// A type with its layout in memory.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) kind: Kind,
    /// Bytes; a runtime-sized array counts as one element.
    pub(super) size: u64,
    /// Bytes.
    pub(super) alignment: u32,
    /// Bytes from one element or column to the next; 0 where there are none.
    pub(super) stride: u32,
    /// Scalars of a value; a runtime-sized array has none.
    pub(super) scalars: u64,
}

/// One scalar of a value in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) offset: u32,
    pub(super) scalar: Scalar,
}

/// All types of a module.
#[derive(Debug)]
pub(super) struct Types {
    layouts: Vec<Layout>,
    by_handle: Vec<TypeId>,
    scalars: HashMap<Scalar, TypeId>,
    vectors: HashMap<(Scalar, u32), TypeId>,
    matrices: HashMap<(Scalar, u32, u32), TypeId>,
    leaves: HashMap<TypeId, Rc<[Leaf]>>,
    pointer: TypeId,
}

/// naga's scalar as ours; `None` for abstract ones, which validation keeps out.
pub(super) fn scalar_of(scalar: naga::Scalar) -> Option<Scalar> {
    Some(match (scalar.kind, scalar.width) {
        (ScalarKind::Bool, _) => Scalar::Bool,
        (ScalarKind::Sint, 2) => Scalar::I16,
        (ScalarKind::Uint, 2) => Scalar::U16,
        (ScalarKind::Sint, 4) => Scalar::I32,
        (ScalarKind::Uint, 4) => Scalar::U32,
        (ScalarKind::Sint, 8) => Scalar::I64,
        (ScalarKind::Uint, 8) => Scalar::U64,
        (ScalarKind::Float, 2) => Scalar::F16,
        (ScalarKind::Float, 4) => Scalar::F32,
        (ScalarKind::Float, 8) => Scalar::F64,
        _ => return None,
    })
}

const fn round_up(value: u64, alignment: u64) -> u64 {
    value.div_ceil(alignment).saturating_mul(alignment)
}

impl Types {
    /// Lays out every type of the module, in the arena's order: elements come before what holds them.
    pub(super) fn new(module: &naga::Module, source: &Source) -> Result<Self, SimulateError> {
        let pointer = Layout { kind: Kind::Pointer, size: 0, alignment: 1, stride: 0, scalars: 0 };
        let mut types = Self {
            layouts: vec![pointer],
            by_handle: Vec::new(),
            scalars: HashMap::new(),
            vectors: HashMap::new(),
            matrices: HashMap::new(),
            leaves: HashMap::new(),
            pointer: TypeId(0),
        };
        for (handle, ty) in module.types.iter() {
            let too_large = || source.unsupported(module.types.get_span(handle), "type larger than 2 GiB");
            let id = match &ty.inner {
                TypeInner::Array { base, size, stride } => {
                    let count = match size.resolve(module.to_ctx()) {
                        Ok(IndexableLength::Known(count)) => Some(count),
                        Ok(IndexableLength::Dynamic) => None,
                        Err(error) => return Err(source.error(module.types.get_span(handle), error.to_string())),
                    };
                    types.array(types.of(*base), count, *stride)
                }
                TypeInner::Struct { members, span } => types.structure(members, *span),
                inner => types.simple(inner),
            };
            if types.layout(id).size > u64::from(u32::MAX >> 1) {
                return Err(too_large());
            }
            types.by_handle.push(id);
        }
        Ok(types)
    }

    /// The type behind naga's handle.
    pub(super) fn of(&self, handle: Handle<naga::Type>) -> TypeId {
        self.by_handle.get(handle.index()).copied().unwrap_or(self.pointer)
    }

    /// The type an expression was resolved to.
    pub(super) fn resolved(&mut self, resolution: &naga::proc::TypeResolution) -> TypeId {
        match resolution {
            naga::proc::TypeResolution::Handle(handle) => self.of(*handle),
            naga::proc::TypeResolution::Value(inner) => self.simple(inner),
        }
    }

    pub(super) fn layout(&self, id: TypeId) -> &Layout {
        // Ids are only made by `add`, so the first one stands in for none.
        self.layouts.get(id.0).unwrap_or(&self.layouts[0])
    }

    pub(super) fn kind(&self, id: TypeId) -> &Kind {
        &self.layout(id).kind
    }

    /// Scalars a value of the type consists of.
    pub(super) fn scalars(&self, id: TypeId) -> usize {
        usize::try_from(self.layout(id).scalars).unwrap_or(usize::MAX)
    }

    /// The scalar type a scalar, vector or matrix is made of.
    pub(super) fn component(&self, id: TypeId) -> Option<Scalar> {
        match *self.kind(id) {
            Kind::Scalar(scalar) | Kind::Atomic(scalar) => Some(scalar),
            Kind::Vector { component, .. } => self.component(component),
            Kind::Matrix { column, .. } => self.component(column),
            _ => None,
        }
    }

    /// Columns and rows of a matrix.
    pub(super) fn matrix(&self, id: TypeId) -> Option<(usize, usize)> {
        match *self.kind(id) {
            Kind::Matrix { columns, column } => Some((usize::try_from(columns).ok()?, self.scalars(column))),
            _ => None,
        }
    }

    /// Every scalar of a value in memory, in the order of its registers.
    pub(super) fn leaves(&mut self, id: TypeId) -> Rc<[Leaf]> {
        if let Some(leaves) = self.leaves.get(&id) {
            return leaves.clone();
        }
        let mut list = Vec::new();
        if self.layout(id).scalars <= MAX_SCALARS {
            self.collect(id, 0, &mut list);
        }
        let leaves: Rc<[Leaf]> = list.into();
        self.leaves.insert(id, leaves.clone());
        leaves
    }

    fn collect(&self, id: TypeId, offset: u32, list: &mut Vec<Leaf>) {
        let layout = self.layout(id);
        let mut repeat = |count: u32, element: TypeId| {
            (0..count)
                .for_each(|at| self.collect(element, offset.saturating_add(at.saturating_mul(layout.stride)), list));
        };
        match &layout.kind {
            Kind::Scalar(scalar) | Kind::Atomic(scalar) => list.push(Leaf { offset, scalar: *scalar }),
            Kind::Vector { size, component } => repeat(*size, *component),
            Kind::Matrix { columns, column } => repeat(*columns, *column),
            Kind::Array { element, count } => repeat(count.unwrap_or(0), *element),
            Kind::Struct(members) => {
                for member in members.iter() {
                    self.collect(member.ty, offset.saturating_add(member.offset), list);
                }
            }
            Kind::Pointer | Kind::Opaque(_) => {}
        }
    }

    fn add(&mut self, layout: Layout) -> TypeId {
        self.layouts.push(layout);
        TypeId(self.layouts.len() - 1)
    }

    /// The type of one scalar.
    pub(super) fn scalar(&mut self, scalar: Scalar) -> TypeId {
        if let Some(&id) = self.scalars.get(&scalar) {
            return id;
        }
        let bytes = scalar.bits() / 8;
        let kind = Kind::Scalar(scalar);
        let id = self.add(Layout { kind, size: u64::from(bytes), alignment: bytes, stride: 0, scalars: 1 });
        self.scalars.insert(scalar, id);
        id
    }

    fn vector(&mut self, scalar: Scalar, size: u32) -> TypeId {
        if let Some(&id) = self.vectors.get(&(scalar, size)) {
            return id;
        }
        let component = self.scalar(scalar);
        let bytes = scalar.bits() / 8;
        let alignment = bytes * if size == 2 { 2 } else { 4 };
        let kind = Kind::Vector { size, component };
        let id = self.add(Layout {
            kind,
            size: u64::from(bytes * size),
            alignment,
            stride: bytes,
            scalars: u64::from(size),
        });
        self.vectors.insert((scalar, size), id);
        id
    }

    fn matrix_type(&mut self, scalar: Scalar, columns: u32, rows: u32) -> TypeId {
        if let Some(&id) = self.matrices.get(&(scalar, columns, rows)) {
            return id;
        }
        let column = self.vector(scalar, rows);
        let alignment = self.layout(column).alignment;
        let stride = round_up(self.layout(column).size, u64::from(alignment));
        let layout = Layout {
            kind: Kind::Matrix { columns, column },
            size: stride * u64::from(columns),
            alignment,
            stride: u32::try_from(stride).unwrap_or(u32::MAX),
            scalars: u64::from(columns * rows),
        };
        let id = self.add(layout);
        self.matrices.insert((scalar, columns, rows), id);
        id
    }

    /// Types without a handle inside; pointers are values of their own and have no layout.
    fn simple(&mut self, inner: &TypeInner) -> TypeId {
        let opaque = match *inner {
            TypeInner::Scalar(scalar) => return self.simple_scalar(scalar, 1),
            TypeInner::Vector { size, scalar } => return self.simple_scalar(scalar, u32::from(size)),
            TypeInner::Matrix { columns, rows, scalar } => match scalar_of(scalar) {
                Some(scalar) => return self.matrix_type(scalar, u32::from(columns), u32::from(rows)),
                None => "abstract type",
            },
            TypeInner::Atomic(scalar) => match scalar_of(scalar) {
                Some(scalar) => {
                    let bytes = scalar.bits() / 8;
                    let kind = Kind::Atomic(scalar);
                    return self.add(Layout { kind, size: u64::from(bytes), alignment: bytes, stride: 0, scalars: 1 });
                }
                None => "abstract type",
            },
            TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. } => return self.pointer,
            TypeInner::Image { .. } => "texture",
            TypeInner::Sampler { .. } => "sampler",
            TypeInner::AccelerationStructure { .. } => "acceleration structure",
            TypeInner::RayQuery { .. } => "ray query",
            TypeInner::BindingArray { .. } => "binding array",
            TypeInner::CooperativeMatrix { .. } => "cooperative matrix",
            TypeInner::Array { .. } | TypeInner::Struct { .. } => "nameless composite type",
        };
        self.add(Layout { kind: Kind::Opaque(opaque), size: 0, alignment: 1, stride: 0, scalars: 0 })
    }

    fn simple_scalar(&mut self, scalar: naga::Scalar, size: u32) -> TypeId {
        match scalar_of(scalar) {
            Some(scalar) if size == 1 => self.scalar(scalar),
            Some(scalar) => self.vector(scalar, size),
            None => self.pointer,
        }
    }

    fn array(&mut self, element: TypeId, count: Option<u32>, given: u32) -> TypeId {
        let inner = self.layout(element).clone();
        let natural = round_up(inner.size, u64::from(inner.alignment));
        let fits = u64::from(given) >= inner.size && given.is_multiple_of(inner.alignment);
        let stride = if fits { given } else { u32::try_from(natural).unwrap_or(u32::MAX) };
        let elements = u64::from(count.unwrap_or(1));
        self.add(Layout {
            kind: Kind::Array { element, count },
            size: u64::from(stride).saturating_mul(elements),
            alignment: inner.alignment,
            stride,
            scalars: u64::from(count.unwrap_or(0)).saturating_mul(inner.scalars),
        })
    }

    fn structure(&mut self, members: &[naga::StructMember], span: u32) -> TypeId {
        let parts: Vec<_> = members.iter().map(|member| (self.of(member.ty), member.offset)).collect();
        let mut free_from = 0;
        let consistent = parts.iter().all(|&(ty, offset)| {
            let layout = self.layout(ty);
            let fits = u64::from(offset) >= free_from && offset.is_multiple_of(layout.alignment);
            free_from = u64::from(offset).saturating_add(layout.size);
            fits
        }) && free_from <= u64::from(span);
        let (mut size, mut alignment, mut scalars) = (0_u64, 1, 0_u64);
        let mut placed = Vec::with_capacity(parts.len());
        for (ty, given) in parts {
            let layout = self.layout(ty);
            let offset = if consistent { u64::from(given) } else { round_up(size, u64::from(layout.alignment)) };
            let first = u32::try_from(scalars).unwrap_or(u32::MAX);
            placed.push(Member { ty, offset: u32::try_from(offset).unwrap_or(u32::MAX), first });
            size = offset.saturating_add(layout.size);
            alignment = alignment.max(layout.alignment);
            scalars = scalars.saturating_add(layout.scalars);
        }
        let size = if consistent { u64::from(span) } else { round_up(size, u64::from(alignment)) };
        self.add(Layout { kind: Kind::Struct(placed.into()), size, alignment, stride: 0, scalars })
    }
}
