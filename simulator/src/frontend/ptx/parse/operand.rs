//! Operands of instructions.

use super::ParseError;
use super::constant::Value;
use super::cursor::{Parsed, Parser};
use super::lexer::Kind;
use crate::frontend::ptx::ast::{Name, Operand, Place};

impl<'t> Parser<'t> {
    /// One operand.
    pub(super) fn operand(&mut self) -> Parsed<Operand<'t>> {
        match self.token.kind {
            Kind::Word if self.text(self.token) != "WARP_SZ" => self.word_operand(),
            Kind::Mark(b'[') => self.address(),
            Kind::Mark(b'{') => self.nested(|parser| {
                let (parts, place) = parser.parts(b'}', "after the vector")?;
                Ok(Operand::Vector { parts, place })
            }),
            Kind::Mark(b'!') if self.peek()?.kind == Kind::Word => self.negation(),
            Kind::Mark(b'-') if self.peek()?.kind == Kind::Word => self.minus(),
            _ if self.starts_constant() => self.constant_operand(),
            _ => Err(self.expected("an operand")),
        }
    }

    /// An operand of a call, where parentheses enclose arguments.
    pub(super) fn call_operand(&mut self) -> Parsed<Operand<'t>> {
        if !self.at(b'(') {
            return self.operand();
        }
        let (parts, place) = self.parts(b')', "after the arguments")?;
        Ok(Operand::Group { parts, place })
    }

    fn parts(&mut self, close: u8, when: &str) -> Parsed<(Vec<Operand<'t>>, Place)> {
        let start = self.advance()?.place.start;
        let mut parts = Vec::new();
        while !self.at(close) {
            parts.push(self.operand()?);
            if !self.take(b',')? {
                break;
            }
        }
        self.expect(close, when)?;
        Ok((parts, self.since(start)))
    }

    /// A name with the `.x` that belongs to it.
    pub(super) fn suffixed_name(&mut self) -> Parsed<Name<'t>> {
        let mut name = self.name("a register")?;
        if self.token.kind == Kind::Dotted && self.adjacent() {
            self.advance()?;
            name.place.end = self.end;
            name.text = self.lexer.slice(name.place);
        }
        Ok(name)
    }

    fn word_operand(&mut self) -> Parsed<Operand<'t>> {
        let name = self.suffixed_name()?;
        let operand = if name.text == "_" { Operand::Sink(name.place) } else { Operand::Name(name) };
        match self.token.kind {
            Kind::Mark(b'|') => {
                self.advance()?;
                let second = self.suffixed_name()?;
                let second = if second.text == "_" { Operand::Sink(second.place) } else { Operand::Name(second) };
                Ok(Operand::Pair(Box::new([operand, second])))
            }
            Kind::Mark(b'+' | b'-') => {
                let offset = self.offset()?;
                let place = self.since(name.place.start);
                Ok(Operand::Address { base: Some(name), offset, brackets: false, place })
            }
            Kind::Mark(b'[') if self.adjacent() => {
                Err(ParseError::unsupported(self.token.place, format!("the operand form `{}[...]`", name.text)))
            }
            _ => Ok(operand),
        }
    }

    fn negation(&mut self) -> Parsed<Operand<'t>> {
        if self.text(self.peek()?) == "WARP_SZ" {
            return self.constant_operand();
        }
        self.advance()?;
        Ok(Operand::Not(self.suffixed_name()?))
    }

    fn minus(&mut self) -> Parsed<Operand<'t>> {
        let name = self.text(self.peek()?);
        if name == "WARP_SZ" {
            return self.constant_operand();
        }
        Err(ParseError::unsupported(self.token.place, format!("the operand form `-{name}`")))
    }

    fn constant_operand(&mut self) -> Parsed<Operand<'t>> {
        let start = self.token.place.start;
        let value = self.constant()?;
        let place = self.since(start);
        Ok(match value {
            Value::Signed(value) => Operand::Integer { bits: value.cast_unsigned(), place },
            Value::Unsigned(bits) => Operand::Integer { bits, place },
            Value::Single(bits) => Operand::Float32 { bits, place },
            Value::Double(value) => Operand::Float64 { bits: value.to_bits(), place },
        })
    }

    /// `[base+offset]`, or a list that starts like one.
    fn address(&mut self) -> Parsed<Operand<'t>> {
        let start = self.advance()?.place.start;
        let is_name = self.token.kind == Kind::Word && self.text(self.token) != "WARP_SZ";
        if !is_name && !self.starts_constant() {
            return Err(self.expected("an address"));
        }
        let base = if is_name { Some(self.suffixed_name()?) } else { None };
        let offset = if is_name { self.offset()? } else { self.integer("an address")?.cast_signed() };
        if self.at(b',') {
            return self.nested(|parser| parser.list(start));
        }
        self.expect(b']', "after the address")?;
        Ok(Operand::Address { base, offset, brackets: true, place: self.since(start) })
    }

    fn list(&mut self, start: u32) -> Parsed<Operand<'t>> {
        while self.take(b',')? {
            self.operand()?;
        }
        self.expect(b']', "after the list")?;
        Ok(Operand::List(self.since(start)))
    }
}
