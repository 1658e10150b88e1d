//! The text of a module, and where a byte of it is.
//!
//! Columns count characters, from 1. A module without a text has line and column 0 everywhere.

use std::sync::Arc;

use crate::outcome::{SimulateError, Unsupported};

/// The source of one module, ready to answer "where is this byte".
#[derive(Clone, Debug)]
pub(in crate::frontend) struct Source {
    /// Name for reports.
    pub(in crate::frontend) name: String,
    /// Text, where the module has one.
    pub(in crate::frontend) text: Option<Arc<str>>,
    line_starts: Vec<usize>,
    /// Characters that start before each whole [`STRIDE`] of bytes, so that a place in a line of megabytes is found at once.
    characters: Vec<usize>,
}

/// Bytes that are counted through at most, per place.
const STRIDE: usize = 1024;

impl Source {
    pub(in crate::frontend) fn new(name: &str, text: Option<Arc<str>>) -> Self {
        let mut line_starts = vec![0];
        if let Some(text) = &text {
            line_starts.extend(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1));
        }
        let bytes = text.as_deref().unwrap_or_default().as_bytes();
        let characters = bytes.chunks(STRIDE).scan(0, |before, chunk| {
            let here = *before;
            *before += starts(chunk);
            Some(here)
        });
        let characters = characters.collect();
        Self { name: name.to_owned(), text, line_starts, characters }
    }

    /// Line and column of a byte, both counted from 1; zeros without a text.
    pub(in crate::frontend) fn line_column(&self, byte: usize) -> (u32, u32) {
        let Some(text) = &self.text else { return (0, 0) };
        let line = self.line_starts.partition_point(|&start| start <= byte).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = self.characters_before(text, byte.min(text.len()));
        let characters = before.saturating_sub(self.characters_before(text, start));
        (saturating(line), saturating(characters + 1))
    }

    /// Characters that start before a byte.
    fn characters_before(&self, text: &str, byte: usize) -> usize {
        let chunk = (byte / STRIDE).min(self.characters.len().saturating_sub(1));
        let rest = text.as_bytes().get(chunk * STRIDE..byte).unwrap_or_default();
        self.characters.get(chunk).copied().unwrap_or(0) + starts(rest)
    }

    /// An error about the module itself.
    pub(in crate::frontend) fn error_at(&self, at: (u32, u32), message: impl Into<String>) -> SimulateError {
        let (line, column) = at;
        SimulateError::Module { file: self.name.clone(), line, column, message: message.into() }
    }

    /// A construct that the simulator does not model.
    pub(in crate::frontend) fn unsupported_at(&self, at: (u32, u32), construct: impl Into<String>) -> SimulateError {
        let (line, column) = at;
        SimulateError::Unsupported(Unsupported { construct: construct.into(), file: self.name.clone(), line, column })
    }
}

/// Characters that start in these bytes of UTF-8.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

/// A count or offset as 32 bits; modules longer than that do not exist in practice.
pub(in crate::frontend) fn saturating(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
