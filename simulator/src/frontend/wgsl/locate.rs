//! From naga's byte spans to lines, columns and interned [`Span`]s.
//!
//! Columns count characters, from 1. A SPIR-V module has no text: its spans keep naga's byte offsets into the
//! binary, so that two places stay two places, with line and column 0.

use std::collections::HashMap;

pub(super) use crate::frontend::source::{Source, saturating};
use crate::ir::{Span, SpanId};
use crate::outcome::SimulateError;

impl Source {
    /// Line and column where a span starts; zeros where it is undefined.
    pub(super) fn position(&self, span: naga::Span) -> (u32, u32) {
        span.to_range().map_or((0, 0), |range| self.line_column(range.start))
    }

    /// An error about the module itself.
    pub(super) fn error(&self, span: naga::Span, message: impl Into<String>) -> SimulateError {
        self.error_at(self.position(span), message)
    }

    /// A construct that the simulator does not model.
    pub(super) fn unsupported(&self, span: naga::Span, construct: impl Into<String>) -> SimulateError {
        self.unsupported_at(self.position(span), construct)
    }
}

/// All spans of a program, each kept once.
#[derive(Debug, Default)]
pub(super) struct Spans {
    list: Vec<Span>,
    known: HashMap<Span, SpanId>,
}

impl Spans {
    /// The id of naga's span, inlined for `call`. An undefined span becomes one without a place.
    pub(super) fn intern(&mut self, source: &Source, span: naga::Span, call: Option<SpanId>) -> SpanId {
        let range = span.to_range().unwrap_or(0..0);
        let (line, column) = source.position(span);
        let (start, end) = (saturating(range.start), saturating(range.end));
        let span = Span { file: 0, line, column, start, end, inlined_at: call };
        let next = SpanId(saturating(self.list.len()));
        *self.known.entry(span).or_insert_with(|| {
            self.list.push(span);
            next
        })
    }

    pub(super) fn get(&self, id: SpanId) -> Span {
        usize::try_from(id.0).ok().and_then(|at| self.list.get(at)).copied().unwrap_or_default()
    }

    pub(super) fn into_list(self) -> Vec<Span> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        let source = Source::new("a.wgsl", Some("é x\n  y".into()));
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(3), (1, 3));
        assert_eq!(source.line_column(7), (2, 3));
        assert_eq!(source.line_column(99), (2, 4));
    }

    #[test]
    fn columns_of_long_lines_count_every_character() {
        let text = "aé€\n".to_owned() + &"é€x".repeat(2000);
        let source = Source::new("a.wgsl", Some(text.as_str().into()));
        for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let before = &text[..at];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|&character| character != '\n').count() + 1;
            assert_eq!(source.line_column(at), (saturating(line), saturating(column)), "byte {at}");
        }
    }

    #[test]
    fn without_a_text_there_is_no_line() {
        assert_eq!(Source::new("a.spv", None).position(naga::Span::new(20, 24)), (0, 0));
    }
}
