//! Constant expressions, folded while they are read.

use super::ParseError;
use super::constant::{self, ADDITIVE, Value};
use super::cursor::{Parsed, Parser};
use super::lexer::{Kind, Token};
use crate::frontend::ptx::ast::Place;

/// Threads of a warp.
const WARP_SIZE: i64 = 32;

impl Parser<'_> {
    /// A constant expression.
    pub(super) fn constant(&mut self) -> Parsed<Value> {
        self.nested(|parser| {
            let condition = parser.binary(1)?;
            if !parser.at(b'?') {
                return Ok(condition);
            }
            let place = parser.advance()?.place;
            let yes = parser.constant()?;
            parser.expect(b':', "after the second operand of `?`")?;
            let no = parser.constant()?;
            located(place, constant::choose(condition, yes, no))
        })
    }

    /// An integer constant, as 64 bits.
    pub(super) fn integer(&mut self, what: &str) -> Parsed<u64> {
        let start = self.token.place.start;
        let bits = self.constant()?.bits();
        bits.ok_or_else(|| ParseError::new(self.since(start), format!("{what} is a float, not an integer")))
    }

    /// An integer constant from 0 to `limit`.
    pub(super) fn number(&mut self, what: &str, limit: u32) -> Parsed<u32> {
        let start = self.token.place.start;
        if !self.starts_constant() {
            return Err(self.expected(&format!("a number for {what}")));
        }
        let value = self.constant()?;
        let fitting = value.magnitude().and_then(|value| u32::try_from(value).ok()).filter(|&value| value <= limit);
        fitting.ok_or_else(|| {
            let given = match value {
                Value::Signed(value) => value.to_string(),
                Value::Unsigned(value) => value.to_string(),
                Value::Single(bits) => f32::from_bits(bits).to_string(),
                Value::Double(value) => value.to_string(),
            };
            ParseError::new(self.since(start), format!("{what} is {given}: expected an integer from 0 to {limit}"))
        })
    }

    /// `+4-8...` after a symbol or register: the sum of what follows; 0 if nothing does.
    pub(super) fn offset(&mut self) -> Parsed<i64> {
        let mut sum = 0_i64;
        while let Kind::Mark(sign @ (b'+' | b'-')) = self.token.kind {
            self.advance()?;
            let start = self.token.place.start;
            let term = self.binary(ADDITIVE + 1)?;
            let Some(bits) = term.bits() else {
                return Err(ParseError::new(self.since(start), "an offset is a float, not an integer"));
            };
            let term = bits.cast_signed();
            sum = if sign == b'+' { sum.wrapping_add(term) } else { sum.wrapping_sub(term) };
        }
        Ok(sum)
    }

    /// Whether a constant expression can start with the current token.
    pub(super) fn starts_constant(&self) -> bool {
        match self.token.kind {
            Kind::Number | Kind::Mark(b'+' | b'-' | b'!' | b'~' | b'(') => true,
            Kind::Word => self.text(self.token) == "WARP_SZ",
            _ => false,
        }
    }

    /// Operators that bind at least as tightly as `least`.
    fn binary(&mut self, least: u8) -> Parsed<Value> {
        let mut left = self.unary()?;
        while let Some(precedence) = constant::precedence(self.token.kind).filter(|&found| found >= least) {
            let operator = self.advance()?;
            let right = self.nested(|parser| parser.binary(precedence + 1))?;
            left = located(operator.place, constant::binary(operator.kind, left, right))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Value> {
        match self.token.kind {
            Kind::Mark(mark @ (b'-' | b'+' | b'!' | b'~')) => {
                let place = self.advance()?.place;
                let value = self.nested(Self::unary)?;
                located(place, constant::unary(mark, value))
            }
            Kind::Mark(b'(') => self.parenthesis(),
            Kind::Number => {
                let token = self.advance()?;
                self.literal(token)
            }
            Kind::Word if self.text(self.token) == "WARP_SZ" => {
                self.advance()?;
                Ok(Value::Signed(WARP_SIZE))
            }
            _ => Err(self.expected("a constant")),
        }
    }

    /// The value of a number.
    pub(super) fn literal(&self, token: Token) -> Parsed<Value> {
        located(token.place, constant::literal(self.text(token)))
    }

    fn parenthesis(&mut self) -> Parsed<Value> {
        let open = self.advance()?.place;
        let cast = self.text(self.token);
        if self.token.kind == Kind::Dotted {
            if !matches!(cast, ".s64" | ".u64") {
                return Err(self.expected("`.s64` or `.u64` as a cast"));
            }
            self.advance()?;
            self.expect(b')', "after the cast")?;
            let value = self.nested(Self::unary)?;
            return located(open, constant::cast(cast, value));
        }
        let value = self.constant()?;
        self.expect(b')', "after the expression")?;
        Ok(value)
    }
}

fn located<T>(place: Place, result: Result<T, String>) -> Parsed<T> {
    result.map_err(|message| ParseError::new(place, message))
}
