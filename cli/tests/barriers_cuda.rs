//! The barriers that `gdn_chunked` lacks, in CUDA C++: both engines name the same two lines.

mod engines;
#[path = "../../conformance/tests/with_nvrtc/mod.rs"]
mod with_nvrtc;

use engines::{VARIANTS, launch, same_lines};
use gridproof_conformance::cuda::compiled;
use gridproof_launch::Language;
use libtest_mimic::Failed;
use with_nvrtc::Test;

const TESTS: &[Test] = &[("both_engines_name_the_same_two_lines", same)];

fn main() {
    with_nvrtc::run(TESTS);
}

fn same() -> Result<(), Failed> {
    for lacking in VARIANTS {
        let (variant, shape, ..) = lacking;
        let launch = launch(variant, shape, 32, Language::Cuda);
        same_lines(lacking, compiled(&launch)?.as_ref(), 32, 4);
    }
    Ok(())
}
