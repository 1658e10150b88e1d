//! Where variables live: addresses of the launch's buffers, of the module's variables, of workgroup and private memory.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use gridproof_launch::{Argument, BufferId, ByteRange, Contents, Dispatch, Fill, Target, Value};

use super::elements::Elements;
use super::{Lowered, Lowerer, Symbol};
use crate::frontend::ptx::ast::{Function, Initialiser, Instruction, Operand, StateSpace, Statement, Type, Variable};
use crate::frontend::source::saturating;
use crate::ir::{self, Binding, FIRST_REGION, PRIVATE_REGION, REGION_SHIFT, Space, SpanId};

/// Workgroup memory of all variables of a kernel at most.
const MAX_WORKGROUP_BYTES: u64 = 1 << 20;
/// Private memory of one invocation at most.
const MAX_PRIVATE_BYTES: u64 = 512 << 10;
/// Workgroup memory that the system keeps for itself, where a kernel asks for it: as on devices.
pub(super) const RESERVED_BYTES: u64 = 1 << 10;
/// A variable of the module at most.
const MAX_VARIABLE_BYTES: u64 = 1 << 34;

/// A value that the launch passes to the kernel.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    /// Little-endian bytes, as many as the parameter has.
    pub(super) bytes: Vec<u8>,
}

/// Memory that variables take, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) bytes: u64,
    pub(super) variables: Vec<ir::Variable>,
}

impl Memory {
    fn take(&mut self, name: &str, length: u64, alignment: u64, stride: u64) -> u64 {
        let offset = self.bytes.next_multiple_of(alignment.max(1));
        self.bytes = offset.saturating_add(length);
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        self.variables.push(ir::Variable {
            name: name.to_owned(),
            offset: small(offset),
            length: small(length),
            stride: small(stride),
        });
        offset
    }
}

/// Bytes of one element of a variable, and of all of it; `None` for `[]` or an overflow.
pub(super) fn extent(variable: &Variable<'_>) -> (u64, Option<u64>) {
    let element = u64::from(variable.ty.bits().max(8) / 8) * u64::from(variable.vector);
    let all = variable.extents.iter().try_fold(element, |bytes, &extent| bytes.checked_mul(extent?));
    (element, all)
}

pub(super) fn alignment_of(variable: &Variable<'_>) -> u64 {
    variable.alignment.map_or(extent(variable).0, u64::from).max(1)
}

/// The functions that the kernel can reach, itself first, and every name they mention.
pub(super) struct Reach<'m, 't> {
    pub(super) functions: Vec<&'m Function<'t>>,
    names: HashSet<&'t str>,
}

impl<'m, 't> Reach<'m, 't> {
    pub(super) fn new(entry: &'m Function<'t>, functions: &'m [Function<'t>]) -> Self {
        let bodies: HashMap<&str, &Function<'_>> =
            functions.iter().filter(|function| function.body.is_some()).map(|f| (f.name.text, f)).collect();
        let mut reach = Self { functions: vec![entry], names: HashSet::new() };
        let mut next = 0;
        while let Some(&function) = reach.functions.get(next) {
            next += 1;
            let mut names = Vec::new();
            mentioned(function.body.as_deref().unwrap_or_default(), &mut names);
            for name in names {
                if reach.names.insert(name)
                    && let Some(&callee) = bodies.get(name)
                    && !callee.is_entry
                {
                    reach.functions.push(callee);
                }
            }
        }
        reach
    }

    /// The module's variables that the functions mention, directly or through initial values.
    fn variables(&self, all: &'m [Variable<'t>]) -> Vec<&'m Variable<'t>> {
        let by_name: HashMap<&str, usize> = all.iter().enumerate().map(|(at, v)| (v.name.text, at)).collect();
        let mut wanted: BTreeSet<usize> = self.names.iter().filter_map(|name| by_name.get(name).copied()).collect();
        let mut pending: Vec<usize> = wanted.iter().copied().collect();
        while let Some(at) = pending.pop() {
            let mut names = Vec::new();
            if let Some(initialiser) = all.get(at).and_then(|variable| variable.initialiser.as_ref()) {
                pointed_at(initialiser, &mut names);
            }
            pending.extend(names.iter().filter_map(|name| by_name.get(name)).filter(|&&at| wanted.insert(at)));
        }
        wanted.into_iter().filter_map(|at| all.get(at)).collect()
    }
}

fn pointed_at<'t>(initialiser: &Initialiser<'t>, names: &mut Vec<&'t str>) {
    match initialiser {
        Initialiser::Symbol { name, .. } => names.push(name.text),
        Initialiser::List(parts) => parts.iter().for_each(|part| pointed_at(part, names)),
        _ => {}
    }
}

