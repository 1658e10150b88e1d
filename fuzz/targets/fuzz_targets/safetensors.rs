//! Tensor files.
#![no_main]

use gridproof_fuzz::input::text::Parser;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gridproof_fuzz_targets::check(Parser::Safetensors, bytes));
