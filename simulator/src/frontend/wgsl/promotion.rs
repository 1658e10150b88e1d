//! Which variables can live in registers: those that no pointer with a dynamic index is made from.
//!
//! Functions are inlined, so a pointer argument stands for the variable it was made from; the question is
//! asked for every argument too, callees first (naga's arena has them in that order).

use std::collections::HashSet;

use naga::{Arena, Block, Expression, Function, GlobalVariable, Handle, LocalVariable, Statement};

/// What a function indexes dynamically.
#[derive(Clone, Debug, Default)]
pub(super) struct Indexed {
    pub(super) locals: HashSet<Handle<LocalVariable>>,
    pub(super) arguments: HashSet<u32>,
    /// Expressions (not pointers) that are indexed dynamically.
    pub(super) values: HashSet<Handle<Expression>>,
}

/// What the functions of a module index dynamically.
#[derive(Debug, Default)]
pub(super) struct Promotion {
    pub(super) functions: Vec<Indexed>,
    pub(super) entry: Indexed,
    pub(super) globals: HashSet<Handle<GlobalVariable>>,
}

impl Promotion {
    pub(super) fn new(module: &naga::Module, entry: &Function) -> Self {
        let mut all = Self::default();
        for (_, function) in module.functions.iter() {
            let indexed = all.visit(function);
            all.functions.push(indexed);
        }
        all.entry = all.visit(entry);
        all
    }

    fn visit(&mut self, function: &Function) -> Indexed {
        let mut indexed = Indexed::default();
        for (_, expression) in function.expressions.iter() {
            if let Expression::Access { base, index } = *expression
                && !is_literal(&function.expressions, index)
            {
                indexed.values.insert(base);
                self.mark(function, base, &mut indexed);
            }
        }
        self.visit_calls(function, &function.body, &mut indexed);
        indexed
    }

    fn visit_calls(&mut self, function: &Function, block: &Block, indexed: &mut Indexed) {
        for statement in block {
            match statement {
                Statement::Call { function: callee, arguments, .. } => {
                    let inner = self.functions.get(callee.index()).map(|known| known.arguments.clone());
                    for (argument, position) in arguments.iter().zip(0_u32..) {
                        if inner.as_ref().is_some_and(|inner| inner.contains(&position)) {
                            self.mark(function, *argument, indexed);
                        }
                    }
                }
                other => blocks(other).for_each(|block| self.visit_calls(function, block, indexed)),
            }
        }
    }

    fn mark(&mut self, function: &Function, base: Handle<Expression>, indexed: &mut Indexed) {
        match root(&function.expressions, base) {
            Some(Expression::LocalVariable(local)) => drop(indexed.locals.insert(*local)),
            Some(Expression::GlobalVariable(global)) => drop(self.globals.insert(*global)),
            Some(Expression::FunctionArgument(position)) => drop(indexed.arguments.insert(*position)),
            _ => {}
        }
    }
}

/// The expression at the start of an access chain.
pub(super) fn root(expressions: &Arena<Expression>, from: Handle<Expression>) -> Option<&Expression> {
    let mut at = from;
    loop {
        match expressions.try_get(at).ok()? {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => at = *base,
            other => return Some(other),
        }
    }
}

fn is_literal(expressions: &Arena<Expression>, handle: Handle<Expression>) -> bool {
    let found = expressions.try_get(handle);
    matches!(found, Ok(Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_)))
}

/// The blocks directly inside a statement.
pub(super) fn blocks(statement: &Statement) -> impl Iterator<Item = &Block> {
    let (one, two, cases) = match statement {
        Statement::Block(block) => (Some(block), None, [].as_slice()),
        Statement::If { accept, reject, .. } => (Some(accept), Some(reject), [].as_slice()),
        Statement::Loop { body, continuing, .. } => (Some(body), Some(continuing), [].as_slice()),
        Statement::Switch { cases, .. } => (None, None, cases.as_slice()),
        _ => (None, None, [].as_slice()),
    };
    one.into_iter().chain(two).chain(cases.iter().map(|case| &case.body))
}