fn mentioned<'t>(statements: &[Statement<'t>], names: &mut Vec<&'t str>) {
    for statement in statements {
        match statement {
            Statement::Instruction(Instruction { operands, .. }) => {
                operands.iter().for_each(|operand| mentioned_by(operand, names));
            }
            Statement::Block(inner) => mentioned(inner, names),
            _ => {}
        }
    }
}

/// The names that an operand mentions.
pub(super) fn mentioned_by<'t>(operand: &Operand<'t>, names: &mut Vec<&'t str>) {
    match operand {
        Operand::Name(name) | Operand::Address { base: Some(name), .. } => names.push(name.text),
        Operand::Vector { parts, .. } | Operand::Group { parts, .. } => {
            parts.iter().for_each(|part| mentioned_by(part, names));
        }
        Operand::Pair(parts) => parts.iter().for_each(|part| mentioned_by(part, names)),
        _ => {}
    }
}

impl<'m, 't> Lowerer<'m, 't> {
    /// Places everything that exists before the first instruction.
    pub(super) fn place_module(&mut self, reach: &Reach<'m, 't>, dispatch: &Dispatch) -> Lowered<()> {
        self.symbols.push(HashMap::new());
        let Some(entry) = reach.functions.first().copied() else { return Ok(()) };
        self.place_parameters(entry, dispatch)?;
        let module = self.module;
        let used = reach.variables(&module.variables);
        self.elements = Elements::of(&module.variables, &reach.functions);
        // Addresses of functions: nothing can be read there, and no call goes through them.
        for (position, function) in (1_u64..).zip(&module.functions) {
            self.declare(function.name.text, Symbol { space: StateSpace::Global, address: position << 4, length: 0 });
        }
        let mut late = Vec::new();
        for variable in &used {
            match variable.space {
                StateSpace::Shared if extent(variable).1.is_none() => late.push(*variable),
                StateSpace::Shared => self.place_shared(variable)?,
                StateSpace::Global | StateSpace::Const => self.place_global(variable)?,
                _ => {
                    let message = format!("`{}` cannot be declared outside a function", variable.name.text);
                    return Err(self.invalid(variable.name.place, message));
                }
            }
        }
        for function in &reach.functions {
            self.place_statics(function.body.as_deref().unwrap_or_default())?;
        }
        if reach.names.iter().any(|name| name.starts_with(super::special::RESERVED)) {
            self.reserved = Some(self.memory.take("reserved", RESERVED_BYTES, RESERVED_BYTES, 1));
        }
        self.memory.bytes = self.memory.bytes.next_multiple_of(16);
        let dynamic = self.memory.bytes;
        for variable in late {
            let length = u64::from(dispatch.dynamic_workgroup_bytes);
            let symbol = Symbol { space: StateSpace::Shared, address: dynamic, length };
            self.declare(variable.name.text, symbol);
            self.memory.variables.push(ir::Variable {
                name: variable.name.text.to_owned(),
                offset: u32::try_from(dynamic).unwrap_or(u32::MAX),
                length: dispatch.dynamic_workgroup_bytes,
                stride: u32::try_from(self.element(variable)).unwrap_or(1),
            });
        }
        for variable in used {
            self.fill_global(variable)?;
        }
        Ok(())
    }

    pub(super) fn declare(&mut self, name: &'t str, symbol: Symbol) {
        if let Some(scope) = self.symbols.last_mut() {
            scope.insert(name, symbol);
        }
    }

