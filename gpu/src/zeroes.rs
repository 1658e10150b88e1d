//! Zeroes in workgroup memory, written into an entry point as loops over its invocations.
//!
//! WGSL begins every workgroup with zeroes in its memory. naga can leave that to an optional feature of Vulkan, or
//! store one zero as large as the variable, which drivers take apart: lavapipe makes a branch of every word, and
//! takes half a minute and more for a few kilobytes. Here each invocation stores every n-th element of an array, one
//! barrier follows, and code size does not depend on the array's.

use std::borrow::Cow;
use std::collections::BTreeMap;

use naga::proc::IndexableLength;
use naga::valid::ModuleInfo;
use naga::{
    AddressSpace, Barrier, BinaryOperator, Binding, Block, BuiltIn, Expression, Function, FunctionArgument,
    GlobalVariable, Handle, Literal, LocalVariable, Module, Scalar, Span, Statement, Type, TypeInner, UniqueArena,
};

/// Puts the zeroing of all workgroup variables that an entry point uses in front of its body. `module` has no
/// overrides left. Whether there was anything to do.
pub(crate) fn write_out(module: &mut Cow<'_, Module>, info: &ModuleInfo, entry: usize) -> bool {
    let uses = info.get_entry_point(entry);
    let used = |(handle, variable): (Handle<GlobalVariable>, &GlobalVariable)| {
        (variable.space == AddressSpace::WorkGroup && !uses[handle].is_empty()).then_some((handle, variable.ty))
    };
    let variables: Vec<_> = module.global_variables.iter().filter_map(used).collect();
    if variables.is_empty() {
        return false;
    }
    let lengths = lengths(module);
    let module = module.to_mut();
    let point = &mut module.entry_points[entry];
    let invocations = point.workgroup_size.iter().product();
    let mut writer = Writer { function: &mut point.function, types: &mut module.types, lengths, own: Block::new() };
    let index = writer.invocation_index();
    for (variable, ty) in variables {
        let place = writer.constant(Expression::GlobalVariable(variable));
        let mut statements = Block::new();
        writer.variable(place, ty, (index, invocations), &mut statements);
        writer.own.extend_block(statements);
    }
    let mut prologue = writer.own;
    prologue.push(Statement::ControlBarrier(Barrier::WORK_GROUP), Span::UNDEFINED);
    prologue.extend_block(std::mem::take(&mut point.function.body));
    point.function.body = prologue;
    true
}

/// The elements of every array type whose number is known, through overrides too.
fn lengths(module: &Module) -> BTreeMap<Handle<Type>, (Handle<Type>, u32)> {
    let length = |(handle, ty): (Handle<Type>, &Type)| match ty.inner {
        TypeInner::Array { base, size, .. } => match size.resolve(module.to_ctx()) {
            Ok(IndexableLength::Known(length)) => Some((handle, (base, length))),
            _ => None,
        },
        _ => None,
    };
    module.types.iter().filter_map(length).collect()
}

struct Writer<'a> {
    function: &'a mut Function,
    types: &'a mut UniqueArena<Type>,
    /// Type and number of an array's elements.
    lengths: BTreeMap<Handle<Type>, (Handle<Type>, u32)>,
    /// What the entry point begins with.
    own: Block,
}

