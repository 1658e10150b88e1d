//! The entry in the catalogue.

use gridproof_launch::Language;

use crate::catalogue::{Kernel, ShapeKey, VariantEntry};

/// The entry in the catalogue.
pub const KERNEL: Kernel = Kernel {
    name: "gdn_conv_fused",
    languages: &[Language::Wgsl, Language::Cuda],
    summary: "decode step of a gated delta net: causal convolution, gated delta rule and the shift of its rows, fused",
    source: "intel/llm-scaler pull request 356",
    shape_keys: SHAPE_KEYS,
    variants: VARIANTS,
};

const SHAPE_KEYS: &[ShapeKey] = &[
    ShapeKey { name: "n", meaning: "requests, up to 65536", default: "2" },
    ShapeKey { name: "h", meaning: "key heads", default: "2" },
    ShapeKey { name: "hv", meaning: "value heads, a multiple of h, with 4 * h + hv up to 128", default: "4" },
    ShapeKey { name: "layout", meaning: "of the inputs: `sequential` or `interleaved`", default: "sequential" },
    ShapeKey {
        name: "pool",
        meaning: "slots of both pools, or `auto`: up to the last one that is used",
        default: "auto",
    },
    ShapeKey {
        name: "slot",
        meaning: "slot of the first request (the others follow), a negative index for all, or a list 3+1+-1 with one \
                  per request",
        default: "1",
    },
    ShapeKey { name: "check", meaning: "whether the caller checks its indices, 0 or 1", default: "1" },
    ShapeKey {
        name: "gates",
        meaning: "`normal`, or `extreme`: a + dt_bias at and around -100, 20, 88, 89 and 100",
        default: "normal",
    },
    ShapeKey { name: "k", meaning: "elements of a key head: 128", default: "128" },
    ShapeKey { name: "v", meaning: "elements of a value head: 128", default: "128" },
];

const VARIANTS: &[VariantEntry] = &[
    VariantEntry {
        name: "split",
        summary: "a second dispatch shifts the convolution's rows",
        required: "race-free (every workgroup of a request writes the same z: a benign race); two requests on one slot: \
                   GP0001 on `conv_state` and `ssm_state`",
        shapes: &[
            "",
            "layout=interleaved,slot=3+-1",
            "h=8,hv=16",
            "n=1,h=16,hv=64,layout=interleaved",
            "slot=2+2,check=0",
        ],
        long_shapes: &["n=2,h=16,hv=64,pool=4100,slot=4098"],
    },
    VariantEntry {
        name: "inline",
        summary: "the workgroup of value head 0 shifts them, while others may still read",
        required: "GP0001 on `conv_state` for hv > 1: safe only in lock-step waves with all workgroups of a request \
                   in one",
        shapes: &["", "n=1,h=1,hv=1", "n=3,h=4,hv=12,layout=interleaved"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "inline_all",
        summary: "every workgroup shifts them, from memory, in rows of 2048 elements",
        required: "GP0001 on `conv_state`, and wrong in every order with two workgroups or more; dim < 2048: wrong rows, \
                   behind the last slots GP0004; dim > 2048: wrong rows, and GP0002",
        shapes: &["h=4,hv=8", "h=2,hv=12,n=1", "h=2,hv=4,pool=6", "h=2,hv=4", "h=8,hv=16,n=1"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "split32",
        summary: "as `inline` for n * hv up to 32, else as `split`",
        required: "race-free from n * hv = 33 on; as `inline` below: safe only in lock-step waves of n * hv slots or more",
        shapes: &["", "n=8", "n=11,h=1,hv=3"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "surplus_threads",
        summary: "as `inline`, with teams that have no block of channels taking one behind the last head",
        required: "GP0004 on `qkvz` and `z_out`, in the last slots also on `conv_state`; GP0002 on `conv_state`, whose \
                   rows are taken for one another; GP0001 where the rows, or z, of another request are hit",
        shapes: &["n=1,slot=3", "n=2,slot=1,pool=6", "n=2,slot=1,layout=interleaved", "n=1,h=4,hv=8"],
        long_shapes: &[],
    },
];
