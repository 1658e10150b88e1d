//! Words, numbers and marks of a PTX text (PTX ISA, "Lexical Elements").
//!
//! A token is a kind and a place; what a number is worth is worked out only where it is used. Modifiers such as
//! `.shared::cta`, `.v4` and `.2d` are one token each. A name and its `.x` are two, because `ld.param` and `%tid.x`
//! look alike: the parser knows which it reads. `%` before a letter or digit starts a name, as in the longest match
//! of the PTX ISA's own grammar: a remainder needs a space.

use super::ParseError;
use crate::cast;
use crate::frontend::ptx::ast::Place;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or opcode.
    Word,
    /// `.word`.
    Dotted,
    /// Anything that starts with a digit.
    Number,
    /// `"..."`.
    Text,
    /// A mark of one character.
    Mark(u8),
    /// An operator of two characters.
    Operator([u8; 2]),
    /// Nothing follows.
    End,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// Where in the text the next token starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    /// Starts at the first byte. NUL bytes at the end, which buffers of C programs leave behind, are not text.
    pub(super) fn new(text: &'t str) -> Self {
        Self { text: text.trim_end_matches('\0'), at: 0 }
    }

    /// The text of a place.
    pub(super) fn slice(&self, place: Place) -> &'t str {
        self.text.get(cast::at(place.start)..cast::at(place.end)).unwrap_or_default()
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Result<Token, ParseError> {
        self.skip_blanks()?;
        let start = self.at;
        let Some(first) = self.byte(0) else { return Ok(self.token(Kind::End, start)) };
        let kind = match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'$' | b'%' if self.byte(1).is_some_and(is_word) => self.word(),
            b'.' if self.byte(1).is_some_and(is_word) => self.dotted(),
            b'0'..=b'9' => self.number(first),
            b'"' => self.string()?,
            _ => self.mark(first)?,
        };
        Ok(self.token(kind, start))
    }

    /// Skips to behind the `}` that closes the `{` at `open`, which was read already, whatever stands between.
    pub(super) fn skip_braces(&mut self, open: Place) -> Result<(), ParseError> {
        let mut depth = 1_u32;
        while depth > 0 {
            match self.byte(0) {
                Some(b'{') => depth = depth.saturating_add(1),
                Some(b'}') => depth -= 1,
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'/') => {
                    let before = self.at;
                    self.skip_blanks()?;
                    if self.at > before {
                        continue;
                    }
                }
                Some(_) => {}
                None => return Err(ParseError::new(open, "`{` is never closed")),
            }
            self.at += 1;
        }
        Ok(())
    }

    fn token(&self, kind: Kind, start: usize) -> Token {
        Token { kind, place: Place { start: cast::narrow(start), end: cast::narrow(self.at) } }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = self.rest();
        self.at += rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
    }

    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            self.take(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C));
            match (self.byte(0), self.byte(1)) {
                (Some(b'/'), Some(b'/')) => self.take(|byte| byte != b'\n'),
                (Some(b'/'), Some(b'*')) => self.block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), ParseError> {
        let body = self.rest().get(2..).unwrap_or_default();
        let Some(length) = body.windows(2).position(|pair| pair == b"*/") else {
            let start = cast::narrow(self.at);
            return Err(ParseError::new(Place { start, end: start.saturating_add(2) }, "`/*` is never closed"));
        };
        self.at += length + 4;
        Ok(())
    }

    fn word(&mut self) -> Kind {
        self.at += 1;
        self.take(is_word);
        Kind::Word
    }

    fn dotted(&mut self) -> Kind {
        self.at += 1;
        self.take(is_word);
        while self.rest().starts_with(b"::") && self.byte(2).is_some_and(is_word) {
            self.at += 2;
            self.take(is_word);
        }
        Kind::Dotted
    }

    fn number(&mut self, first: u8) -> Kind {
        let radix =
            first == b'0' && matches!(self.byte(1), Some(b'x' | b'X' | b'b' | b'B' | b'f' | b'F' | b'd' | b'D'));
        if !radix {
            self.take(|byte| byte.is_ascii_digit());
            if self.byte(0) == Some(b'.') {
                self.at += 1;
                self.take(|byte| byte.is_ascii_digit());
            }
            let sign = matches!(self.byte(1), Some(b'+' | b'-')) && self.byte(2).is_some_and(|b| b.is_ascii_digit());
            if matches!(self.byte(0), Some(b'e' | b'E')) && sign {
                self.at += 2;
            }
        }
        self.take(is_word);
        Kind::Number
    }

    fn string(&mut self) -> Result<Kind, ParseError> {
        let start = self.at;
        self.at += 1;
        loop {
            self.take(|byte| !matches!(byte, b'"' | b'\\' | b'\n'));
            match self.byte(0) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Kind::Text);
                }
                Some(b'\\') if self.byte(1).is_some_and(|byte| byte != b'\n') => self.at += 2,
                _ => {
                    let start = cast::narrow(start);
                    let place = Place { start, end: start.saturating_add(1) };
                    return Err(ParseError::new(place, "`\"` is not closed on its line"));
                }
            }
        }
    }

    fn mark(&mut self, first: u8) -> Result<Kind, ParseError> {
        let pair = [first, self.byte(1).unwrap_or_default()];
        if matches!(&pair, b"<<" | b">>" | b"<=" | b">=" | b"==" | b"!=" | b"&&" | b"||") {
            self.at += 2;
            return Ok(Kind::Operator(pair));
        }
        match first {
            b';' | b',' | b':' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'=' | b'+' | b'-' | b'*'
            | b'/' | b'%' | b'&' | b'|' | b'^' | b'~' | b'!' | b'?' | b'@' => {
                self.at += 1;
                Ok(Kind::Mark(first))
            }
            _ => Err(self.stray()),
        }
    }

    fn stray(&self) -> ParseError {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let character = rest.chars().next().unwrap_or_default();
        let start = cast::narrow(self.at);
        let place = Place { start, end: start.saturating_add(cast::narrow(character.len_utf8())) };
        match character {
            '#' => ParseError::unsupported(place, "preprocessor directives"),
            _ if character.is_control() => ParseError::new(place, format!("stray byte 0x{:02x}", u32::from(character))),
            _ if character.is_ascii() => ParseError::new(place, format!("stray character `{character}`")),
            _ => ParseError::new(place, format!("stray character `{}`", character.escape_debug())),
        }
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}
