//! The entry in the catalogue.

use gridproof_launch::Language;

use crate::catalogue::{Kernel, ShapeKey, VariantEntry};

/// The entry in the catalogue.
pub const KERNEL: Kernel = Kernel {
    name: "gdn_chunked",
    languages: &[Language::Wgsl, Language::Cuda],
    summary: "prefill of a gated delta net in chunks of tokens: convolution, gates, gated delta rule and gated norm",
    source: "ohdearquant/lattice pull request 190",
    shape_keys: SHAPE_KEYS,
    variants: VARIANTS,
};

const SHAPE_KEYS: &[ShapeKey] = &[
    ShapeKey {
        name: "t",
        meaning: "tokens of each sequence, or a list 33+5 with one number per sequence",
        default: "33",
    },
    ShapeKey { name: "h", meaning: "key heads", default: "1" },
    ShapeKey { name: "hv", meaning: "value heads, a multiple of h", default: "2" },
    ShapeKey { name: "seqs", meaning: "sequences, up to 65536, where t is no list", default: "1" },
    ShapeKey { name: "c", meaning: "tokens of a chunk: 16, 32 or 64", default: "32" },
    ShapeKey { name: "d", meaning: "elements of a token's hidden vector, a multiple of 128", default: "128" },
    ShapeKey {
        name: "decay",
        meaning: "`normal`, or `strong`: within a chunk, down to e^-88 and far below, or hardly at all, by heads",
        default: "normal",
    },
    ShapeKey { name: "state", meaning: "before the first token: `random` or `zero`", default: "random" },
    ShapeKey { name: "k", meaning: "elements of a key head: 128", default: "128" },
    ShapeKey { name: "v", meaning: "elements of a value head: 128", default: "128" },
];

const VARIANTS: &[VariantEntry] = &[
    VariantEntry {
        name: "chunked",
        summary: "every barrier is there",
        required: "race-free",
        shapes: &[
            "",
            "t=1+31+32",
            "t=77,h=2,hv=2,c=16,decay=strong",
            "t=65,c=64,hv=1,state=zero",
            "t=33,seqs=2,d=384",
            "t=33+5,hv=1",
        ],
        long_shapes: &[],
    },
    VariantEntry {
        name: "serial",
        summary: "the recurrence, token by token, in one dispatch",
        required: "race-free",
        shapes: &["", "t=1+31+32", "t=77,h=2,hv=2,decay=strong"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "no_barrier_materialize_q",
        summary: "no barrier after all have read the sum of squares of the query",
        required: "GP0002 on `scratch`: the first partial sum of the key is stored where others still read; wrong where \
                   subgroups drift apart",
        shapes: &["t=5", "t=1,hv=1", "t=33"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "no_barrier_materialize_k",
        summary: "no barrier after all have read the sum of squares of the key",
        required: "GP0002 on `scratch`: the first partial sum of the gates is stored where others still read; wrong \
                   where subgroups drift apart",
        shapes: &["t=5", "t=1,hv=1", "t=33"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "no_barrier_solve_kk",
        summary: "no barrier after the products of the keys of two tokens are added up",
        required: "GP0002 on `scratch` from two tokens on: partial sums of the query are stored where those of the key \
                   are still added; race-free where every sequence has one token",
        shapes: &["t=5", "t=2,hv=1", "t=1", "t=33"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "no_barrier_solve_diag",
        summary: "no barrier after the products of a token's key with itself are added up",
        required: "GP0002 on `scratch`, but no output depends on that sum: right in every order",
        shapes: &["t=5", "t=1,hv=1", "t=33"],
        long_shapes: &[],
    },
];
