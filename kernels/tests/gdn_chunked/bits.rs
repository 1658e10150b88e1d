//! The WGSL source has the model's bits, and touches nothing else.

use gridproof_kernels::gdn_chunked::{Options, Variant};

use super::check;
use super::checked::{PROFILES, SUBGROUPS};

const PATHS: [Variant; 2] = [Variant::Chunked, Variant::Serial];

/// Here and below, the second of two heads hardly decays, so that what the state knows shows in every bit.
#[test]
fn lengths_around_a_chunk() {
    for (number, t) in [1, 2, 3, 4, 31, 32, 33].into_iter().enumerate() {
        for variant in PATHS {
            let options = Options { arithmetic: PROFILES[number % 4], ..Options::default() };
            check(variant, &format!("t={t},decay=strong"), options, [32, 8][number % 2]);
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

/// Sequences of other lengths end earlier: they have no chunk where the longest one has its last.
#[test]
fn sequences_of_equal_and_of_other_lengths() {
    for variant in PATHS {
        for text in ["t=5,seqs=2", "t=33+2,decay=strong,c=16", "t=1+20+3+16,decay=strong,c=16"] {
            check(variant, text, Options::default(), 32);
        }
    }
}

#[test]
fn heads_and_hidden_vectors_of_every_kind() {
    for variant in PATHS {
        for text in ["t=5,h=1,hv=1", "t=5,h=2,hv=2", "t=5,h=1,hv=3", "t=5,h=2,hv=4", "t=3,hv=1,d=640"] {
            check(variant, text, Options::default(), 32);
        }
    }
}

/// Decays down to e^-88 and far below within a chunk, and hardly any: by heads.
#[test]
fn strong_decays_and_states_of_zeros() {
    for variant in PATHS {
        for text in ["t=33,hv=3,decay=strong", "t=18,hv=3,decay=strong,c=16", "t=18,hv=1,state=zero,c=16"] {
            check(variant, text, Options::default(), 32);
        }
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
