//! Which argument goes to which binding of an entry point.
//!
//! Only the buffers that the entry point uses are bound. An argument for a variable that exists but is
//! not used is left out without a word; an argument for nothing at all is refused.

use std::collections::BTreeMap;

use gridproof_launch::{Argument, BufferId, ByteRange, Dispatch, Target, Value};
use naga::{AddressSpace, GlobalVariable, Handle, ResourceBinding, StorageAccess, TypeInner};

use crate::RunError;
use crate::shader::Shader;

/// How the entry point sees a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    Uniform,
    Storage { read_only: bool },
}

/// What lies behind a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Buffer {
        buffer: BufferId,
        range: ByteRange,
    },
    /// Bytes of a scalar or of a small block, padded to the size of the variable.
    Scalar(Vec<u8>),
}

/// One binding that an entry point uses, with its argument.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) handle: Handle<GlobalVariable>,
    pub(crate) slot: ResourceBinding,
    /// `name` at @group and @binding, for messages.
    pub(crate) variable: String,
    pub(crate) space: Space,
    pub(crate) content: Content,
}

/// The bindings of an entry point in order of group and binding, each with its argument.
pub(crate) fn resolve(
    position: usize,
    shader: &Shader,
    entry: usize,
    dispatch: &Dispatch,
) -> Result<Vec<Binding>, RunError> {
    let arguments = place_arguments(position, shader, dispatch)?;
    let uses = shader.info.get_entry_point(entry);
    let mut bindings = Vec::new();
    for (handle, variable) in shader.module.global_variables.iter() {
        if uses[handle].is_empty() {
            continue;
        }
        let Some(space) = space_of(variable)? else { continue };
        let Some(slot) = variable.binding else { continue };
        let Some(argument) = arguments.get(&handle) else {
            let (entry, variable) = (dispatch.entry.clone(), describe(variable));
            return Err(RunError::MissingArgument { dispatch: position, entry, variable });
        };
        let content = content(position, shader, variable, argument)?;
        bindings.push(Binding { handle, slot, variable: describe(variable), space, content });
    }
    share_access(&mut bindings);
    bindings.sort_by_key(|binding| (binding.slot.group, binding.slot.binding));
    Ok(bindings)
}

type Placed<'a> = BTreeMap<Handle<GlobalVariable>, &'a Argument>;

fn place_arguments<'a>(position: usize, shader: &Shader, dispatch: &'a Dispatch) -> Result<Placed<'a>, RunError> {
    let mut placed = Placed::new();
    for argument in &dispatch.arguments {
        let variables = &shader.module.global_variables;
        let Some((handle, variable)) = variables.iter().find(|(_, variable)| names(variable, &argument.target)) else {
            return Err(RunError::UnknownTarget {
                dispatch: position,
                module: shader.name.clone(),
                target: argument.target.clone(),
                available: variables.iter().filter(|(_, v)| v.binding.is_some()).map(|(_, v)| describe(v)).collect(),
            });
        };
        if placed.insert(handle, argument).is_some() {
            return Err(RunError::DuplicateArgument { dispatch: position, variable: describe(variable) });
        }
    }
    Ok(placed)
}

fn names(variable: &GlobalVariable, target: &Target) -> bool {
    let Some(slot) = variable.binding else { return false };
    match target {
        Target::Name(name) => variable.name.as_ref() == Some(name),
        Target::Slot { group, binding } => slot.group == *group && slot.binding == *binding,
        Target::Parameter(_) => false,
    }
}

/// The kind of binding; `None` for memory that needs none.
fn space_of(variable: &GlobalVariable) -> Result<Option<Space>, RunError> {
    match variable.space {
        AddressSpace::Function | AddressSpace::Private | AddressSpace::WorkGroup => Ok(None),
        AddressSpace::Uniform => Ok(Some(Space::Uniform)),
        AddressSpace::Storage { access } => {
            Ok(Some(Space::Storage { read_only: !access.contains(StorageAccess::STORE) }))
        }
        _ => Err(RunError::Unsupported(format!("{} is neither a uniform nor a storage buffer", describe(variable)))),
    }
}

fn content(
    position: usize,
    shader: &Shader,
    variable: &GlobalVariable,
    argument: &Argument,
) -> Result<Content, RunError> {
    let size = Size::of(&shader.module, variable);
    let given = match &argument.value {
        Value::Buffer { range, .. } => range.length(),
        Value::Scalar(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    };
    let refuse =
        |expected| RunError::ArgumentSize { dispatch: position, variable: describe(variable), expected, given };
    if given < size.least {
        return Err(refuse(size.to_string()));
    }
    match &argument.value {
        Value::Buffer { buffer, range } => Ok(Content::Buffer { buffer: *buffer, range: *range }),
        Value::Scalar(_) if !size.open && given > size.padded => Err(refuse(size.to_string())),
        Value::Scalar(bytes) => {
            let mut bytes = bytes.clone();
            bytes.resize(usize::try_from(size.padded.max(given)).unwrap_or(usize::MAX).next_multiple_of(4), 0);
            Ok(Content::Scalar(bytes))
        }
    }
}

/// How many bytes a variable takes.
struct Size {
    /// Up to the end of its last member (and one element of a runtime-sized array).
    least: u64,
    /// With the padding behind its last member.
    padded: u64,
    /// Whether it ends in a runtime-sized array.
    open: bool,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.open, self.least == self.padded) {
            (true, _) => write!(f, "at least {}", self.least),
            (false, true) => self.padded.fmt(f),
            (false, false) => write!(f, "{} to {}", self.least, self.padded),
        }
    }
}

impl Size {
    fn of(module: &naga::Module, variable: &GlobalVariable) -> Self {
        let context = module.to_ctx();
        let bytes = |handle| module.types[handle].inner.try_size(context).map_or(u64::from(u32::MAX), u64::from);
        let open = |handle| module.types[handle].inner.is_dynamically_sized(&module.types);
        let padded = bytes(variable.ty);
        let least = match &module.types[variable.ty].inner {
            TypeInner::Struct { members, .. } => members.last().map_or(padded, |last| {
                u64::from(last.offset) + if open(last.ty) { stride(module, last.ty) } else { bytes(last.ty) }
            }),
            _ if open(variable.ty) => stride(module, variable.ty),
            _ => padded,
        };
        Self { least, padded: padded.max(least), open: open(variable.ty) }
    }
}

fn stride(module: &naga::Module, handle: Handle<naga::Type>) -> u64 {
    match module.types[handle].inner {
        TypeInner::Array { stride, .. } => stride.into(),
        _ => 0,
    }
}

/// wgpu refuses a buffer that one dispatch sees both read-only and writable. A kernel may well be launched
/// that way (in place), so the read-only views of such a buffer are declared writable too.
fn share_access(bindings: &mut [Binding]) {
    let buffer = |binding: &Binding| match binding.content {
        Content::Buffer { buffer, .. } => Some(buffer),
        Content::Scalar(_) => None,
    };
    let writable = Space::Storage { read_only: false };
    let written: Vec<_> = bindings.iter().filter(|b| b.space == writable).filter_map(buffer).collect();
    for binding in bindings.iter_mut().filter(|binding| binding.space != Space::Uniform) {
        if buffer(binding).is_some_and(|id| written.contains(&id)) {
            binding.space = writable;
        }
    }
}

fn describe(variable: &GlobalVariable) -> String {
    let name = variable.name.as_deref().unwrap_or("a variable without a name");
    match variable.binding {
        Some(slot) => format!("`{name}` (@group({}) @binding({}))", slot.group, slot.binding),
        None => format!("`{name}`"),
    }
}
