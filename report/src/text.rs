//! Text for terminals: wrapping, numbers, and names from users' files made safe to print.
//!
//! Widths count characters, not columns of wide scripts: a line of those may come out up to twice as wide.

use std::time::Duration;

/// Replaces control characters (terminal escapes, line breaks, text-direction marks) and bounds the length, so
/// that a name from a user's file can neither forge a line of a report nor drown it.
pub fn plain(name: &str) -> String {
    const LONGEST: usize = 200;
    let mut text: String = name.chars().take(LONGEST).map(harmless).collect();
    if name.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}

/// As [`plain`], for text whose length matters (a command line).
pub fn printable(text: &str) -> String {
    text.chars().map(harmless).collect()
}

const fn harmless(c: char) -> char {
    if c.is_ascii_control() || is_control(c) { '\u{fffd}' } else { c }
}

/// Controls beyond ASCII, zero-width characters and text-direction marks.
const fn is_control(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A labelled fact: two spaces, the label filled up to `label_width`, two spaces, and the text with its further
/// lines below its first.
pub fn entry(label: &str, label_width: usize, text: &str, width: usize) -> String {
    let indent = " ".repeat(label_width + 4);
    let mut out = format!("  {label:<label_width$}  ");
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
            out += &indent;
        }
        wrap_line(&mut out, line, width, indent.len(), &indent);
    }
    out
}

/// Breaks lines at spaces so that none is longer than `width` characters, where words allow. Line breaks in
/// `text` stay. Lines after the first start with `indent`; lines that start with four spaces are left alone.
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut out = String::new();
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
            out += if line.is_empty() { "" } else { indent };
        }
        if line.starts_with("    ") {
            out += line;
        } else {
            wrap_line(&mut out, line, width, if number > 0 { indent.chars().count() } else { 0 }, indent);
        }
    }
    out
}

fn wrap_line(out: &mut String, line: &str, width: usize, mut column: usize, indent: &str) {
    let mut first = true;
    for word in line.split(' ') {
        let length = word.chars().count();
        if !first && column + 1 + length > width {
            out.push('\n');
            out.push_str(indent);
            column = indent.chars().count();
        } else if !first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        first = false;
    }
}

/// A whole number with commas between thousands.
pub fn number(value: impl Into<i128>) -> String {
    let value = value.into();
    let digits = value.unsigned_abs().to_string();
    let mut out = String::from(if value < 0 { "-" } else { "" });
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 element`, `2 elements`.
pub fn count(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(value), if value == 1 { "" } else { "s" })
}

/// Seconds with two decimals, or milliseconds below one second.
pub fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

/// Bytes in the largest binary unit that leaves at least one.
pub fn bytes(value: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (size, unit) in units {
        if value >= size {
            let tenths = u128::from(value) * 10 / u128::from(size);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    count(value, "byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_commas() {
        for (value, text) in [(0_i64, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn long_lines_break_at_spaces() {
        assert_eq!(wrap("one two three four", 9, "  "), "one two\n  three\n  four");
        assert_eq!(wrap("incomprehensibilities", 4, ""), "incomprehensibilities");
        assert_eq!(wrap("a b\n    as it is here", 3, ""), "a b\n    as it is here");
    }

    #[test]
    fn entries_hang_below_their_first_line() {
        assert_eq!(entry("a", 3, "one two\nthree", 12), "  a    one\n       two\n       three");
        assert_eq!(entry("", 3, "one two", 12), "       one\n       two");
    }

    #[test]
    fn hostile_names_are_defused() {
        assert_eq!(plain("a\u{1b}[31mb\nc\u{202e}"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}");
        assert_eq!(plain(&"x".repeat(300)).chars().count(), 201);
    }

    #[test]
    fn sizes_pick_their_unit() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "17179869183.9 GiB");
    }
}
