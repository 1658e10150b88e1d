//! `gdn_chunked`: its dispatcher, its launches, and its WGSL source in the simulator.

mod bits;
mod checked;
mod dispatcher;
mod launches;
mod mistakes;
mod orders;
mod requests;
mod verdicts;

use checked::Case;
use gridproof_kernels::gdn_chunked::{Options, Variant};
use gridproof_simulator::Outcome;

/// Proves a launch and compares it with its expectation and with the model.
#[track_caller]
fn check(variant: Variant, text: &str, options: Options, subgroup_size: u32) -> Outcome {
    let case = Case::new(variant, text, options, subgroup_size);
    case.and_then(|case| case.check()).unwrap_or_else(|error| {
        panic!("{} {text}, subgroups of {subgroup_size}, {}: {error}", variant.name(), options.arithmetic)
    })
}
