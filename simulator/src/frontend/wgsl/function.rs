//! The entry point, and calls: a callee's body is lowered again at every call, with its own registers.
//!
//! A function whose only `return` ends its body gives its values directly; otherwise every `return` stores to
//! the call's result rows and jumps to the end of the inlined body.

use std::collections::HashMap;
use std::rc::Rc;

use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{Arena, Block, BuiltIn, Expression, Function, Handle, Statement};

use super::Lowering;
use super::assembler::Label;
use super::layout::{Kind, TypeId};
use super::promotion::{Indexed, blocks};
use super::value::{Memory, Place, Pointer, Value};
use crate::ir::{Builtin, Reg};
use crate::outcome::SimulateError;

/// Deepest chain of calls.
const MAX_DEPTH: u32 = 512;

/// Private memory given once per function, whatever the number of inlined copies: only one runs at a time.
#[derive(Debug, Default)]
pub(super) struct Statics {
    /// By function (`None` for the entry point) and variable.
    pub(super) locals: HashMap<(Option<usize>, usize), Place>,
    /// By function and expression.
    pub(super) values: HashMap<(Option<usize>, usize), Memory>,
    /// By the constant rows of a table.
    pub(super) tables: HashMap<Vec<Reg>, Memory>,
}

/// Where types of expressions are found.
#[derive(Clone, Copy)]
enum Resolutions<'m> {
    Function(&'m FunctionInfo),
    Module(&'m ModuleInfo),
}

/// Where `return` goes.
#[derive(Clone)]
pub(super) enum Exit {
    /// Ends the invocation.
    Invocation,
    /// Ends the body anyway: the value is kept in [`Frame::result`].
    Tail,
    /// Stores to rows and jumps.
    Join { label: Label, ty: Option<TypeId>, place: Place },
}

/// Where `break` and `continue` go.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) leave: Label,
    /// `None` for a switch.
    pub(super) again: Option<Label>,
}

/// One function being lowered.
pub(super) struct Frame<'m> {
    pub(super) expressions: &'m Arena<Expression>,
    resolutions: Resolutions<'m>,
    /// Index of the function; `None` for the entry point.
    pub(super) key: Option<usize>,
    pub(super) indexed: Rc<Indexed>,
    pub(super) values: Vec<Option<Value>>,
    pub(super) arguments: Vec<Value>,
    pub(super) locals: Vec<(TypeId, Place)>,
    pub(super) targets: Vec<Target>,
    pub(super) exit: Exit,
    pub(super) result: Option<Value>,
    /// Values that are indexed dynamically, in memory.
    pub(super) spilled: HashMap<Handle<Expression>, Memory>,
}

impl<'m> Frame<'m> {
    /// A frame to evaluate expressions at module scope in.
    pub(super) fn module(module: &'m naga::Module, info: &'m ModuleInfo) -> Self {
        Self::new(&module.global_expressions, Resolutions::Module(info), Exit::Tail)
    }

    fn new(expressions: &'m Arena<Expression>, resolutions: Resolutions<'m>, exit: Exit) -> Self {
        Self {
            expressions,
            resolutions,
            key: None,
            indexed: Rc::default(),
            values: vec![None; expressions.len()],
            arguments: Vec::new(),
            locals: Vec::new(),
            targets: Vec::new(),
            exit,
            result: None,
            spilled: HashMap::new(),
        }
    }
}

impl<'m> Lowering<'m> {
    /// The type of an expression.
    pub(super) fn type_of(&mut self, frame: &Frame<'m>, handle: Handle<Expression>) -> TypeId {
        match frame.resolutions {
            Resolutions::Function(info) => self.types.resolved(&info[handle].ty),
            Resolutions::Module(info) => self.types.resolved(&info[handle]),
        }
    }

