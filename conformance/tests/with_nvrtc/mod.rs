//! Tests that need NVRTC.
//!
//! Without it, every test is listed as ignored with the reason `skipped: ...` in front of its name; with
//! `GRIDPROOF_REQUIRE_NVRTC=1` every test fails.

use gridproof_conformance::cuda::unavailable;
use libtest_mimic::{Arguments, Failed, Trial};

/// A test and its name.
pub type Test = (&'static str, fn() -> Result<(), Failed>);

/// Runs tests as the command line asks for, and ends the process.
pub fn run(tests: &'static [Test]) -> ! {
    let arguments = Arguments::from_args();
    let required = std::env::var("GRIDPROOF_REQUIRE_NVRTC").is_ok_and(|value| value == "1");
    let missing = unavailable().map(ToString::to_string);
    let trials = tests.iter().map(|(name, test)| match missing.clone() {
        None => Trial::test(*name, test),
        Some(reason) => {
            let kind = format!("skipped: {reason}");
            Trial::test(*name, move || Err(reason.into())).with_kind(kind).with_ignored_flag(!required)
        }
    });
    libtest_mimic::run(&arguments, trials.collect()).exit()
}
