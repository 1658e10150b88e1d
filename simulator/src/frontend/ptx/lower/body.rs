//! Statements: scopes, labels, guards, jumps and calls.
//!
//! A call is inlined where it stands: the callee's parameters are the caller's variables, its registers are new rows.

use std::collections::HashMap;

use super::registers::rows_of;
use super::words::Words;
use super::{Lowered, Lowerer, Symbol, written};
use crate::frontend::finish::Label;
use crate::frontend::ptx::ast::{
    Function, Guard, Instruction, Location, Name, Operand, Place, StateSpace, Statement, Variable,
};
use crate::ir::{BinaryOp, Instr, PRIVATE_REGION, REGION_SHIFT, Reg, Scalar, Span, SpanId};

/// Calls within calls at most; a device has no deeper stack either.
const MAX_DEPTH: usize = 128;

/// One body being lowered.
pub(super) struct Frame<'t> {
    /// Its name, for recursion.
    name: &'t str,
    /// Where `ret` leads; `None` in the kernel itself.
    after: Option<Label>,
    /// Labels by name, innermost scope last.
    labels: Vec<HashMap<&'t str, Label>>,
    /// `.branchtargets` by name.
    targets: HashMap<&'t str, Vec<Name<'t>>>,
    /// What the last `.loc` said.
    located: Located,
    /// The latest `.loc` of each file, line and column, with what it was inlined into.
    places: HashMap<(u32, u32, u32), SpanId>,
    /// The call.
    call: Option<SpanId>,
}

/// Where a `.loc` leads.
#[derive(Clone, Copy, Debug, Default)]
struct Located {
    /// Its place; that of the call, where it is code that nobody wrote.
    span: Option<SpanId>,
    /// Whether the text there is known.
    quoted: bool,
}

impl<'m, 't> Lowerer<'m, 't> {
    /// Lowers the kernel's body.
    pub(super) fn kernel(&mut self, function: &'m Function<'t>) -> Lowered<()> {
        self.frame(function, None, None)?;
        self.emitter.emit(Instr::Exit);
        Ok(())
    }

    fn frame(&mut self, function: &'m Function<'t>, after: Option<Label>, call: Option<SpanId>) -> Lowered<()> {
        let (name, body) = (function.name.text, function.body.as_deref().unwrap_or_default());
        let located = Located { span: call, quoted: false };
        let (labels, targets, places) = (Vec::new(), HashMap::new(), HashMap::new());
        self.frames.push(Frame { name, after, labels, targets, located, places, call });
        let result = self.block(body);
        self.frames.pop();
        result
    }

