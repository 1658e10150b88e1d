//! The WGSL source has the model's bits, and touches nothing else.

use gridproof_kernels::gdn_chunked::{Options, Variant};

use super::checked::{PROFILES, SHAPES};
use super::{SUBGROUPS, check};

const PATHS: [Variant; 2] = [Variant::Chunked, Variant::Serial];

#[test]
fn every_case_has_the_bits_of_the_model() {
    for (number, text) in SHAPES.iter().enumerate() {
        for (which, variant) in PATHS.into_iter().enumerate() {
            let options = Options { arithmetic: PROFILES[(number + which) % 4], ..Options::default() };
            check(variant, text, options, [32, 8, 16][number % 3]);
        }
    }
}

#[test]
fn chunks_of_every_size() {
    for (number, c) in [16, 32, 64].into_iter().enumerate() {
        let options = Options { arithmetic: PROFILES[number], ..Options::default() };
        check(Variant::Chunked, &format!("t=77,decay=strong,c={c}"), options, 32);
        check(Variant::Chunked, &format!("t={},hv=1,c={c}", c + 1), options, 16);
    }
}

#[test]
fn every_profile_in_subgroups_of_every_size() {
    for arithmetic in PROFILES {
        for subgroup_size in SUBGROUPS {
            for variant in PATHS {
                check(variant, "t=3+1,hv=1,decay=strong", Options { arithmetic, ..Options::default() }, subgroup_size);
            }
        }
    }
}
