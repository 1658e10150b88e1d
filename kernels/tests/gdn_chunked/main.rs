//! `gdn_chunked`: its dispatcher, its launches, and its WGSL source in the simulator.

mod bits;
mod checked;
mod dispatcher;
mod gates;
mod launches;
mod mistakes;
mod orders;
mod requests;
mod verdicts;

use checked::Case;
use gridproof_kernels::gdn_chunked::{Options, Variant};
use gridproof_launch::Launch;
use gridproof_simulator::Outcome;

/// The launch as it is: WGSL needs no compiler.
#[expect(clippy::unnecessary_wraps, reason = "a compiler could fail")]
fn as_it_is(launch: &Launch) -> Result<Launch, String> {
    Ok(launch.clone())
}

/// Proves a launch and compares it with its expectation and with the model.
#[track_caller]
fn check(variant: Variant, text: &str, options: Options, subgroup_size: u32) -> Outcome {
    let case = Case::new(variant, text, options, subgroup_size);
    case.and_then(|case| case.check(as_it_is)).unwrap_or_else(|error| {
        panic!("{} {text}, subgroups of {subgroup_size}, {}: {error}", variant.name(), options.arithmetic)
    })
}

/// Sizes of subgroups, from the narrowest that four lanes of a row fit in to the whole workgroup.
const SUBGROUPS: [u32; 6] = [4, 8, 16, 32, 64, 128];
