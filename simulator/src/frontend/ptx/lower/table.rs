//! What the files of this folder take besides scalar and matrix instructions, for people to read.

use crate::frontend::ptx::support::{PtxFamily, PtxOpcode, opcode};

/// See the file's head.
pub(super) const FAMILIES: &[PtxFamily] = &[
    PtxFamily { name: "Memory", scalar: false, opcodes: MEMORY },
    PtxFamily { name: "Addresses", scalar: false, opcodes: ADDRESSES },
    PtxFamily { name: "Control flow", scalar: false, opcodes: CONTROL },
    PtxFamily { name: "Barriers and asynchronous copies", scalar: false, opcodes: SYNCHRONISATION },
    PtxFamily { name: "Across a warp", scalar: false, opcodes: WARP },
    PtxFamily { name: "Special registers", scalar: false, opcodes: SPECIAL },
];

const MEMORY: &[PtxOpcode] = &[
    opcode(
        "ld",
        &[
            "{.weak}{.global|shared|shared::cta|local|const|param}{cache and level hints}{.nc}{.v2|v4|v8}.b8..b64|u8..u64|s8..s64|f32|f64",
            ".volatile|relaxed|acquire|mmio{.cta|cluster|gpu|sys}{space}{.v2|v4|v8}.type",
        ],
    ),
    opcode("ldu", &["as `ld`"]),
    opcode("st", &["as `ld`, with `.release` in the place of `.acquire`"]),
    opcode(
        "atom",
        &[
            "{.relaxed|acquire|release|acq_rel}{.cta|cluster|gpu|sys}{.global|shared}.and|or|xor|exch.b32|b64",
            "...cas.b16|b32|b64",
            "...inc|dec.u32",
            "...min|max.u32|s32|u64|s64{.v2|v4|v8}.f16|bf16|f16x2|bf16x2",
            "...add{.noftz}{.v2|v4|v8}.u32|s32|u64|s64|f32|f64|f16|bf16|f16x2|bf16x2",
        ],
    ),
    opcode("red", &["as `atom`, without a result"]),
    opcode("fence", &["{.sc|acq_rel|acquire|release}.cta|cluster|gpu|sys"]),
    opcode("membar", &[".cta|gl|sys"]),
    opcode("prefetch", &["a hint: nothing happens"]),
    opcode("prefetchu", &["a hint: nothing happens"]),
    opcode("applypriority", &["a hint: nothing happens"]),
    opcode("createpolicy", &["a hint: gives 0"]),
];

const ADDRESSES: &[PtxOpcode] = &[
    opcode("cvta", &["{.to}.global|shared|local|const|param.u64"]),
    opcode("isspacep", &[".global|shared|local|const|param"]),
];

const CONTROL: &[PtxOpcode] = &[
    opcode("bra", &["{.uni}"]),
    opcode("brx", &[".idx{.uni}"]),
    opcode(
        "call",
        &[
            "{.uni}, of functions that the module defines, without recursion; `__assertfail` traps, `vprintf` prints nothing",
        ],
    ),
    opcode("ret", &["{.uni}"]),
    opcode("exit", &[""]),
    opcode("trap", &[""]),
    opcode("brkpt", &["nothing happens"]),
    opcode("pmevent", &["nothing happens"]),
    opcode("nanosleep", &["nothing happens"]),
    opcode("setmaxnreg", &["nothing happens"]),
    opcode("griddepcontrol", &["nothing happens: dispatches follow each other"]),
];

const SYNCHRONISATION: &[PtxOpcode] = &[
    opcode("bar", &["{.cta}.sync|arrive", "{.cta}.red.popc.u32", "{.cta}.red.and|or.pred", ".warp.sync"]),
    opcode("barrier", &["{.cta}.sync|arrive|red, as `bar`, with or without `.aligned`"]),
    opcode(
        "cp",
        &[
            ".async.ca|cg.shared{::cta}.global{level hints}, 4, 8 or 16 bytes, source size or predicate",
            ".async.commit_group",
            ".async.wait_group",
            ".async.wait_all",
        ],
    ),
];

const WARP: &[PtxOpcode] = &[
    opcode("shfl", &[".sync.up|down|bfly|idx.b32"]),
    opcode("vote", &[".sync.all|any|uni.pred", ".sync.ballot.b32"]),
    opcode("match", &[".any|all.sync.b32|b64"]),
    opcode("activemask", &[".b32"]),
    opcode("elect", &[".sync"]),
    opcode("redux", &[".sync.add|min|max.u32|s32", ".sync.and|or|xor.b32", ".sync.min|max{.abs}{.NaN}.f32"]),
    opcode("ldmatrix", &[".sync.aligned.m8n8.x1|x2|x4{.trans}{.shared}.b16"]),
    opcode("stmatrix", &[".sync.aligned.m8n8.x1|x2|x4{.trans}{.shared}.b16"]),
];

const SPECIAL: &[PtxOpcode] = &[
    opcode("%tid", &[".x|y|z"]),
    opcode("%ntid", &[".x|y|z"]),
    opcode("%ctaid", &[".x|y|z"]),
    opcode("%nctaid", &[".x|y|z"]),
    opcode("%laneid", &[""]),
    opcode("%warpid", &[""]),
    opcode("%nwarpid", &[""]),
    opcode("%lanemask_eq", &["and `_lt`, `_le`, `_gt`, `_ge`"]),
    opcode("%dynamic_smem_size", &[""]),
    opcode("%total_smem_size", &[""]),
    opcode("%gridid", &["0"]),
    opcode(
        "%clusterid",
        &[
            ".x|y|z, of a launch whose clusters are single workgroups; so are `%nclusterid`, `%cluster_ctaid`, `%cluster_nctaid`, `%cluster_ctarank`, `%cluster_nctarank`, `%is_explicit_cluster`",
        ],
    ),
];
