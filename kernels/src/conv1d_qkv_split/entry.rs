//! The entry in the catalogue.

use gridproof_launch::Language;

use crate::catalogue::{Kernel, ShapeKey, VariantEntry};

/// The entry in the catalogue.
pub const KERNEL: Kernel = Kernel {
    name: "conv1d_qkv_split",
    languages: &[Language::Wgsl, Language::Cuda],
    summary: "causal conv1d of a prefill with SiLU, split into q, k and v",
    source: "lightseekorg/tokenspeed pull request 382",
    shape_keys: SHAPE_KEYS,
    variants: VARIANTS,
};

const SHAPE_KEYS: &[ShapeKey] = &[
    ShapeKey { name: "q", meaning: "channels of q (even in WGSL, as those of k and v)", default: "128" },
    ShapeKey { name: "k", meaning: "channels of k", default: "128" },
    ShapeKey { name: "v", meaning: "channels of v", default: "256" },
    ShapeKey {
        name: "lens",
        meaning: "tokens of each sequence, a list with + in between; 0 is a sequence too",
        default: "3+8+17",
    },
    ShapeKey { name: "width", meaning: "taps, 2 to 4", default: "4" },
    ShapeKey { name: "dtype", meaning: "type of the data: bf16 or f16", default: "bf16" },
    ShapeKey { name: "bias", meaning: "whether there is a bias, 0 or 1", default: "1" },
    ShapeKey { name: "slots", meaning: "slots of conv_state", default: "8" },
    ShapeKey {
        name: "slot",
        meaning: "slot of the first sequence (the others follow), -1 for all: padding, or a list 5+-1+2 with one per \
                  sequence",
        default: "1",
    },
    ShapeKey {
        name: "init",
        meaning: "whether sequences have an initial state, 0 or 1 for all, or a list with one per sequence",
        default: "1",
    },
    ShapeKey {
        name: "stride",
        meaning: "elements from one token of x to the next, even in WGSL, or `dense`: q + k + v",
        default: "dense",
    },
    ShapeKey { name: "check", meaning: "whether the caller checks its indices, 0 or 1", default: "1" },
];

const RIGHT: &[&str] = &[
    "",
    "lens=0+1+2+7+9,init=1+0+1+0+1,dtype=f16",
    "q=256,k=256,v=322,width=3,bias=0,lens=20+1+6,slot=5+-1+2,stride=840",
    "q=256,k=256,v=512,width=2,lens=64+33",
];

const VARIANTS: &[VariantEntry] = &[
    VariantEntry {
        name: "auto",
        summary: "block routing where q and k are multiples of 256, routing per invocation elsewhere",
        required: "race-free",
        shapes: RIGHT,
        long_shapes: &[],
    },
    VariantEntry {
        name: "sequential",
        summary: "the convolution into a staging buffer, then the split",
        required: "race-free",
        shapes: RIGHT,
        long_shapes: &[],
    },
    VariantEntry {
        name: "fused",
        summary: "one kernel, routing per invocation, for any q, k and v",
        required: "race-free",
        shapes: RIGHT,
        long_shapes: &["slots=2000000,slot=1999996"],
    },
    VariantEntry {
        name: "fused_block_routed",
        summary: "a block of 256 channels goes to the tensor of its first channel",
        required: "race-free and right where q and k are multiples of 256, whatever v is; elsewhere wrong outputs, \
                   GP0004 on the tensor that a split block begins in, and, between tokens that its columns reach, \
                   GP0001 and GP0002 there",
        shapes: &[
            "",
            "q=128,k=64,v=320,lens=1",
            "q=256,k=256,v=322",
            "q=512,k=256,v=256,lens=9+8",
            "q=256,k=130,v=256",
        ],
        long_shapes: &[],
    },
    VariantEntry {
        name: "no_state_barrier",
        summary: "no barrier between reading the old state and storing the new one",
        required: "GP0002 on `conv_state` where a sequence with tokens has an initial state; race-free elsewhere",
        shapes: &["", "init=0", "lens=0+9+1,init=1+0+1", "lens=1,slot=-1"],
        long_shapes: &[],
    },
];