    /// Lowers the entry point.
    pub(super) fn entry(&mut self, point: &'m naga::EntryPoint, info: &'m FunctionInfo) -> Result<(), SimulateError> {
        let function = &point.function;
        let mut frame = Frame::new(&function.expressions, Resolutions::Function(info), Exit::Invocation);
        frame.indexed = Rc::new(self.promotion.entry.clone());
        // Arguments have no span of their own in naga.
        let first = function.body.span_iter().map(|(_, span)| *span).find(naga::Span::is_defined);
        self.at(first.unwrap_or_default());
        for argument in &function.arguments {
            let value = self.entry_argument(argument)?;
            frame.arguments.push(value);
        }
        self.declare_locals(&mut frame, function, true)?;
        self.spill_arguments(&mut frame)?;
        self.block(&mut frame, &function.body)?;
        self.asm.exit();
        Ok(())
    }

    fn entry_argument(&mut self, argument: &naga::FunctionArgument) -> Result<Value, SimulateError> {
        if let Some(binding) = &argument.binding {
            let ty = self.types.of(argument.ty);
            return Ok(Value::data(self.builtin(binding, self.types.scalars(ty))?));
        }
        let mut registers = Vec::new();
        if let Some(naga::TypeInner::Struct { members, .. }) =
            self.module.types.get_handle(argument.ty).ok().map(|ty| &ty.inner)
        {
            for member in members {
                let Some(binding) = &member.binding else { return Err(self.internal("an argument without a binding")) };
                let ty = self.types.of(member.ty);
                registers.extend(self.builtin(binding, self.types.scalars(ty))?);
            }
        }
        Ok(Value::data(registers))
    }

    fn builtin(&mut self, binding: &naga::Binding, scalars: usize) -> Result<Vec<Reg>, SimulateError> {
        let naga::Binding::BuiltIn(builtin) = binding else {
            return Err(self.unsupported_here("user-defined entry point input".to_owned()));
        };
        let component = |make: fn(u8) -> Builtin| (0..3).map(make).take(scalars).collect::<Vec<_>>();
        let parts = match builtin {
            BuiltIn::GlobalInvocationId => component(Builtin::GlobalInvocationId),
            BuiltIn::LocalInvocationId => component(Builtin::LocalInvocationId),
            BuiltIn::LocalInvocationIndex => vec![Builtin::LocalInvocationIndex],
            BuiltIn::WorkGroupId => component(Builtin::WorkgroupId),
            BuiltIn::WorkGroupSize => component(Builtin::WorkgroupSize),
            BuiltIn::NumWorkGroups => component(Builtin::NumWorkgroups),
            BuiltIn::NumSubgroups => vec![Builtin::NumSubgroups],
            BuiltIn::SubgroupId => vec![Builtin::SubgroupId],
            BuiltIn::SubgroupSize => vec![Builtin::SubgroupSize],
            BuiltIn::SubgroupInvocationId => vec![Builtin::SubgroupInvocationId],
            other => {
                return Err(self.unsupported_here(format!("builtin {other:?}")));
            }
        };
        Ok(parts.into_iter().map(|part| self.asm.builtin(part)).collect())
    }

    /// Gives local variables their places and initial values. `fresh` says that the function runs once, from
    /// rows and memory that hold zero.
    fn declare_locals(&mut self, frame: &mut Frame<'m>, function: &Function, fresh: bool) -> Result<(), SimulateError> {
        for (handle, variable) in function.local_variables.iter() {
            let span = function.local_variables.get_span(handle);
            let ty = self.types.of(variable.ty);
            if let Kind::Opaque(construct) = *self.types.kind(ty) {
                return Err(self.source.unsupported(span, construct));
            }
            let key = (frame.key, handle.index());
            let place = match self.statics.locals.get(&key) {
                Some(place) => place.clone(),
                None => {
                    let promoted = !frame.indexed.locals.contains(&handle);
                    let place = self.place_private(variable.name.as_deref(), ty, promoted, span)?;
                    if matches!(place, Place::Memory(_)) {
                        self.statics.locals.insert(key, place.clone());
                    }
                    place
                }
            };
            frame.locals.push((ty, place.clone()));
            self.at(span);
            match variable.init {
                Some(init) => {
                    let value = self.data(frame, init)?;
                    self.store(ty, &place, &value)?;
                }
                None if fresh => self.remember_zero(ty, &place),
                None => self.store_zero(ty, &place)?,
            }
        }
        Ok(())
    }

