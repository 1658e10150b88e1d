//! Which kernels run over which grids.

use gridproof_kernels::gdn_chunked::{Step, steps};
use gridproof_reference::gdn_chunked::{Path, Shape, Sizes};

fn shape(lengths: &[u32], h: u32, hv: u32, c: u32) -> Shape {
    let sizes = Sizes { lengths: lengths.to_vec(), h, hv, k: 128, v: 128, d: 128, c };
    Shape::new(sizes).unwrap_or_else(|error| panic!("{error}"))
}

type Facts = (&'static str, [u64; 3], Option<u32>);

fn facts(lengths: &[u32], h: u32, hv: u32, c: u32, path: Path) -> Vec<Facts> {
    let fact = |step: Step| (step.entry, step.grid, step.index);
    steps(&shape(lengths, h, hv, c), path).into_iter().map(fact).collect()
}

#[test]
fn chunks_and_sequences_are_the_grids() {
    let wanted: [Facts; 10] = [
        ("materialize", [7, 4, 1], None),
        ("conv_state_update", [3, 8, 1], None),
        ("solve", [7, 4, 1], None),
        ("residual_output", [3, 4, 4], Some(0)),
        ("state_update", [3, 4, 4], Some(0)),
        ("residual_output", [3, 4, 4], Some(1)),
        ("state_update", [3, 4, 4], Some(1)),
        ("residual_output", [3, 4, 4], Some(2)),
        ("state_update", [3, 4, 4], Some(2)),
        ("norm_silu", [82, 4, 1], None),
    ];
    assert_eq!(facts(&[16, 33, 33], 2, 4, 16, Path::Chunked), wanted);
    let wanted: [Facts; 4] = [
        ("materialize", [3, 3, 1], None),
        ("conv_state_update", [2, 5, 1], None),
        ("recurrent", [2, 3, 4], None),
        ("norm_silu", [66, 3, 1], None),
    ];
    assert_eq!(facts(&[2, 64], 1, 3, 32, Path::Serial), wanted);
}

#[test]
fn two_dispatches_for_every_chunk_of_the_longest_sequence() {
    for (lengths, c, chunks) in
        [(&[1][..], 16, 1), (&[16], 16, 1), (&[17], 16, 2), (&[64, 1, 65], 64, 2), (&[1009], 32, 32), (&[31; 5], 32, 1)]
    {
        let facts = facts(lengths, 1, 1, c, Path::Chunked);
        assert_eq!(facts.len(), 4 + 2 * chunks, "{lengths:?}");
        let indices = facts.iter().filter(|(entry, ..)| *entry == "state_update").map(|(.., index)| *index);
        assert!(indices.eq((0..chunks as u32).map(Some)), "{lengths:?}");
    }
}

/// What a kernel uses has been written by an earlier one, or is an input; the order is that of the bindings.
#[test]
fn every_kernel_names_its_buffers_in_order() {
    const ORDER: [&str; 26] = [
        "hidden",
        "qkv",
        "z",
        "conv_weight",
        "w_beta",
        "w_alpha",
        "a_log",
        "dt_bias",
        "norm_weight",
        "sequence_start",
        "chunk_sequence",
        "chunk_index",
        "conv_state",
        "state",
        "q_hat",
        "k_hat",
        "v_act",
        "beta",
        "log_alpha",
        "gamma",
        "w",
        "u",
        "attention",
        "residual",
        "core",
        "output",
    ];
    for path in Path::ALL {
        for step in steps(&shape(&[33], 1, 1, 32), path) {
            let places = step.buffers.iter().map(|name| ORDER.iter().position(|other| other == name));
            let places: Vec<usize> = places.map(|place| place.expect("a known buffer")).collect();
            assert!(places.is_sorted_by(|one, other| one < other), "{}: {:?}", step.entry, step.buffers);
        }
    }
}
