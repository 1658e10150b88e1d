//! What every part of the parser stands on: the current token, and what to say when it is the wrong one.

use std::collections::HashSet;

use super::ParseError;
use super::constant::shorten;
use super::lexer::{Kind, Lexer, Token};
use crate::frontend::ptx::ast::{Name, Place};

/// Deepest nesting of braces, brackets and operators. Recursive code follows the text no deeper than this.
const NESTING: u32 = 256;

/// Result of parsing one part.
pub(super) type Parsed<T> = Result<T, ParseError>;

/// A place in the text, one token read ahead.
#[derive(Debug)]
pub(super) struct Parser<'t> {
    pub(super) lexer: Lexer<'t>,
    /// The token that is looked at.
    pub(super) token: Token,
    /// One past the last byte of the token before it.
    pub(super) end: u32,
    depth: u32,
    /// Scope, and the number of scopes so far; names are unique in each.
    scope: u32,
    scopes: u32,
    declared: HashSet<(u32, &'t str, bool)>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str) -> Parsed<Self> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        Ok(Self { lexer, token, end: 0, depth: 0, scope: 0, scopes: 0, declared: HashSet::new() })
    }

    /// Steps to the next token and gives the one before.
    pub(super) fn advance(&mut self) -> Parsed<Token> {
        let before = self.token;
        self.token = self.lexer.next()?;
        self.end = before.place.end;
        Ok(before)
    }

    /// The token after the current one.
    pub(super) fn peek(&self) -> Parsed<Token> {
        self.lexer.clone().next()
    }

    /// The text of a token.
    pub(super) fn text(&self, token: Token) -> &'t str {
        self.lexer.slice(token.place)
    }

    /// The current token's word, without the dot if it has one.
    pub(super) fn dotted(&self) -> Option<&'t str> {
        match self.token.kind {
            Kind::Dotted => self.text(self.token).get(1..),
            _ => None,
        }
    }

    /// Whether the current token is this mark.
    pub(super) fn at(&self, mark: u8) -> bool {
        self.token.kind == Kind::Mark(mark)
    }

    /// Whether the current token starts where the one before it ended.
    pub(super) fn adjacent(&self) -> bool {
        self.token.place.start == self.end
    }

    /// Steps over this mark if it is the current token.
    pub(super) fn take(&mut self, mark: u8) -> Parsed<bool> {
        let found = self.at(mark);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Steps over this mark; `when` says in words where it belongs ("after the instruction").
    pub(super) fn expect(&mut self, mark: u8, when: &str) -> Parsed<Token> {
        if self.at(mark) {
            return self.advance();
        }
        Err(self.expected_mark(mark, when))
    }

    #[cold]
    fn expected_mark(&self, mark: u8, when: &str) -> ParseError {
        self.expected(&format!("`{}` {when}", char::from(mark)))
    }

    /// Steps over a word.
    pub(super) fn name(&mut self, what: &str) -> Parsed<Name<'t>> {
        if self.token.kind != Kind::Word {
            return Err(self.expected(what));
        }
        let token = self.advance()?;
        Ok(Name { text: self.text(token), place: token.place })
    }

    /// "expected ..., found ..." at the current token.
    #[cold]
    pub(super) fn expected(&self, what: &str) -> ParseError {
        ParseError::new(self.token.place, format!("expected {what}, found {}", self.found()))
    }

    /// The current token for a message.
    pub(super) fn found(&self) -> String {
        match self.token.kind {
            Kind::End => "the end of the text".to_owned(),
            _ => format!("`{}`", shorten(self.text(self.token))),
        }
    }

    /// From a first byte to the end of the last token.
    pub(super) const fn since(&self, start: u32) -> Place {
        Place { start, end: self.end }
    }

    /// Parses one level deeper.
    pub(super) fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= NESTING {
            return Err(ParseError::new(self.token.place, format!("nesting is deeper than {NESTING} levels")));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    /// Parses in a scope of names of its own.
    pub(super) fn scoped<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let outer = self.scope;
        self.scopes = self.scopes.saturating_add(1);
        self.scope = self.scopes;
        let result = part(self);
        self.scope = outer;
        result
    }

    /// Notes a name of the current scope. `%r<5>` and `%r` are different names.
    pub(super) fn declare(&mut self, what: &str, name: Name<'t>, parameterised: bool) -> Parsed<()> {
        if name.text == "_" || self.declared.insert((self.scope, name.text, parameterised)) {
            return Ok(());
        }
        Err(ParseError::new(name.place, format!("{what} `{}` is declared twice in its scope", shorten(name.text))))
    }
}
