//! Where a span lies in a source text: ranges that are safe to cut, whatever the span says.
//!
//! Spans come from front ends and from read-back files, so an offset may lie outside the text, inside a
//! character, or be missing while line and column are known.

use std::ops::Range;

use gridproof_simulator::ir::{SourceFile, Span};

/// The file of a span.
pub fn file(span: Span, files: &[SourceFile]) -> Option<&SourceFile> {
    usize::try_from(span.file).ok().and_then(|index| files.get(index))
}

/// The byte range of a span in its text, never longer than the rest of its first line; `None` when the text has
/// no such place.
pub fn range(span: Span, text: &str) -> Option<Range<usize>> {
    let start = usize::try_from(span.start).ok()?;
    let end = usize::try_from(span.end).ok()?;
    let known = start < end && end <= text.len() && text.is_char_boundary(start) && text.is_char_boundary(end);
    let range = if known { start..end } else { at_line(span, text)? };
    let line = text.get(range.clone())?.find('\n').unwrap_or(range.len());
    Some(range.start..range.start + line)
}

/// The word at the span's line and column.
fn at_line(span: Span, text: &str) -> Option<Range<usize>> {
    let line_number = usize::try_from(span.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(span.column).ok()?.saturating_sub(1);
    let line = text.split_inclusive('\n').nth(line_number)?;
    let start: usize = text.split_inclusive('\n').take(line_number).map(str::len).sum();
    let content = line.trim_end_matches(['\n', '\r']);
    let offset = content.char_indices().nth(column).map_or(content.len(), |(offset, _)| offset);
    let word = content.get(offset..)?;
    let length = word.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(word.len());
    let first = word.chars().next().map_or(0, char::len_utf8);
    Some(start + offset..start + offset + length.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "let größe = 1;\nstore(x);\n";

    fn check(span: Span, expected: Option<&str>) {
        assert_eq!(range(span, TEXT).map(|range| &TEXT[range]), expected, "{span:?}");
    }

    #[test]
    fn byte_offsets_are_used_where_they_fit() {
        check(Span { start: 4, end: 11, ..Span::default() }, Some("größe"));
        check(Span { start: 0, end: 22, ..Span::default() }, Some("let größe = 1;"));
    }

    #[test]
    fn line_and_column_help_where_offsets_do_not() {
        let at = |line, column| Span { line, column, start: 9999, end: 99999, ..Span::default() };
        check(at(1, 5), Some("größe"));
        check(at(2, 6), Some("("));
        check(at(2, 99), Some(""));
        check(at(9, 1), None);
        check(Span { start: 7, end: 8, line: 2, column: 1, ..Span::default() }, Some("store"));
        check(Span::default(), None);
    }
}
