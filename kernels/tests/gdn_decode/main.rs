//! `gdn_decode`: its dispatcher, its launches, and its WGSL source in the simulator.

mod bits;
mod checked;

use checked::Case;
use gridproof_kernels::gdn_decode::{Options, Variant};
use gridproof_launch::Launch;

/// Proves a launch and compares it with its expectation and with the model.
#[track_caller]
fn check(variant: Variant, text: &str, options: Options, subgroup_size: u32) {
    let case = Case::new(variant, text, options, subgroup_size);
    let checked = case.and_then(|case| case.check(|launch: &Launch| Ok(launch.clone())));
    if let Err(error) = checked {
        panic!("{} {text}, subgroups of {subgroup_size}, {}: {error}", variant.name(), options.arithmetic);
    }
}