    fn block(&mut self, statements: &'m [Statement<'t>]) -> Lowered<()> {
        let mut labels = HashMap::new();
        for statement in statements {
            if let Statement::Label(name) = statement {
                labels.insert(name.text, self.emitter.label());
            }
            if let (Statement::BranchTargets { name, targets }, Some(frame)) = (statement, self.frames.last_mut()) {
                frame.targets.insert(name.text, targets.clone());
            }
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.labels.push(labels);
        }
        self.registers.open();
        self.symbols.push(HashMap::new());
        let result = statements.iter().try_for_each(|statement| self.statement(statement));
        self.symbols.pop();
        self.registers.close();
        if let Some(frame) = self.frames.last_mut() {
            frame.labels.pop();
        }
        result
    }

    fn statement(&mut self, statement: &'m Statement<'t>) -> Lowered<()> {
        match statement {
            Statement::Variable(variable) => self.variable(variable),
            Statement::Label(name) => {
                let label = self.label(*name)?;
                self.emitter.place(label);
                Ok(())
            }
            Statement::Instruction(instruction) => self.guarded(instruction),
            Statement::Location(location) => {
                self.locate(location);
                Ok(())
            }
            Statement::Block(inner) => self.block(inner),
            Statement::BranchTargets { .. } | Statement::CallInfo { .. } | Statement::Pragma(_) => Ok(()),
        }
    }

    fn variable(&mut self, variable: &'m Variable<'t>) -> Lowered<()> {
        match variable.space {
            StateSpace::Reg => {
                self.registers.declare(variable);
                Ok(())
            }
            StateSpace::Local | StateSpace::Param => self.place_private(variable),
            // Placed before the first instruction.
            StateSpace::Shared | StateSpace::Global | StateSpace::Const => {
                if let Some(&symbol) = self.statics.get(&variable.name.place.start) {
                    self.declare(variable.name.text, symbol);
                }
                Ok(())
            }
        }
    }

    fn label(&self, name: Name<'t>) -> Lowered<Label> {
        let scopes = self.frames.last().map(|frame| frame.labels.as_slice()).unwrap_or_default();
        let found = scopes.iter().rev().find_map(|scope| scope.get(name.text)).copied();
        found.ok_or_else(|| self.invalid(name.place, format!("there is no label `{}` here", name.text)))
    }

    /// Follows a `.loc`. `inlined_at` names one place; where that was inlined itself, an earlier `.loc` of the same place
    /// says into what, and the latest one counts: compilers repeat it whenever another copy begins.
    fn locate(&mut self, location: &Location<'t>) {
        let Some(frame) = self.frames.last_mut() else { return };
        let mut span = frame.call;
        if let Some((file, line, column)) = location.inlined_at {
            let own = self.files.span(location.file, location.line, location.column, None);
            let known = frame.places.get(&(file, line, column)).copied();
            // A function that was inlined into itself: how often cannot be told.
            let known = known.filter(|&known| own.is_none_or(|own| !self.spans.passes(known, own)));
            let place = self.files.span(file, line, column, frame.call);
            span = known.or_else(|| place.map(|place| self.spans.intern(place))).or(frame.call);
        }
        let mut quoted = false;
        if let Some(place) = self.files.span(location.file, location.line, location.column, span) {
            let id = self.spans.intern(place);
            frame.places.insert((location.file, location.line, location.column), id);
            (span, quoted) = (Some(id), self.files.has_text(location.file));
        }
        frame.located = Located { span, quoted };
    }

    /// The span of an instruction: what `.loc` says where that file's text is known, else the module's own text.
    fn span_of(&mut self, place: Place) -> SpanId {
        let located = self.frames.last().map_or_else(Located::default, |frame| frame.located);
        if let Located { span: Some(span), quoted: true } = located {
            return span;
        }
        let (line, column) = self.position(place);
        self.spans.intern(Span { file: 0, line, column, start: place.start, end: place.end, inlined_at: located.span })
    }

    fn guarded(&mut self, instruction: &'m Instruction<'t>) -> Lowered<()> {
        if self.emitter.is_full() {
            let message = format!("the kernel has more than {} instructions", super::emit::MAX_INSTRUCTIONS);
            return Err(self.unsupported(instruction.place, message));
        }
        let span = self.span_of(instruction.place);
        self.emitter.at(span);
        if instruction.opcode.text == "bra" {
            return self.branch(instruction);
        }
        let Some(guard) = instruction.guard else { return self.instruction(instruction) };
        let (condition, when) = self.guard(guard)?;
        let skip = self.emitter.label();
        self.emitter.jump_if(condition, !when, skip);
        self.instruction(instruction)?;
        self.emitter.place(skip);
        Ok(())
    }

    fn guard(&mut self, guard: Guard<'t>) -> Lowered<(Reg, bool)> {
        let condition = self.read(&Operand::Name(guard.register), crate::frontend::ptx::ast::Type::Pred)?;
        Ok((condition, !guard.negated))
    }

    fn branch(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        words.take("uni");
        self.finish_words(&words, instruction)?;
        let [target] = self.operands::<1>(instruction)?;
        let Operand::Name(name) = target else {
            return Err(self.invalid(target.place(), "`bra` needs a label"));
        };
        let label = self.label(*name)?;
        match instruction.guard {
            None => self.emitter.jump(label),
            Some(guard) => {
                let (condition, when) = self.guard(guard)?;
                self.emitter.jump_if(condition, when, label);
            }
        }
        Ok(())
    }

    fn instruction(&mut self, instruction: &'m Instruction<'t>) -> Lowered<()> {
        let taken = self.control(instruction)?
            || self.scalar(instruction)?
            || self.memory(instruction)?
            || self.addresses(instruction)?
            || self.synchronise(instruction)?
            || self.warp(instruction)?
            || self.matrix(instruction)?
            || self.fragments(instruction)?;
        if taken {
            return Ok(());
        }
        let word = written(instruction);
        Err(self.unsupported(instruction.opcode.place, format!("the instruction `{word}`")))
    }

    fn control(&mut self, instruction: &'m Instruction<'t>) -> Lowered<bool> {
        let mut words = Words::new(instruction);
        match instruction.opcode.text {
            "ret" => {
                words.take("uni");
                self.operands::<0>(instruction)?;
                match self.frames.last().and_then(|frame| frame.after) {
                    Some(after) => self.emitter.jump(after),
                    None => self.emitter.emit(Instr::Exit),
                }
            }
            "exit" => {
                self.operands::<0>(instruction)?;
                self.emitter.emit(Instr::Exit);
            }
            "trap" => {
                self.operands::<0>(instruction)?;
                self.emitter.emit(Instr::Trap);
            }
            "brkpt" | "pmevent" | "nanosleep" | "setmaxnreg" | "griddepcontrol" => {
                // Hints about time and resources: nothing that an invocation could see.
                while words.take_next().is_some() {}
            }
            "brx" => {
                self.branch_indexed(instruction)?;
                return Ok(true);
            }
            "call" => {
                words.take("uni");
                self.call(instruction)?;
            }
            _ => return Ok(false),
        }
        self.finish_words(&words, instruction)?;
        Ok(true)
    }

    /// `brx.idx{.uni} index, list`: a jump per entry; an index past the end has no meaning, and faults here.
    fn branch_indexed(&mut self, instruction: &Instruction<'t>) -> Lowered<()> {
        let mut words = Words::new(instruction);
        if !words.take("idx") {
            return Err(self.unsupported(instruction.opcode.place, format!("`{}`", written(instruction))));
        }
        words.take("uni");
        self.finish_words(&words, instruction)?;
        let [index, list] = self.operands::<2>(instruction)?;
        let index = self.read(index, crate::frontend::ptx::ast::Type::U32)?;
        let Operand::Name(list) = list else {
            return Err(self.invalid(list.place(), "`brx.idx` needs the label of a `.branchtargets` list"));
        };
        let targets = self.frames.last().and_then(|frame| frame.targets.get(list.text)).cloned();
        let Some(targets) = targets else {
            return Err(self.invalid(list.place, format!("there is no `.branchtargets` list `{}` here", list.text)));
        };
        for (position, target) in (0..).zip(targets) {
            let label = self.label(target)?;
            let (dst, number) = (self.emitter.fresh(1), self.emitter.constant(position));
            self.emitter.emit(Instr::Binary { op: BinaryOp::Eq, ty: Scalar::U32, dst, a: index, b: number });
            self.emitter.jump_if(dst, true, label);
        }
        self.emitter.emit(Instr::Trap);
        Ok(())
    }

    fn call(&mut self, instruction: &'m Instruction<'t>) -> Lowered<()> {
        let mut operands = instruction.operands.as_slice();
        let group = |operands: &mut &'m [Operand<'t>]| match operands.split_first() {
            Some((Operand::Group { parts, .. }, rest)) => {
                *operands = rest;
                parts.as_slice()
            }
            _ => &[],
        };
        let results = group(&mut operands);
        let Some((Operand::Name(callee), mut rest)) = operands.split_first() else {
            return Err(self.invalid(instruction.place, "`call` needs the name of a function"));
        };
        let arguments = group(&mut rest);
        if self.registers.find(callee.text, &mut self.emitter).is_some() {
            return Err(self.unsupported(callee.place, "a call through a register"));
        }
        let module = self.module;
        let with_body = |function: &&Function<'t>| function.name.text == callee.text && function.body.is_some();
        let Some(function) = module.functions.iter().find(with_body) else {
            return self.call_outside(*callee, results);
        };
        if self.frames.iter().any(|frame| frame.name == callee.text) || self.frames.len() >= MAX_DEPTH {
            return Err(self.unsupported(callee.place, format!("the recursive call of `{}`", callee.text)));
        }
        let (wants, has) = (function.parameters.len(), arguments.len());
        if wants != has || function.returns.len() != results.len() {
            let message = format!(
                "`{}` takes {wants} arguments and gives {} results; the call has {has} and {}",
                callee.text,
                function.returns.len(),
                results.len()
            );
            return Err(self.invalid(instruction.place, message));
        }
        self.inline(function, arguments, results)
    }

    fn inline(
        &mut self,
        function: &'m Function<'t>,
        arguments: &'m [Operand<'t>],
        results: &'m [Operand<'t>],
    ) -> Lowered<()> {
        // Formal parameters that are variables are the caller's; registers are copied in and out.
        let mut symbols = HashMap::new();
        let mut copies_in = Vec::new();
        for (formal, actual) in function.parameters.iter().zip(arguments) {
            self.pass(formal, actual, &mut symbols, &mut copies_in)?;
        }
        let mut copies_out = Vec::new();
        for (formal, actual) in function.returns.iter().zip(results) {
            self.pass(formal, actual, &mut symbols, &mut copies_out)?;
        }
        let (after, call) = (self.emitter.label(), self.emitter.span());
        let outer_registers = std::mem::take(&mut self.registers);
        let outer_symbols = self.symbols.split_off(1);
        self.registers.open();
        self.symbols.push(symbols);
        let mut formals = Vec::new();
        for formal in function.parameters.iter().chain(&function.returns) {
            if formal.space == StateSpace::Reg {
                self.registers.declare(formal);
                formals.extend(self.registers.find(formal.name.text, &mut self.emitter));
            }
        }
        for (register, &(actual, rows)) in formals.iter().zip(&copies_in) {
            self.emitter.copy(register.reg, actual, rows);
        }
        self.frame(function, Some(after), Some(call))?;
        self.emitter.place(after);
        self.emitter.at(call);
        for (register, &(actual, rows)) in formals.iter().skip(copies_in.len()).zip(&copies_out) {
            self.emitter.copy(actual, register.reg, rows);
        }
        self.registers = outer_registers;
        self.symbols.truncate(1);
        self.symbols.extend(outer_symbols);
        Ok(())
    }

    fn pass(
        &mut self,
        formal: &'m Variable<'t>,
        actual: &'m Operand<'t>,
        symbols: &mut HashMap<&'t str, Symbol>,
        copies: &mut Vec<(Reg, u32)>,
    ) -> Lowered<()> {
        if formal.space == StateSpace::Reg {
            let reg = self.read(actual, formal.ty)?;
            copies.push((reg, rows_of(formal.ty, 1)));
            return Ok(());
        }
        let symbol = match actual {
            Operand::Name(name) => self.symbol(name.text),
            _ => None,
        };
        let length = super::layout::extent(formal).1.unwrap_or(0);
        match symbol {
            Some(symbol) if symbol.space == StateSpace::Param && symbol.length >= length => {
                symbols.insert(formal.name.text, symbol);
                Ok(())
            }
            Some(_) => {
                let message = format!("this variable cannot be passed as `{}`", formal.name.text);
                Err(self.invalid(actual.place(), message))
            }
            // A register or a constant for a variable: it needs a place of its own.
            None => {
                let reg = self.read(actual, formal.ty)?;
                self.symbols.push(HashMap::new());
                let placed = self.place_private(formal);
                let own = self.symbols.pop().unwrap_or_default();
                placed?;
                if let Some(symbol) = own.get(formal.name.text) {
                    symbols.insert(formal.name.text, *symbol);
                    let offset = symbol.address.wrapping_sub(PRIVATE_REGION << REGION_SHIFT);
                    self.store_private(offset, formal.ty, reg);
                }
                Ok(())
            }
        }
    }

    /// Functions that every CUDA program may call without defining them.
    fn call_outside(&mut self, callee: Name<'t>, results: &'m [Operand<'t>]) -> Lowered<()> {
        match callee.text {
            "__assertfail" | "__assert_fail" => self.emitter.emit(Instr::Trap),
            // Printing has no effect on what a kernel computes; the number of arguments it would return is not known.
            "vprintf" => {
                if let Some(Operand::Name(name)) = results.first()
                    && let Some(symbol) = self.symbol(name.text)
                {
                    let zero = self.emitter.constant(0);
                    let offset = symbol.address.wrapping_sub(PRIVATE_REGION << REGION_SHIFT);
                    self.store_private(offset, crate::frontend::ptx::ast::Type::B32, zero);
                }
            }
            other => {
                return Err(
                    self.unsupported(callee.place, format!("the call of `{other}`, which the module does not define"))
                );
            }
        }
        Ok(())
    }
}