    fn store_zero(&mut self, ty: TypeId, place: &Place) -> Result<(), SimulateError> {
        let value = self.zero(ty)?;
        self.store(ty, place, &value)
    }

    /// Inlines a call and gives its result.
    pub(super) fn call(
        &mut self,
        callee: Handle<Function>,
        arguments: Vec<Value>,
        span: naga::Span,
    ) -> Result<Option<Value>, SimulateError> {
        let module = self.module;
        let function = &module.functions[callee];
        if self.depth >= MAX_DEPTH {
            return Err(self.source.unsupported(span, format!("calls nested deeper than {MAX_DEPTH}")));
        }
        let mut frame = Frame::new(&function.expressions, Resolutions::Function(&self.info[callee]), Exit::Tail);
        frame.key = Some(callee.index());
        frame.indexed = self.promotion.functions.get(callee.index()).cloned().map(Rc::new).unwrap_or_default();
        frame.arguments = arguments;
        let outer = (self.call, self.asm.span());
        self.call = Some(outer.1);
        self.depth += 1;
        let result = self.inline(&mut frame, function);
        self.depth -= 1;
        self.call = outer.0;
        self.asm.at(outer.1);
        result
    }

    fn inline(&mut self, frame: &mut Frame<'m>, function: &'m Function) -> Result<Option<Value>, SimulateError> {
        self.declare_locals(frame, function, false)?;
        self.spill_arguments(frame)?;
        if returns_at_end_only(&function.body) {
            self.block(frame, &function.body)?;
            return Ok(frame.result.take());
        }
        let ty = function.result.as_ref().map(|result| self.types.of(result.ty));
        let place = match ty {
            Some(ty) => self.result_rows(ty),
            None => Place::Registers { scalars: Rc::from([]), first: 0 },
        };
        let label = self.asm.label();
        frame.exit = Exit::Join { label, ty, place: place.clone() };
        let fork = self.asm.fork();
        self.asm.open();
        self.block(frame, &function.body)?;
        self.asm.close();
        self.asm.bind(label);
        self.asm.join(&fork);
        Ok(match (ty, place) {
            // The rows are only written again when this very call runs again, and then its old result is
            // out of scope: they serve as the result's registers.
            (Some(_), Place::Registers { scalars, .. }) => Some(Value::Data(scalars)),
            _ => None,
        })
    }

    fn result_rows(&mut self, ty: TypeId) -> Place {
        let leaves = self.types.leaves(ty);
        let mut row = self.asm.variable(leaves.iter().map(|leaf| leaf.scalar.rows()).sum());
        let registers = leaves.iter().map(|leaf| {
            let register = row;
            row.0 += leaf.scalar.rows();
            register
        });
        Place::Registers { scalars: registers.collect(), first: 0 }
    }

    /// `return`.
    pub(super) fn leave(&mut self, frame: &mut Frame<'m>, value: Option<Value>) -> Result<(), SimulateError> {
        match frame.exit.clone() {
            Exit::Invocation => self.asm.exit(),
            Exit::Tail => frame.result = value,
            Exit::Join { label, ty, place } => {
                if let (Some(ty), Some(Value::Data(data))) = (ty, value) {
                    self.store(ty, &place, &data)?;
                }
                self.asm.jump(label);
            }
        }
        Ok(())
    }

    /// A pointer to a local variable.
    pub(super) fn local(&self, frame: &Frame<'m>, handle: Handle<naga::LocalVariable>) -> Result<Value, SimulateError> {
        match frame.locals.get(handle.index()) {
            Some((ty, place)) => Ok(Value::Pointer(Rc::new(Pointer { ty: *ty, place: place.clone() }))),
            None => Err(self.internal("a local variable that is not declared")),
        }
    }
}

/// Whether the body has no `return` but, at most, its last statement.
fn returns_at_end_only(body: &Block) -> bool {
    fn count(block: &Block) -> usize {
        block
            .iter()
            .map(|statement| match statement {
                Statement::Return { .. } => 1,
                other => blocks(other).map(count).sum(),
            })
            .sum()
    }
    let last = usize::from(matches!(body.last(), Some(Statement::Return { .. })));
    count(body) == last
}
