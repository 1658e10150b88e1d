//! From text to syntax tree: PTX ISA 6.0 to 9.x, by recursive descent.
//!
//! Each token is looked at once, so the time is linear in the text; nesting is limited, so a hostile text cannot
//! exhaust the stack. Constant expressions are folded here (`constant`). Checked beyond the grammar: names that are
//! declared twice in one scope. Whether opcodes, modifiers, operands and registers fit together is the lowering's
//! business. Not kept: the contents of `.section`s, call prototypes, what a `.ptr` parameter points to.

mod constant;
mod cursor;
mod directive;
mod expression;
mod function;
mod lexer;
mod operand;
mod statement;
#[cfg(test)]
mod tests;
mod variable;

use super::ast::{Module, Place};
use crate::cast;

/// Longest text, in bytes.
const LENGTH: usize = 64 << 20;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Where.
    pub place: Place,
    /// What, in lower case, with the value and the limit.
    pub message: String,
    /// The text may be right, but uses what is not supported.
    pub unsupported: bool,
}

impl ParseError {
    fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), unsupported: false }
    }

    fn unsupported(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), unsupported: true }
    }
}

/// Parses a whole module.
///
/// # Errors
/// The first thing wrong with the text, and where.
pub fn parse(text: &str) -> Result<Module<'_>, ParseError> {
    if text.len() > LENGTH {
        let place = Place { start: cast::narrow(LENGTH), end: cast::narrow(LENGTH) };
        let message = format!("a module of {} bytes: the limit is {LENGTH}", text.len());
        return Err(ParseError::unsupported(place, message));
    }
    cursor::Parser::new(text)?.module()
}
