//! The `gridproof` binary.
fn main() {}
