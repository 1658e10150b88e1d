//! What the command line prints: the files in `cmd/` are commands with their output and exit code.
//! `TRYCMD=overwrite` rewrites them.

#[test]
fn commands() {
    trycmd::TestCases::new().env("NO_COLOR", "1").env("COLUMNS", "100").case("tests/cmd/*.trycmd");
}
