//! Bodies of functions.

use super::ParseError;
use super::cursor::{Parsed, Parser};
use super::lexer::{Kind, Token};
use super::variable::state_space;
use crate::frontend::ptx::ast::{Guard, Instruction, Linkage, Name, Place, Statement};

type Statements<'t> = Vec<Statement<'t>>;

impl<'t> Parser<'t> {
    /// `{ ... }`, at the brace.
    pub(super) fn block(&mut self) -> Parsed<Statements<'t>> {
        let open = self.expect(b'{', "before the statements")?.place;
        let mut statements = Vec::new();
        loop {
            match self.token.kind {
                Kind::Mark(b'}') => break,
                Kind::End => return Err(ParseError::new(open, "`{` is never closed")),
                _ => self.statement(&mut statements)?,
            }
        }
        self.advance()?;
        Ok(statements)
    }

    fn statement(&mut self, into: &mut Statements<'t>) -> Parsed<()> {
        match self.token.kind {
            Kind::Word => self.label_or_instruction(into),
            Kind::Mark(b'@') => self.guarded(into),
            Kind::Dotted => self.body_directive(into),
            Kind::Mark(b'{') => {
                let block = self.nested(|parser| parser.scoped(Self::block))?;
                into.push(Statement::Block(block));
                Ok(())
            }
            Kind::Mark(b';') => self.advance().map(drop),
            _ => Err(self.expected("a statement")),
        }
    }

    fn body_directive(&mut self, into: &mut Statements<'t>) -> Parsed<()> {
        let linkage = self.linkage()?;
        let word = self.dotted().unwrap_or_default();
        if let Some(space) = state_space(word) {
            let linkage = linkage.unwrap_or_default();
            return self.variables(space, linkage, |variable| into.push(Statement::Variable(variable)));
        }
        if linkage.is_some() {
            return Err(self.expected("a state space"));
        }
        match word {
            "loc" => into.push(Statement::Location(self.location()?)),
            "pragma" => into.push(Statement::Pragma(self.pragma()?)),
            "branchtargets" | "calltargets" | "callprototype" => {
                return Err(ParseError::new(self.token.place, format!("`.{word}` has no label before it")));
            }
            _ => return Err(self.misplaced("in a function")),
        }
        Ok(())
    }

    /// `.visible`, `.extern`, `.weak`, `.common`.
    pub(super) fn linkage(&mut self) -> Parsed<Option<Linkage>> {
        let linkage = match self.dotted() {
            Some("visible" | "weak" | "common") => Linkage::Visible,
            Some("extern") => Linkage::Extern,
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(linkage))
    }

    fn label_or_instruction(&mut self, into: &mut Statements<'t>) -> Parsed<()> {
        let word = self.name("an instruction")?;
        if !self.take(b':')? {
            let start = word.place.start;
            into.push(Statement::Instruction(self.instruction(start, None, word)?));
            return Ok(());
        }
        self.declare("label", word, false)?;
        into.push(match self.dotted() {
            Some("branchtargets") => Statement::BranchTargets { name: word, targets: self.branch_targets()? },
            Some("callprototype" | "calltargets") => {
                self.skip_statement()?;
                Statement::CallInfo { name: word }
            }
            _ => Statement::Label(word),
        });
        Ok(())
    }

    fn branch_targets(&mut self) -> Parsed<Vec<Name<'t>>> {
        let mut targets = Vec::new();
        self.advance()?;
        loop {
            targets.push(self.name("a label")?);
            if !self.take(b',')? {
                break;
            }
        }
        self.expect(b';', "after the branch targets")?;
        Ok(targets)
    }

    fn skip_statement(&mut self) -> Parsed<()> {
        let directive = self.text(self.token);
        while !self.at(b';') {
            if matches!(self.token.kind, Kind::End | Kind::Mark(b'{' | b'}')) {
                return Err(self.expected(&format!("`;` after `{directive}`")));
            }
            self.advance()?;
        }
        self.advance().map(drop)
    }

    fn guarded(&mut self, into: &mut Statements<'t>) -> Parsed<()> {
        let start = self.advance()?.place.start;
        let negated = self.take(b'!')?;
        let register = self.name("a predicate after `@`")?;
        let opcode = self.name("an instruction after its guard")?;
        let guard = Some(Guard { negated, register });
        into.push(Statement::Instruction(self.instruction(start, guard, opcode)?));
        Ok(())
    }

    /// What follows an opcode.
    fn instruction(&mut self, start: u32, guard: Option<Guard<'t>>, opcode: Name<'t>) -> Parsed<Instruction<'t>> {
        let modifiers = self.modifiers()?;
        let mut operands = Vec::new();
        let is_call = opcode.text == "call";
        if !self.at(b';') {
            loop {
                if operands.is_empty() && matches!(self.token.kind, Kind::Mark(b'}' | b'@') | Kind::Dotted | Kind::End)
                {
                    break;
                }
                operands.push(if is_call { self.call_operand()? } else { self.operand()? });
                if !self.take(b',')? {
                    break;
                }
            }
        }
        self.expect(b';', "after the instruction")?;
        Ok(Instruction { guard, opcode, modifiers, operands, place: self.since(start) })
    }

    fn modifiers(&mut self) -> Parsed<Vec<Name<'t>>> {
        let mut modifiers = Vec::new();
        while self.token.kind == Kind::Dotted && self.adjacent() {
            let token = self.advance()?;
            modifiers.push(self.undotted(token));
        }
        Ok(modifiers)
    }

    /// The name in a dotted token.
    pub(super) fn undotted(&self, token: Token) -> Name<'t> {
        let place = Place { start: token.place.start.saturating_add(1), end: token.place.end };
        Name { text: self.lexer.slice(place), place }
    }
}
