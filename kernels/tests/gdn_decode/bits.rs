//! The WGSL source has the model's bits, and touches nothing else.

use gridproof_kernels::gdn_decode::Options;

use super::check;
use super::checked::{PROFILES, cases};

/// Every case under two subgroup sizes in turns, so that both reductions see half of the list and more.
#[test]
fn every_case_has_the_bits_of_the_model() {
    let cases = cases();
    assert!(cases.len() > 100, "{}", cases.len());
    for (number, (variant, text)) in cases.iter().enumerate() {
        let sizes = [[32, 8], [64, 16]][number % 2];
        for (which, subgroup_size) in sizes.into_iter().enumerate() {
            let arithmetic = PROFILES[(number / 2 + which) % 4];
            check(*variant, text, Options { arithmetic, ..Options::default() }, subgroup_size);
        }
    }
}
