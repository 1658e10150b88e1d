//! Broken texts: whatever is cut, changed, dropped or repeated, parsing ends with a tree or an error inside the text.

use proptest::prelude::*;

use super::{EVERY_FORM, kernel, parse, round_trip};
use crate::cast;
use crate::frontend::ptx::parse::lexer::{Kind, Lexer};

/// Parses a text that may be broken, on a stack that hostile nesting would exhaust.
fn survives(text: &str) {
    match parse(text) {
        Ok(module) => round_trip(&module),
        Err(error) => {
            let (start, end) = (cast::at(error.place.start), cast::at(error.place.end));
            assert!(start <= end && end <= text.len(), "{error:?} of {} bytes", text.len());
            assert!(text.is_char_boundary(start), "{error:?}");
            assert!(!error.message.is_empty());
        }
    }
}

/// The tokens of [`EVERY_FORM`], as text.
fn tokens() -> Vec<&'static str> {
    let mut lexer = Lexer::new(EVERY_FORM);
    let mut found = Vec::new();
    while let Ok(token) = lexer.next() {
        if token.kind == Kind::End {
            break;
        }
        found.push(lexer.slice(token.place));
    }
    found
}

#[test]
fn every_truncation_ends() {
    for length in 0..=EVERY_FORM.len() {
        survives(&EVERY_FORM[..length]);
    }
}

#[test]
fn every_single_byte_can_be_lost_or_turned() {
    for at in 0..EVERY_FORM.len() {
        let (before, after) = (&EVERY_FORM[..at], &EVERY_FORM[at + 1..]);
        for middle in ["", "{", "}", "\"", "0", "é"] {
            survives(&format!("{before}{middle}{after}"));
        }
    }
}

#[test]
fn nesting_cannot_exhaust_a_small_stack() {
    let bombs = |depth: usize| {
        let nested = |open: &str, middle: &str, close: &str| open.repeat(depth) + middle + &close.repeat(depth);
        [
            kernel(&nested("{", "", "}")),
            kernel(&format!("mov {};", nested("{", "a", "}"))),
            kernel(&format!("mov {};", nested("(", "1", ")"))),
            kernel(&format!("mov {};", nested("1||1&&(1|1^1&1==1<1<<1+1*", "1", ")"))),
            kernel(&format!("mov {};", nested("~ ", "1", ""))),
            kernel(&format!("mov {};", nested("(.u64)", "1", ""))),
            kernel(&format!("mov {};", nested("1 ? 1 : ", "1", ""))),
            kernel(&format!("mov {};", nested("[a, ", "b", "]"))),
            kernel(&format!("call {};", nested("(", "b", ")"))),
            format!(".version 8.0 .global .u32 x = {};", nested("{", "1", "}")),
        ]
    };
    let texts: Vec<String> = [20, 250, 300, 100_000].into_iter().flat_map(bombs).collect();
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    let parsed = thread.spawn(move || texts.iter().filter(|text| parse(text).is_ok()).count()).unwrap().join();
    assert!((12..20).contains(&parsed.unwrap()));
}

#[test]
fn long_chains_are_no_nesting() {
    assert!(parse(&kernel(&format!("mov 1{};", " + 1".repeat(100_000)))).is_ok());
    assert!(parse(&kernel(&"{ }".repeat(10_000))).is_ok());
    assert!(parse(&kernel(&format!("mov [a{}];", "+4".repeat(100_000)))).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn edited_bytes_end(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0..4_u8), 1..8)) {
        let mut text: Vec<char> = EVERY_FORM.chars().collect();
        for (at, character, kind) in edits {
            let at = at.index(text.len());
            match kind {
                0 => text.insert(at, character),
                1 => text[at] = character,
                2 => text[at] = char::from(EVERY_FORM.as_bytes()[at / 2]),
                _ => drop(text.remove(at)),
            }
        }
        survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn moved_tokens_end(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8), 1..6)) {
        let mut text = tokens();
        for (at, other, kind) in edits {
            let (at, other) = (at.index(text.len()), other.index(text.len()));
            match kind {
                0 => drop(text.remove(at)),
                1 => text.insert(at, text[at]),
                2 => text.swap(at, other),
                _ => text.insert(at, text[other]),
            }
        }
        survives(&text.join(" "));
    }

    #[test]
    fn random_tokens_end(picks in prop::collection::vec(any::<prop::sample::Index>(), 0..200)) {
        let tokens = tokens();
        let text: Vec<&str> = picks.iter().map(|pick| tokens[pick.index(tokens.len())]).collect();
        survives(&format!(".version 8.0 {}", text.join(" ")));
        survives(&kernel(&text.join(" ")));
    }
}