impl Writer<'_> {
    /// The number of the invocation in its workgroup: an argument that is there, or one more.
    fn invocation_index(&mut self) -> Handle<Expression> {
        let wanted = |binding: &Option<Binding>| *binding == Some(Binding::BuiltIn(BuiltIn::LocalInvocationIndex));
        let found = self.function.arguments.iter().enumerate().find_map(|(position, argument)| {
            if wanted(&argument.binding) {
                return Some((position, None));
            }
            match &self.types[argument.ty].inner {
                TypeInner::Struct { members, .. } => {
                    members.iter().position(|member| wanted(&member.binding)).map(|member| (position, Some(member)))
                }
                _ => None,
            }
        });
        let (position, member) = found.unwrap_or_else(|| {
            let binding = Some(Binding::BuiltIn(BuiltIn::LocalInvocationIndex));
            let ty = self.u32_type();
            self.function.arguments.push(FunctionArgument { name: None, ty, binding });
            (self.function.arguments.len() - 1, None)
        });
        let argument = self.constant(Expression::FunctionArgument(number(position)));
        match member {
            Some(member) => {
                let mut statements = Block::new();
                let access = Expression::AccessIndex { base: argument, index: number(member) };
                let index = self.value(access, &mut statements);
                self.own.extend_block(statements);
                index
            }
            None => argument,
        }
    }

    /// Zeroes one variable: arrays by all invocations, other types by the first.
    fn variable(
        &mut self,
        place: Handle<Expression>,
        ty: Handle<Type>,
        (index, invocations): (Handle<Expression>, u32),
        block: &mut Block,
    ) {
        if let Some(&elements) = self.lengths.get(&ty) {
            self.elements(place, elements, (index, invocations), block);
            return;
        }
        let zero = self.constant(Expression::Literal(Literal::U32(0)));
        let first = self.value(Expression::Binary { op: BinaryOperator::Equal, left: index, right: zero }, block);
        let mut accept = Block::new();
        self.whole(place, ty, &mut accept);
        block.push(Statement::If { condition: first, accept, reject: Block::new() }, Span::UNDEFINED);
    }

    /// `for (var i = start; i < length; i += step) { place[i] = zero; }`
    fn elements(
        &mut self,
        place: Handle<Expression>,
        (base, length): (Handle<Type>, u32),
        (start, step): (Handle<Expression>, u32),
        block: &mut Block,
    ) {
        let ty = self.u32_type();
        let counter = LocalVariable { name: None, ty, init: None };
        let counter = self.function.local_variables.append(counter, Span::UNDEFINED);
        let counter = self.constant(Expression::LocalVariable(counter));
        block.push(Statement::Store { pointer: counter, value: start }, Span::UNDEFINED);

        let mut body = Block::new();
        let at = self.value(Expression::Load { pointer: counter }, &mut body);
        let end = self.constant(Expression::Literal(Literal::U32(length)));
        let inside = self.value(Expression::Binary { op: BinaryOperator::Less, left: at, right: end }, &mut body);
        let mut reject = Block::new();
        reject.push(Statement::Break, Span::UNDEFINED);
        body.push(Statement::If { condition: inside, accept: Block::new(), reject }, Span::UNDEFINED);
        let element = self.value(Expression::Access { base: place, index: at }, &mut body);
        self.whole(element, base, &mut body);

        let mut continuing = Block::new();
        let before = self.value(Expression::Load { pointer: counter }, &mut continuing);
        let step = self.constant(Expression::Literal(Literal::U32(step)));
        let next =
            self.value(Expression::Binary { op: BinaryOperator::Add, left: before, right: step }, &mut continuing);
        continuing.push(Statement::Store { pointer: counter, value: next }, Span::UNDEFINED);
        block.push(Statement::Loop { body, continuing, break_if: None }, Span::UNDEFINED);
    }

    /// Zeroes a place by one invocation, whatever its type is.
    fn whole(&mut self, place: Handle<Expression>, ty: Handle<Type>, block: &mut Block) {
        if let Some(&elements) = self.lengths.get(&ty) {
            let zero = self.constant(Expression::Literal(Literal::U32(0)));
            self.elements(place, elements, (zero, 1), block);
            return;
        }
        match self.types[ty].inner.clone() {
            TypeInner::Struct { members, .. } => {
                for (position, member) in members.iter().enumerate() {
                    let access = Expression::AccessIndex { base: place, index: number(position) };
                    let inner = self.value(access, block);
                    self.whole(inner, member.ty, block);
                }
            }
            TypeInner::Atomic(scalar) => {
                let ty = self.types.insert(Type { name: None, inner: TypeInner::Scalar(scalar) }, Span::UNDEFINED);
                self.store_zero(place, ty, block);
            }
            _ => self.store_zero(place, ty, block),
        }
    }

    fn store_zero(&mut self, place: Handle<Expression>, ty: Handle<Type>, block: &mut Block) {
        let value = self.constant(Expression::ZeroValue(ty));
        block.push(Statement::Store { pointer: place, value }, Span::UNDEFINED);
    }

    fn u32_type(&mut self) -> Handle<Type> {
        self.types.insert(Type { name: None, inner: TypeInner::Scalar(Scalar::U32) }, Span::UNDEFINED)
    }

    /// An expression that is there without being computed.
    fn constant(&mut self, expression: Expression) -> Handle<Expression> {
        self.function.expressions.append(expression, Span::UNDEFINED)
    }

    /// An expression that the block computes at its present end.
    fn value(&mut self, expression: Expression, block: &mut Block) -> Handle<Expression> {
        let start = self.function.expressions.len();
        let handle = self.function.expressions.append(expression, Span::UNDEFINED);
        block.push(Statement::Emit(self.function.expressions.range_from(start)), Span::UNDEFINED);
        handle
    }
}

/// A position among arguments or members, of which naga counts no more than `u32` holds.
fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