    /// Variables of functions that are not the invocation's own exist once, however often a function is inlined; their
    /// names are known from their declaration to the end of its block.
    fn place_statics(&mut self, statements: &'m [Statement<'t>]) -> Lowered<()> {
        for statement in statements {
            match statement {
                Statement::Variable(variable) => {
                    self.symbols.push(HashMap::new());
                    let placed = self.place_static(variable);
                    let own = self.symbols.pop().unwrap_or_default();
                    placed?;
                    if let Some(&symbol) = own.get(variable.name.text) {
                        self.statics.insert(variable.name.place.start, symbol);
                    }
                }
                Statement::Block(inner) => self.place_statics(inner)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn place_static(&mut self, variable: &'m Variable<'t>) -> Lowered<()> {
        match variable.space {
            StateSpace::Shared => self.place_shared(variable),
            StateSpace::Global | StateSpace::Const => {
                self.place_global(variable)?;
                self.fill_global(variable)
            }
            _ => Ok(()),
        }
    }

    fn place_shared(&mut self, variable: &Variable<'t>) -> Lowered<()> {
        let length = extent(variable).1.unwrap_or(u64::MAX);
        let element = self.element(variable);
        let address = self.memory.take(variable.name.text, length, alignment_of(variable), element);
        if self.memory.bytes > MAX_WORKGROUP_BYTES {
            let message = format!(
                "`{}` makes it {} bytes of workgroup memory: the limit is {MAX_WORKGROUP_BYTES}",
                variable.name.text, self.memory.bytes
            );
            return Err(self.invalid(variable.name.place, message));
        }
        self.declare(variable.name.text, Symbol { space: StateSpace::Shared, address, length });
        Ok(())
    }

    /// Bytes of one element of a shared variable, as reports count them.
    fn element(&self, variable: &Variable<'t>) -> u64 {
        self.elements.size(variable, extent(variable).0, alignment_of(variable))
    }

    /// A variable in the invocation's own memory.
    pub(super) fn place_private(&mut self, variable: &Variable<'t>) -> Lowered<()> {
        let (element, length) = extent(variable);
        let length = length.unwrap_or(u64::MAX);
        let offset = self.private.take(variable.name.text, length, alignment_of(variable), element);
        if self.private.bytes > MAX_PRIVATE_BYTES {
            let message = format!(
                "`{}` makes it {} bytes of local memory: the limit is {MAX_PRIVATE_BYTES}",
                variable.name.text, self.private.bytes
            );
            return Err(self.invalid(variable.name.place, message));
        }
        // Parameters of functions are known by their generic address, local variables by their own.
        let window = if variable.space == StateSpace::Param { PRIVATE_REGION << REGION_SHIFT } else { 0 };
        self.declare(variable.name.text, Symbol { space: variable.space, address: window + offset, length });
        Ok(())
    }

    fn next_region(&mut self, phase: u64) -> u64 {
        let region = FIRST_REGION + self.regions;
        self.regions += 1;
        (region << REGION_SHIFT) + (1 << (REGION_SHIFT - 1)) + phase % (1 << 20)
    }

    fn place_global(&mut self, variable: &Variable<'t>) -> Lowered<()> {
        let (_, length) = extent(variable);
        let name = variable.name.text;
        let Some(length) = length.filter(|&length| length <= MAX_VARIABLE_BYTES) else {
            let message = format!("`{name}` has no known size, or more than {MAX_VARIABLE_BYTES} bytes");
            return Err(self.invalid(variable.name.place, message));
        };
        let address = self.next_region(0);
        self.declare(name, Symbol { space: variable.space, address, length });
        let span = self.span_at(variable.name.place);
        let space = if variable.space == StateSpace::Const { Space::Uniform } else { Space::Storage };
        self.bindings.push(Binding {
            name: name.to_owned(),
            slot: None,
            parameter: None,
            space,
            writable: space == Space::Storage,
            minimum_length: 0,
            span,
            address: Some(address),
            own: Some((length, Contents::Virtual { fill: Fill::Byte(0), patches: BTreeMap::new() })),
        });
        Ok(())
    }

    /// Initial values: symbols have their addresses now.
    fn fill_global(&mut self, variable: &Variable<'t>) -> Lowered<()> {
        let Some(initialiser) = &variable.initialiser else { return Ok(()) };
        let Some(symbol) = self.symbol(variable.name.text) else { return Ok(()) };
        let mut bytes = Vec::new();
        let inner: Vec<u64> = inner_extents(variable);
        self.flatten(initialiser, variable, &inner, &mut bytes)?;
        if super::wide(bytes.len()) > symbol.length {
            let message = format!(
                "the initial value of `{}` has {} bytes, the variable {}",
                variable.name.text,
                bytes.len(),
                symbol.length
            );
            return Err(self.invalid(variable.name.place, message));
        }
        let own = self.bindings.iter_mut().find(|binding| binding.address == Some(symbol.address));
        if let Some((_, Contents::Virtual { patches, .. })) = own.and_then(|binding| binding.own.as_mut())
            && !bytes.is_empty()
        {
            patches.insert(0, Arc::from(bytes));
        }
        Ok(())
    }

    /// `inner`: bytes of one element at each depth of nesting.
    fn flatten(
        &mut self,
        initialiser: &Initialiser<'t>,
        variable: &Variable<'t>,
        inner: &[u64],
        bytes: &mut Vec<u8>,
    ) -> Lowered<()> {
        let size = usize::try_from(variable.ty.bits().max(8) / 8).unwrap_or(8);
        let value = match initialiser {
            Initialiser::List(parts) => {
                let (element, deeper) = inner.split_first().map_or((0, &[][..]), |(&first, rest)| (first, rest));
                for part in parts {
                    let start = bytes.len();
                    self.flatten(part, variable, deeper, bytes)?;
                    let end = start.saturating_add(usize::try_from(element).unwrap_or(0));
                    if matches!(part, Initialiser::List(_)) && bytes.len() < end {
                        bytes.resize(end, 0);
                    }
                }
                return Ok(());
            }
            Initialiser::Integer(bits) => *bits,
            Initialiser::Float32(bits) if variable.ty == Type::F64 => f64::from(f32::from_bits(*bits)).to_bits(),
            Initialiser::Float32(bits) => u64::from(*bits),
            Initialiser::Float64(bits) if variable.ty == Type::F32 => {
                u64::from(crate::cast::f64_to_f32(f64::from_bits(*bits)).to_bits())
            }
            Initialiser::Float64(bits) => *bits,
            Initialiser::Symbol { name, offset, mask, .. } => {
                let symbol = self.symbol(name.text).ok_or_else(|| self.unknown(*name))?;
                let address = symbol.address.wrapping_add_signed(*offset);
                match mask {
                    None => address,
                    Some(0) => 0,
                    Some(mask) => (address & mask) >> mask.trailing_zeros(),
                }
            }
        };
        bytes.extend(value.to_le_bytes().into_iter().take(size));
        Ok(())
    }

    fn place_parameters(&mut self, entry: &Function<'t>, dispatch: &Dispatch) -> Lowered<()> {
        for argument in &dispatch.arguments {
            let known = match &argument.target {
                Target::Name(name) => entry.parameters.iter().any(|parameter| parameter.name.text == name),
                Target::Parameter(at) => usize::try_from(*at).is_ok_and(|at| at < entry.parameters.len()),
                Target::Slot { .. } => false,
            };
            if !known {
                let message = format!("{}: the kernel `{}` has no such parameter", argument.target, entry.name.text);
                return Err(self.invalid(entry.name.place, message));
            }
        }
        let mut pointers: HashMap<(BufferId, ByteRange), u64> = HashMap::new();
        for (position, parameter) in entry.parameters.iter().enumerate() {
            let position = saturating(position);
            let matches = |argument: &&Argument| match &argument.target {
                Target::Name(name) => parameter.name.text == name,
                Target::Parameter(at) => *at == position,
                Target::Slot { .. } => false,
            };
            let Some(argument) = dispatch.arguments.iter().find(matches) else {
                let message = format!("the launch gives no value for parameter {position}, `{}`", parameter.name.text);
                return Err(self.invalid(parameter.name.place, message));
            };
            let length = extent(parameter).1.unwrap_or(0);
            let name = parameter.name.text;
            let span = self.span_at(parameter.name.place);
            let binding = |space, address, writable, own| Binding {
                name: name.to_owned(),
                slot: None,
                parameter: Some(position),
                space,
                writable,
                minimum_length: 0,
                span,
                address: Some(address),
                own,
            };
            let bytes = match &argument.value {
                Value::Buffer { buffer, range } => {
                    if length != 8 {
                        let message = format!("parameter `{name}` has {length} bytes: a buffer's address needs 8");
                        return Err(self.invalid(parameter.name.place, message));
                    }
                    let address = match pointers.get(&(*buffer, *range)) {
                        Some(&address) => address,
                        None => self.next_region(range.start),
                    };
                    pointers.insert((*buffer, *range), address);
                    self.bindings.push(binding(Space::Storage, address, true, None));
                    address.to_le_bytes().to_vec()
                }
                Value::Scalar(bytes) if super::wide(bytes.len()) == length => bytes.clone(),
                Value::Scalar(bytes) => {
                    let message = format!("parameter `{name}` has {length} bytes, the launch gives {}", bytes.len());
                    return Err(self.invalid(parameter.name.place, message));
                }
            };
            // The parameter's own bytes, for kernels that take its address.
            let address = self.next_region(0);
            let contents = Contents::Dense(bytes.clone().into());
            let mut own = binding(Space::Uniform, address, false, Some((length, contents)));
            own.parameter = own.parameter.filter(|_| matches!(argument.value, Value::Scalar(_)));
            self.bindings.push(own);
            self.declare(name, Symbol { space: StateSpace::Param, address, length });
            self.parameters.insert(address, Parameter { bytes });
        }
        Ok(())
    }

    /// The span of a place in the module's text, whatever `.loc` says.
    pub(super) fn span_at(&mut self, place: crate::frontend::ptx::ast::Place) -> SpanId {
        let (line, column) = self.position(place);
        self.spans.intern(ir::Span { file: 0, line, column, start: place.start, end: place.end, inlined_at: None })
    }
}

/// Bytes of one element at each depth of nested braces: of the outermost list first.
fn inner_extents(variable: &Variable<'_>) -> Vec<u64> {
    let (element, _) = extent(variable);
    let mut inner = vec![element];
    for extent in variable.extents.iter().skip(1).rev() {
        let below = inner.last().copied().unwrap_or(element);
        inner.push(below.saturating_mul(extent.unwrap_or(1)));
    }
    inner.reverse();
    inner
}
