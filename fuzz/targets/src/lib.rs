//! What every target does: hands its bytes to one parser, and ends with a panic where the oracle says that something fails.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::LazyLock;

use gridproof_fuzz::input::text::Parser;
use gridproof_fuzz::input::{Input, ParserText};
use gridproof_fuzz::oracle::{Bench, Trial};

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    // Kept for as long as the process lives, and left behind by libFuzzer, which ends it without unwinding.
    let folder: Option<PathBuf> = tempfile::tempdir().ok().map(tempfile::TempDir::keep);
    Bench { scratch: folder, ..Bench::default() }
});

/// Gives the bytes to a parser.
///
/// # Panics
/// Where something does not hold: that is what libFuzzer looks for.
pub fn check(parser: Parser, bytes: &[u8]) {
    if let Trial::Fails(failure) = BENCH.try_input(&Input::Text(ParserText { parser, bytes: bytes.to_vec() })) {
        panic!("{}: {}", failure.signature(), failure.message);
    }
}
