//! The entry in the catalogue.

use gridproof_launch::Language;

use crate::catalogue::{Kernel, ShapeKey, VariantEntry};

/// The entry in the catalogue.
pub const KERNEL: Kernel = Kernel {
    name: "gdn_decode",
    languages: &[Language::Wgsl, Language::Cuda],
    summary: "gated delta rule over a pool of states, one to eight tokens a request",
    source: "flashinfer pull requests 3147, 3145 and 3230",
    shape_keys: SHAPE_KEYS,
    variants: VARIANTS,
};

const SHAPE_KEYS: &[ShapeKey] = &[
    ShapeKey { name: "b", meaning: "requests, up to 65536", default: "2" },
    ShapeKey { name: "t", meaning: "tokens of a request, 1 to 8", default: "1" },
    ShapeKey { name: "h", meaning: "key heads", default: "2" },
    ShapeKey { name: "hv", meaning: "value heads, a multiple of h", default: "4" },
    ShapeKey { name: "pool", meaning: "slots of the pool", default: "8" },
    ShapeKey {
        name: "slot",
        meaning: "slot the first request reads (the others follow), a negative index for all, or a list 5+9+-1 with one \
                  per request",
        default: "1",
    },
    ShapeKey { name: "write", meaning: "the same for the slots written, or `same` as read", default: "same" },
    ShapeKey {
        name: "stride",
        meaning: "elements from one slot to the next, a multiple of 8, or `dense`: hv * 128 * 128",
        default: "dense",
    },
    ShapeKey {
        name: "steps",
        meaning: "tokens that the intermediate states of a request have room for, t or more, or `same` as t",
        default: "same",
    },
    ShapeKey { name: "state", meaning: "type of the states: bf16, or f32 (as pretranspose has)", default: "bf16" },
    ShapeKey { name: "update", meaning: "whether final states are stored, 0 or 1", default: "1" },
    ShapeKey {
        name: "cache",
        meaning: "whether the state after every token is stored, 0 or 1 (1 for the intermediate_* variants)",
        default: "0",
    },
    ShapeKey { name: "tile", meaning: "rows of a workgroup, or `auto`: what the dispatcher says", default: "auto" },
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
        name: "auto",
        summary: "the kernel and the tile that the dispatcher picks for the sizes",
        required: "race-free",
        shapes: &["", "t=2,b=32,cache=1,pool=40", "state=f32,t=2,cache=1"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "wide_vec",
        summary: "bf16 states: groups of 16 lanes with 8 elements each",
        required: "race-free",
        shapes: &[
            "",
            "t=4,cache=1",
            "t=8,b=1,hv=8,tile=128",
            "slot=1+-1,write=5+-1,stride=73728",
            "t=2,update=0,cache=1",
        ],
        long_shapes: &["b=1,hv=32,pool=8192,slot=8191"],
    },
    VariantEntry {
        name: "ilp4",
        summary: "bf16 states: groups of 32 lanes with 4 elements each",
        required: "race-free",
        shapes: &[
            "",
            "t=4,cache=1",
            "t=8,b=1,hv=8,tile=128",
            "slot=1+-1,write=5+-1,stride=73728",
            "t=2,update=0,cache=1",
        ],
        long_shapes: &["b=1,hv=32,pool=8192,slot=8191"],
    },
    VariantEntry {
        name: "pretranspose",
        summary: "f32 states: groups of 32 lanes with 4 elements each",
        required: "race-free",
        shapes: &["state=f32", "state=f32,t=4,cache=1", "state=f32,slot=1+-1,write=-1+5,stride=73728"],
        long_shapes: &["state=f32,b=1,hv=32,pool=8192,stride=540672,slot=8191"],
    },
    VariantEntry {
        name: "intermediate_by_slot",
        summary: "intermediate states are indexed by the slot that is read, not by the request",
        required: "a slot of b or more is read: GP0004 on `intermediate_states`, in WGSL GP0005 where 32 bits are not enough; \
                   below, race-free with wrong outputs unless every request reads the slot of its own number; two \
                   requests that read one slot: GP0001",
        shapes: &["cache=1", "cache=1,state=f32,slot=1+0", "cache=1,state=f32,slot=0"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "offset32",
        summary: "the offset of a state in the pool is computed in 32 bits",
        required: "GP0005 on `state_pool` from slot * hv + head = 131072 on in a dense pool, from slot * stride = 2^31 \
                   on in a padded one, with GP0004 while the wrapped offset is negative; race-free below, and at every size that WGSL addresses",
        shapes: &["", "state=f32"],
        long_shapes: &[
            "b=1,hv=32,pool=8192,slot=4095",
            "b=1,hv=32,pool=8192,slot=4096",
            "state=f32,b=1,hv=32,pool=8192,stride=540672,slot=3971",
            "state=f32,b=1,hv=32,pool=8192,stride=540672,slot=3972",
        ],
    },
    VariantEntry {
        name: "intermediate_offset32",
        summary: "the offset of an intermediate state is computed in 32 bits",
        required: "GP0005 on `intermediate_states` from (request * steps + token) * hv + head = 131072 on, with \
                   GP0004 while the wrapped offset is negative; race-free \
                   below, and at every size that WGSL addresses",
        shapes: &["cache=1", "cache=1,state=f32"],
        long_shapes: &["cache=1,hv=64,steps=2047", "cache=1,hv=64,steps=2048"],
    },
    VariantEntry {
        name: "wide_vec_no_pass_barrier",
        summary: "no barrier after a pass of the preparation",
        required: "GP0002 on `q_normed`, `k_normed`, `alphas` and `betas`, in CUDA C++ from two tokens on with GP0006 \
                   there; with a reduction through workgroup memory only for up to four tokens",
        shapes: &["", "t=4", "t=5"],
        long_shapes: &[],
    },
    VariantEntry {
        name: "softplus_branchless",
        summary: "the softplus adds both of its branches, times 0 and times 1",
        required: "race-free; a + dt_bias above 88.7 gives NaN, which the comparison with the model must find",
        shapes: &["gates=extreme,t=2", "gates=normal,t=2", "gates=extreme,t=2,state=f32"],
        long_shapes: &[],
    },
];
